"""Which files a graph wants: pictures, masks, clips, sounds and models (rules: shared facts, workflows §4.10, 11)."""

import re
from collections.abc import Iterable

from bot.model.jsontree import is_object
from bot.workflow.graph import Graph, Link, Node, Place
from bot.workflow.lens import Lens, active_branch

_LOADS_PICTURE = re.compile(r"load.?(the.?)?image|image.?load|load.?mask|mask.?load|etn_load", re.IGNORECASE)
_LOADS_MANY = re.compile(r"batch|folder|list|dir", re.IGNORECASE)
_PICTURE_NAMES = (
    "image",
    "mask",
    "url",
    "image_path",
    "image_base64",
    "url_or_path",
    "path",
    "base64",
    "image_url",
    "file",
)
_TO_MASK = re.compile(r"image.?to.?mask|to.?mask$|mask.?from", re.IGNORECASE)
_LOADS_CLIP = re.compile(r"load.?video|video.?load", re.IGNORECASE)
_LOADS_SOUND = re.compile(r"load.?audio|audio.?load", re.IGNORECASE)
_TO_MODEL = re.compile(
    r"^(model|unet|dit|guider|pipe|basic_pipe|detailer_pipe|sdxl_tuple|model\d|model_\w+|\w*(?<!upscale)(?<!vision)_model|transformer|"
    r"anything|any|any_\w+|input\w*|on_true|on_false|value)$",
    re.IGNORECASE,
)
_NO_MODEL_LINK = re.compile(
    r"upscale|vision|sam_|bbox|segm|dino|clip|vae|control|multitalk|vace|lora|rife|depth|t5|llm|detect|style|face",
    re.IGNORECASE,
)
_MODEL_FILE = re.compile(
    r"^((base_|refiner_)?(ckpt|unet|checkpoint|gguf|diffusion|transformer|dit)(_name)?|ckpt|model(_name|_path)?|"
    r"diffusion_models?|unet_model)$",
    re.IGNORECASE,
)
_LOADS_MODEL = re.compile(
    r"checkpoint.?load|unet.?load|load.?unet|load.?diffusion.?model|efficient.?load", re.IGNORECASE
)


def pictures(lens: Lens, live: frozenset[str]) -> tuple[tuple[Place, ...], tuple[Place, ...]]:
    """Return the places of pictures and of masks that a member must bring; one file may be both."""
    images: list[Place] = []
    masks: list[Place] = []
    for node in lens.graph.nodes.values():
        if node.id not in live or not _LOADS_PICTURE.search(node.class_type):
            continue
        place = _literal(lens.graph, node, _PICTURE_NAMES)
        if place is None:
            continue
        slots = {link.slot for _, _, link in lens.uses(node.id, live)}
        only_mask = "mask" in node.kind and not re.search(r"(with|and|\+|&).?mask", node.kind)
        ends_masked = _ends_masked(lens, node.id, live)
        if not only_mask and not ends_masked and (0 in slots or not slots):
            images.append(place)
        if only_mask or ends_masked or 1 in slots:
            masks.append(place)
    return tuple(images), tuple(masks)


def _ends_masked(lens: Lens, node_id: str, live: frozenset[str]) -> bool:
    """Tell whether a picture is only ever turned into a mask."""
    users = [user for user, _, link in lens.uses(node_id, live) if link.slot == 0]
    return bool(users) and all(_TO_MASK.search(user.class_type) for user in users)


def _literal(graph: Graph, node: Node, names: Iterable[str]) -> Place | None:
    for name in names:
        if name not in node.inputs:
            continue
        value, place = node.inputs[name], Place(node.id, name)
        if isinstance(value, str):
            return place
        if (link := graph.link(value)) is not None:
            source = graph.nodes[link.node]
            texts = [key for key, text in source.inputs.items() if isinstance(text, str)]
            return Place(source.id, texts[0]) if len(texts) == 1 else None
    return None


def media(lens: Lens, live: frozenset[str]) -> tuple[tuple[Place, ...], tuple[Place, ...]]:
    """Return the places of video files and of sound files."""
    nodes = [node for node in lens.graph.nodes.values() if node.id in live]
    videos = [_literal(lens.graph, node, ("video", "file", "path")) for node in nodes if _LOADS_CLIP.search(node.kind)]
    sounds = [_literal(lens.graph, node, ("audio", "file", "path")) for node in nodes if _LOADS_SOUND.search(node.kind)]
    return tuple(one for one in videos if one), tuple(one for one in sounds if one)


def models(lens: Lens, live: frozenset[str], stages: Iterable[Node]) -> tuple[Place, ...]:
    """Return the files of the models that do the work: along model links from the stages to their loaders."""
    found: list[Place] = []
    seen: set[str] = set()
    seeded = [node for node in lens.graph.nodes.values() if node.id in live and "seed" in node.inputs]
    todo = [
        link
        for stage in list(stages) or seeded
        for name, link in lens.graph.links(stage)
        if _leads_to_model(lens, name, link)
    ]
    while todo:
        node = lens.graph.nodes[todo.pop(0).node]
        if node.id in seen:
            continue
        seen.add(node.id)
        branch = active_branch(lens.graph, node)
        onward = [
            link
            for name, link in lens.graph.links(node)
            if name == branch or (branch is None and _leads_to_model(lens, name, link))
        ]
        has_model = any(name in ("model", "unet", "dit") for name, _ in lens.graph.links(node))
        own = (
            []
            if has_model
            else [Place(node.id, name) for name, value in node.inputs.items() if _is_model_file(name, value)]
        )
        found += own
        todo += [] if own else onward
    found += [
        Place(node.id, name)
        for node in lens.graph.nodes.values()
        if node.id in live and _LOADS_MODEL.search(node.class_type)
        for name, value in node.inputs.items()
        if _is_model_file(name, value)
    ]
    return tuple(dict.fromkeys(found))


def _leads_to_model(lens: Lens, name: str, link: Link) -> bool:
    kind = lens.source_type(link)
    if kind in ("MODEL", "GUIDER"):
        return True
    if kind in ("IMAGE", "LATENT", "CONDITIONING", "CLIP", "VAE", "MASK", "INT", "FLOAT", "STRING"):
        return False
    return bool(_TO_MODEL.match(name)) and not _NO_MODEL_LINK.search(name)


def _is_model_file(name: str, value: object) -> bool:
    value = value.get("content") if is_object(value) else value  # some packs show a picture beside the name
    return isinstance(value, str) and bool(_MODEL_FILE.match(name)) and value.strip().lower() != "none"
