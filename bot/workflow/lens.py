"""What nodes are: a server's types decide, names where it is silent (rules: shared facts, workflows §4)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from bot.comfy.models import InputSpec, NodeList
from bot.workflow.graph import Graph, Link, Node, Place

POSITIVE, NEGATIVE = "positive", "negative"
SEED_NAMES = ("seed", "noise_seed")

_SAVES = re.compile(r"save|video.?combine|websocket|kritaoutput|sendimage", re.IGNORECASE)
_SAVES_NO_MEDIA = re.compile(
    r"save.?(text|latent|lora|string|prompt)|(checkpoint|clip|vae|model|lora).?save|load", re.IGNORECASE
)
_PREVIEWS = re.compile(r"preview(?!.?(any|text))|^maskpreview", re.IGNORECASE)
_SHOWS = re.compile(r"show.?(text|any|string)|showtext|preview.?(any|text)|display|debug.?text", re.IGNORECASE)
_CAPTIONS = re.compile(
    r"caption|tagger|interrogat|florence|describe|blip|joytag|wd14|\bocr\b|vqa|vision.?chat|image.?to.?(text|prompt)",
    re.IGNORECASE,
)
_NO_SAMPLER = re.compile(
    r"select|modelsampling|provider|todetailer|samplercustomnoise|load|preview|scheduler|sigmas|settings|options",
    re.IGNORECASE,
)
_WORK = re.compile(r"latent|samples|^images?$|image$|pixels|sigmas|embeds|pipe", re.IGNORECASE)
_PACE = (*SEED_NAMES, "steps", "sigmas")
_SETS_SAMPLING = frozenset({"steps", "cfg", "sampler_name"})
"""What the sampling is told, be it in a node before the one that does it."""
_CARRIES_WORDS = re.compile(r"embeds|_cond$|^cond|pipe|tuple|^context|guider|prompt", re.IGNORECASE)
_CARRIES_NONE = re.compile(
    r"model|clip|vae|image|latent|mask|control_?net|sampler|sigmas|noise|lora|insight|pixels|samples|frames|video|audio"
    r"|upscale|bbox|segm|detector",
    re.IGNORECASE,
)
_TYPES_WITHOUT_WORDS = re.compile(
    r"^(MODEL|CLIP|CLIP_VISION|VAE|IMAGE|LATENT|MASK|CONTROL_NET|SAMPLER|SIGMAS|NOISE|INT|FLOAT|BOOLEAN|AUDIO|VIDEO|"
    r"UPSCALE_MODEL|STYLE_MODEL|COMBO)$"
)
_PICTURE_LINK = re.compile(r"^(images?|video|frames|pixels)(_?\d+)?$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Lens:
    """A graph seen through a server's node list, which may be empty."""

    graph: Graph
    node_list: NodeList

    def spec(self, place: Place) -> InputSpec | None:
        """Return what the server declares of an input."""
        known = self.node_list.get(self.graph.nodes[place.node].class_type)
        return known.inputs.get(place.input) if known else None

    def source_type(self, link: Link) -> str:
        """Return the type that a link carries; empty where the server does not know or does not say."""
        known = self.node_list.get(self.graph.nodes[link.node].class_type)
        if known is None or not 0 <= link.slot < len(known.outputs):
            return ""
        kind = known.outputs[link.slot]
        return "" if kind == "*" else kind

    def outputs(self) -> tuple[str, ...]:
        """Return the nodes whose files are the result: what saves, else what previews, else what shows text."""
        nodes = list(self.graph.nodes.values())
        ranks = (
            [node for node in nodes if self.saves(node) and self._may_end(node)],
            [node for node in nodes if _PREVIEWS.search(node.class_type) and self._is_fed(node)],
            [node for node in nodes if self._ends(node)],
            [node for node in nodes if _SHOWS.search(node.class_type)],
        )
        return next((tuple(node.id for node in found) for found in ranks if found), ())

    def saves(self, node: Node) -> bool:
        """Tell a node that keeps files of its own accord, or is set to."""
        if str(node.inputs.get("image_output", "")).lower().startswith("save"):
            return True
        if _SAVES_NO_MEDIA.search(node.class_type) or node.inputs.get("save_output") is False:
            return False
        return bool(_SAVES.search(node.class_type)) and self._is_fed(node)

    def _may_end(self, node: Node) -> bool:
        known = self.node_list.get(node.class_type)
        return known is None or known.output_node

    def _ends(self, node: Node) -> bool:
        known = self.node_list.get(node.class_type)
        quiet = node.inputs.get("save_output") is False or _SAVES_NO_MEDIA.search(node.class_type)
        return known is not None and known.output_node and not _SHOWS.search(node.class_type) and not quiet

    def _is_fed(self, node: Node) -> bool:
        """A node that gets nothing from others cannot save a result: it is a primitive of a pack with `Save` in it."""
        return any(True for _ in self.graph.links(node)) or not self.linked

    @property
    def linked(self) -> bool:
        """Whether any input of the graph is a link; without one it is a list of placeholders."""
        return any(True for node in self.graph.nodes.values() for _ in self.graph.links(node))

    def is_sampler(self, node: Node) -> bool:
        """Tell a node that turns conditioning and noise into latents or pictures, whatever it is called."""
        names = node.inputs.keys()
        if "guider" in names and ("noise" in names or "sigmas" in names):
            return True
        if _NO_SAMPLER.search(node.class_type) or (self.saves(node) and "sampler" not in node.kind):
            return False
        paced = any(name in names for name in _PACE)
        works = any(_WORK.search(name) for name in names)
        if POSITIVE in names and NEGATIVE in names and paced and works:
            return True
        return paced and ("sampler" in node.kind or (works and names >= _SETS_SAMPLING))

    def is_generator(self, node: Node) -> bool:
        """Tell an all-in-one node: it takes a prompt itself, and no sampler does the work."""
        asks = "prompt" in node.inputs or "text_prompt" in node.inputs
        return asks and not self.shows(node) and "encode" not in node.kind and not self.captions(node)

    def shows(self, node: Node) -> bool:
        """Tell a node that only displays: the text in it is what was shown last."""
        return bool(_SHOWS.search(node.class_type))

    def captions(self, node: Node) -> bool:
        """Tell a node that puts a picture into words."""
        if _CAPTIONS.search(node.class_type):
            return True
        looks = any(_PICTURE_LINK.match(name) for name, _ in self.graph.links(node))
        return looks and bool(re.search(r"text.?generat|llm|\bvlm?\b|ollama|chat", node.kind))

    def carries_words(self, name: str, link: Link) -> bool:
        """Tell whether a link may lead to a prompt: conditioning, a guider, a bundle, or text."""
        kind = self.source_type(link)
        if kind in ("CONDITIONING", "GUIDER", "STRING"):
            return True
        if _TYPES_WITHOUT_WORDS.match(kind):
            return False
        return bool(_CARRIES_WORDS.search(name)) or not _CARRIES_NONE.search(name)

    def is_bundle(self, name: str, link: Link) -> bool:
        """Tell whether a sampler's input that is neither positive nor negative brings the words."""
        kind = self.source_type(link)
        if kind in ("CONDITIONING", "GUIDER"):
            return True
        return bool(_CARRIES_WORDS.search(name)) and not _TYPES_WITHOUT_WORDS.match(kind)

    def carries_text(self, name: str, link: Link) -> bool:
        """Tell whether a link may bring a string."""
        kind = self.source_type(link)
        return kind == "STRING" or (not _TYPES_WITHOUT_WORDS.match(kind) and not _CARRIES_NONE.search(name))

    def uses(self, node_id: str, live: frozenset[str]) -> Iterator[tuple[Node, str, Link]]:
        """Yield (user, input, link) for every live use of a node."""
        for user in self.graph.nodes.values():
            if user.id in live:
                yield from ((user, name, link) for name, link in self.graph.links(user) if link.node == node_id)


