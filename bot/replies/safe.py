"""Making foreign words safe to show: no markup, no mention, no direction tricks, no flood of lines."""

import re
import unicodedata

from bot.delivery.limits import ALT_TEXT

_SHORT = 300
NOBODY = "\u2013"
"""What stands where there is nobody and nothing."""
_STEERING = frozenset("\u061c\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")


def shown(words: str, limit: int = _SHORT) -> str:
    """Return words on one line, escaped for Discord's markup, cut at `limit` characters before escaping."""
    plain = "".join(" " if char.isspace() else char for char in words if not _hidden(char))
    plain = re.sub(r" {2,}", " ", plain).strip()
    cut = plain if len(plain) <= limit else plain[: limit - 1] + "…"
    return _escape(cut)


def alt_text(words: str) -> str:
    """Return words as an attachment's description: as they are (nothing in it is markup), cut to what Discord takes."""
    return words if len(words) <= ALT_TEXT else words[: ALT_TEXT - 1] + "…"


def _escape(words: str) -> str:
    """Escape every character that Discord's markup gives a meaning, also inside addresses, so that nothing links."""
    words = words.replace("@", "@\u200b")
    words = re.sub(r"([\\*_~`|>#\[\]()<\-])", r"\\\1", words)
    words = re.sub(r"(?i)\b(discord(?:app)?)\.(gg|com)", lambda found: f"{found[1]}\u200b.{found[2]}", words)
    return re.sub(r"(?i)\b(https?|discord):", lambda found: f"{found[1]}\u200b:", words)


def _hidden(char: str) -> bool:
    """Control characters, and those that steer the direction of writing; joiners inside emoji stay."""
    return (unicodedata.category(char) in ("Cc", "Cs", "Co") and not char.isspace()) or char in _STEERING
