"""A guild's word list against a text, however the text is dressed up."""

from collections.abc import Iterable, Iterator, Sequence

from bot.model.words import Word, WordMode
from bot.moderation.folding import Glyph, Kind, glyphs, hiragana
from bot.moderation.lookalikes import turned_around
from bot.moderation.matcher import GAP, Edge, Matcher, Pattern
from bot.moderation.reading import Border, Reading, read, shortened

WORDS_MOST = 1000
"""Entries of one list."""
WORD_LETTERS = 100
"""Characters of one entry."""

_FREE_KANA = 3
"""Kana from which on hiragana and katakana are the same: エロ is not within 消えろ."""
_KANA = frozenset([Kind.KATAKANA, Kind.HIRAGANA])
_SEVERITY = (WordMode.STRIKE, WordMode.REFUSE, WordMode.HOLD)


class Blocklist:
    """A list compiled for matching. Entries that have a fault match nothing."""

    def __init__(self, words: Iterable[Word], allowed: Iterable[str] = ()) -> None:
        self._words = sorted(words, key=lambda word: _SEVERITY.index(word.mode))
        self._matcher = Matcher(
            pattern
            for number, word in enumerate(self._words)
            if fault_of(word.text) is None
            for pattern in _patterns(word.text, number)
        )
        self._allowed = [(_core(text), _stars(text)) for text in allowed if fault_of(text) is None]

    def hits(self, text: str) -> tuple[Word, ...]:
        """Return every listed word that is in a text, severest mode first, then in the list's order."""
        found = set(self._numbers(text))
        turned = turned_around(text)
        if turned is not None:
            found |= set(self._numbers(turned))
        return tuple(word for number, word in enumerate(self._words) if number in found)

    def _numbers(self, text: str) -> Iterator[int]:
        reading = read(text)
        excused = self._excused(reading)
        for match in self._matcher.matches(reading):
            if not any(start <= match.start and match.end <= end for start, end in excused):
                yield match.number

    def _excused(self, reading: Reading) -> list[tuple[int, int]]:
        """Return the first and last glyphs of the allowed words that are written plainly in a text."""
        if not self._allowed:
            return []
        line, places = _line(reading.glyphs)
        return [
            (places[at], places[at + len(word) - 1])
            for word, stars in self._allowed
            for at in _occurrences(line, word)
            if _is_whole(reading, places[at], places[at + len(word) - 1], stars)
        ]


def fault_of(text: str) -> str | None:
    """Return why a text cannot be an entry: "empty", "too_long", "no_letters"; None when it can."""
    if not text.strip():
        return "empty"
    if len(text) > WORD_LETTERS:
        return "too_long"
    return None if any(glyph.is_solid for glyph in glyphs(_bare(text))) else "no_letters"


def _stars(text: str) -> tuple[bool, bool]:
    text = text.strip()
    return text.startswith("*"), text.endswith("*")


def _bare(text: str) -> str:
    return text.strip().strip("*")


def _patterns(text: str, number: int) -> list[Pattern]:
    """Return an entry's patterns: as written, and for long kana words also without what prolongs them."""
    row, _ = shortened(glyphs(_bare(text)))
    row = _trimmed(row)
    kinds = {glyph.kind for glyph in row}
    is_kana = kinds == {Kind.KATAKANA} or (kinds <= _KANA and len(row) >= _FREE_KANA)
    left, right = (
        Edge.FREE if star or (end.is_cjk and not is_kana) else Edge.KANA if is_kana else Edge.WORD
        for star, end in zip(_stars(text), (row[0], row[-1]), strict=True)
    )
    rows = {_keys(row)}
    short = [glyph for glyph in row if not (glyph.is_stretch or glyph.literal == "ー")]
    if len(short) >= _FREE_KANA:
        rows.add(_keys(short))
    return [Pattern(keys, left, right, number) for keys in rows]


def _trimmed(row: Sequence[Glyph]) -> list[Glyph]:
    """Leave out the signs around an entry, and those beside letters that are written without spaces."""
    solid = [at for at, glyph in enumerate(row) if _is_kept(glyph)]
    kept: list[Glyph] = []
    for at in range(solid[0], solid[-1] + 1):
        glyph = row[at]
        before = max(index for index in solid if index <= at)
        after = min(index for index in solid if index >= at)
        if _is_kept(glyph) or not (row[before].is_cjk or row[after].is_cjk):
            kept.append(glyph)
    return kept


def _is_kept(glyph: Glyph) -> bool:
    return glyph.kind <= Kind.STRONG or glyph.literal == "ー"


def _keys(row: Sequence[Glyph]) -> tuple[str, ...]:
    free = sum(glyph.kind in _KANA for glyph in row) >= _FREE_KANA
    keys: list[str] = []
    for glyph in row:
        key = glyph.literal if _is_kept(glyph) else GAP
        if key != GAP or keys[-1] != GAP:
            keys.append(hiragana(key) if free else key)
    return tuple(keys)


def _core(text: str) -> str:
    """Return an allowed word as `_line` writes it."""
    row, _ = shortened(glyphs(_bare(text)))
    return _line(row)[0].strip()


def _line(row: Sequence[Glyph]) -> tuple[str, list[int]]:
    """Return a text's plain letters, one space for whatever is between, and the glyph that each stands for."""
    line = ""
    places: list[int] = []
    for at, glyph in enumerate(row):
        char = glyph.literal if _is_kept(glyph) else GAP
        if char != GAP or not line.endswith(GAP):
            line += char
            places.append(at)
    return line, places


def _occurrences(line: str, word: str) -> Iterator[int]:
    at = line.find(word)
    while at >= 0:
        yield at
        at = line.find(word, at + 1)


def _is_whole(reading: Reading, start: int, end: int, stars: tuple[bool, bool]) -> bool:
    """Whether a stretch of a text is a word of its own, as far as its stars ask for it."""
    left, right = stars
    begins = left or reading.glyphs[start].is_cjk or reading.starts[start] is Border.FULL
    ends = right or reading.glyphs[end].is_cjk or reading.ends[end] is Border.FULL
    return begins and ends
