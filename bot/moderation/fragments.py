"""Where the words of a text begin and end, and which gaps between its letters are only there to hide a word."""

from collections.abc import Sequence
from dataclasses import dataclass

from bot.moderation.folding import Glyph, Kind

_SHORT = 3
_ORDINARY = frozenset(
    """a i u am an as at be by do go he hi if in is it me my no of oh ok on or so to up us we ox pi ax ad er um uh
    ah ha ho la le de el un en et du di da der den des von van los las che est les una uno per con tv pc uk eu
    usa hd uhd vr ar ai cg xl sd km cm mm kg ml oz ft px dpi fps hdr iso raw jpg png gif svg pdf psd dvd led lcd
    rgb diy faq gpu cpu ram usb app web mr mrs ms dr st jr sr vs etc nd rd th bw b&w ive ill hes its ace act add
    age ago aid aim air ale all and ant any ape arc are ark arm art ash ask ate axe bad bag ban bar bat bay bed
    bee beg bet bid big bin bit bob bow box boy bug bun bus but buy bye cab can cap car cat cow cry cub cup cut
    dad day did die dig dim dip dog dot dry due dye ear eat egg ego elf end era eve ewe eye fan far fat fax few
    fig fin fir fit fix fly fog for fox fun fur gap gas gel gem get god got gum gun guy gym had ham has hat hay
    hen her hid him hip his hit hop hot how hub hue hug hut ice icy ink inn ion ivy jam jar jaw jet job jog joy
    key kid kit lab lad lap law lay leg let lid lie lip lit log lot low mad man map mat may men met mid mix mom
    mud mug nap net new nod nor not now nun nut oak odd off oil old one orb ore our out owl own pad pan paw pay
    pea pen pet pie pig pin pit pop pot pub put rag ran rat ray red rib rid rim rip rob rod row rub rug run sad
    sat saw say sea see set she shy sin sip sir sit six ski sky son sow spa spy sum sun tab tag tan tap tar tax
    tea ten the tie tin tip toe ton too top toy try tub two use vet vow war was wax way wed wet who why wig win
    won yes yet you zen zip zoo ex co non pre sub pro bio geo eco neo""".split()  # noqa: SIM905 - a list of 350 lines reads worse
)
"""Words of two and three letters that stand between other words without hiding anything."""
_AROUND = frozenset(["a", "i", "u", "my", "me", "you", "your", "the", "him", "her", "them", "off"])
"""What may stand before or behind a word that is spelled out letter by letter, spelled out itself."""
_CLAUSE = frozenset(".,;:!?")
_COMMA = frozenset("、。，,;")
_LIST = frozenset(".:・/|()[]{}<>「」") | _COMMA

Skip = int
NEVER, DEEP, ALWAYS = 0, 1, 2
"""Whether a gap may lie within a word: never; from the second letter on; always."""


@dataclass(slots=True)
class Fragment:
    """Letters that touch each other: glyphs `start` to `end`, both included."""

    start: int
    end: int
    text: str
    kinds: tuple[Kind, Kind]
    """The first and the last letter's."""
    is_quoted: bool = False
    """An apostrophe is within."""

    @property
    def is_lone(self) -> bool:
        """Whether it is one letter by itself, often repeated or with digits behind it; but v2 is a version."""
        if self.start == self.end or self.is_digits:
            return self.start == self.end
        rest = self.text[1:]
        return rest == self.text[0] * 2 or (self.text[0] != "v" and rest.isdigit())

    @property
    def is_digits(self) -> bool:
        """Whether nothing but digits is in it."""
        return self.text.isdigit()

    @property
    def is_odd(self) -> bool:
        """Whether it is so short and unknown that it may be a piece of a word."""
        letters = self.text.rstrip("0123456789")
        return len(letters) <= _SHORT and not self.is_digits and not self.is_quoted and self.text not in _ORDINARY


def fragments(row: Sequence[Glyph]) -> list[Fragment]:
    """Return the fragments of a text in their order."""
    found: list[Fragment] = []
    start = 0
    while start < len(row):
        if not _is_wordy(row, start):
            start += 1
            continue
        end = start
        while end + 1 < len(row) and (_goes_on(row, end + 1)):
            end += 1
        found.append(_fragment(row, start, end))
        start = end + 1
    return found


