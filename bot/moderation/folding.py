"""What a character says, however it is dressed: a text becomes a row of glyphs, each with every way to read it."""

import re
import unicodedata
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache

from bot.moderation.lookalikes import LEET, boxed_letters, letters_like

_WIDE = 4
"""Characters that one may unfold to: some ligatures hide whole sentences, which would make texts grow without bound."""
_FILLERS = frozenset("\u115f\u1160\u3164\uffa0")
_VOICED = "\u3099\u309a"
"""Dakuten and handakuten: not decoration, but what makes か into が."""
_SPACED_VOICED = str.maketrans("゛゜", _VOICED)
_TORN_VOICED = re.compile(f"([ぁ-ヺ])((?:_|[^\\w{_VOICED}]){{1,3}})([{_VOICED}])")
_ACCENTS = ((0x300, 0x36F), (0x483, 0x489), (0x1AB0, 0x1AFF), (0x1DC0, 0x1DFF), (0x20D0, 0x20FF), (0xFE00, 0xFE2F))
_APART = {"æ": "ae", "œ": "oe", "ĳ": "ij", "ʤ": "dz", "ʣ": "dz", "ʦ": "ts", "ʧ": "ts", "ы": "bi", "ю": "io"}
_SMALL = str.maketrans(
    "ぁぃぅぇぉっゃゅょゎゕゖァィゥェォッャュョヮヵヶㇰㇱㇲㇳㇴㇵㇶㇷㇸㇹㇺㇻㇼㇽㇾㇿ",
    "あいうえおつやゆよわかけアイウエオツヤユヨワカケクシストヌハヒフヘホムラリルレロ",
)
_STRETCHES = frozenset("ぁぃぅぇぉっァィゥェォッ")
_TO_HIRAGANA = {code: code - 0x60 for code in range(0x30A1, 0x30F7)}
_LONG = frozenset("ー〜~")
_STRONG = frozenset("@$€£¥¢§₩฿₿₵¡∂√©®")


class Kind(IntEnum):
    """What a glyph is for the borders of words."""

    ALPHABET = 1
    DIGIT = 2
    KATAKANA = 3
    HIRAGANA = 4
    HAN = 5
    """Chinese characters, and other letters that are written without spaces."""
    STRONG = 6
    """A sign that is a letter wherever it touches one: @ $ €."""
    SIGN = 7
    SPACE = 8

    @property
    def is_cjk(self) -> bool:
        """Whether it is a letter of a writing without spaces."""
        return Kind.KATAKANA <= self <= Kind.HAN


@dataclass(frozen=True, slots=True)
class Glyph:
    """One letter or sign. `literal` is what it says itself, `readings` also what it passes for, `literal` first."""

    literal: str
    readings: tuple[str, ...]
    kind: Kind
    is_solid: bool
    """It is a letter or a digit whatever stands beside it."""
    is_cjk: bool
    """It is a letter of a writing without spaces."""
    main: str
    """What it most likely stands for."""
    is_upper: bool = False
    is_stretch: bool = False
    """A small vowel or つ, which prolongs a word and does not change it."""


def plain(text: str) -> str:
    """Return a text without invisible characters, accents and compatibility forms; kana keep their dakuten.

    Upper and lower case stay. Applied again it changes nothing.
    """
    seen = "".join(char for char in text.translate(_SPACED_VOICED) if not _is_invisible(char))
    bare = _without_accents("".join(_unfolded(char) for char in seen))
    bare = unicodedata.normalize("NFC", _TORN_VOICED.sub(r"\1\3\2", bare))
    return unicodedata.normalize("NFC", bare.replace(_VOICED[0], "").replace(_VOICED[1], ""))


def glyphs(text: str) -> list[Glyph]:
    """Return a text's glyphs; `~` and its like after kana are long-vowel marks."""
    row: list[Glyph] = []
    for char in plain(text):
        if char in _LONG and row and row[-1].kind in (Kind.KATAKANA, Kind.HIRAGANA):
            row.append(_LONG_VOWEL if char == "ー" else _WAVE)
        else:
            row.extend(_glyphs_of(char))
    return row


