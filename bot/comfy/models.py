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
    texts: Mapping[str, tuple[str, ...]]
    """What nodes showed as text."""
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
    step: float | None = None
    default: str | int | float | bool | None = None
    uploaded: bool = False
    """Whether its choices are files that people upload, so that a file not listed yet may come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeClass:
    """One entry of `/object_info`."""

    name: str
    inputs: Mapping[str, InputSpec]
    outputs: tuple[str, ...]
    output_node: bool
    output_names: tuple[str, ...] = ()
    title: str = ""
    description: str = ""
    category: str = ""

    def slot(self, wanted: str) -> int | None:
        """Return the slot of an output by its type, else by its name; None if it has no such output."""
        if wanted in self.outputs:
            return self.outputs.index(wanted)
        return self.output_names.index(wanted) if wanted in self.output_names else None


NodeList: TypeAlias = Mapping[str, NodeClass]
"""All node classes of a server, by class name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A device that computes; memory in bytes."""

    name: str
    type: str
    memory_total: int
    memory_free: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemStats:
    """GET /system_stats; bytes, empty where a version does not tell."""

    version: str
    system: str
    python: str
    torch: str
    memory_total: int
    memory_free: int
    devices: tuple[Device, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Features:
    """GET /features. `upload_limit` in bytes."""

    preview_metadata: bool
    upload_limit: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Uploaded:
    """A file that the server took, under the name that it gave it."""

    name: str
    subfolder: str
    folder: str

    @property
    def value(self) -> str:
        """What a LoadImage node calls it."""
        path = f"{self.subfolder}/{self.name}" if self.subfolder else self.name
        return path if self.folder == "input" else f"{path} [{self.folder}]"


@dataclass(frozen=True, slots=True, kw_only=True)
class UserFile:
    """A file below a folder of user data; size in bytes, times in milliseconds since 1970."""

    path: str
    size: int
    modified: float


StoredFile: TypeAlias = UserFile


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
        texts={node: found for node, output in outputs.items() if (found := parse_names(obj(output).get("text")))},
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
    return NodeClass(
        name=name,
        inputs=inputs,
        outputs=outputs,
        output_node=info.get("output_node") is True,
        output_names=tuple(text(one) for one in items(info.get("output_name"))),
        title=text(info.get("display_name")),
        description=text(info.get("description")),
        category=text(info.get("category")),
    )


def _input_spec(spec: object, *, required: bool) -> InputSpec:
    """Read one declaration, in both styles of combo: [[values], {…}] and ["COMBO", {"options": […]}]."""
    parts = items(spec)
    kind: Any = parts[0] if parts else ""
    options = obj(parts[1]) if len(parts) > 1 else {}
    listed = kind if is_list(kind) else options.get("options") if kind == "COMBO" else None
    default = options.get("default")
    return InputSpec(
        type="COMBO" if is_list(kind) else text(kind),
        required=required,
        choices=_choices(listed) if is_list(listed) else None,
        minimum=number(options.get("min")),
        maximum=number(options.get("max")),
        step=number(options.get("step")),
        default=default if isinstance(default, str | int | float | bool) else None,
        uploaded=any(name.endswith("_upload") and value is True for name, value in options.items()),
    )


def _choices(values: list[Any]) -> tuple[str, ...]:
    return tuple(str(value) for value in values)


def parse_histories(body: object) -> dict[str, HistoryEntry]:
    """Read GET /history."""
    entries = ((prompt_id, parse_history(body, prompt_id)) for prompt_id in obj(body))
    return {prompt_id: entry for prompt_id, entry in entries if entry is not None}


def parse_names(body: object) -> tuple[str, ...]:
    """Read a list of names."""
    return tuple(name for name in items(body) if isinstance(name, str))


def _whole(value: object) -> int:
    return int(number(value) or 0)


def parse_system_stats(body: object) -> SystemStats:
    """Read GET /system_stats."""
    system = obj(obj(body).get("system"))
    return SystemStats(
        version=text(system.get("comfyui_version")),
        system=text(system.get("os")),
        python=text(system.get("python_version")).split(" ")[0],
        torch=text(system.get("pytorch_version")),
        memory_total=_whole(system.get("ram_total")),
        memory_free=_whole(system.get("ram_free")),
        devices=tuple(
            Device(
                name=text(device.get("name")),
                type=text(device.get("type")),
                memory_total=_whole(device.get("vram_total")),
                memory_free=_whole(device.get("vram_free")),
            )
            for device in items(obj(body).get("devices"))
            if is_object(device)
        ),
    )


def parse_features(body: object) -> Features:
    """Read GET /features; the limit may be a float."""
    limit = number(obj(body).get("max_upload_size"))
    return Features(
        preview_metadata=obj(body).get("supports_preview_metadata") is True,
        upload_limit=None if limit is None else int(limit),
    )


def parse_uploaded(body: object) -> Uploaded | None:
    """Read the answer to an upload."""
    name = text(obj(body).get("name"))
    if not name:
        return None
    kind = text(obj(body).get("type"))
    return Uploaded(name=name, subfolder=text(obj(body).get("subfolder")), folder=kind if kind in _FOLDERS else "input")


def parse_stored(body: object) -> StoredFile | None:
    """Read what was written to user data."""
    path = text(obj(body).get("path"))
    if not path:
        return None
    return UserFile(path=path, size=_whole(obj(body).get("size")), modified=number(obj(body).get("modified")) or 0.0)


def parse_user_files(body: object) -> tuple[UserFile, ...]:
    """Read GET /userdata with full_info; older servers list bare paths."""
    found = (
        UserFile(path=one, size=0, modified=0.0) if isinstance(one, str) else parse_stored(one) for one in items(body)
    )
    return tuple(one for one in found if one is not None)