def gap_between(row: Sequence[Glyph], left: Fragment, right: Fragment, *, in_run: bool) -> Skip:
    """Return whether what separates two neighbouring fragments may be overlooked."""
    gap = row[left.end + 1 : right.start]
    if left.kinds[1].is_cjk and right.kinds[0].is_cjk:
        return _cjk_gap(row, left, right)
    if left.kinds[1].is_cjk != right.kinds[0].is_cjk or in_run:
        return ALWAYS
    if all(glyph.kind is not Kind.SPACE for glyph in gap):
        return ALWAYS
    return ALWAYS if _is_suspicious(left, right, ends_clause=any(g.literal in _CLAUSE for g in gap)) else NEVER


def stands_off(spelled: str) -> bool:
    """Whether spelled-out letters beside a spelled-out word are a word of their own: `i`, `you`, digits, or nothing."""
    letters = "".join(filter(str.isalnum, spelled))
    return not letters or letters in _AROUND or letters.isdigit()


def is_apostrophe(row: Sequence[Glyph], at: int) -> bool:
    """Whether an apostrophe stands between two letters."""
    return (
        row[at].literal in "'’ʼ`´"
        and 0 < at < len(row) - 1
        and row[at - 1].kind is Kind.ALPHABET
        and row[at + 1].kind is Kind.ALPHABET
    )


def _is_suspicious(left: Fragment, right: Fragment, *, ends_clause: bool) -> bool:
    """Whether one of two fragments looks like a torn piece; at the end of a clause, both must."""
    if ends_clause:
        return left.is_odd and right.is_odd
    if left.is_digits or right.is_digits or left.is_quoted or right.is_quoted:
        return False
    if right.is_odd and right.is_lone:  # `as S. Holmes`, `Model S`: the letter is a name more often than a piece
        return left.text not in _ORDINARY
    return left.is_odd or right.is_odd


def _cjk_gap(row: Sequence[Glyph], left: Fragment, right: Fragment) -> Skip:
    """Spaces mean little here, but a list's marks and a compound on both sides make two words of it."""
    if left.is_lone or right.is_lone:
        return ALWAYS
    left_is_one = row[left.end - 1].kind is not row[left.end].kind
    right_is_one = row[right.start].kind is not row[right.start + 1].kind
    gap = {glyph.literal for glyph in row[left.end + 1 : right.start]}
    if _COMMA & gap:
        return ALWAYS if left_is_one and right_is_one else DEEP
    if left_is_one or right_is_one:
        return ALWAYS
    return DEEP if _LIST & gap or row[left.end].kind is row[right.start].kind is Kind.HAN else ALWAYS


def _is_wordy(row: Sequence[Glyph], at: int) -> bool:
    """Letters, digits and strong signs; any sign for letters that stands alone."""
    glyph = row[at]
    if glyph.kind <= Kind.STRONG:
        return True
    before = at == 0 or row[at - 1].kind is Kind.SPACE or row[at - 1].literal in "([{"
    after = at + 1 == len(row) or row[at + 1].kind is Kind.SPACE or row[at + 1].literal in ",.;:)]}"
    return before and after and glyph.literal not in "([{" and (len(glyph.readings) > 1 or glyph.literal == "*")


def _goes_on(row: Sequence[Glyph], at: int) -> bool:
    """Whether a glyph belongs to the fragment before it: no change between alphabet and CJK, apostrophes within."""
    if row[at].kind is Kind.SIGN:
        return is_apostrophe(row, at)
    return _is_wordy(row, at) and row[at].is_cjk == row[at - 1].is_cjk


def _fragment(row: Sequence[Glyph], start: int, end: int) -> Fragment:
    text = "".join(row[at].literal for at in range(start, end + 1) if row[at].kind is not Kind.SIGN)
    return Fragment(
        start=start,
        end=end,
        text=text or row[start].literal,
        kinds=(row[start].kind, row[end].kind),
        is_quoted=any(is_apostrophe(row, at) for at in range(start, end + 1)),
    )
