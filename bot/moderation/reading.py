"""A text made ready for matching: at each glyph, what it may say, whether it may be skipped, what may begin and end."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import pairwise

from bot.moderation.folding import Glyph, Kind, glyphs
from bot.moderation.fragments import (
    ALWAYS,
    DEEP,
    NEVER,
    Fragment,
    Skip,
    fragments,
    gap_between,
    is_apostrophe,
    stands_off,
)
from bot.moderation.masks import Mask, contextual_readings, masks

_RUN = 3
"""Repeated letters that are told apart: one, two, many."""
_CONTRACTED = frozenset(["s", "d", "m", "ll", "re", "ve"])
_CONTRACTING = frozenset(["i", "you", "he", "she", "it", "we", "they", "who", "what", "that", "there", "how", "where"])


class Border(IntEnum):
    """How sure it is that a word begins or ends here."""

    NONE = 0
    CAMEL = 1
    """Only a change of case: `BigWord`."""
    FULL = 2


@dataclass(slots=True)
class Reading:
    """A text's glyphs and, glyph by glyph, what the matcher must know of them."""

    glyphs: list[Glyph]
    letters: list[tuple[str, ...]]
    skips: list[Skip]
    masks: list[Mask]
    starts: list[Border]
    ends: list[Border]
    kana_starts: list[bool]
    """Where a katakana word may begin."""
    kana_ends: list[bool]


def read(text: str) -> Reading:
    """Return a text as the matcher reads it; time and size grow with the text's length alone."""
    row, optional = shortened(glyphs(text))
    pieces = fragments(row)
    for piece in pieces:
        for at in _doubled(row, piece):
            optional[at] = True
    runs = _runs(pieces)
    skips = _skips(row, pieces, runs, optional)
    starts, ends = _borders(row, optional)
    katakana = any(glyph.kind is Kind.KATAKANA for glyph in row)
    kana_starts = [not katakana or _kana_starts(row, at) for at in range(len(row))]
    kana_ends = [not katakana or _kana_ends(row, skips, at) for at in range(len(row))]
    for run in runs:
        _close_runs(run, starts, ends, kana_starts, kana_ends)
    return Reading(
        glyphs=row,
        letters=[g.readings if g.is_solid else contextual_readings(row, at) for at, g in enumerate(row)],
        skips=skips,
        masks=masks(row),
        starts=starts,
        ends=ends,
        kana_starts=kana_starts,
        kana_ends=kana_ends,
    )


def shortened(row: Sequence[Glyph]) -> tuple[list[Glyph], list[bool]]:
    """Cut letters repeated three times and more to three, of which all but the first may be left out."""
    kept: list[Glyph] = []
    optional: list[bool] = []
    at = 0
    while at < len(row):
        end = at + 1
        while end < len(row) and _is_same(row[at], row[end]):
            end += 1
        long_vowel = row[at].literal == "ー"
        length = 1 if long_vowel else min(end - at, _RUN)
        kept += row[at : at + length]
        optional += [long_vowel and end - at > 1] + [end - at >= _RUN] * (length - 1)
        at = end
    return kept, optional


def _is_same(one: Glyph, other: Glyph) -> bool:
    return one.main == other.main and (one.main == "ー" or (one.kind < Kind.SIGN and other.kind < Kind.SIGN))


def _runs(pieces: Sequence[Fragment]) -> list[list[Fragment]]:
    """Return the rows of neighbouring lone letters of one writing, at least two each."""
    runs: list[list[Fragment]] = [[]]
    for piece in pieces:
        last = runs[-1]
        if not piece.is_lone or (last and last[-1].kinds[0].is_cjk != piece.kinds[0].is_cjk):
            runs.append([])
            last = runs[-1]
        if piece.is_lone:
            last.append(piece)
    return [run for run in runs if len(run) > 1]


def _skips(
    row: Sequence[Glyph], pieces: Sequence[Fragment], runs: Sequence[list[Fragment]], optional: Sequence[bool]
) -> list[Skip]:
    skips = [_own_skip(row, at) if not optional[at] else ALWAYS for at in range(len(row))]
    spelled = {piece.start for run in runs if len(run) > 2 for piece in run}
    for left, right in pairwise(pieces):
        in_run = left.start in spelled and right.start in spelled
        skip = gap_between(row, left, right, in_run=in_run)
        for at in range(left.end + 1, right.start):
            skips[at] = skip
    for piece in pieces:
        at = piece.end + 1
        while at < len(row) and row[at].kind is Kind.SIGN and not piece.kinds[1].is_cjk:
            skips[at] = ALWAYS  # up to a space, signs always may part letters
            at += 1
        if row[piece.start].kind is Kind.SIGN or piece.text == "ー":
            skips[piece.start] = ALWAYS
    return skips


