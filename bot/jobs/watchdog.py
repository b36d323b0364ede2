"""Whether a ComfyUI still works, from what its queue shows. Pure: times are handed in, in seconds.

Its worker can die while its HTTP face lives on (facts G2, G4): prompts then wait with none running, or one runs for
ever and no interrupt takes effect. Only a restart helps, so its jobs must go elsewhere.
"""

from dataclasses import dataclass, field

from bot.comfy.models import QueueState

IDLE_S = 6.0
"""Seconds that prompts may wait with none running: taking the next takes milliseconds."""
REST_S = 300.0
"""Seconds after which a server that was found idle is given another chance, if it was not restarted before: once its
prompts are taken away, a dead worker looks like one that has nothing to do."""


@dataclass(slots=True)
class Watchdog:
    """Looks at one server's queue. A restarted server deserves a new one."""

    _idle_since: float | None = None
    _dead_until: float | None = None
    _suspects: dict[str, float] = field(default_factory=dict[str, float])

    def suspect(self, prompt_id: str, since: float) -> None:
        """From a moment on, as long as this prompt is shown as running, nothing else will."""
        self._suspects.setdefault(prompt_id, since)

    def is_wary(self) -> bool:
        """Tell whether the next look should come soon."""
        return self._idle_since is not None or bool(self._suspects)

    def is_wedged(self, queue: QueueState, now: float) -> bool:
        """Look, and tell whether the server does not work any more."""
        self._suspects = {one: since for one, since in self._suspects.items() if one in queue.running}
        if queue.running:
            self._dead_until = None
        if queue.pending and not queue.running:
            self._idle_since = now if self._idle_since is None else self._idle_since
        else:
            self._idle_since = None
        if self._idle_since is not None and now - self._idle_since >= IDLE_S:
            self._dead_until = now + REST_S
        return any(now >= since for since in self._suspects.values()) or (
            self._dead_until is not None and now < self._dead_until
        )
