"""All words at once against one reading: a trie walked by every way to read a text, in time bounded by its length."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import IntEnum

from bot.moderation.folding import Kind, kind_of
from bot.moderation.fragments import ALWAYS, DEEP
from bot.moderation.lookalikes import SPELLED
from bot.moderation.masks import Mask
from bot.moderation.reading import Border, Reading

GAP = " "
"""The key of a pattern's own gap, between the words of a phrase."""
_ACTIVE = 96
"""Beginnings of words followed at once; when a text made of masks asks for more, the least masked stay."""


class Edge(IntEnum):
    """What must be beside a word."""

    FREE = 0
    WORD = 1
    """The border of a word of an alphabet."""
    KANA = 2
    """No katakana beside katakana."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """An entry as keys of the trie. `number` is what a match is called."""

    keys: tuple[str, ...]
    left: Edge
    right: Edge
    number: int


@dataclass(frozen=True, slots=True)
class Match:
    """A pattern found at the glyphs `start` to `end`, both included."""

    number: int
    start: int
    end: int


@dataclass(slots=True)
class _Node:
    letter: str = ""
    depth: int = 0
    """Letters from the root, gaps not counted."""
    is_cjk: bool = False
    children: dict[str, "_Node"] = field(default_factory=dict)
    patterns: list[Pattern] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Path:
    """How a node was reached. The smaller of two ways is the more certain."""

    masks: int
    doubt: int
    """0 with a letter that is itself, 1 with signs alone, 2 with a digit among them."""
    start: int
    has_weak: bool = False

    @property
    def rank(self) -> tuple[int, int, int]:
        return (self.masks, self.doubt, self.start)


_Active = dict[int, tuple[_Node, _Path]]


class Matcher:
    """A compiled set of patterns."""

    def __init__(self, patterns: Iterable[Pattern]) -> None:
        self._roots = {edge: _Node() for edge in Edge}
        for pattern in patterns:
            node = self._roots[pattern.left]
            for key in pattern.keys:
                node = node.children.setdefault(key, _child(node, key))
            node.patterns.append(pattern)

    def matches(self, reading: Reading) -> Iterator[Match]:
        """Yield what is in a text, by where it ends."""
        before: list[_Active] = [{}]
        leaps = _leaps(reading)
        for at in range(len(reading.glyphs)):
            reached = _Reached(reading, at)
            for node, path in before[at].values():
                reached.step(node, path)
            for root in self._beginning(reading, at):
                reached.begin(root)
            for start, letter in leaps.get(at, ()):
                reached.leap(before[start], list(self._beginning(reading, start)), start, letter)
            yield from reached.found()
            before.append(reached.kept())

    def _beginning(self, reading: Reading, at: int) -> Iterator[_Node]:
        """The roots of the words that may begin at a glyph."""
        yield self._roots[Edge.FREE]
        if reading.starts[at]:
            yield self._roots[Edge.WORD]
        if reading.kana_starts[at]:
            yield self._roots[Edge.KANA]


@dataclass(slots=True)
class _Reached:
    """The nodes reached with one glyph."""

    reading: Reading
    at: int
    active: _Active = field(default_factory=dict)
    arrived: dict[int, tuple[_Node, _Path, bool]] = field(default_factory=dict)
    """Those reached by a letter, whose words end here; and whether a mask stood for the letter."""

    def step(self, node: _Node, path: _Path) -> None:
        """Go on from a node: read the glyph, take it for a mask, or skip it."""
        skip = self.reading.skips[self.at]
        kind = self.reading.glyphs[self.at].kind
        if skip == ALWAYS or (skip == DEEP and node.depth > 1):
            self._add(node, path)
        if not kind.is_solid:
            if node.letter == GAP:
                self._add(node, path)
            elif (gap := node.children.get(GAP)) is not None:
                self._add(gap, path)
        self._read(node, path)
        if mask := self.reading.masks[self.at]:
            self._guess(node, path, mask)

    def begin(self, root: _Node) -> None:
        """Begin words with the glyph."""
        path = _Path(0, 1, self.at)
        self._read(root, path)
        if self.reading.masks[self.at] is Mask.STAR and self.at + 1 < len(self.reading.glyphs):
            after = self.reading.glyphs[self.at + 1].kind
            if after is Kind.ALPHABET:
                self._guess(root, path, Mask.STAR)

    def leap(self, active: _Active, roots: list[_Node], start: int, letter: str) -> None:
        """Read several glyphs, of which this is the last, as one letter."""
        doubt = _doubt(self.reading.glyphs[start].kind)
        ways = [*active.values(), *((root, _Path(0, 1, start)) for root in roots)]
        for node, path in ways:
            if (child := node.children.get(letter)) is not None:
                self._arrive(child, _doubted(path, doubt), masked=False)

    def kept(self) -> _Active:
        """Return what goes on from here, bounded."""
        if len(self.active) <= _ACTIVE:
            return self.active
        best = sorted(self.active.items(), key=lambda item: item[1][1].rank)
        return dict(best[:_ACTIVE])

    def found(self) -> Iterator[Match]:
        """Yield the words that end with this glyph."""
        for node, path, masked in self.arrived.values():
            for pattern in node.patterns:
                if self._may_end(pattern, path) and _is_certain(node, path, masked=masked):
                    yield Match(pattern.number, path.start, self.at)

    def _read(self, node: _Node, path: _Path) -> None:
        literal = self.reading.glyphs[self.at].literal
        kind = self.reading.glyphs[self.at].kind
        for letter in self.reading.letters[self.at]:
            child = node.children.get(letter)
            if child is None or letter == GAP:
                continue
            self._arrive(child, _doubted(path, 0 if letter == literal else _doubt(kind)), masked=False)

    def _guess(self, node: _Node, path: _Path, mask: Mask) -> None:
        """Take the glyph for any letter that may follow."""
        fits_cjk = mask in (Mask.STAR, Mask.CIRCLE, Mask.CROSS) and node.is_cjk
        fits_alphabet = mask in (Mask.STAR, Mask.HASH, Mask.WEAK) and not node.is_cjk
        if not (fits_cjk or fits_alphabet) or path.masks > node.depth - path.masks or path.has_weak:
            return
        if mask is Mask.WEAK and path.masks:
            return
        guessed = _Path(path.masks + 1, path.doubt, path.start, mask is Mask.WEAK)
        for letter, child in node.children.items():
            if letter != GAP and child.is_cjk == fits_cjk:
                self._arrive(child, guessed, masked=True)

    def _arrive(self, node: _Node, path: _Path, *, masked: bool) -> None:
        self._add(node, path)
        known = self.arrived.get(id(node))
        if node.patterns and (known is None or path.rank < known[1].rank):
            self.arrived[id(node)] = (node, path, masked)

    def _add(self, node: _Node, path: _Path) -> None:
        known = self.active.get(id(node))
        if known is None or path.rank < known[1].rank:
            self.active[id(node)] = (node, path)

    def _may_end(self, pattern: Pattern, path: _Path) -> bool:
        reading = self.reading
        if pattern.right is Edge.KANA:
            return reading.kana_ends[self.at]
        start = reading.starts[path.start] if pattern.left is Edge.WORD else Border.FULL
        end = reading.ends[self.at] if pattern.right is Edge.WORD else Border.FULL
        if Border.NONE in (start, end) or self._is_within_number(pattern, path):
            return False
        if start is end is Border.FULL:
            return True
        return not any(glyph.is_upper for glyph in reading.glyphs[path.start + 1 : self.at + 1])

    def _is_within_number(self, pattern: Pattern, path: _Path) -> bool:
        """Whether digits of a pattern are part of a longer number: 69 in 1969."""
        row = self.reading.glyphs
        before = path.start > 0 and row[path.start - 1].kind is Kind.DIGIT
        after = self.at + 1 < len(row) and row[self.at + 1].kind is Kind.DIGIT
        return (before and pattern.keys[0].isdigit()) or (after and pattern.keys[-1].isdigit())


def _child(parent: _Node, key: str) -> _Node:
    is_gap = key == GAP
    cjk = parent.is_cjk if is_gap else kind_of(key).is_cjk
    return _Node(letter=key, depth=parent.depth + (not is_gap), is_cjk=cjk)


def _doubt(kind: Kind) -> int:
    """How doubtful it is that a glyph of this kind is a letter that it only passes for."""
    return 2 if kind is Kind.DIGIT else 1 if kind > Kind.HAN else 0


def _doubted(path: _Path, doubt: int) -> _Path:
    """A letter that is itself takes all doubt away; a digit for a letter adds to it."""
    doubt = 0 if doubt == 0 or path.doubt == 0 else max(doubt, path.doubt)
    return path if doubt == path.doubt else _Path(path.masks, doubt, path.start, path.has_weak)


def _is_certain(node: _Node, path: _Path, *, masked: bool) -> bool:
    """Whether enough of a word stands there."""
    literal = node.depth - path.masks
    if path.doubt > 1:
        return False
    if path.masks == 0:
        return True
    if node.is_cjk:
        return literal >= path.masks
    if path.has_weak:
        return literal > 2
    if masked:
        return literal > 2 or (literal == 2 and path.masks == 2)
    return literal >= max(2, path.masks)


def _leaps(reading: Reading) -> dict[int, list[tuple[int, str]]]:
    """Return where several glyphs spell one letter: last glyph → (first glyph, letter)."""
    text = "".join(glyph.literal for glyph in reading.glyphs)
    found: dict[int, list[tuple[int, str]]] = {}
    for signs, letter in SPELLED.items():
        at = text.find(signs)
        while at >= 0:
            found.setdefault(at + len(signs) - 1, []).append((at, letter))
            at = text.find(signs, at + 1)
    return found

