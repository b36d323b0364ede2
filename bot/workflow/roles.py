"""What each input of a graph is for, found by structure: from live outputs back to samplers, words, seeds, sizes."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from bot.comfy.models import NodeList
from bot.workflow.graph import Graph, Link, Node, Place
from bot.workflow.words import NEGATIVE, POSITIVE, Group, WordTrace

_SAVES = re.compile(r"save|videocombine|websocket|kritaoutput|swarmsaveimage|sendimage", re.IGNORECASE)
_LOADS_OR_TEXT = re.compile(r"savetext|save text|loader|savelatent|checkpointsave|savelora|modelsave", re.IGNORECASE)
_PREVIEWS = re.compile(r"preview(?!any)", re.IGNORECASE)
_SHOWS = re.compile(r"show|previewany|display", re.IGNORECASE)
_NO_SAMPLER = re.compile(r"select|modelsampling|provider|todetailer|samplercustomnoise|loader|preview", re.IGNORECASE)
_WORK = ("latent_image", "latent", "samples", "image", "images", "sigmas", "pixels", "image_embeds")
_PACE = ("seed", "noise_seed", "steps", "sigmas")
_SEED_NAMES = ("seed", "noise_seed")
_NO_SEED = re.compile(
    r"llm|text|caption|prompt|wildcard|loader|depth|random ?number|style|florence|gemini", re.IGNORECASE
)
_SIDES = (("width", "height"), ("empty_latent_width", "empty_latent_height"), ("Xi", "Yi"))
_FROM_PICTURE = re.compile(r"vaeencode|vae encode|loadimage|inpaintmodelconditioning", re.IGNORECASE)
_MODEL_FILES = re.compile(r"^(ckpt|unet|base_ckpt|refiner_ckpt|checkpoint|gguf)_name$", re.IGNORECASE)
_PICTURE_FILE = re.compile(r"load.?image|image.?load|imageloader", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class SizePlace:
    """Where width and height stand."""

    width: Place
    height: Place


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
    models: tuple[Place, ...] = ()
    outputs: tuple[str, ...] = ()
    live: frozenset[str] = frozenset()
    """Nodes that an output depends on; all others are dead."""
    ambiguous: tuple[str, ...] = ()


def trace(graph: Graph, node_list: NodeList | None = None) -> Roles:
    """Find the roles of a graph; with a server's node list, its types decide before names do. Never raises."""
    outputs = _outputs(graph, node_list)
    live = graph.upstream(outputs)
    samplers = [node for node in graph.nodes.values() if node.id in live and _is_sampler(node)]
    stages = samplers or [node for node in graph.nodes.values() if node.id in live and _is_generator(node)]
    positive, vague_positive = _words(graph, stages, POSITIVE)
    negative, vague_negative = _words(graph, stages, NEGATIVE)
    ambiguous = [f"several texts could be the {role} prompt" for role, vague in
                 ((POSITIVE, vague_positive), (NEGATIVE, vague_negative)) if vague]  # fmt: skip
    if not positive:
        ambiguous.append("no place for a prompt was found")
    if not outputs:
        ambiguous.append("no output was found")
    elif len(outputs) > 1:
        ambiguous.append("it has several outputs")
    sizes, batches = _sizes(graph, stages)
    images, masks = _pictures(graph, live)
    return Roles(
        positive=positive,
        negative=tuple(place for place in negative if place not in positive),
        seeds=_seeds(graph, live),
        sizes=sizes,
        batches=batches,
        images=images,
        masks=masks,
        models=_models(graph, live),
        outputs=outputs,
        live=live,
        ambiguous=tuple(ambiguous),
    )


def _outputs(graph: Graph, node_list: NodeList | None) -> tuple[str, ...]:
    def is_output(node: Node) -> bool:
        known = node_list.get(node.class_type) if node_list else None
        return known.output_node if known else bool(_SAVES.search(node.class_type))

    nodes = list(graph.nodes.values())
    saving = [node for node in nodes if _saves(node) and is_output(node)]
    for found in (
        saving,
        [node for node in nodes if _PREVIEWS.search(node.class_type)],
        [node for node in nodes if _SHOWS.search(node.class_type)],
        [node for node in nodes if node_list and is_output(node)],
    ):
        if found:
            return tuple(node.id for node in found)
    return ()


def _saves(node: Node) -> bool:
    if _LOADS_OR_TEXT.search(node.class_type):
        return False
    if node.inputs.get("save_output") is False:
        return False
    if str(node.inputs.get("image_output", "")).startswith("Save"):
        return True
    return bool(_SAVES.search(node.class_type))


def _is_sampler(node: Node) -> bool:
    if _NO_SAMPLER.search(node.class_type):
        return False
    names = node.inputs.keys()
    paced = any(name in names for name in _PACE)
    if POSITIVE in names and NEGATIVE in names and paced and any(name in names for name in _WORK):
        return True
    if "guider" in names and ("noise" in names or "sigmas" in names):
        return True
    return "sampler" in node.kind and paced and "scheduler" not in node.kind


def _is_generator(node: Node) -> bool:
    """Tell an all-in-one node: it takes a prompt itself."""
    return "prompt" in node.inputs and not _SHOWS.search(node.class_type) and "encode" not in node.kind


def _primaries(graph: Graph, samplers: list[Node]) -> list[Node]:
    ids = {node.id for node in samplers}
    return [node for node in samplers if not (graph.upstream([node.id]) - {node.id}) & ids]


