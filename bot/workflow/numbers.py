"""Where a graph's numbers stand: seeds, sizes, batches, steps (rules: shared facts, workflows §4.8 and 9)."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from bot.workflow.graph import Graph, Link, Node, Place
from bot.workflow.lens import SEED_NAMES, Lens, active_branch

_NO_SEED = re.compile(
    r"llm|(?<!kon)text|caption|prompt|wildcard|load|depth|random|style|florence|noise.?aug", re.IGNORECASE
)
_RANDOM = re.compile(r"random(?!noise)|canvas", re.IGNORECASE)
_ACROSS = ("width", "Width", "empty_latent_width", "Xi", "resize_type.width")
_DOWN = ("height", "Height", "empty_latent_height", "Yi", "resize_type.height")
_PICTURE_IN = re.compile(r"image|pixels", re.IGNORECASE)
_FROM_PICTURE = re.compile(
    r"(vae|image).?encode|load.?image|inpaint.?model.?conditioning|textencode|text.?encode", re.IGNORECASE
)
_TO_LATENT = re.compile(r"latent|samples|image_embeds|pipe|any|^input", re.IGNORECASE)
_NUMBER_NAMES = (*SEED_NAMES, "value", "int", "number", "Value", "integer", "float", "Number", "Xi")
_NO_NUMBER = re.compile(
    r"^(MODEL|CLIP|CLIP_VISION|CLIP_VISION_OUTPUT|VAE|IMAGE|LATENT|MASK|CONDITIONING|CONTROL_NET|SAMPLER|SIGMAS|NOISE|GUIDER|"
    r"AUDIO|VIDEO|UPSCALE_MODEL|STYLE_MODEL)$"
)
_CLOSED = re.compile(r"image|pixels|picture|mask|latent|samples|model|clip|vae|video|audio|conditioning", re.IGNORECASE)
_COUNTS = re.compile(r"width|height|size|side|length|count|number|seed|fps|steps|index|batch", re.IGNORECASE)
"""Parts of the names of numbers, also where the number is one of a picture."""
_PICTURED = re.compile(r"image|pixels|picture|mask|latent|samples|video|frames|any", re.IGNORECASE)
LIKE_A_NUMBER = re.compile(r"^[-+]?\d+(\.\d+)?$|\{|^%.*%$|^\$|^<.*>$|^__|PARAM_|_HERE$|替换")
"""A number in quotes, or a placeholder of another tool."""
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
        other = _NO_SEED.search(node.class_type) or lens.saves(node) or _is_primitive(lens, node, live)
        if node.id not in working and other and not node.kind.startswith("randomnoise"):
            continue
        places = (Place(node.id, name) for name in SEED_NAMES if name in node.inputs)
        ends = (number(lens, place) or (place if is_linked(lens, place) else None) for place in places)
        found += [end for end in ends if end]
    return tuple(dict.fromkeys(found))


def _is_primitive(lens: Lens, node: Node, live: frozenset[str]) -> bool:
    """Tell a seed primitive: it is found from the stages that use it, so it does not count by itself."""
    if any(True for _ in lens.graph.links(node)):
        return False
    uses = [name for _, name, _ in lens.uses(node.id, live)]
    return bool(uses) and all(name != "noise" and not re.search(r"latent|image|model", name) for name in uses)


def number(lens: Lens, place: Place, axis: tuple[str, ...] = ()) -> Place | None:
    """Follow links from a number to the literal that holds it; a random source leaves the place itself.

    `axis` names the inputs that hold this side of a size, for nodes that know both.
    """
    return _Walk(lens, axis).end(place)


def choice(lens: Lens, place: Place) -> Place | None:
    """Follow links from the name of a sampler or scheduler to the literal that holds it."""
    return _Walk(lens, (), chosen=place.input.removesuffix("_name")).end(place)


@dataclass(frozen=True, slots=True)
class _Walk:
    """One way from a place to the literal behind it."""

    lens: Lens
    axis: tuple[str, ...]
    chosen: str = ""
    """What is looked for, if it is the name of a choice and no number."""

    _seen: set[tuple[Place, bool]] = field(default_factory=set[tuple[Place, bool]])
    """Where the walk has been: it led nowhere from there, or goes in a ring."""

    def end(self, place: Place, *, pictured: bool = False) -> Place | None:
        """Return where the walk ends; `pictured`: it goes along pictures, whose size is asked for."""
        if (place, pictured) in self._seen:
            return None
        first = not self._seen
        self._seen.add((place, pictured))
        graph = self.lens.graph
        link = graph.link(graph.value(place))
        if link is None:
            return place if self._fits(place, first=first) else None
        node = graph.nodes[link.node]
        pictured = pictured or self._is_closed(place.input, link)
        if pictured and not self.axis:
            return None
        if _RANDOM.search(node.kind) and not pictured and not self.chosen:
            return place
        ends = (
            self.end(Place(node.id, name), pictured=pictured and name not in self.axis)
            for name in self._sources(node, pictured=pictured)
        )
        return next((end for end in ends if end), None)

    def _is_closed(self, name: str, link: Link) -> bool:
        """Tell a link that carries no number: along it only sizes are followed, and only to widths and heights."""
        if self.chosen:
            return False
        kind = self.lens.source_type(link)
        return bool(_NO_NUMBER.match(kind)) if kind else bool(_CLOSED.search(name)) and not _COUNTS.search(name)

    def _sources(self, node: Node, *, pictured: bool) -> Iterator[str]:
        """Yield the inputs that a number may come from, likeliest first."""
        if (branch := active_branch(self.lens.graph, node)) is not None:
            yield branch
            return
        sides = [name for name in self.axis if name in node.inputs]
        if self.axis and not sides and _has_other_side(node):
            return
        yield from sides
        if sides:
            return
        links = dict(self.lens.graph.links(node))
        if pictured:
            yield from (name for name, link in links.items() if _PICTURED.search(self.lens.source_type(link) or name))
            return
        yield from (name for name in _NUMBER_NAMES if name in links)
        yield from (name for name in links if name not in _NUMBER_NAMES)
        if not links:
            names = [name for name in _NUMBER_NAMES if name in node.inputs]
            yield from names or [name for name in node.inputs if self._fits(Place(node.id, name), first=False)][:1]

    def _fits(self, place: Place, *, first: bool) -> bool:
        value, spec = self.lens.graph.value(place), self.lens.spec(place)
        if self.chosen:
            named = self.chosen in place.input or place.input in ("value", "string", "text")
            return isinstance(value, str) and named
        if not isinstance(value, str):
            return isinstance(value, int | float) and not isinstance(value, bool)
        if spec is not None and spec.type not in ("INT", "FLOAT", "NUMBER", "*", ""):
            return False
        return first or bool(LIKE_A_NUMBER.search(value.strip()))


def _has_other_side(node: Node) -> bool:
    """Tell a node that knows one side by name; a slider of one dimension calls its only number Xi."""
    names = [name for name in (*_ACROSS, *_DOWN) if name in node.inputs]
    return bool(names) and names != ["Xi"]


def is_linked(lens: Lens, place: Place) -> bool:
    """Tell whether another node gives the value of a place."""
    return lens.graph.link(lens.graph.value(place)) is not None


def sizes(lens: Lens, stages: Iterable[Node]) -> tuple[tuple[SizePlace, ...], tuple[Place, ...]]:
    """Return where the sizes of the pictures stand, and how many are made at once."""
    found: list[SizePlace] = []
    batches: list[Place] = []
    for stage in stages:
        for holder in _latent_makers(lens, stage):
            width = next((end for name in _ACROSS if name in holder.inputs
                          and (end := number(lens, Place(holder.id, name), _ACROSS))), None)  # fmt: skip
            height = next((end for name in _DOWN if name in holder.inputs
                           and (end := number(lens, Place(holder.id, name), _DOWN))), None)  # fmt: skip
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
            follow = choice if role in ("sampler", "scheduler") else number
            ends = (follow(lens, Place(node.id, name)) for name in names if name in node.inputs)
            found[role] += [end for end in ends if end is not None]
    return {role: _alike(graph, places) for role, places in found.items() if places}


def _alike(graph: Graph, places: list[Place]) -> tuple[Place, ...]:
    """Keep the first place and those that say the same: what differs was set apart on purpose."""
    first = graph.value(places[0])
    return tuple(dict.fromkeys(place for place in places if graph.value(place) == first))
