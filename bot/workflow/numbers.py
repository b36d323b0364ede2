"""Where a graph's numbers stand: seeds, sizes, batches, steps (rules: shared facts, workflows §4.8 and 9)."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from bot.workflow.graph import Graph, Link, Node, Place
from bot.workflow.lens import SEED_NAMES, Lens, active_branch

_NO_SEED = re.compile(
    r"llm|(?<!kon)text|caption|prompt|wildcard|load|depth|random|style|florence|noise.?aug", re.IGNORECASE
)
_RANDOM = re.compile(r"random(?!noise)|canvas", re.IGNORECASE)
_ACROSS = ("width", "empty_latent_width", "Xi", "resize_type.width")
_DOWN = ("height", "empty_latent_height", "Yi", "resize_type.height")
_PICTURE_IN = re.compile(r"image|pixels", re.IGNORECASE)
_FROM_PICTURE = re.compile(
    r"(vae|image).?encode|load.?image|inpaint.?model.?conditioning|textencode|text.?encode", re.IGNORECASE
)
_TO_LATENT = re.compile(r"latent|samples|image_embeds|pipe|any|^input", re.IGNORECASE)
_NUMBER_NAMES = (*SEED_NAMES, "value", "int", "number", "Value", "integer", "float", "Number")
_SETTINGS = {
    "steps": ("steps",),
    "cfg": ("cfg", "guidance"),
    "sampler": ("sampler_name", "sampler"),
    "scheduler": ("scheduler",),
    "denoise": ("denoise", "denoise_strength"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SizePlace:
    """Where width and height stand."""

    width: Place
    height: Place


def seeds(lens: Lens, live: frozenset[str], stages: Iterable[Node]) -> tuple[Place, ...]:
    """Return every seed of a sampling or generating stage that reaches an output."""
    working = {node.id for node in stages}
    found: list[Place] = []
    for node in lens.graph.nodes.values():
        if node.id not in live or node.inputs.get("add_noise") in ("disable", False):
            continue
        other = _NO_SEED.search(node.class_type) or _is_primitive(lens, node, live)
        if node.id not in working and other and not node.kind.startswith("randomnoise"):
            continue
        places = (Place(node.id, name) for name in SEED_NAMES if name in node.inputs)
        found += [end for place in places if (end := number(lens.graph, place))]
    return tuple(dict.fromkeys(found))


def _is_primitive(lens: Lens, node: Node, live: frozenset[str]) -> bool:
    """Tell a seed primitive: it is found from the stages that use it, so it does not count by itself."""
    if any(True for _ in lens.graph.links(node)):
        return False
    uses = [name for _, name, _ in lens.uses(node.id, live)]
    return bool(uses) and all(name != "noise" and not re.search(r"latent|image|model", name) for name in uses)


def number(graph: Graph, place: Place, axis: tuple[str, ...] = (), seen: frozenset[str] = frozenset()) -> Place | None:
    """Follow links from a number to the literal that holds it; a random source leaves the place itself.

    `axis` names the inputs that hold this side of a size, for nodes that know both.
    """
    link = graph.link(graph.value(place))
    if link is None:
        return place if _is_number(graph.value(place)) else None
    node = graph.nodes[link.node]
    if node.id in seen:
        return None
    if _RANDOM.search(node.kind):
        return place
    return next((end for name in _sources(graph, node, axis) if (end := _end(graph, node, name, axis, seen))), None)


def _end(graph: Graph, node: Node, name: str, axis: tuple[str, ...], seen: frozenset[str]) -> Place | None:
    return number(graph, Place(node.id, name), axis, seen | {node.id})


def _sources(graph: Graph, node: Node, axis: tuple[str, ...]) -> Iterator[str]:
    """Yield the inputs that a number may come from, likeliest first."""
    if (branch := active_branch(graph, node)) is not None:
        yield branch
        return
    sides = [name for name in axis if name in node.inputs]
    if axis and not sides and any(name in node.inputs for name in (*_ACROSS, *_DOWN)):
        return
    yield from sides
    if sides:
        return
    linked = [name for name, _ in graph.links(node)]
    yield from (name for name in _NUMBER_NAMES if name in linked)
    yield from (name for name in linked if name not in _NUMBER_NAMES)
    if not linked:
        names = [name for name in _NUMBER_NAMES if name in node.inputs]
        yield from names or [name for name, value in node.inputs.items() if _is_number(value)][:1]


def _is_number(value: object) -> bool:
    """A number, or a text in a number's place: a placeholder that must be replaced."""
    return isinstance(value, int | float | str) and not isinstance(value, bool)