_BRANCHES = (
    ("on_true", "true", "if_true", "when_true", "tt_value", "true_value", "ontrue", "input_true"),
    ("on_false", "false", "if_false", "when_false", "ff_value", "false_value", "onfalse", "input_false"),
)
_SWITCHES = ("switch", "boolean", "cond", "condition", "if_condition", "bool", "enabled", "value")
_SELECTS = ("select", "index", "input", "selected", "which", "choice", "selection")


def active_branch(graph: Graph, node: Node) -> str | None:
    """Return the input that a constant switch lets through, or None if this is no such switch."""
    by_low = {name.lower(): name for name in node.inputs}
    if by_low and all(re.fullmatch(r"any_\d+", low) for low in by_low):
        return by_low[min(by_low)]  # the first that brings anything
    for low in _SWITCHES:
        chosen = _constant(graph, node.inputs.get(by_low.get(low, "")))
        if isinstance(chosen, bool):
            wanted = _BRANCHES[0] if chosen else _BRANCHES[1]
            return next((by_low[branch] for branch in wanted if branch in by_low), None)
    for low in _SELECTS:
        chosen = _constant(graph, node.inputs.get(by_low.get(low, "")))
        if isinstance(chosen, int) and not isinstance(chosen, bool):
            numbered = [
                name for name in node.inputs if re.search(rf"\D{chosen}$", name) and name.lower() not in _SELECTS
            ]
            return numbered[0] if len(numbered) == 1 else None
    return None


def _constant(graph: Graph, value: object) -> object:
    """Return a literal, or the value of the primitive that is linked."""
    link = graph.link(value)
    if link is None:
        return value
    source = graph.nodes[link.node]
    return source.inputs.get("value") if "primitive" in source.kind else None
