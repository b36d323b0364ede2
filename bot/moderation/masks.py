"""Signs that stand for a letter: `f*ck`, `sh#t`, `死〇`; and when a sign that may be a letter is none."""

from collections.abc import Sequence
from enum import IntEnum

from bot.moderation.folding import Glyph, Kind

_CIRCLES = frozenset("〇○●◯◎")
_CROSSES = frozenset("×✕✖❌☓")
_LETTERS = frozenset("xo0〇")
"""Masks that are letters elsewhere."""
_WEAK = frozenset("%&^~?=-_.@$+")
_NUMERALS = frozenset("一二三四五六七八九十百千万年月")
_NEEDS_MORE = frozenset("!|")
_OPENING = {"(": ")", "<": ">", "[": "]"}
_FAR = 80
_STARS = 4
"""Masks in a row; more of them are decoration."""


class Mask(IntEnum):
    """Which letters a sign may stand for."""

    NONE = 0
    STAR = 1
    """Any letter."""
    HASH = 2
    """A letter of an alphabet, within a word."""
    WEAK = 3
    """One letter of an alphabet, when all others of the word are there."""
    CIRCLE = 4
    """A Japanese letter."""
    CROSS = 5
    """A Japanese letter, within a word."""


def masks(row: Sequence[Glyph]) -> list[Mask]:
    """Return what each glyph may hide."""
    emphasis = _emphasis(row)
    return [
        Mask.NONE if at in emphasis or (glyph.is_solid and glyph.literal not in _LETTERS) else _mask(row, at)
        for at, glyph in enumerate(row)
    ]


def contextual_readings(row: Sequence[Glyph], at: int) -> tuple[str, ...]:
    """Return what a glyph may say where it stands: `!` ends a sentence, `(` opens a weight."""
    glyph = row[at]
    if glyph.kind is not Kind.SIGN or len(glyph.readings) < 2:
        return glyph.readings if glyph.kind is not Kind.SPACE else ()
    if glyph.literal in _NEEDS_MORE and not _leads_on(row, at):
        return ()
    if glyph.literal == "+" and _is_letter(row, at + 1) and (at == 0 or row[at - 1].kind is Kind.SPACE):
        return ()
    if glyph.literal in _OPENING and not _is_letter(row, at - 1) and _is_closed(row, at):
        return ()
    return glyph.readings


def _mask(row: Sequence[Glyph], at: int) -> Mask:
    sign = row[at].literal
    before, after = _cjk(row, at - 1), _cjk(row, at + 1)
    if sign in _CIRCLES:
        numeral = any(0 <= near < len(row) and row[near].literal in _NUMERALS for near in (at - 1, at + 1))
        return Mask.CIRCLE if (before or after) and not numeral else Mask.NONE
    if sign in _CROSSES or (sign in _LETTERS and before and after):
        return Mask.CROSS if before or after else Mask.NONE
    if sign == "*":
        return Mask.STAR if _length(row, at) <= _STARS and _is_among_letters(row, at) else Mask.NONE
    if sign == "#":
        return Mask.HASH if _length(row, at) <= _STARS and not _is_note(row, at) else Mask.NONE
    within = sign in _WEAK and _alphabetic(row, at - 1) and _alphabetic(row, at + 1)
    return Mask.WEAK if within else Mask.NONE


def _emphasis(row: Sequence[Glyph]) -> set[int]:
    """Return the stars of Markdown: as many before a word as behind one, with no letter outside."""
    found: set[int] = set()
    opened: list[int] = []
    for first in [
        at for at, glyph in enumerate(row) if glyph.literal == "*" and (at == 0 or row[at - 1].literal != "*")
    ]:
        length = 1
        while first + length < len(row) and row[first + length].literal == "*":
            length += 1
        stars = list(range(first, first + length))
        before, after = _is_letter(row, first - 1), _is_letter(row, first + length)
        if after and not before:
            opened = stars
        elif before and not after and len(opened) == length:
            found.update(opened, stars)
            opened = []
    return found


def _is_among_letters(row: Sequence[Glyph], at: int) -> bool:
    """Whether letters touch a row of stars, or it stands alone between letters that stand alone."""
    first = at
    while first and row[first - 1].literal == "*":
        first -= 1
    last = at
    while last + 1 < len(row) and row[last + 1].literal == "*":
        last += 1
    if _is_letter(row, first - 1) or _is_letter(row, last + 1):
        return True
    return _is_lone(row, first - 2) or _is_lone(row, last + 2)


def _is_lone(row: Sequence[Glyph], at: int) -> bool:
    return _is_letter(row, at) and not _is_letter(row, at - 1) and not _is_letter(row, at + 1)


def _is_note(row: Sequence[Glyph], at: int) -> bool:
    """C#, F#m: a sharp behind a note."""
    note = _is_letter(row, at - 1) and row[at - 1].literal in "abcdefg" and not _is_letter(row, at - 2)
    if at + 1 < len(row) and row[at + 1].literal == "m":
        at += 1
    return note and not _is_letter(row, at + 1) and (at + 1 == len(row) or row[at + 1].literal != "#")


def _leads_on(row: Sequence[Glyph], at: int) -> bool:
    """Whether a letter follows without a space, or the sign stands all by itself."""
    after = at + 1
    while after < min(len(row), at + _STARS) and row[after].kind is Kind.SIGN and row[after].literal != "+":
        after += 1
    if after < len(row) and row[after].kind is not Kind.SPACE:
        return True
    return after == at + 1 and at > 0 and row[at - 1].kind is Kind.SPACE


def _is_closed(row: Sequence[Glyph], at: int) -> bool:
    """Whether a bracket has its other half, not too far behind."""
    opening = row[at].literal
    closing, depth = _OPENING[opening], 0
    for glyph in row[at : at + _FAR]:
        depth += (glyph.literal == opening) - (glyph.literal == closing)
        if depth == 0:
            return True
    return False


def _length(row: Sequence[Glyph], at: int) -> int:
    """How many of the same sign stand in a row here; past `_STARS` nobody counts."""
    sign = row[at].literal
    first = last = at
    while first and row[first - 1].literal == sign and last - first <= _STARS:
        first -= 1
    while last + 1 < len(row) and row[last + 1].literal == sign and last - first <= _STARS:
        last += 1
    return last - first + 1


def _is_letter(row: Sequence[Glyph], at: int) -> bool:
    return 0 <= at < len(row) and row[at].is_solid


def _cjk(row: Sequence[Glyph], at: int) -> bool:
    return 0 <= at < len(row) and row[at].is_cjk


def _alphabetic(row: Sequence[Glyph], at: int) -> bool:
    return 0 <= at < len(row) and row[at].kind is Kind.ALPHABET