def sizes(lens: Lens, stages: Iterable[Node]) -> tuple[tuple[SizePlace, ...], tuple[Place, ...]]:
    """Return where the sizes of the pictures stand, and how many are made at once."""
    graph = lens.graph
    found: list[SizePlace] = []
    batches: list[Place] = []
    for stage in stages:
        for holder in _latent_makers(lens, stage):
            width = next((end for name in _ACROSS if name in holder.inputs
                          and (end := number(graph, Place(holder.id, name), _ACROSS))), None)  # fmt: skip
            height = next((end for name in _DOWN if name in holder.inputs
                           and (end := number(graph, Place(holder.id, name), _DOWN))), None)  # fmt: skip
            if width and height and width != height:
                found.append(SizePlace(width=width, height=height))
            batches += [Place(holder.id, "batch_size")] if _is_count(holder.inputs.get("batch_size")) else []
    return tuple(dict.fromkeys(found)), tuple(dict.fromkeys(batches))


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _has_sides(node: Node) -> bool:
    return any(name in node.inputs for name in _ACROSS) and any(name in node.inputs for name in _DOWN)


def _latent_makers(lens: Lens, stage: Node) -> Iterator[Node]:
    """Yield the stage itself, or whatever makes the latent that it starts from, as far as the first with sides."""
    if _has_sides(stage):
        yield stage
        return
    seen = {stage.id}
    todo = [link for name, link in lens.graph.links(stage) if _leads_to_size(lens, name, link)]
    while todo:
        node = lens.graph.nodes[todo.pop(0).node]
        if node.id in seen or lens.is_sampler(node):
            continue
        seen.add(node.id)
        if _FROM_PICTURE.search(node.class_type):
            yield from _resizes(lens, node)
        elif _has_sides(node):
            yield node
        else:
            todo += [link for name, link in lens.graph.links(node) if _leads_to_size(lens, name, link)]


def _resizes(lens: Lens, encoder: Node) -> Iterator[Node]:
    """A picture that becomes a latent has its own size, unless it is resized right before."""
    for name, link in lens.graph.links(encoder):
        node = lens.graph.nodes[link.node]
        if _PICTURE_IN.search(name) and re.search(r"resize|scale", node.kind) and _has_sides(node):
            yield node


def _leads_to_size(lens: Lens, name: str, link: Link) -> bool:
    """A latent has its size from its maker; a picture from outside has its own."""
    kind = lens.source_type(link)
    if kind == "LATENT":
        return True
    if kind in ("IMAGE", "MASK", "VAE", "MODEL", "CLIP", "CONDITIONING", "STRING", "AUDIO"):
        return False
    return bool(_TO_LATENT.search(name)) and not re.search(r"(?<!latent_)images?$", name)


def settings(lens: Lens, live: frozenset[str], stages: Iterable[Node]) -> dict[str, tuple[Place, ...]]:
    """Return where steps, cfg, sampler, scheduler and denoise stand: the first of each, and those of the same value."""
    graph = lens.graph
    near = graph.upstream([node.id for node in stages]) & live
    found: dict[str, list[Place]] = {role: [] for role in _SETTINGS}
    for node in graph.nodes.values():
        if node.id not in near or not re.search(r"sampl|schedul|guid|detailer|upscale|pipe", node.kind):
            continue
        for role, names in _SETTINGS.items():
            ends = (number(graph, Place(node.id, name)) for name in names if name in node.inputs)
            found[role] += [end for end in ends if end is not None]
    return {role: _alike(graph, places) for role, places in found.items() if places}


def _alike(graph: Graph, places: list[Place]) -> tuple[Place, ...]:
    """Keep the first place and those that say the same: what differs was set apart on purpose."""
    first = graph.value(places[0])
    return tuple(dict.fromkeys(place for place in places if graph.value(place) == first))
