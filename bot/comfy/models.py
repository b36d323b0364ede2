"""What ComfyUI's HTTP answers hold, as frozen records; pure. Layouts: shared facts, ComfyUI §3 and §4."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from bot.comfy.errors import ExecutionFailed, Interrupted, NodeFault, OutOfMemory
from bot.comfy.events import ExecutionError, ExecutionInterrupted, parse_event
from bot.model.job import Result
from bot.model.jsontree import JsonObject, is_list, is_object, items, number, obj, text

FILE_LISTS = ("images", "gifs", "videos", "video", "audio", "files", "3d")
"""Keys under which output nodes list their files."""

_FOLDERS = ("output", "temp", "input")


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """The server took the prompt; `number` is its place in the order."""

    prompt_id: str
    number: float


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueState:
    """Prompt ids; pending ones in the order in which they will run (the server lists them as a heap)."""

    running: tuple[str, ...]
    pending: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryEntry:
    """The end of one prompt: its files by output node, and the fault that ended it, if any."""

    files: Mapping[str, tuple[Result, ...]]
    fault: ExecutionFailed | Interrupted | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """Waiting on the server, `ahead` prompts before it."""

    ahead: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """The server works on it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """It is over."""

    entry: HistoryEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class NotThere:
    """The server does not know it."""


Whereabouts: TypeAlias = Pending | Running | Finished | NotThere


@dataclass(frozen=True, slots=True, kw_only=True)
class InputSpec:
    """An input of a node class: its type, and for lists the choices, for numbers the range."""

    type: str
    required: bool
    choices: tuple[str, ...] | None = None
    minimum: float | None = None
    maximum: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeClass:
    """One entry of `/object_info`."""

    name: str
    inputs: Mapping[str, InputSpec]
    outputs: tuple[str, ...]
    output_node: bool


NodeList: TypeAlias = Mapping[str, NodeClass]
"""All node classes of a server, by class name."""


def parse_queue(body: object) -> QueueState:
    """Read GET /queue."""
    reply = obj(body)

    def ids(name: str) -> tuple[str, ...]:
        entries = [entry for entry in items(reply.get(name)) if is_list(entry) and len(entry) > 1]
        ordered = sorted(entries, key=lambda entry: number(entry[0]) or 0)
        return tuple(text(entry[1]) for entry in ordered)

    return QueueState(running=ids("queue_running"), pending=ids("queue_pending"))


def parse_history(body: object, prompt_id: str) -> HistoryEntry | None:
    """Read GET /history/{id}; an unknown id is an empty map with status 200."""
    entry = obj(body).get(prompt_id)
    if not is_object(entry):
        return None
    outputs = obj(entry.get("outputs"))
    status = obj(entry.get("status"))
    return HistoryEntry(
        files={node: found for node, output in outputs.items() if (found := parse_files(output))},
        fault=_fault(status),
    )


def parse_files(output: object) -> tuple[Result, ...]:
    """Read the files of one output node; entries may lack subfolder and type, and `output` may be null."""
    lists = (items(obj(output).get(name)) for name in FILE_LISTS)
    entries = (entry for listed in lists for entry in listed if is_object(entry))
    return tuple(
        Result(
            filename=text(entry.get("filename")),
            subfolder=text(entry.get("subfolder")),
            kind=kind if (kind := text(entry.get("type"))) in _FOLDERS else "output",
        )
        for entry in entries
        if text(entry.get("filename"))
    )


def execution_fault(event: ExecutionError) -> ExecutionFailed:
    """Return the error for an `execution_error`; running out of memory is told apart (facts G27)."""
    hints = (event.kind + " " + event.message).lower()
    memory = "outofmemory" in hints.replace(" ", "") or "defaultcpuallocator" in hints
    kind = OutOfMemory if memory else ExecutionFailed
    return kind(
        f"node {event.node_id} raised {event.kind}",
        node=event.node_id,
        node_type=event.node_type,
        kind=event.kind,
        message=event.message[:500],
    )


def _fault(status: JsonObject) -> ExecutionFailed | Interrupted | None:
    for message in items(status.get("messages")):
        if not (is_list(message) and len(message) == 2):
            continue
        match parse_event(text(message[0]), obj(message[1])):
            case ExecutionError(terminal=True) as event:
                return execution_fault(event)
            case ExecutionInterrupted():
                return Interrupted()
            case _:
                continue
    if status.get("status_str") == "error":
        return ExecutionFailed("the server does not say why", node="", node_type="", kind="", message="")
    return None


def parse_refusal(body: object) -> tuple[str, str, tuple[NodeFault, ...]]:
    """Read kind, message and node faults of a refused prompt; reasons stand in `node_errors`, not in `details`."""
    error = obj(obj(body).get("error"))
    nodes = parse_node_errors(obj(body).get("node_errors"))
    if not nodes and text(obj(error.get("extra_info")).get("node_id")):
        info = obj(error.get("extra_info"))
        nodes = (
            NodeFault(
                node_id=text(info.get("node_id")),
                class_type=text(info.get("class_type")),
                kind=text(error.get("type")),
                input_name="",
                details=text(error.get("details")),
            ),
        )
    return text(error.get("type")) or "refused", text(error.get("message")), nodes


def parse_node_errors(body: object) -> tuple[NodeFault, ...]:
    """Read `node_errors`, which may come with status 400 and with status 200."""
    return tuple(
        NodeFault(
            node_id=node_id,
            class_type=text(obj(node).get("class_type")),
            kind=text(obj(fault).get("type")),
            input_name=text(obj(obj(fault).get("extra_info")).get("input_name")),
            details=text(obj(fault).get("details")) or text(obj(fault).get("message")),
        )
        for node_id, node in obj(body).items()
        for fault in items(obj(node).get("errors")) or [{}]
    )


def parse_node_list(body: object) -> NodeList:
    """Read GET /object_info; entries that are no node are left out."""
    return {name: _node_class(name, info) for name, info in obj(body).items() if is_object(info)}


def _node_class(name: str, info: JsonObject) -> NodeClass:
    declared = obj(info.get("input"))
    inputs = {
        input_name: _input_spec(spec, required=part == "required")
        for part in ("required", "optional")
        for input_name, spec in obj(declared.get(part)).items()
    }
    outputs = tuple(text(output) or "COMBO" for output in items(info.get("output")))
    return NodeClass(name=name, inputs=inputs, outputs=outputs, output_node=info.get("output_node") is True)


def _input_spec(spec: object, *, required: bool) -> InputSpec:
    """Read one declaration, in both styles of combo: [[values], {…}] and ["COMBO", {"options": […]}]."""
    parts = items(spec)
    kind: Any = parts[0] if parts else ""
    options = obj(parts[1]) if len(parts) > 1 else {}
    if is_list(kind):
        return InputSpec(type="COMBO", required=required, choices=_choices(kind))
    if kind == "COMBO":
        listed = options.get("options")
        return InputSpec(type="COMBO", required=required, choices=_choices(listed) if is_list(listed) else None)
    return InputSpec(
        type=text(kind), required=required, minimum=number(options.get("min")), maximum=number(options.get("max"))
    )


def _choices(values: list[Any]) -> tuple[str, ...]:
    return tuple(str(value) for value in values)
