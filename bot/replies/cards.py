"""Records → cards. A card is a value: text, pictures, rows of buttons. Pure.

One look from waiting to done: what is going on first, then what was asked for, the pictures, the small print, the
buttons. That is also the order in which it is read aloud, so nothing depends on colours or signs.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import assert_never

from bot.delivery.package import Attachment, Parcel
from bot.model.job import Eta, Failure, FailureCode, JobUpdate, Loading, Preparing, Sampling, Saving, Waiting, Working
from bot.model.request import Request
from bot.replies.catalogue import has, text
from bot.replies.failures import words_for
from bot.replies.press import STRONG, SUBTLE, VARY, Action, Choice, DraftPress, Offer, Picker, Press, Row
from bot.replies.safe import shown
from bot.replies.times import duration, eta_words

_NODE_LETTERS = 60
_FINAL = frozenset({FailureCode.BLOCKED, FailureCode.TURNED_DOWN})
"""Failures that asking again will not mend."""
_IN_A_ROW = 5
_ROWS = 5
_KINDS = {
    **dict.fromkeys(("png", "jpg", "jpeg", "webp", "gif"), "image"),
    **dict.fromkeys(("mp4", "webm", "mov", "mkv", "avi", "m4v"), "video"),
    **dict.fromkeys(("mp3", "wav", "flac", "ogg", "opus"), "audio"),
}


class Tone(StrEnum):
    """What a card is about; its accent comes from it."""

    WAITING = "waiting"
    RUNNING = "running"
    HELD = "held"
    DONE = "done"
    FAILED = "failed"
    GONE = "gone"
    PLAIN = "plain"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A line of a list, with a small picture beside it."""

    text: str
    thumbnail: Attachment | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What a reply shows. `files` are all that its message has."""

    tone: Tone
    text: str
    note: str = ""
    files: tuple[Attachment, ...] = field(default=(), repr=False)
    entries: tuple[Entry, ...] = ()
    rows: tuple[Row, ...] = ()

    @property
    def words(self) -> str:
        """All that is written on it."""
        return "\n".join(part for part in (self.text, *(entry.text for entry in self.entries), self.note) if part)

    @property
    def presses(self) -> tuple[Press, ...]:
        """The buttons of jobs on it."""
        return tuple(one for row in self.rows if not isinstance(row, Picker) for one in row if isinstance(one, Press))


def kind_of_name(filename: str) -> str:
    """Return `image`, `video`, `audio`, or nothing for what no template takes."""
    return _KINDS.get(filename.rpartition(".")[2].lower(), "")


@dataclass(frozen=True, slots=True, kw_only=True)
class CardMaker:
    """Makes the cards of one job, in one language."""

    request: Request
    title: str
    locale: str
    job_id: str = ""
    private: bool = False
    offers: tuple[Offer, ...] = ()
    """What can be made of its files."""
    metadata: bool = False
    """Whether the template's pictures may say how they were made."""

    def running(self, update: JobUpdate, preview: Attachment | None = None) -> Card:
        """Return the card while the job waits or runs, with a preview if there is one."""
        tone = Tone.WAITING if isinstance(update, Waiting | Preparing) else Tone.RUNNING
        files = (preview,) if preview else ()
        return self._card(tone, self._lines(update), files=files, rows=((self._press(Action.CANCEL),),))

    def done(self, parcel: Parcel, elapsed_s: float) -> Card:
        """Return the card with the pictures."""
        changed: list[str] = []
        if any(file.shrunk for file in parcel.files):
            changed.append(self._text("card.shrunk"))
        if any(file.converted for file in parcel.files):
            changed.append(self._text("card.converted"))
        if parcel.left_out:
            changed.append(self._text("card.left_out", count=parcel.left_out))
        line = self._text("card.done", elapsed=self._duration(elapsed_s))
        return self._card(Tone.DONE, [line], small=changed, files=parcel.files, rows=self._done_rows(parcel.files))

    def failed(self, failure: Failure) -> Card:
        """Return the card of a job that failed: why, and what the member can do."""
        line = self._text("card.failed", words=words_for(failure, self.locale))
        if failure.code in _FINAL:
            return self._card(Tone.FAILED, [line], rows=((self._press(Action.DELETE),),))
        return self._card(Tone.FAILED, [line], rows=self._ended_rows())

    def held(self) -> Card:
        """Return the card of a picture that waits for a moderator."""
        return self._card(Tone.HELD, [self._text("card.held")], rows=((self._press(Action.CANCEL),),))

    def removed(self) -> Card:
        """Return what is left of a picture that moderators took away: no words of it, no buttons."""
        return Card(tone=Tone.GONE, text=self._text("card.removed"))

    def cancelled(self) -> Card:
        """Return the card of a cancelled job."""
        return self._card(Tone.GONE, [self._text("card.cancelled")], rows=self._ended_rows())

    def picked(self, file: Attachment | None, number: int, kind: str) -> Card:
        """Return one file of a job with all that can be done with it, for whoever chose it."""
        rows = [self._making(number, kind), self._keeping(number)]
        line = self._text("card.picked", number=number)
        return self._card(Tone.PLAIN, [line], files=(file,) if file else (), rows=_wrapped(rows))

    def draft(self, draft_id: str, line: str) -> Card:
        """Return a request that was not sent yet, to be sent or edited."""
        kept = f"{draft_id}p" if self.private else draft_id
        return self._card(Tone.PLAIN, [line], rows=(draft_row(kept, self.locale),))

    def _card(
        self,
        tone: Tone,
        lines: Sequence[str],
        *,
        small: Sequence[str] = (),
        files: tuple[Attachment, ...] = (),
        rows: tuple[Row, ...] = (),
    ) -> Card:
        return Card(
            tone=tone,
            text="\n".join([*lines, *self._asked()]),
            note="\n".join([*small, self._head()]),
            files=files,
            rows=rows,
        )

    def _head(self) -> str:
        request = self.request
        parts = [shown(self.title, 80), self._text("card.seed", seed=request.seed)]
        parts += [str(request.size)] if request.size else []
        parts += [self._text("card.style", style=shown(request.style.name, 40))] if request.style else []
        return self._text("card.head", facts=" · ".join(parts))

    def _asked(self) -> list[str]:
        request = self.request
        about = [self._text("card.prompt", prompt=shown(request.prompt))] if request.prompt else []
        if request.negative:
            about.append(self._text("card.negative", negative=shown(request.negative, 150)))
        if request.unused:
            about.append(self._text("card.unused", options=", ".join(self._option(role) for role in request.unused)))
        return about

    def _option(self, role: str) -> str:
        return self._text(f"options.{role}.name")

    # Buttons

    def _press(self, action: Action, number: int = 0, what: str = "", label: str | None = None) -> Press:
        label = label or self._text(f"buttons.{action}")
        return Press(action=action, job_id=self.job_id, number=number, what=what, private=self.private, label=label)

    def _ended_rows(self) -> tuple[Row, ...]:
        return ((self._press(Action.AGAIN), self._press(Action.REMIX), self._press(Action.DELETE)),)

    def _done_rows(self, files: Sequence[Attachment]) -> tuple[Row, ...]:
        """Return all buttons where there is one file; where there are several, a list to choose one of first."""
        usable = [file for file in files if file.number and kind_of_name(file.filename)]
        if len(usable) == 1:
            (only,) = usable
            own = [
                self._press(Action.AGAIN),
                *self._making(only.number, kind_of_name(only.filename)),
                self._press(Action.REMIX, only.number),
            ]
            return _wrapped([own, self._keeping(only.number, ending=True)])
        rows: list[Row] = list(_wrapped([[self._press(Action.AGAIN), self._press(Action.REMIX), *self._ending()]]))
        if usable:
            choices = tuple(
                Choice(job_id=self.job_id, number=file.number, label=self._text("card.choice", number=file.number))
                for file in usable
            )
            rows.insert(0, Picker(choices=choices, label=self._text("card.choose")))
        return tuple(rows)

    def _making(self, number: int, kind: str) -> list[Press]:
        """Return what can be made of a file: variations, then the other follow-ups."""
        made: list[Press] = []
        for offer in self.offers:
            if offer.kind != kind or (offer.words and not self.request.prompt.strip()):
                continue
            if offer.name == VARY:
                made += [
                    self._press(Action.VARY, number, how, self._text(f"buttons.vary_{how}")) for how in (SUBTLE, STRONG)
                ]
            else:
                key = f"follow.{offer.name}"
                made.append(
                    self._press(Action.FOLLOW, number, offer.name, self._text(key) if has(key) else offer.title)
                )
        return made

    def _keeping(self, number: int, *, ending: bool = False) -> list[Press]:
        first = [] if ending else [self._press(Action.AGAIN), self._press(Action.REMIX, number)]
        kept = [] if self.private else [self._press(Action.FAVOURITE, number)]
        return [*first, *kept, *(self._ending() if ending else [self._press(Action.RECIPE)])]

    def _ending(self) -> list[Press]:
        told = [] if self.private else [self._press(Action.REPORT)]  # nobody else sees a private one
        return [self._press(Action.RECIPE), self._press(Action.DELETE), *told]

    # What goes on

    def _lines(self, update: JobUpdate) -> Sequence[str]:
        match update:
            case Waiting(place=place, reachable=False):
                return [self._text("card.unreachable", place=place)]
            case Waiting(place=place, eta=Eta() as eta):
                return [self._text("card.waiting_eta", place=place, eta=eta_words(eta, self.locale))]
            case Waiting(place=place):
                return [self._text("card.waiting", place=place)]
            case Preparing(ahead=0):
                return [self._text("card.preparing")]
            case Preparing(ahead=ahead):
                return [self._text("card.preparing_behind", ahead=ahead)]
            case Loading(elapsed_s=elapsed_s):
                return [self._text("card.loading", elapsed=self._duration(elapsed_s))]
            case Working(node=node, elapsed_s=elapsed_s):
                return [self._text("card.working", node=shown(node, _NODE_LETTERS), elapsed=self._duration(elapsed_s))]
            case Sampling():
                return [self._sampling(update), self._timing(update)]
            case Saving(elapsed_s=elapsed_s):
                return [self._text("card.saving", elapsed=self._duration(elapsed_s))]
            case _:
                assert_never(update)

    def _sampling(self, update: Sampling) -> str:
        share = min(1.0, update.step / max(1, update.steps))
        return self._text(
            "card.sampling",
            percent=int(share * 100),
            step=update.step,
            steps=update.steps,
            node=shown(update.node, _NODE_LETTERS),
        )

    def _timing(self, update: Sampling) -> str:
        elapsed = self._duration(update.elapsed_s)
        if update.eta_s is None:
            return self._text("card.timing", elapsed=elapsed)
        return self._text("card.timing_eta", elapsed=elapsed, eta=self._duration(max(1.0, update.eta_s)))

    def _duration(self, seconds: float) -> str:
        return duration(seconds, self.locale)

    def _text(self, key: str, **fields: object) -> str:
        return text(key, self.locale, **fields)


def draft_row(draft_id: str, locale: str, *whats: str) -> Row:
    """Return the buttons of a draft: `run` and `edit`, or those that are named."""
    return tuple(
        DraftPress(what=what, draft_id=draft_id, label=text(f"buttons.draft_{what}", locale))
        for what in whats or ("run", "edit")
    )


def _wrapped(groups: Sequence[Sequence[Press]]) -> tuple[Row, ...]:
    """Return groups of buttons as rows of five, at most five rows; the last group is always among them."""
    *first, last = (
        [tuple(group[start : start + _IN_A_ROW]) for start in range(0, len(group), _IN_A_ROW)] for group in groups
    )
    before = [row for rows in first for row in rows]
    return (*before[: _ROWS - len(last)], *last)
