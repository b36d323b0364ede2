"""Which job next. Pure: no clock, no I/O. Start-time fair queueing: a member who floods waits behind their own jobs."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Limits:
    """Caps per member (DESIGN §5)."""

    waiting: int = 20
    running: int = 2


@dataclass(frozen=True, slots=True)
class Assignment:
    """A job meets a server."""

    job_id: str
    server: str


@dataclass(frozen=True, slots=True, order=True)
class _Entry:
    start: float
    arrival: int
    job_id: str = field(compare=False)
    member_id: int = field(compare=False)


class Scheduler:
    """The waiting room. An idle member earns no credit: their next job starts at the present virtual time."""

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._waiting: dict[str, _Entry] = {}
        self._running: dict[str, int] = {}
        self._finish: dict[int, float] = {}
        self._virtual = 0.0
        self._arrivals = 0

    def add(self, job_id: str, member_id: int, cost: float = 1.0) -> None:
        """Put a job in the room, at its fair place; what costs more puts its member's next job further back."""
        start = max(self._virtual, self._finish.get(member_id, 0.0))
        self._finish[member_id] = start + cost
        self._arrivals += 1
        self._waiting[job_id] = _Entry(start, self._arrivals, job_id, member_id)

    def started(self, job_id: str, member_id: int) -> None:
        """Count a job that runs already, such as one found at a start."""
        self._running[job_id] = member_id

    def gone(self, job_id: str) -> None:
        """Forget a job that was cancelled or is over."""
        self._waiting.pop(job_id, None)
        self._running.pop(job_id, None)
        if not self._waiting:
            self._finish.clear()
            self._virtual = 0.0

    def waiting_of(self, member_id: int) -> int:
        """Return how many jobs of a member wait."""
        return sum(entry.member_id == member_id for entry in self._waiting.values())

    @property
    def waiting_limit(self) -> int:
        """Jobs a member may have waiting."""
        return self._limits.waiting

    def order(self) -> list[str]:
        """Return the waiting jobs, next one first."""
        return [entry.job_id for entry in sorted(self._waiting.values())]

    @property
    def running(self) -> int:
        """How many jobs run."""
        return len(self._running)

    def plan(self, free: Mapping[str, int], can_run: Callable[[str, str], bool]) -> list[Assignment]:
        """Give free slots to jobs, fairest first; what is planned counts as running from now on."""
        slots = dict(free)
        running = Counter(self._running.values())
        planned: list[Assignment] = []
        for entry in sorted(self._waiting.values()):
            if not any(slots.values()):
                break
            if running[entry.member_id] >= self._limits.running and len(self._members()) > 1:
                continue
            server = next((name for name, count in slots.items() if count and can_run(entry.job_id, name)), None)
            if server is None:
                continue
            slots[server] -= 1
            running[entry.member_id] += 1
            self._virtual = max(self._virtual, entry.start)
            self._running[entry.job_id] = entry.member_id
            del self._waiting[entry.job_id]
            planned.append(Assignment(entry.job_id, server))
        return planned

    def _members(self) -> set[int]:
        return {entry.member_id for entry in self._waiting.values()} | set(self._running.values())
