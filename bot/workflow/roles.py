"""What each input of a graph is for, found by structure: from live outputs back to samplers, words, seeds, sizes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bot.comfy.models import NodeList
from bot.workflow import assets, numbers
from bot.workflow.graph import Graph, GraphError, Node, Place
from bot.workflow.lens import NEGATIVE, POSITIVE, SEED_NAMES, Lens
from bot.workflow.numbers import SizePlace
from bot.workflow.words import Group, WordTrace, titled


@dataclass(frozen=True, slots=True, kw_only=True)
class Roles:
    """The places of a graph by role; `ambiguous` says in words where a person should decide."""

    positive: tuple[Place, ...] = ()
    negative: tuple[Place, ...] = ()
    seeds: tuple[Place, ...] = ()
    sizes: tuple[SizePlace, ...] = ()
    batches: tuple[Place, ...] = ()
    images: tuple[Place, ...] = ()
    masks: tuple[Place, ...] = ()
    videos: tuple[Place, ...] = ()
    sounds: tuple[Place, ...] = ()
    models: tuple[Place, ...] = ()
    settings: Mapping[str, tuple[Place, ...]] = field(default_factory=dict[str, tuple[Place, ...]])
    """steps, cfg, sampler, scheduler and denoise, as far as they are there."""
    outputs: tuple[str, ...] = ()
    live: frozenset[str] = frozenset()
    """Nodes that an output depends on; all others are dead."""
    ambiguous: tuple[str, ...] = ()


def trace(graph: Graph, node_list: NodeList | None = None) -> Roles:
    """Find the roles of a graph; with a server's node list, its types decide before names do.

    Raises:
        GraphError: the nodes are chained deeper than can be followed.
    """
    try:
        return _trace(Lens(graph, node_list or {}))
    except RecursionError:
        raise GraphError("its nodes are chained deeper than Easel can follow") from None


def _trace(lens: Lens) -> Roles:
    graph = lens.graph
    if not lens.linked:
        return _unlinked(graph)
    outputs = lens.outputs()
    live = graph.upstream(outputs)
    at_work = [node for node in graph.nodes.values() if node.id in live]
    stages = [node for node in at_work if lens.is_sampler(node)] or [
        node for node in at_work if lens.is_generator(node)
    ]
    firsts = _firsts(graph, stages)
    positive, vague_positive = _words(lens, firsts, stages, POSITIVE)
    negative, vague_negative = _words(lens, firsts, stages, NEGATIVE)
    sizes, batches = numbers.sizes(lens, stages)
    images, masks = assets.pictures(lens, live)
    videos, sounds = assets.media(lens, live)
    seeds = numbers.seeds(lens, live, stages)
    doubts = _doubts(positive, outputs, {POSITIVE: vague_positive, NEGATIVE: vague_negative})
    return Roles(
        positive=positive,
        negative=tuple(place for place in negative if place not in positive),
        seeds=seeds,
        sizes=sizes,
        batches=batches,
        images=images,
        masks=masks,
        videos=videos,
        sounds=sounds,
        models=assets.models(lens, live, stages),
        settings=numbers.settings(lens, live, stages),
        outputs=outputs,
        live=live,
        ambiguous=(*doubts, *_foreign(graph, seeds)),
    )


def _doubts(positive: Group, outputs: Sequence[str], vague: Mapping[str, bool]) -> tuple[str, ...]:
    found = [f"several texts could be the {role} prompt" for role, is_vague in vague.items() if is_vague]
    if not positive:
        found.append("no place for a prompt was found")
    if not outputs:
        found.append("no output was found")
    elif len(outputs) > 1:
        found.append("it has several outputs")
    return tuple(found)


def _foreign(graph: Graph, seeds: Group) -> tuple[str, ...]:
    linked = [place for place in seeds if graph.link(graph.value(place)) is not None]
    return ("the seed comes from a node that Easel replaces",) if linked else ()


def _unlinked(graph: Graph) -> Roles:
    """A list of placeholders: titles and texts are all there is to go by, and nothing could run."""
    nodes = graph.nodes.values()
    return Roles(
        positive=titled(graph, POSITIVE),
        negative=titled(graph, NEGATIVE),
        seeds=tuple(Place(node.id, name) for node in nodes for name in SEED_NAMES if name in node.inputs),
        images=tuple(
            Place(node.id, "image")
            for node in nodes
            if "loadimage" in node.kind and isinstance(node.inputs.get("image"), str)
        ),
        ambiguous=("no node is linked to another, so this cannot run",),
    )


def _firsts(graph: Graph, stages: Sequence[Node]) -> list[Node]:
    """Return the stages that no other stage comes before; in a ring, all of them."""
    ids = {node.id for node in stages}
    return [node for node in stages if not (graph.upstream([node.id]) - {node.id}) & ids] or list(stages)


def _words(lens: Lens, firsts: Sequence[Node], stages: Sequence[Node], role: str) -> tuple[Group, bool]:
    """Return the places of a role, and whether a choice had to be made."""
    graph = lens.graph
    vague = False

    def group_of(node: Node) -> Group:
        nonlocal vague
        walk = WordTrace(lens, role)
        chosen = walk.choose(walk.from_stage(node))
        vague = vague or walk.ambiguous
        return chosen

    found = [place for node in firsts for place in group_of(node)]
    rest = [node for node in stages if node not in firsts]
    if not found:
        found = list(next((group for node in rest if (group := group_of(node))), ()))
    said = {str(graph.value(place)) for place in found}
    for node in rest:  # a refiner repeats the words of the first stage; other words are another matter
        found += [place for place in group_of(node) if str(graph.value(place)) in said]
    return tuple(dict.fromkeys(found)), vague or len(said) > 1


__all__ = ["Roles", "SizePlace", "trace"]