def _words(graph: Graph, stages: list[Node], role: str) -> tuple[tuple[Place, ...], bool]:
    """Return the places of a role, and whether a choice had to be made."""
    primaries = _primaries(graph, stages) or stages
    found: list[Place] = []
    vague = False

    def groups_of(node: Node) -> Group:
        nonlocal vague
        walk = WordTrace(graph, role)
        chosen = walk.choose(walk.from_sampler(node))
        vague = vague or walk.ambiguous
        return chosen

    for node in primaries:
        found += groups_of(node)
    rest = [node for node in stages if node not in primaries]
    if not found:
        first = next((group for node in rest if (group := groups_of(node))), ())
        found += first
    said = {graph.value(place) for place in found}
    for node in rest:  # a refiner repeats the words of the first stage; other words are another matter
        found += [place for place in groups_of(node) if graph.value(place) in said]
    return tuple(dict.fromkeys(found)), vague or len({str(word) for word in said}) > 1


def _seeds(graph: Graph, live: frozenset[str]) -> tuple[Place, ...]:
    found: list[Place] = []
    for node in graph.nodes.values():
        if node.id not in live or (_NO_SEED.search(node.class_type) and not _is_sampler(node)):
            continue
        if node.inputs.get("add_noise") in ("disable", False) or _only_feeds(graph, node, live):
            continue
        places = (Place(node.id, name) for name in _SEED_NAMES if name in node.inputs)
        found += [end for place in places if (end := _number(graph, place, set()))]
    return tuple(dict.fromkeys(found))


def _only_feeds(graph: Graph, node: Node, live: frozenset[str]) -> bool:
    """Tell a seed primitive: it is found from the stages that use it, so it does not count by itself."""
    if len(node.inputs) > 3 or any(True for _ in graph.links(node)):
        return False
    uses = [
        name
        for user in graph.nodes.values()
        if user.id in live
        for name, link in graph.links(user)
        if link.node == node.id
    ]
    return bool(uses) and all("seed" in name.lower() for name in uses)


def _number(graph: Graph, place: Place, seen: set[str]) -> Place | None:
    """Follow links from a number to the literal that holds it; a random source leaves the place itself."""
    link = graph.link(graph.value(place))
    if link is None:
        return place
    node = graph.nodes[link.node]
    if node.id in seen:
        return None
    if re.search(r"random", node.kind):
        return place
    seen.add(node.id)
    for name in (*_SEED_NAMES, "value", "int", "number", "Value", "a"):
        if name in node.inputs and not isinstance(node.inputs[name], bool):
            return _number(graph, Place(node.id, name), seen)
    return None


def _sizes(graph: Graph, stages: list[Node]) -> tuple[tuple[SizePlace, ...], tuple[Place, ...]]:
    sizes: list[SizePlace] = []
    batches: list[Place] = []
    for stage in _primaries(graph, stages) or stages:
        for holder in [stage, *_latent_sources(graph, stage, {stage.id})]:
            for across, down in _SIDES:
                if across in holder.inputs and down in holder.inputs:
                    width = _number(graph, Place(holder.id, across), set())
                    height = _number(graph, Place(holder.id, down), set())
                    if width and height:
                        sizes.append(SizePlace(width=width, height=height))
            batches += [Place(holder.id, name) for name in ("batch_size",) if _is_whole(holder.inputs.get(name))]
    return tuple(dict.fromkeys(sizes)), tuple(dict.fromkeys(batches))


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _latent_sources(graph: Graph, node: Node, seen: set[str]) -> Iterator[Node]:
    """Walk from a stage's latent to where it is made, as far as the first node with sides."""
    for name, link in graph.links(node):
        if not re.search(r"latent|samples|image_embeds|^images?$|positive$|pipe", name) or link.node in seen:
            continue
        source = graph.nodes[link.node]
        seen.add(source.id)
        if _FROM_PICTURE.search(source.class_type) or "textencode" in source.kind:
            continue
        if any(across in source.inputs and down in source.inputs for across, down in _SIDES):
            yield source
        else:
            yield from _latent_sources(graph, source, seen)


def _pictures(graph: Graph, live: frozenset[str]) -> tuple[tuple[Place, ...], tuple[Place, ...]]:
    images: list[Place] = []
    masks: list[Place] = []
    for node in graph.nodes.values():
        if node.id not in live or not _PICTURE_FILE.search(node.class_type):
            continue
        place = next(
            (Place(node.id, name) for name in ("image", "url", "image_path") if isinstance(node.inputs.get(name), str)),
            None,
        )
        if place is None:
            continue
        uses = [(name, link) for user in graph.nodes.values() if user.id in live
                for name, link in graph.links(user) if link.node == node.id]  # fmt: skip
        if "mask" not in node.kind and any(link.slot == 0 for _, link in uses):
            images.append(place)
        if "mask" in node.kind or _is_mask(uses):
            masks.append(place)
    return tuple(images), tuple(masks)


def _is_mask(uses: list[tuple[str, Link]]) -> bool:
    return any(link.slot == 1 for _, link in uses)


def _models(graph: Graph, live: frozenset[str]) -> tuple[Place, ...]:
    found: list[Place] = []
    for node in graph.nodes.values():
        if node.id not in live:
            continue
        for name, value in node.inputs.items():
            own_model = (
                name in ("model", "model_name") and re.search(r"modelloader", node.kind) and "upscale" not in node.kind
            )
            if isinstance(value, str) and (_MODEL_FILES.match(name) or own_model):
                found.append(Place(node.id, name))
    return tuple(found)
