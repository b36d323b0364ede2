"""The one serial worker: a priority heap, a cache of node outputs, and the event grammar of a job (facts §5)."""

import asyncio
import heapq
import time
import traceback
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

from bot.sandbox.comfyui.engine import RUNS, load_seconds
from bot.sandbox.comfyui.files import Files
from bot.sandbox.comfyui.hub import Hub
from bot.sandbox.comfyui.nodes import OBJECT_INFO

_CACHED_NODES = 256
_HISTORY_LIMIT = 10_000
_HISTORY_LAG_S = 0.004
"""Between `execution_success` and the history entry: clients that do not wait for the null node find nothing (G1)."""
_TICK_GAP_S, _TICK_SHARE = 0.1, 0.005

NEVER_CACHED = frozenset({"SaveImageWebsocket"})


class Interrupted(Exception):
    """Somebody interrupted the running job."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds a sampling step takes, and by what the models' load times are multiplied."""

    step_s: float = 0.02
    load: float = 0.0


@dataclass(order=True, slots=True)
class Item:
    """One queued prompt, ordered by number."""

    number: float
    prompt_id: str
    graph: dict[str, Any] = field(compare=False)
    extra_data: dict[str, Any] = field(compare=False)
    outputs: list[str] = field(compare=False)

    @property
    def client(self) -> str | None:
        """The client id that submitted it."""
        return self.extra_data.get("client_id")

    def listed(self) -> list[Any]:
        """Return it as /queue lists it."""
        return [self.number, self.prompt_id, self.graph, self.extra_data, self.outputs]


class Worker:
    """Queue, history and execution."""

    def __init__(self, hub: Hub, files: Files, pace: Pace) -> None:
        self._hub, self._files, self._pace = hub, files, pace
        self.pending: list[Item] = []
        self.running: Item | None = None
        self.history: dict[str, dict[str, Any]] = {}
        self.interrupt = False
        self.break_next: Exception | None = None
        """What the next node that runs raises, for who wants to see a failure."""
        self._free = False
        self._news = asyncio.Event()
        self._cache: OrderedDict[str, tuple[tuple[Any, ...], dict[str, Any] | None]] = OrderedDict()
        self._loaded: str | None = None

    def enqueue(self, item: Item) -> None:
        """Queue a prompt."""
        heapq.heappush(self.pending, item)
        self.recount()
        self._news.set()

    def delete(self, prompt_ids: list[str]) -> None:
        """Take pending prompts off the queue; a status is all that is heard of it."""
        kept = [item for item in self.pending if item.prompt_id not in prompt_ids]
        if len(kept) != len(self.pending):
            self.pending[:] = kept
            heapq.heapify(self.pending)
            self.recount()

    def free(self) -> None:
        """Drop the cache and the model, as soon as nothing runs."""
        self._free = True
        self._news.set()

    def recount(self) -> None:
        """Broadcast the queue's length."""
        self._hub.queue_remaining = len(self.pending) + (self.running is not None)
        self._hub.status()

    async def run(self) -> None:
        """Work for ever."""
        while True:
            self._news.clear()
            if self._free:
                self._free = False
                self._cache.clear()
                self._loaded = None
            if self.pending:
                self.running = heapq.heappop(self.pending)
                self.recount()
                await Job(self, self.running).run()
            else:
                await self._news.wait()

    # What a job needs of its worker.

    def recall(self, key: str) -> tuple[tuple[Any, ...], dict[str, Any] | None] | None:
        """Return a cached outcome."""
        if key in self._cache:
            self._cache.move_to_end(key)
        return self._cache.get(key)

    def remember(self, key: str, outcome: tuple[tuple[Any, ...], dict[str, Any] | None]) -> None:
        """Cache an outcome."""
        self._cache[key] = outcome
        while len(self._cache) > _CACHED_NODES:
            self._cache.popitem(last=False)

    async def load(self, model: str) -> None:
        """Take the time of loading; one model fits in memory."""
        if model != self._loaded:
            await asyncio.sleep(load_seconds(model) * self._pace.load)
            self._loaded = model

    @property
    def files(self) -> Files:
        """The folders."""
        return self._files

    @property
    def hub(self) -> Hub:
        """The sockets."""
        return self._hub

    @property
    def step_s(self) -> float:
        """Seconds a step takes."""
        return self._pace.step_s

    def finish(self, prompt_id: str, entry: dict[str, Any]) -> None:
        """Write the history and let go of the job."""
        self.history.pop(prompt_id, None)
        self.history[prompt_id] = entry
        while len(self.history) > _HISTORY_LIMIT:
            self.history.pop(next(iter(self.history)))
        self.running = None
        self.interrupt = False


