"""What a prompt may say beyond words: `<lora:name:weight>`, BREAK, AND, `embedding:name`; weights pass through."""

import math
import re
from dataclasses import dataclass

LORA_LIMIT = 8
"""LoRAs of one prompt: each costs memory on the server."""
PART_LIMIT = 8
"""Parts that BREAK and AND may make: each is encoded by itself."""
WEIGHT_LIMIT = 10.0

_LORA = re.compile(r"<lora:(?P<name>[^<>:]{1,200})(?::(?P<weight>[^<>:]*))?(?::(?P<clip>[^<>:]*))?>", re.IGNORECASE)
_EMBEDDING = re.compile(r"\bembedding:(?P<name>[^\s,()<>\[\]{}|:]+)", re.IGNORECASE)
_AND = re.compile(r"(?:^|(?<=\s))AND(?=\s|$)")
_BREAK = re.compile(r"(?:^|(?<=[\s,]))BREAK(?=[\s,]|$)")


class PromptFault(ValueError):
    """A tag that cannot be meant so. `key` is the catalogue's, `facts` are its fields."""

    def __init__(self, key: str, **facts: str) -> None:
        super().__init__(key)
        self.key, self.facts = key, facts


@dataclass(frozen=True, slots=True, kw_only=True)
class Lora:
    """A LoRA as it was typed, with its strengths for the model and for the text encoder."""

    name: str
    model_strength: float = 1.0
    clip_strength: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """A prompt taken apart: `parts` are joined by AND, their texts by BREAK; without syntax one text, as typed."""

    parts: tuple[tuple[str, ...], ...]
    loras: tuple[Lora, ...] = ()
    embeddings: tuple[str, ...] = ()

    @property
    def is_plain(self) -> bool:
        """Whether it is one text for one encoder."""
        return len(self.parts) == 1 and len(self.parts[0]) == 1

    @property
    def first(self) -> str:
        """The text of the first encoder."""
        return self.parts[0][0]


_WEIGHT = re.compile(r":\s*-?[\d.]+\s*(?=[)\]}])")


def unweighted(text: str) -> str:
    """Return a prompt as it reads without weights and brackets: `(na:1.1)ked` is `naked`."""
    return re.sub(r"[()\[\]{}]", "", _WEIGHT.sub("", text))


def parse_prompt(text: str) -> Prompt:
    """Take a prompt apart.

    Raises:
        PromptFault: a weight that is no number, or more LoRAs or parts than are allowed.
    """
    found = [_lora(tag) for tag in _LORA.finditer(text)]
    if len(found) > LORA_LIMIT:
        raise PromptFault("refused.too_many_loras", limit=str(LORA_LIMIT))
    words = _tidied(_LORA.sub("", text)) if found else text
    parts = tuple(tuple(_split(_BREAK, part)) for part in _split(_AND, words))
    if sum(len(part) for part in parts) > PART_LIMIT:
        raise PromptFault("refused.too_many_parts", limit=str(PART_LIMIT))
    return Prompt(
        parts=parts,
        loras=tuple(found),
        embeddings=tuple(dict.fromkeys(found["name"] for found in _EMBEDDING.finditer(words))),
    )


def plain_prompt(text: str) -> Prompt:
    """Return a prompt in which nothing is syntax."""
    return Prompt(parts=((text,),))


def _split(word: re.Pattern[str], text: str) -> list[str]:
    """Split at a word; empty parts do not count, and a text without the word stays as it is."""
    if word.search(text) is None:
        return [text]
    return [part.strip(" \t\n\r,") for part in word.split(text) if part.strip(" \t\n\r,")] or [""]


def _tidied(text: str) -> str:
    """Close the gaps that removed tags leave."""
    text = re.sub(r"\s*,(?:\s*,)+", ",", text)
    return re.sub(r"[ \t]{2,}", " ", text).strip(" ,\t\n\r")


def _lora(tag: re.Match[str]) -> Lora:
    model = _weight(tag["weight"], tag["name"], 1.0)
    return Lora(name=tag["name"].strip(), model_strength=model, clip_strength=_weight(tag["clip"], tag["name"], model))


def _weight(text: str | None, name: str, default: float) -> float:
    if text is None or not text.strip():
        return default
    try:
        weight = float(text)
    except ValueError:
        raise PromptFault("refused.bad_weight", name=name, weight=text) from None
    if not math.isfinite(weight) or abs(weight) > WEIGHT_LIMIT:
        raise PromptFault("refused.bad_weight", name=name, weight=text)
    return weight
