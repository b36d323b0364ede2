"""All words at once against one reading: a trie walked by every way to read a text, in time bounded by its length."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple

from bot.moderation.folding import Kind, kind_of
from bot.moderation.fragments import ALWAYS, DEEP, NEVER
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
    children: dict[str, "_Node"] = field(default_factory=dict[str, "_Node"])
    patterns: list[Pattern] = field(default_factory=list[Pattern])


class _Path(NamedTuple):
    """How a node was reached. The smaller of two ways is the more certain."""

    masks: int
    doubt: int
    """0 with a letter that is itself, 1 with signs alone, 2 with a digit among them."""
    start: int
    has_weak: bool = False
    ends_masked: bool = False


_Active = dict[int, tuple[_Node, _Path]]
"""Nodes by their identity, each with the best way there."""
_NOTHING: _Active = {}


class Matcher:
    """A compiled set of patterns."""

    def __init__(self, patterns: Iterable[Pattern]) -> None:
        roots = {edge: _Node() for edge in Edge}
        for pattern in patterns:
            node = roots[pattern.left]
            for key in pattern.keys:
                node = node.children.setdefault(key, _child(node, key))
            node.patterns.append(pattern)
        self._free, self._word, self._kana = (roots[edge] for edge in (Edge.FREE, Edge.WORD, Edge.KANA))

    def matches(self, reading: Reading) -> Iterator[Match]:
        """Yield what is in a text, by where it ends."""
        before: list[_Active] = [_NOTHING]
        leaps = _leaps(reading)
        for at in range(len(reading.glyphs)):
            active, roots = before[at], self._beginning(reading, at)
            if not (active or roots or at in leaps):
                before.append(_NOTHING)
                continue
            reached = _Reached(reading, at)
            reached.go_on(active)
            reached.begin(roots)
            for start, letter in leaps.get(at, ()):
                reached.leap(before[start], self._roots(reading, start), start, letter)
            yield from reached.found()
            before.append(reached.kept())

    def _beginning(self, reading: Reading, at: int) -> list[_Node]:
        """The roots of the words that may begin at a glyph."""
        roots, letters = self._roots(reading, at), reading.letters[at]
        if reading.masks[at] is Mask.STAR:
            return roots
        return [root for root in roots if not root.children.keys().isdisjoint(letters)]

    def _roots(self, reading: Reading, at: int) -> list[_Node]:
        """The roots of the words whose left border is before a glyph."""
        roots = [self._free]
        if reading.starts[at] is not Border.NONE:
            roots.append(self._word)
        if reading.kana_starts[at]:
            roots.append(self._kana)
        return roots


class _Reached:
    """The nodes reached with one glyph."""

    def __init__(self, reading: Reading, at: int) -> None:
        self._reading, self._at, self._glyph = reading, at, reading.glyphs[at]
        self._letters = reading.letters[at]
        kind = self._glyph.kind
        self._doubt = 2 if kind is Kind.DIGIT else 1 if kind > Kind.HAN else 0
        self._wanted = self._next_letters() if reading.masks[at] is not Mask.NONE else None
        self._active: _Active = {}
        self._arrived: _Active = {}
        """Those reached by a letter, whose words end here."""

    def go_on(self, active: _Active) -> None:
        """Go on from every node: read the glyph, take it for a mask, or skip it."""
        skip, mask, is_solid = self._reading.skips[self._at], self._reading.masks[self._at], self._glyph.is_solid
        for node, path in active.values():
            starred = path.masks and not node.is_cjk and mask is not Mask.NONE  # it hides letters or parts them
            if (skip == ALWAYS and not starred) or (skip == DEEP and node.depth > 1):
                self._add(node, path)
            if not is_solid:
                gap = node if node.letter == GAP else node.children.get(GAP)
                if gap is not None:
                    self._add(gap, path)
            self._read(node, path)
            if mask is not Mask.NONE and path.masks <= node.depth - path.masks:
                self._guess(node, path, mask)

    def begin(self, roots: Iterable[_Node]) -> None:
        """Begin words with the glyph."""
        path = _Path(0, 1, self._at)
        for root in roots:
            self._read(root, path)
            if self._reading.masks[self._at] is Mask.STAR and self._next_kind() is Kind.ALPHABET:
                self._guess(root, path, Mask.STAR)

    def leap(self, active: _Active, roots: Iterable[_Node], start: int, letter: str) -> None:
        """Read several glyphs, of which this is the last, as one letter."""
        fresh = _Path(0, 1, start)
        for node, path in [*active.values(), *((root, fresh) for root in roots)]:
            if (child := node.children.get(letter)) is not None:
                self._arrive(child, self._doubted(path))

    def kept(self) -> _Active:
        """Return what goes on from here, bounded."""
        if len(self._active) <= _ACTIVE:
            return self._active
        best = sorted(self._active.items(), key=lambda item: item[1][1])
        return dict(best[:_ACTIVE])

    def found(self) -> Iterator[Match]:
        """Yield the words that end with this glyph."""
        for node, path in self._arrived.values():
            for pattern in node.patterns:
                if _is_certain(node, path) and _may_end(self._reading, pattern, path, self._at):
                    yield Match(pattern.number, path.start, self._at)

    def _read(self, node: _Node, path: _Path) -> None:
        children = node.children
        for letter in self._letters:
            child = children.get(letter)
            if child is not None:
                self._arrive(child, _sure(path) if letter == self._glyph.literal else self._doubted(path))

    def _guess(self, node: _Node, path: _Path, mask: Mask) -> None:
        """Take the glyph for any letter that may follow, as far as the next glyph leads on from there."""
        if path.has_weak or not _fits(mask, path, is_cjk=node.is_cjk):
            return
        guessed = _Path(path.masks + 1, path.doubt, path.start, mask is Mask.WEAK, ends_masked=True)
        wanted = self._wanted
        for letter, child in node.children.items():
            leads_on = wanted is None or child.patterns or not child.children.keys().isdisjoint(wanted)
            if leads_on and letter != GAP and child.is_cjk == node.is_cjk:
                self._arrive(child, guessed)

    def _next_letters(self) -> tuple[str, ...] | None:
        """What the next glyph says, when it can be neither skipped nor guessed."""
        after = self._at + 1
        if after == len(self._reading.glyphs):
            return ()
        must = self._reading.glyphs[after].is_solid and self._reading.skips[after] == NEVER
        return self._reading.letters[after] if must and self._reading.masks[after] is Mask.NONE else None

    def _next_kind(self) -> Kind:
        row = self._reading.glyphs
        return row[self._at + 1].kind if self._at + 1 < len(row) else Kind.SPACE

    def _doubted(self, path: _Path) -> _Path:
        """A letter that is only passed for takes doubt away, a digit for a letter adds to it, a sign does neither."""
        doubt = self._doubt if self._doubt == 0 or path.doubt == 0 else max(self._doubt, path.doubt)
        doubt = 0 if path.doubt == 0 else doubt
        return path._replace(doubt=doubt, ends_masked=False) if doubt != path.doubt or path.ends_masked else path

    def _arrive(self, node: _Node, path: _Path) -> None:
        self._add(node, path)
        if node.patterns:
            known = self._arrived.get(id(node))
            if known is None or path < known[1]:
                self._arrived[id(node)] = (node, path)

    def _add(self, node: _Node, path: _Path) -> None:
        known = self._active.get(id(node))
        if known is None or path < known[1]:
            self._active[id(node)] = (node, path)


def _child(parent: _Node, key: str) -> _Node:
    is_gap = key == GAP
    cjk = parent.is_cjk if is_gap else kind_of(key).is_cjk
    return _Node(letter=key, depth=parent.depth + (not is_gap), is_cjk=cjk)


def _sure(path: _Path) -> _Path:
    """A letter that is itself takes all doubt away."""
    return path._replace(doubt=0, ends_masked=False) if path.doubt or path.ends_masked else path


def _fits(mask: Mask, path: _Path, *, is_cjk: bool) -> bool:
    """Whether a mask may stand for a letter of this writing."""
    if is_cjk:
        return mask in (Mask.STAR, Mask.CIRCLE, Mask.CROSS)
    return mask in (Mask.STAR, Mask.HASH) or (mask is Mask.WEAK and not path.masks)


def _is_certain(node: _Node, path: _Path) -> bool:
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
    if path.ends_masked:
        return literal > 2 or (literal == 2 and path.masks == 2)
    return literal >= max(2, path.masks)


def _may_end(reading: Reading, pattern: Pattern, path: _Path, at: int) -> bool:
    """Whether a word's borders are where its pattern wants them."""
    if pattern.right is Edge.KANA:
        return reading.kana_ends[at]
    start = reading.starts[path.start] if pattern.left is Edge.WORD else Border.FULL
    end = reading.ends[at] if pattern.right is Edge.WORD else Border.FULL
    if Border.NONE in (start, end) or _is_within_number(reading, pattern, path, at):
        return False
    if start is end is Border.FULL:
        return True
    return not any(glyph.is_upper for glyph in reading.glyphs[path.start + 1 : at + 1])


def _is_within_number(reading: Reading, pattern: Pattern, path: _Path, at: int) -> bool:
    """Whether digits of a pattern are part of a longer number: 69 in 1969."""
    row = reading.glyphs
    before = path.start > 0 and row[path.start - 1].kind is Kind.DIGIT
    after = at + 1 < len(row) and row[at + 1].kind is Kind.DIGIT
    return (before and pattern.keys[0].isdigit()) or (after and pattern.keys[-1].isdigit())


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