class Job:
    """One run of one item; it is also the `Context` that nodes see."""

    def __init__(self, worker: Worker, item: Item) -> None:
        self._worker, self._item, self._hub = worker, item, worker.hub
        self.files, self.graph = worker.files, item.graph
        self.pnginfo: dict[str, Any] = item.extra_data.get("extra_pnginfo") or {}
        method = item.extra_data.get("preview_method")
        self.previews = method in ("auto", "latent2rgb", "taesd")
        self._states: dict[str, dict[str, Any]] = {}
        self._outputs: dict[str, Any] = {}
        self._meta: dict[str, Any] = {}
        self._executed: list[str] = []
        self._values: dict[str, tuple[Any, ...]] = {}
        self._messages: list[Any] = []
        self._node = ""
        self._last_tick = 0.0, 0.0

    async def run(self) -> None:
        """Run every needed node, tell the client, write the history, tell the end."""
        self._worker.interrupt = False
        order = self._order()
        keys: dict[str, str] = {}
        for node_id in order:
            self._key(node_id, keys)
        cached = {node_id for node_id in order if self._worker.recall(keys[node_id]) is not None}
        self._tell("execution_start", {**self._stamp()}, kept=True)
        self._tell("execution_cached", {"nodes": sorted(cached), **self._stamp()}, kept=True)
        completed = False
        try:
            for node_id in order:
                await (self._replay(node_id, keys[node_id]) if node_id in cached else self._execute(node_id, keys))
            completed = True
            self._tell("execution_success", self._stamp(), kept=True)
        except Interrupted:
            self._told_interrupted()
        except Exception as broken:  # noqa: BLE001 - whatever a node raises is told to the client
            self._told_error(broken)
        await asyncio.sleep(_HISTORY_LAG_S)
        self._worker.finish(self._item.prompt_id, self._entry(completed=completed))
        self._worker.recount()
        if self._item.client is not None:
            self._hub.tell("executing", {"node": None, "prompt_id": self._item.prompt_id}, self._item.client)
        self._hub.busy = (None, None)

    def _order(self) -> list[str]:
        """Return the needed nodes, sources first, output nodes as soon as they are ready."""
        order: list[str] = []

        def visit(node_id: str) -> None:
            for value in self.graph[node_id]["inputs"].values():
                if _is_link(value, self.graph) and value[0] not in order:
                    visit(value[0])
            if node_id not in order:
                order.append(node_id)

        for output in self._item.outputs:
            visit(output)
        return order

    def _key(self, node_id: str, keys: dict[str, str]) -> None:
        """Make a node's cache key of its class, its values and its sources' keys."""
        node = self.graph[node_id]
        parts = [node["class_type"]]
        for name, value in sorted(node["inputs"].items()):
            linked = _is_link(value, self.graph)
            parts.append(f"{name}={keys[value[0]]}#{value[1]}" if linked else f"{name}:{value!r}")
        if node["class_type"] in ("LoadImage", "LoadImageMask"):
            path = self.files.input_path(str(node["inputs"].get("image")))
            parts.append(str(path.stat().st_mtime_ns) if path else "")
        if node["class_type"] in NEVER_CACHED:
            parts.append(str(time.monotonic_ns()))
        keys[node_id] = f"({'|'.join(parts)})"

    async def _replay(self, node_id: str, key: str) -> None:
        outcome = self._worker.recall(key)
        if outcome is None:
            raise KeyError(key)
        self._values[node_id] = outcome[0]
        if outcome[1] is not None:
            self._told_executed(node_id, outcome[1])
            self._state(node_id, "finished", 1.0, 1.0)
        self._executed.append(node_id)

    async def _execute(self, node_id: str, keys: dict[str, str]) -> None:
        if self._worker.interrupt:
            self._node = node_id
            raise Interrupted
        self._node, self._hub.busy = node_id, (self._item.client, node_id)
        self._state(node_id, "running", 0.0, 1.0)
        self._tell_client("executing", {"node": node_id, "display_node": node_id, "prompt_id": self._item.prompt_id})
        node = self.graph[node_id]
        inputs = {
            name: self._values[value[0]][value[1]] if _is_link(value, self.graph) else _unwrapped(value)
            for name, value in node["inputs"].items()
        }
        await asyncio.sleep(0)
        if (planted := self._worker.break_next) is not None:
            self._worker.break_next = None
            raise planted
        outcome = await RUNS[node["class_type"]](self, inputs)
        self._values[node_id] = outcome[0]
        self._worker.remember(keys[node_id], outcome)
        if outcome[1] is not None:
            self._told_executed(node_id, outcome[1])
        maximum = self._states[node_id]["max"]
        self._state(node_id, "finished", maximum, maximum)
        self._executed.append(node_id)

    # Context

    async def load(self, model: str) -> None:
        """See Context."""
        await self._worker.load(model)

    async def tick(self, value: int, maximum: int, picture: bytes | None, mime: str = "image/jpeg") -> None:
        """See Context. Without previews, ticks within 100 ms or 0.5 % of the last one are left out."""
        if self._worker.interrupt:
            raise Interrupted
        if mime == "image/jpeg":
            await asyncio.sleep(self._worker.step_s)
        now = time.monotonic()
        near = now - self._last_tick[0] < _TICK_GAP_S or value - self._last_tick[1] < maximum * _TICK_SHARE
        if not self.previews and mime == "image/jpeg" and near and value not in (1, maximum):
            return
        self._last_tick = now, value
        self._state(self._node, "running", float(value), float(maximum))
        metadata = {
            "node_id": self._node,
            "prompt_id": self._item.prompt_id,
            "display_node_id": self._node,
            "parent_node_id": None,
            "real_node_id": self._node,
        }
        if picture is not None and self._item.client is not None:
            self._hub.picture(picture, mime, metadata, self._item.client)
        progress = {"value": value, "max": maximum, "prompt_id": self._item.prompt_id, "node": self._node}
        self._hub.tell("progress", progress, self._item.client)
        if picture is not None:
            self._hub.legacy_picture(picture, mime, self._item.client)

    # Events

    def _stamp(self) -> dict[str, Any]:
        return {"prompt_id": self._item.prompt_id, "timestamp": int(time.time() * 1000)}

    def _tell(self, kind: str, data: dict[str, Any], *, kept: bool = False) -> None:
        if kept:
            self._messages.append([kind, data])
        self._tell_client(kind, data)

    def _tell_client(self, kind: str, data: dict[str, Any]) -> None:
        """Tell the job's client; nobody, if the job came without a client id."""
        if self._item.client is not None:
            self._hub.tell(kind, data, self._item.client)

    def _state(self, node_id: str, state: str, value: float, maximum: float) -> None:
        """Tell `progress_state`, to the client or, without one, to everybody."""
        self._states[node_id] = {
            "value": value,
            "max": maximum,
            "state": state,
            "node_id": node_id,
            "prompt_id": self._item.prompt_id,
            "display_node_id": node_id,
            "parent_node_id": None,
            "real_node_id": node_id,
        }
        nodes = {name: dict(entry) for name, entry in self._states.items()}
        self._hub.tell("progress_state", {"prompt_id": self._item.prompt_id, "nodes": nodes}, self._item.client)

    def _told_executed(self, node_id: str, output: dict[str, Any]) -> None:
        self._outputs[node_id] = output
        self._meta[node_id] = {
            "node_id": node_id,
            "display_node": node_id,
            "parent_node": None,
            "real_node_id": node_id,
        }
        data = {"node": node_id, "display_node": node_id, "output": output, "prompt_id": self._item.prompt_id}
        self._tell_client("executed", data)

    def _told_interrupted(self) -> None:
        node_type = self.graph[self._node]["class_type"]
        data = {
            "prompt_id": self._item.prompt_id,
            "node_id": self._node,
            "node_type": node_type,
            "executed": list(self._executed),
            "timestamp": int(time.time() * 1000),
        }
        self._messages.append(["execution_interrupted", data])
        self._hub.tell("execution_interrupted", data, self._item.client)

    def _told_error(self, broken: Exception) -> None:
        kind = type(broken)
        name = kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"
        node = self.graph[self._node]
        inputs = {name: [str(value)] for name, value in node["inputs"].items() if not _is_link(value, self.graph)}
        data = {
            "prompt_id": self._item.prompt_id,
            "node_id": self._node,
            "node_type": node["class_type"],
            "executed": list(self._executed),
            "exception_message": f"{broken}\n",
            "exception_type": name,
            "traceback": traceback.format_tb(broken.__traceback__),
            "current_inputs": inputs,
            "current_outputs": list(self._executed),
            "timestamp": int(time.time() * 1000),
        }
        self._tell("execution_error", data, kept=True)

    def _entry(self, *, completed: bool) -> dict[str, Any]:
        return {
            "prompt": self._item.listed(),
            "outputs": self._outputs,
            "status": {
                "status_str": "success" if completed else "error",
                "completed": completed,
                "messages": self._messages,
            },
            "meta": self._meta,
        }


def _is_link(value: Any, graph: dict[str, Any]) -> bool:
    return isinstance(value, list) and len(value) == 2 and isinstance(value[0], str) and value[0] in graph


def _unwrapped(value: Any) -> Any:
    return value["__value__"] if isinstance(value, dict) and "__value__" in value else value


assert OBJECT_INFO.keys() >= NEVER_CACHED  # noqa: S101 - a typo here would cache frames away
