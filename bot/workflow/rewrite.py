"""A prompt's LoRAs, BREAKs and ANDs as nodes, in any template: new nodes beside the old ones, on their own branch only.

A LoRA of the prompt is put after the model loader, so that everything that takes the loader's model takes it through
the LoRA; and the text encoders of the prompt take the LoRA's text encoder. A LoRA of the negative prompt changes
only the encoders of the negative: the model is shared by both.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bot.comfy.models import NodeList
from bot.errors import RequestError
from bot.workflow.builder import GraphBuilder
from bot.workflow.graph import Graph, GraphError, Link, Place
from bot.workflow.lens import NEGATIVE, POSITIVE
from bot.workflow.prompt import Lora, Prompt
from bot.workflow.roles import Roles

_PREFIX = "easel"


@dataclass(frozen=True, slots=True)
class _Branch:
    """The encoders of one role: text goes in at `places`, conditioning comes out."""

    role: str
    places: tuple[Place, ...]
    encoders: tuple[str, ...]


def rewrite(graph: Graph, roles: Roles, prompts: Mapping[str, Prompt], node_list: NodeList, title: str) -> Graph:
    """Put prompts with syntax into a graph; their LoRA names are the server's already. Plain ones change nothing.

    Raises:
        RequestError: the template has no place for a LoRA or for several parts, or the server lacks the nodes.
    """
    for role in (POSITIVE, NEGATIVE):
        prompt = prompts.get(role)
        if prompt is None or (prompt.is_plain and not prompt.loras):
            continue
        places = roles.positive if role == POSITIVE else roles.negative
        branch = _Branch(role, places, _encoders(graph, roles, places, node_list))
        try:
            if prompt.loras:
                graph = _with_loras(graph, roles, branch, prompt.loras, node_list)
            if not prompt.is_plain:
                graph = _with_parts(graph, branch, prompt, node_list)
        except GraphError as fault:
            key = "refused.no_lora_place" if prompt.loras else "refused.no_part_place"
            raise RequestError(key, template=title, reason=fault) from fault
    return graph


def _encoders(graph: Graph, roles: Roles, places: Sequence[Place], node_list: NodeList) -> tuple[str, ...]:
    """Return the live nodes that turn the text of these places into conditioning: those with a text encoder linked."""
    sources = {place.node for place in places}
    found: list[str] = []
    for node in graph.nodes.values():
        if node.id not in roles.live or graph.link(node.inputs.get("clip")) is None:
            continue
        known = node_list.get(node.class_type)
        if known is not None and "CONDITIONING" not in known.outputs:
            continue
        texts = [link.node for name, link in graph.links(node) if name not in ("clip", "vae", "model", "image")]
        if node.id in sources or graph.upstream(texts) & sources:
            found.append(node.id)
    return tuple(found)


def _with_loras(graph: Graph, roles: Roles, branch: _Branch, loras: Sequence[Lora], node_list: NodeList) -> Graph:
    """Chain LoRA loaders after the model loaders of the branch, and before its encoders."""
    loaders = _model_loaders(graph, roles, node_list)
    sources = _text_models(graph, roles, branch, loaders)
    if not loaders or not sources:
        raise GraphError("no model loader and text encoder that a LoRA could stand between were found")
    builder = GraphBuilder(node_list, graph, prefix=f"{_PREFIX}-lora-{branch.role[0]}-")
    through_model = {user for loader in loaders for user in _users(graph, loader)}
    done: set[Link] = set()
    for clip, (loader, encoders) in sources.items():
        model_out, clip_out = _chain(builder, loader, clip, loras)
        for encoder in encoders:
            builder.change(encoder, {"clip": clip_out})
        in_ring = bool(graph.upstream([clip.node]) & through_model)
        if branch.role == POSITIVE and not in_ring and loader not in done:
            builder.rewire(loader, model_out, _users(graph, loader))
            done.add(loader)
    for loader in loaders if branch.role == POSITIVE else ():
        if loader not in done:
            builder.rewire(loader, _model_chain(builder, loader, loras), _users(graph, loader))
    return builder.graph()


def _text_models(
    graph: Graph, roles: Roles, branch: _Branch, loaders: Sequence[Link]
) -> dict[Link, tuple[Link, list[str]]]:
    """Return the text encoder models of a branch, each with the loader it goes with and the encoders that use it."""
    others = {place.node for place in roles.models} - {loader.node for loader in loaders}
    found: dict[Link, tuple[Link, list[str]]] = {}
    for encoder in branch.encoders:
        clip = graph.link(graph.nodes[encoder].inputs["clip"])
        if clip is None or not loaders or graph.upstream([clip.node]) & others:
            continue  # the encoder of a refiner stays as it is
        behind = graph.upstream([clip.node])
        loader = next((one for one in loaders if one.node in behind), loaders[0])
        found.setdefault(clip, (loader, []))[1].append(encoder)
    return found


def _users(graph: Graph, link: Link) -> list[str]:
    return [node.id for node in graph.nodes.values() if any(source == link for _, source in graph.links(node))]


def _model_loaders(graph: Graph, roles: Roles, node_list: NodeList) -> list[Link]:
    """Return the MODEL outputs of the loaders that do the work; a refiner is left as it is."""
    found: list[Link] = []
    for place in roles.models:
        known = node_list.get(graph.nodes[place.node].class_type)
        slot = known.slot("MODEL") if known else None
        if slot is not None and "refiner" not in str(graph.value(place)).lower():
            found.append(Link(place.node, slot))
    return list(dict.fromkeys(found))


def _chain(builder: GraphBuilder, model: Link, clip: Link, loras: Iterable[Lora]) -> tuple[Link, Link]:
    for lora in loras:
        made = builder.node(
            "LoraLoader",
            title=f"LoRA {lora.name}",
            model=model,
            clip=clip,
            lora_name=lora.name,
            strength_model=lora.model_strength,
            strength_clip=lora.clip_strength,
        )
        model, clip = made.out("MODEL"), made.out("CLIP")
    return model, clip


def _model_chain(builder: GraphBuilder, model: Link, loras: Iterable[Lora]) -> Link:
    """A chain for the model alone: where text encoders already come through the model, one chain would be a ring."""
    for lora in loras:
        made = builder.node(
            "LoraLoaderModelOnly",
            title=f"LoRA {lora.name}",
            model=model,
            lora_name=lora.name,
            strength_model=lora.model_strength,
        )
        model = made.out("MODEL")
    return model


def _with_parts(graph: Graph, branch: _Branch, prompt: Prompt, node_list: NodeList) -> Graph:
    """Encode each part by a copy of the encoder, and join: BREAK by concatenating, AND by combining."""
    if not branch.encoders:
        raise GraphError("no text encoder was found")
    builder = GraphBuilder(node_list, graph, prefix=f"{_PREFIX}-part-")
    for encoder in branch.encoders:
        known = node_list.get(graph.nodes[encoder].class_type)
        slot = known.slot("CONDITIONING") if known else 0
        own = Link(encoder, slot or 0)
        users = _users(graph, own)
        joined = [_concatenated(builder, graph, branch, encoder, own, texts, first=number == 0)
                  for number, texts in enumerate(prompt.parts)]  # fmt: skip
        whole = joined[0]
        for other in joined[1:]:
            made = builder.node("ConditioningCombine", title="AND", conditioning_1=whole, conditioning_2=other)
            whole = made.out("CONDITIONING")
        builder.rewire(own, whole, users)
    return builder.graph()


def _concatenated(
    builder: GraphBuilder, graph: Graph, branch: _Branch, encoder: str, own: Link, texts: Sequence[str], *, first: bool
) -> Link:
    made: list[Link] = []
    for number, text in enumerate(texts):
        if first and number == 0:
            made.append(own)  # the template's own encoder has the first text already
        else:
            made.append(Link(_copied(builder, graph, branch, encoder, text), own.slot))
    whole = made[0]
    for other in made[1:]:
        joined = builder.node("ConditioningConcat", title="BREAK", conditioning_to=whole, conditioning_from=other)
        whole = joined.out("CONDITIONING")
    return whole


def _copied(builder: GraphBuilder, graph: Graph, branch: _Branch, encoder: str, text: str) -> str:
    """Copy an encoder, and the string nodes between it and the prompt's places, with another text."""
    texts = {place.node: [one.input for one in branch.places if one.node == place.node] for place in branch.places}

    def copy(node_id: str) -> str:
        node = builder.graph().nodes[node_id]
        edits: dict[str, object] = dict.fromkeys(texts.get(node_id, []), text)
        for name, link in graph.links(graph.nodes[node_id]):
            if name not in ("clip", "vae", "model", "image") and graph.upstream([link.node]) & set(texts):
                edits[name] = Link(copy(link.node), link.slot)
        return builder.copy(node.id, edits)

    return copy(encoder)
