"""ComfyEvents of one prompt → what its reply shows. Pure, but for the clock that is handed in."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from bot.comfy.events import (
    ComfyEvent,
    Executing,
    ExecutionStart,
    ExecutionSuccess,
    LegacyPicture,
    Picture,
    Progress,
)
from bot.model.job import JobUpdate, Loading, Preparing, Sampling, Saving, Working
from bot.workflow.graph import Graph

_LOADS = re.compile(r"load(?!image)", re.IGNORECASE)
_SAVES = re.compile(r"save|preview", re.IGNORECASE)


@dataclass(slots=True)
class Tracker:
    """Keeps where a prompt is. Each node counts its own steps (facts G16), so the ETA is that node's."""

    graph: Graph
    clock: Callable[[], float]
    began: float
    _node: str | None = None
    _first_tick: tuple[float, float] | None = None
    _shown: JobUpdate = field(default_factory=Preparing)

    def take(self, event: ComfyEvent) -> JobUpdate | None:
        """Return the new state of affairs, or None if the event changes nothing that is shown."""
        match event:
            case ExecutionStart():
                self._shown = Working(node="", elapsed_s=self._elapsed())
            case Executing(node=str(node)):
                self._node, self._first_tick = node, None
                self._shown = self._at(node)
            case Progress(node=node, value=value, maximum=maximum) if maximum > 1:
                self._shown = self._tick(node or self._node or "", value, maximum)
            case Picture(data=data) | LegacyPicture(data=data):
                return self._with_preview(data)
            case ExecutionSuccess():
                self._shown = Saving(elapsed_s=self._elapsed())
            case _:
                return None
        return self._shown

    def pending(self, ahead: int) -> JobUpdate:
        """Return what to show while the server runs other prompts first."""
        self._shown = Preparing(ahead=ahead)
        return self._shown

    def saving(self) -> JobUpdate:
        """Return what to show while files are fetched and sent."""
        return Saving(elapsed_s=self._elapsed())

    def _elapsed(self) -> float:
        return self.clock() - self.began

    def _label(self, node_id: str) -> str:
        """Return a node's name: its title, else its class; an id such as 5.0.0.3 belongs to node 5."""
        node = self.graph.nodes.get(node_id) or self.graph.nodes.get(node_id.partition(".")[0])
        return (node.title or node.class_type) if node else ""

    def _at(self, node_id: str) -> JobUpdate:
        node = self.graph.nodes.get(node_id)
        label, elapsed = self._label(node_id), self._elapsed()
        if node is not None and _LOADS.search(node.class_type):
            return Loading(node=label, elapsed_s=elapsed)
        if node is not None and _SAVES.search(node.class_type):
            return Saving(elapsed_s=elapsed)
        return Working(node=label, elapsed_s=elapsed)

    def _tick(self, node_id: str, value: float, maximum: float) -> Sampling:
        now = self.clock()
        if self._first_tick is None or node_id != self._node:
            self._node, self._first_tick = node_id, (now, value)
        since, start = self._first_tick
        made = value - start
        eta = (now - since) / made * (maximum - value) if made > 0 else None
        return Sampling(
            node=self._label(node_id),
            step=int(value),
            steps=int(maximum),
            elapsed_s=self._elapsed(),
            eta_s=eta,
        )

    def _with_preview(self, data: bytes) -> JobUpdate | None:
        """The tick's words stand; only the picture is new. The next tick comes without it."""
        match self._shown:
            case Sampling(node=node, step=step, steps=steps, elapsed_s=elapsed_s, eta_s=eta_s):
                return Sampling(node=node, step=step, steps=steps, elapsed_s=elapsed_s, eta_s=eta_s, preview=data)
            case Working(node=node, elapsed_s=elapsed_s):
                return Working(node=node, elapsed_s=elapsed_s, preview=data)
            case _:
                return None
