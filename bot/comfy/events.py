"""ComfyUI's frames as a closed union of frozen records. Pure: text or bytes in, one record out, never an exception.

Source of every layout: the recorded protocol of ComfyUI 0.33.0 and 0.3.64 (shared facts, ComfyUI §5).
"""

import json
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from bot.model.jsontree import JsonObject, is_object, items, number, obj, text

_PREVIEW, _TEXT, _PREVIEW_WITH_METADATA = 1, 3, 4
_LEGACY_FORMATS = {1: "image/jpeg", 2: "image/png"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """The queue's length; the first frame of a socket also tells its `sid`."""

    queue_remaining: int
    sid: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureFlags:
    """The server's answer to our flags; `preview_metadata` decides between binary types 4 and 1."""

    preview_metadata: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionStart:
    """The prompt began."""

    prompt_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionCached:
    """Nodes that need not run."""

    prompt_id: str
    nodes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Executing:
    """A node began; `node` None with our prompt id is the end, and only then is the history written."""

    node: str | None
    prompt_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """A tick of a node: `value` of `maximum`; each node counts for itself."""

    prompt_id: str | None
    node: str | None
    value: float
    maximum: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgressState:
    """Every node that has begun, and whether it is still `running`."""

    prompt_id: str
    running: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Executed:
    """An output node is done. The history is not yet written."""

    prompt_id: str
    node: str
    output: JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionSuccess:
    """All nodes are done. The history is not yet written."""

    prompt_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionError:
    """A node raised; with `kind` ExecutionBlocked the prompt goes on."""

    prompt_id: str
    node_id: str
    node_type: str
    kind: str
    message: str = field(repr=False)

    @property
    def terminal(self) -> bool:
        """Whether the prompt ends with it."""
        return self.kind != "ExecutionBlocked"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionInterrupted:
    """Somebody interrupted the prompt."""

    prompt_id: str
    node_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """Binary type 4: a preview, or a finished picture of SaveImageWebsocket; which, its node tells."""

    prompt_id: str
    node_id: str
    mime: str
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class LegacyPicture:
    """Binary type 1: as Picture, but it does not say whose it is."""

    mime: str
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeText:
    """Binary type 3: words a node has for the person."""

    node_id: str
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """A frame of a kind that Easel does not use; custom nodes send their own."""

    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """A frame that is not what its kind promises."""

    reason: str


ComfyEvent: TypeAlias = (
    Status
    | FeatureFlags
    | ExecutionStart
    | ExecutionCached
    | Executing
    | Progress
    | ProgressState
    | Executed
    | ExecutionSuccess
    | ExecutionError
    | ExecutionInterrupted
    | Picture
    | LegacyPicture
    | NodeText
    | Unknown
    | Broken
)


def _status(data: JsonObject) -> ComfyEvent:
    remaining = number(obj(obj(data.get("status")).get("exec_info")).get("queue_remaining"))
    return Status(queue_remaining=int(remaining or 0), sid=_maybe(data.get("sid")))


def _flags(data: JsonObject) -> ComfyEvent:
    return FeatureFlags(preview_metadata=data.get("supports_preview_metadata") is True)


def _cached(data: JsonObject) -> ComfyEvent:
    return ExecutionCached(prompt_id=text(data.get("prompt_id")), nodes=_words(data.get("nodes")))


def _executing(data: JsonObject) -> ComfyEvent:
    return Executing(node=_maybe(data.get("node")), prompt_id=_maybe(data.get("prompt_id")))


def _progress(data: JsonObject) -> ComfyEvent:
    value, maximum = number(data.get("value")), number(data.get("max"))
    if value is None or maximum is None:
        return Broken(reason="progress without numbers")
    return Progress(
        prompt_id=_maybe(data.get("prompt_id")), node=_maybe(data.get("node")), value=value, maximum=maximum
    )


def _progress_state(data: JsonObject) -> ComfyEvent:
    nodes = obj(data.get("nodes"))
    running = tuple(name for name, node in nodes.items() if obj(node).get("state") == "running")
    return ProgressState(prompt_id=text(data.get("prompt_id")), running=running)


def _executed(data: JsonObject) -> ComfyEvent:
    return Executed(prompt_id=text(data.get("prompt_id")), node=text(data.get("node")), output=obj(data.get("output")))


def _error(data: JsonObject) -> ComfyEvent:
    return ExecutionError(
        prompt_id=text(data.get("prompt_id")),
        node_id=text(data.get("node_id")),
        node_type=text(data.get("node_type")),
        kind=text(data.get("exception_type")),
        message=text(data.get("exception_message")).strip(),
    )


def _interrupted(data: JsonObject) -> ComfyEvent:
    return ExecutionInterrupted(prompt_id=text(data.get("prompt_id")), node_id=text(data.get("node_id")))


_TEXT_EVENTS: dict[str, Callable[[JsonObject], ComfyEvent]] = {
    "status": _status,
    "feature_flags": _flags,
    "execution_start": lambda data: ExecutionStart(prompt_id=text(data.get("prompt_id"))),
    "execution_cached": _cached,
    "executing": _executing,
    "progress": _progress,
    "progress_state": _progress_state,
    "executed": _executed,
    "execution_success": lambda data: ExecutionSuccess(prompt_id=text(data.get("prompt_id"))),
    "execution_error": _error,
    "execution_interrupted": _interrupted,
}


def parse_text(frame: str) -> ComfyEvent:
    """Return the event of a text frame; Python's JSON is wanted, for bare NaN does occur."""
    try:
        message: Any = json.loads(frame)
    except ValueError:
        return Broken(reason="not JSON")
    except RecursionError:
        return Broken(reason="nested too deep")
    if not is_object(message) or not isinstance(message.get("type"), str):
        return Broken(reason="not an event")
    return parse_event(message["type"], obj(message.get("data")))


def parse_event(kind: str, data: JsonObject) -> ComfyEvent:
    """Return the event of a type and its data, as frames and the history's messages hold them."""
    read = _TEXT_EVENTS.get(kind)
    return read(data) if read else Unknown(kind=kind)


def parse_binary(frame: bytes) -> ComfyEvent:
    """Return the event of a binary frame: a big-endian u32 kind, a second u32, then what the kind says."""
    if len(frame) < 8:
        return Broken(reason="binary frame shorter than its header")
    kind, word = struct.unpack(">II", frame[:8])
    match kind:
        case _ if kind == _PREVIEW:
            return LegacyPicture(mime=_LEGACY_FORMATS.get(word, "image/jpeg"), data=frame[8:])
        case _ if kind == _PREVIEW_WITH_METADATA:
            return _with_metadata(frame, word)
        case _ if kind == _TEXT:
            node_id, words = frame[8 : 8 + word], frame[8 + word :]
            return NodeText(node_id=node_id.decode("utf-8", "replace"), words=words.decode("utf-8", "replace"))
        case _:
            return Unknown(kind=f"binary {kind}")


def _with_metadata(frame: bytes, length: int) -> ComfyEvent:
    if 8 + length > len(frame):
        return Broken(reason="metadata longer than the frame")
    try:
        metadata = obj(json.loads(frame[8 : 8 + length]))
    except (ValueError, RecursionError):
        return Broken(reason="metadata is not JSON")
    return Picture(
        prompt_id=text(metadata.get("prompt_id")),
        node_id=text(metadata.get("node_id")),
        mime=text(metadata.get("image_type")) or "image/jpeg",
        data=frame[8 + length :],
    )


def _maybe(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _words(value: object) -> tuple[str, ...]:
    return tuple(word for word in items(value) if isinstance(word, str))
