"""Which characters pass for which: look-alikes of other scripts, letters in boxes, leetspeak, letters turned around."""

import json
import unicodedata
from functools import cache, lru_cache
from importlib.resources import files
from typing import cast


def _table(pairs: str) -> dict[str, str]:
    """Each word's first character → the rest of the word."""
    return {pair[0]: pair[1:] for pair in pairs.split()}


LEET = _table(
    """0o 1il 2z 3e 4a 5s 6gb 7tl 8b 9gq @a $s €e £l ¥y ¢c §s ₩w ฿b ₿b ₵c ¡i !il |il +t (c <c ∂d √v ©c ®r
    ○o ●o ◯o ◎o 〇o ⭕o ❌x ✖x ✕x ×x 💲s zs li il vu"""
)
"""One character that is typed for another: every reading of it besides itself."""
SPELLED = {
    "vv": "w",
    "uu": "w",
    "ph": "f",
    "()": "o",
    "[]": "o",
    "\\/\\/": "w",
    "\\/": "v",
    "/\\/\\": "m",
    "|\\/|": "m",
    "/\\": "a",
    "/-\\": "a",
    "|-|": "h",
    "|\\|": "n",
    "|<": "k",
    "|)": "d",
    "|>": "p",
    "|3": "b",
    "13": "b",
    "タヒ": "死",
}
"""Several characters that are typed for one letter."""
_LOOSE = _table(
    """иnu яr вb нhn кk мm тt пn шw щw ьb ъb зe чy цu лn дd жx эe фo
    αa βb δd εe ζz ηn θo ιi κk λl μmu νvn πn ρpr σos ςs τt υuv χx ωwo ξe ʃs ʒz əe ðd þp ƨs ɩi ʋv ꮯc ҝk øo ғf"""
)
"""What the tables of exact look-alikes leave out because it only resembles."""
_TURNED = str.maketrans("ɐqɔpǝɟƃɥıᴉɾʞlɯuodbɹsʇnʌʍxʎz", "abcdefghiijklmnopqrstuvwxyz")
_ONLY_TURNED = frozenset("ɐɔǝɟƃɥᴉɾʞɯɹʇʌʍʎ")
_ASCII = "abcdefghijklmnopqrstuvwxyz0123456789"


@lru_cache(maxsize=1 << 14)
def letters_like(char: str) -> str:
    """Return the ASCII letters and digits that a character passes for, itself not among them."""
    found = LEET.get(char, "") + _LOOSE.get(char, "")
    if not char.isascii():
        found += _exact().get(char, "") + _named(char)
    return "".join(dict.fromkeys(letter for letter in found if letter != char))


def boxed_letters(char: str) -> str:
    """Return the letters of a sign that shows several (🆗, 🆒, 🆎), or nothing."""
    name = unicodedata.name(char, "")
    for start in ("NEGATIVE SQUARED ", "SQUARED "):
        tail = name.removeprefix(start)
        if tail != name and tail.isascii() and tail.isalpha() and 1 < len(tail) < 5:
            return tail.lower()
    return ""


def turned_around(text: str) -> str | None:
    """Return a text written upside down as it is meant, or None when nothing in it stands on its head."""
    if _ONLY_TURNED.isdisjoint(text):
        return None
    return text[::-1].translate(_TURNED)


def _named(char: str) -> str:
    """The letter that the character's name ends with: `Latin small letter O with stroke`, `regional indicator …`."""
    name = unicodedata.name(char, "")
    last = name.partition(" WITH ")[0].rpartition(" ")[2].lower()
    return last if len(last) == 1 and last.isascii() and ("LATIN" in name or "REGIONAL INDICATOR" in name) else ""


@cache
def _exact() -> dict[str, str]:
    """Unicode's table of confusable characters, turned around: a character that is no ASCII → what it looks like."""
    source = files("confusable_homoglyphs").joinpath("confusables.json").read_text(encoding="utf-8")
    table = cast("dict[str, list[dict[str, str]]]", json.loads(source))
    found: dict[str, str] = {}
    for letter in _ASCII + _ASCII[:26].upper():
        for twin in table.get(letter, ()):
            char = twin["c"].strip("\u200e")
            if len(char) == 1 and not char.isascii():
                for form in {char, char.lower(), char.casefold()}:
                    found[form] = found.get(form, "") + letter.lower()
    return found
