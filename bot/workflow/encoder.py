"""Which inputs of a node take a member's words, and for which side: types first, names second, values last."""

import re
from collections.abc import Iterable, Sequence

from bot.workflow.graph import Graph, Node, Place
from bot.workflow.lens import NEGATIVE, POSITIVE, Lens

NOT_TYPED = re.compile(
    r"separator|delimiter|mode|style|path|font|system|find|replace|filename|prefix|method|language|model|seed|"
    r"regex|pattern|key|api|url|format|action|instruction|template|speak|output|log|control|device|type|name|"
    r"trigger|lyrics|token|weight|normali|interpret|preset|scheduler|sampler|precision|quantiz|id$|^select\b",
    re.IGNORECASE,
)
_NOT_ENCODED = re.compile(r"^(pre|app)_|suffix|append|prepend|select|comment|note", re.IGNORECASE)
"""What is set before or behind the words, or says something of them."""
_SETTING = re.compile(
    r"parser|aspect|ratio|resolution|size|dimension|quality|version|strategy|dtype|offload|attention|cache|backend|"
    r"camera|unit|orientation|position|align",
    re.IGNORECASE,
)
_TEXTUAL = re.compile(r"text|prompt|string|tags|caption|words|description", re.IGNORECASE)
_ENCODERS = re.compile(
    r"^(clip.?[lgh]|((u?m|by)?t5|bert|(chat)?glm|llama|gemma|qwen|mistral|llm)[-_.\d]*(b|x*l|small|base|large|vl)?)$",
    re.IGNORECASE,
)
"""Text models by name: an encoder that feeds several has an input for each."""
_ENCODED = re.compile(r"embed|cond|encoder|model", re.IGNORECASE)
"""Parts of names of inputs that get what was made of a text, or what makes it."""
_TEXT_NODE = re.compile(r"string|primitive|text|prompt|styler|concat|value", re.IGNORECASE)
"""An input that is called as a text model may get the model itself."""
_FILE = re.compile(r"[\\/]|\.\w{2,12}$")
_SIDES = {
    NEGATIVE: re.compile(r"negative|(^|_)neg(_|\d|$)|(^|_)uncond", re.IGNORECASE),
    POSITIVE: re.compile(r"positive|(^|_)pos(_|\d|$)", re.IGNORECASE),
}
_ASKS_ONE = (
    ("text_g", "text_l"),
    ("clip_l", "t5xxl"),
    ("clip_l", "clip_g"),
    ("text",),
    ("prompt",),
    ("tags",),
    ("caption",),
    ("string",),
)


def side_of(name: str) -> str:
    """Return the role that an input's name says, or nothing."""
    return next((role for role, pattern in _SIDES.items() if pattern.search(name)), "")


def is_against(name: str) -> bool:
    """Tell an input for guidance against its words (NAG), which may stand beside a negative of the usual kind."""
    return re.search(r"(^|_)nag(_|$)", name.lower()) is not None


def is_wordy(lens: Lens, node: Node, name: str) -> bool:
    """Tell whether an input may take words: a text that stands there, or a link that brings one."""
    value = node.inputs[name]
    spec = lens.spec(Place(node.id, name))
    if spec is not None and (spec.choices is not None or spec.type not in ("STRING", "*", "")):
        return False
    if isinstance(value, str):
        return not NOT_TYPED.search(name.removeprefix("text_"))
    if (link := lens.graph.link(value)) is None:
        return False
    kind = lens.source_type(link)
    if spec is not None and spec.type == "STRING" and kind in ("", "STRING"):
        return not NOT_TYPED.search(name.removeprefix("text_"))
    if kind not in ("", "STRING"):
        return False
    source = lens.graph.nodes[link.node].kind
    if not kind and _ENCODED.search(name):
        return False
    return bool(_TEXTUAL.search(name) or (_ENCODERS.match(name) and _TEXT_NODE.search(source)))


def _sounds_textual(name: str) -> bool:
    return bool(_TEXTUAL.search(name) or _ENCODERS.match(name))


def encoded(lens: Lens, node: Node, names: Iterable[str]) -> list[str]:
    """Return those of the wordy inputs that an encoder makes conditioning of: all of them take the words."""
    wordy = [name for name in names if not _NOT_ENCODED.search(name)]
    known = node.class_type in lens.node_list
    return [
        name
        for name in wordy
        if (known and lens.spec(Place(node.id, name)) is not None)
        or _sounds_textual(name)
        or _reads_as_words(lens.graph, name, node.inputs[name])
    ]


def _reads_as_words(graph: Graph, name: str, value: object) -> bool:
    """Without types and a telling name, several words are words; one may be a choice or a file."""
    if not isinstance(value, str) or graph.link(value) or _SETTING.search(name):
        return False
    return not _FILE.search(value) and (len(value.split()) > 1 or not value.isascii())


def typed(lens: Lens, node: Node, names: Sequence[str]) -> list[str]:
    """Return those of a string node's literals that somebody typed: beside a text, single words are settings.

    What wildcards are put into is no text of its own, unless it stays as it is.
    """
    made = [name for name in names if name.lower().startswith("populated")]
    fixed = node.inputs.get("mode") in ("fixed", "reproduce", False)
    kept = [name for name in names if (name in made) is fixed] if 0 < len(made) < len(names) else list(names)
    values = node.inputs
    texts = [name for name in kept if _sounds_textual(name) or _reads_as_words(lens.graph, name, values[name])]
    return texts if any(_sounds_textual(name) for name in texts) else kept


def asked(names: Iterable[str]) -> list[str]:
    """Return those of the wordy inputs in which another node than an encoder asks for the words."""
    there = list(names)
    found = ([name for name in wanted if name in there] for wanted in _ASKS_ONE)
    return next((some for some in found if some), [name for name in there if re.search(r"text|prompt", name.lower())])