def _own_skip(row: Sequence[Glyph], at: int) -> Skip:
    """What a glyph may do by itself: prolong a Japanese word, or stand as a sign between letters."""
    glyph = row[at]
    if (
        glyph.is_stretch
        or glyph.literal == "〇"
        or (glyph.literal == "ー" and glyph.kind is Kind.SIGN)
        or glyph.kind is Kind.STRONG
    ):
        return ALWAYS
    if glyph.literal == "ー":
        return DEEP
    return ALWAYS if is_apostrophe(row, at) and not _is_contraction(row, at) else NEVER


def _is_contraction(row: Sequence[Glyph], at: int) -> bool:
    """Whether an apostrophe stands as in he'll and who're."""
    before, after = "", ""
    for left in range(at - 1, max(-1, at - 7), -1):
        if row[left].kind is not Kind.ALPHABET:
            break
        before = row[left].literal + before
    for right in range(at + 1, min(len(row), at + 4)):
        if row[right].kind is not Kind.ALPHABET:
            break
        after += row[right].literal
    return after in _CONTRACTED and before in _CONTRACTING


def _doubled(row: Sequence[Glyph], piece: Fragment) -> list[int]:
    """Return the second letters of a word in which (nearly) every letter is typed twice."""
    twice = [at for at in range(piece.start + 1, piece.end + 1) if _is_same(row[at - 1], row[at])]
    return twice if len(twice) > 1 and 3 * len(twice) >= piece.end + 1 - piece.start else []


def _borders(row: Sequence[Glyph], optional: Sequence[bool]) -> tuple[list[Border], list[Border]]:
    """Where an alphabet's words begin and end: beside what is no letter; digits glued on do not count."""
    size = len(row)
    starts, ends = [Border.FULL] * size, [Border.FULL] * size
    letter_before = False
    for at in range(size):
        if letter_before:
            starts[at] = Border.CAMEL if _is_camel(row, at) else Border.NONE
        kind = row[at].kind
        letter_before = kind is Kind.ALPHABET or (letter_before and kind is Kind.DIGIT)
    letter_after = False
    for at in range(size - 1, -1, -1):
        if letter_after:
            ends[at] = Border.CAMEL if _is_camel(row, at + 1) else Border.NONE
        kind = row[at].kind
        if not optional[at]:
            letter_after = kind is Kind.ALPHABET or (letter_after and kind is Kind.DIGIT)
    return starts, ends


def _is_camel(row: Sequence[Glyph], at: int) -> bool:
    """Whether a capital stands between small letters."""
    return row[at].is_upper and not row[at - 1].is_upper and at + 1 < len(row) and not row[at + 1].is_upper


def _kana_starts(row: Sequence[Glyph], at: int) -> bool:
    return row[at].kind is not Kind.KATAKANA or at == 0 or row[at - 1].kind is not Kind.KATAKANA


def _kana_ends(row: Sequence[Glyph], skips: Sequence[Skip], at: int) -> bool:
    if row[at].kind is not Kind.KATAKANA:
        return True
    at += 1
    while at < len(row) and row[at].kind is Kind.KATAKANA and skips[at] == ALWAYS:
        at += 1
    return at == len(row) or row[at].kind is not Kind.KATAKANA


def _close_runs(
    run: Sequence[Fragment],
    starts: list[Border],
    ends: list[Border],
    kana_starts: list[bool],
    kana_ends: list[bool],
) -> None:
    """Let words begin and end within spelled-out letters only at wider gaps and beside little words."""
    for word in _spelled_words(run):
        letters = "".join(piece.text[0] for piece in word)
        for nth, piece in enumerate(word):
            if not stands_off(letters[:nth]):
                starts[piece.start], kana_starts[piece.start] = Border.NONE, False
            if not stands_off(letters[nth + 1 :]):
                for at in range(piece.start, piece.end + 1):
                    ends[at], kana_ends[at] = Border.NONE, False


def _spelled_words(run: Sequence[Fragment]) -> list[list[Fragment]]:
    """Split a run of lone letters at the gaps that are wider than its narrowest."""
    widths = [right.start - left.end for left, right in pairwise(run)]
    words = [[run[0]]]
    for piece, width in zip(run[1:], widths, strict=True):
        if width > min(widths):
            words.append([])
        words[-1].append(piece)
    return words