def hiragana(letter: str) -> str:
    """Return a katakana letter as hiragana, anything else as it is."""
    return letter.translate(_TO_HIRAGANA)


_LONG_VOWEL = Glyph("ー", ("ー",), Kind.KATAKANA, is_solid=True, is_cjk=True, main="ー")
_WAVE = Glyph("ー", ("ー",), Kind.SIGN, is_solid=False, is_cjk=False, main="ー")


@lru_cache(maxsize=1 << 14)
def _glyphs_of(char: str) -> tuple[Glyph, ...]:
    small = char.casefold()
    letters = boxed_letters(char) or _APART.get(small) or (small if small == char else plain(small))
    return tuple(_glyph(letter, is_upper=char.isupper(), whole=char) for letter in letters)


def _glyph(letter: str, *, is_upper: bool, whole: str) -> Glyph:
    kind, literal = kind_of(letter), letter
    if kind.is_cjk:
        literal = letter.translate(_SMALL)
        also = hiragana(literal) + LEET.get(literal, "")
    elif kind is Kind.SPACE:
        literal, also = " ", ""
    else:
        literal = str(unicodedata.digit(letter, letter)) if kind is Kind.DIGIT else letter
        also = letters_like(literal) or letters_like(whole)
        if also and unicodedata.category(letter) == "So" and letter not in LEET:
            kind = Kind.ALPHABET
    is_dressed = kind is Kind.STRONG or (kind is Kind.ALPHABET and not literal.isascii())
    return Glyph(
        literal=literal,
        readings=tuple(dict.fromkeys((literal, *also))),
        kind=kind,
        is_solid=kind <= Kind.HAN,
        is_cjk=kind.is_cjk,
        main=also[0] if is_dressed and also else literal,
        is_upper=is_upper,
        is_stretch=letter in _STRETCHES,
    )


@lru_cache(maxsize=1 << 14)
def kind_of(char: str) -> Kind:
    """Return what a character is, after folding."""
    code, category = ord(char), unicodedata.category(char)
    if (0x30A1 <= code <= 0x30FF and char != "・") or 0x31F0 <= code <= 0x31FF:
        return Kind.KATAKANA
    if 0x3041 <= code <= 0x309F:
        return Kind.HIRAGANA
    if char in _STRONG:
        return Kind.STRONG
    if category == "Nd":
        return Kind.DIGIT
    if category[0] in "LMN":
        return Kind.HAN if _is_unspaced(code) else Kind.ALPHABET
    return Kind.SPACE if char.isspace() else Kind.SIGN


def _is_unspaced(code: int) -> bool:
    """Whether a letter belongs to the Chinese, Korean or another East Asian writing."""
    return (
        0x2E80 <= code <= 0xA4CF or 0xAC00 <= code <= 0xD7FF or 0xF900 <= code <= 0xFAFF or 0x1B000 <= code <= 0x3FFFF
    )


def _is_invisible(char: str) -> bool:
    category = unicodedata.category(char)
    return category == "Cf" or (category == "Cc" and not char.isspace()) or char in _FILLERS


@lru_cache(maxsize=1 << 14)
def _unfolded(char: str) -> str:
    """Take compatibility forms and accents apart, unless the character stands for a whole phrase."""
    wide = unicodedata.normalize("NFKD", char)
    return wide if len(wide) <= _WIDE else char


def _without_accents(text: str) -> str:
    """Drop the marks above and below letters; other writings keep the marks that are their vowels."""
    kept: list[str] = []
    base = " "
    for char in text:
        if not unicodedata.category(char).startswith("M"):
            base = char
        elif char not in _VOICED and (_is_accent(char) or not _has_vowel_marks(base)):
            continue
        kept.append(char)
    return "".join(kept)


def _is_accent(mark: str) -> bool:
    return any(first <= ord(mark) <= last for first, last in _ACCENTS) or ord(mark) >= 0xE0000


def _has_vowel_marks(base: str) -> bool:
    """Hebrew to Mongolian, and what was added later: writings whose marks are letters."""
    return 0x590 <= ord(base) <= 0x18AF or 0xA800 <= ord(base) <= 0xABFF or 0x10A00 <= ord(base) <= 0x11FFF
