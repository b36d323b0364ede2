"""A style: words, and LoRAs if it has any, that are put round a member's own."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.model.jsontree import JsonObject, items, text

SLOT = "{prompt}"
"""Where in a style's prompt the member's words go."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """What a style adds; `loras` are texts of the form `name:weight`."""

    name: str
    prompt: str = SLOT
    negative: str = ""
    loras: tuple[str, ...] = ()

    def applied(self, words: str) -> str:
        """Return a member's words in this style, the tags of its LoRAs behind; braces in the words mean nothing."""
        filled = self.prompt.replace(SLOT, words, 1)
        return " ".join((filled, *(f"<lora:{lora}>" for lora in self.loras)))

    def negated(self, negative: str | None) -> str | None:
        """Return a member's negative prompt and the style's own behind it; None if neither says anything."""
        said = [one for one in (negative, self.negative) if one and not one.isspace()]
        return ", ".join(said) or None

    def to_dict(self) -> JsonObject:
        """Return it as a JSON tree; `from_dict` reads it back."""
        return {"name": self.name, "prompt": self.prompt, "negative": self.negative, "loras": list(self.loras)}

    @classmethod
    def from_dict(cls, tree: Mapping[str, Any]) -> "Style":
        """Read what `to_dict` wrote; what is missing is as if the style did not say it."""
        loras = tuple(lora for lora in items(tree.get("loras")) if isinstance(lora, str))
        prompt = text(tree.get("prompt", SLOT))
        return cls(name=text(tree.get("name")), prompt=prompt, negative=text(tree.get("negative")), loras=loras)


__all__ = ["SLOT", "Style"]
