"""What owners read of their machines. Names come from servers, so they are made safe like members' words."""

from collections.abc import Mapping, Sequence

from bot.model.machine import NodeFacts, ServerStatus
from bot.replies.catalogue import text
from bot.replies.lines import LETTERS, within
from bot.replies.safe import shown

_NAME, _VALUE = 100, 200
_GIB = 2**30
ABOUT = ("modelspec.title", "modelspec.architecture", "modelspec.resolution", "modelspec.license", "modelspec.author",
         "modelspec.description", "modelspec.date", "ss_base_model_version", "ss_network_dim", "ss_output_name",
         "format")  # fmt: skip
"""What of a file's metadata is worth reading, best first."""


def status_words(status: ServerStatus, locale: str) -> str:
    """Return how a server is."""
    if not status.up:
        return text("owner.status_down", locale, name=shown(status.name, _NAME))
    if status.wedged:
        name = shown(status.name, _NAME)
        return text("owner.status_wedged", locale, name=name, waiting=status.queue_waiting)
    lines = [
        text(
            "owner.status_up",
            locale,
            name=shown(status.name, _NAME),
            version=shown(status.version or "?", _NAME),
            running=status.queue_running,
            waiting=status.queue_waiting,
            ours=status.ours,
            slots=status.slots,
            nodes=status.nodes,
            models=status.checkpoints,
        )
    ]
    lines += [
        text(
            "owner.device",
            locale,
            device=shown(one.name, _NAME),
            type=shown(one.type, 20),
            **_memory(one.free, one.total),
        )
        for one in status.devices
    ]
    if status.loaded:
        lines.append(text("owner.loaded", locale, names=", ".join(shown(one, _NAME) for one in status.loaded)))
    memory = _memory(status.memory_free, status.memory_total)
    versions = {"python": shown(status.python, 20), "torch": shown(status.torch, 60)}
    return "\n".join([*lines, text("owner.memory", locale, **memory, **versions)])


def _memory(free: int, total: int) -> dict[str, str]:
    return {"free": f"{free / _GIB:.1f}", "total": f"{total / _GIB:.1f}"}


def node_words(node: NodeFacts, locale: str) -> str:
    """Return what a node class takes and gives."""
    gives = ", ".join(shown(one, 40) for one in node.outputs) or text("owner.nothing", locale)
    head = text("owner.node", locale, name=shown(node.name, _NAME), category=shown(node.category, _NAME), outputs=gives)
    return within([head, *(_input(one, locale) for one in node.inputs)], locale)


def _input(facts: Mapping[str, str], locale: str) -> str:
    rule = (text("owner.required", locale) if facts["required"] else "") + shown(facts["rule"], _NAME)
    return text("owner.node_input", locale, name=shown(facts["name"], 60), type=shown(facts["type"], 40), rule=rule)


def models_words(folder: str, names: Sequence[str], locale: str) -> str:
    """Return the files of a folder."""
    taken: list[str] = []
    for name in names:
        if sum(map(len, taken)) + len(name) > LETTERS - 200:
            break
        taken.append(shown(name, _NAME))
    listed = ", ".join(taken) or text("owner.nothing", locale)
    if len(taken) < len(names):
        listed += text("lists.more", locale, count=len(names) - len(taken))
    return text("owner.models", locale, folder=shown(folder, 60), count=len(names), names=listed)[:2000]


def metadata_words(name: str, metadata: Mapping[str, str], locale: str) -> str:
    """Return what a model file says of itself, the useful first."""
    known = [key for key in ABOUT if key in metadata]
    rest = [key for key in metadata if key not in known]
    lines = [
        text("owner.fact", locale, name=shown(key, 60), value=shown(metadata[key], _VALUE)) for key in (*known, *rest)
    ]
    return within([text("owner.about", locale, name=shown(name, _NAME)), *lines], locale)
