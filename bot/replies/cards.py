"""Records → cards. A card is a value: text, buttons, files. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import assert_never

from bot.delivery.package import Attachment, Parcel
from bot.model.job import Eta, Failure, FailureCode, JobUpdate, Loading, Preparing, Sampling, Saving, Waiting, Working
from bot.model.request import Request
from bot.replies.catalogue import text
from bot.replies.failures import words_for
from bot.replies.safe import shown
from bot.replies.times import duration, eta_words

_BAR_CELLS = 12
_NODE_LETTERS = 60
_FINAL = frozenset({FailureCode.BLOCKED, FailureCode.TURNED_DOWN})
"""Failures that asking again will not mend."""


class Action(StrEnum):
    """What a button under a card does."""

    AGAIN = "again"
    DELETE = "delete"
    CANCEL = "cancel"
    REPORT = "report"


_SHOWN = (Action.AGAIN, Action.DELETE, Action.REPORT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What a reply shows. `files` None leaves the attachments as they are, a tuple replaces them all."""

    content: str
    buttons: tuple[Action, ...] = ()
    files: tuple[Attachment, ...] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class CardMaker:
    """Makes the cards of one request, in one language."""

    request: Request
    title: str
    locale: str
    metadata: bool = False
    """Whether the template's pictures may say how they were made."""

    def running(self, update: JobUpdate, preview: Attachment | None = None) -> Card:
        """Return the card while the job waits or runs; with a preview it replaces the one before."""
        files = (preview,) if preview else None
        return Card(content=self._with_head(*self._lines(update)), buttons=(Action.CANCEL,), files=files)

    def done(self, parcel: Parcel, elapsed_s: float) -> Card:
        """Return the card with the pictures."""
        lines = [self._text("card.done", elapsed=self._duration(elapsed_s))]
        if any(file.shrunk for file in parcel.files):
            lines.append(self._text("card.shrunk"))
        if any(file.converted for file in parcel.files):
            lines.append(self._text("card.converted"))
        if parcel.left_out:
            lines.append(self._text("card.left_out", count=parcel.left_out))
        return Card(content=self._with_head(*lines), buttons=_SHOWN, files=parcel.files)

    def failed(self, failure: Failure) -> Card:
        """Return the card of a job that failed: why, and what the member can do."""
        words = words_for(failure, self.locale)
        line = self._text("card.failed", words=words)
        buttons = (Action.DELETE,) if failure.code in _FINAL else (Action.AGAIN, Action.DELETE)
        return Card(content=self._with_head(line), buttons=buttons, files=())

    def held(self) -> Card:
        """Return the card of a picture that waits for a moderator."""
        return Card(content=self._with_head(self._text("card.held")), buttons=(Action.CANCEL,), files=())

    def removed(self) -> Card:
        """Return what is left of a picture that moderators took away: no words of it, no buttons."""
        return Card(content=self._text("card.removed"), files=())

    def cancelled(self) -> Card:
        """Return the card of a cancelled job."""
        buttons = (Action.AGAIN, Action.DELETE)
        return Card(content=self._with_head(self._text("card.cancelled")), buttons=buttons, files=())

    def _with_head(self, *lines: str) -> str:
        request = self.request
        facts = {"template": shown(self.title, 80), "seed": request.seed}
        head = (
            self._text("card.head_size", size=request.size, **facts)
            if request.size
            else self._text("card.head", **facts)
        )
        about = [head, *([self._text("card.prompt", prompt=shown(request.prompt))] if request.prompt else [])]
        if request.negative:
            about.append(self._text("card.negative", negative=shown(request.negative, 150)))
        if request.unused:
            about.append(self._text("card.unused", options=", ".join(self._option(role) for role in request.unused)))
        return "\n".join([*about, *lines])

    def _option(self, role: str) -> str:
        return self._text(f"options.{role}.name")

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
                return self._sampling(update)
            case Saving(elapsed_s=elapsed_s):
                return [self._text("card.saving", elapsed=self._duration(elapsed_s))]
            case _:
                assert_never(update)

    def _sampling(self, update: Sampling) -> Sequence[str]:
        share = min(1.0, update.step / max(1, update.steps))
        filled = round(share * _BAR_CELLS)
        line = self._text(
            "card.sampling",
            bar="▰" * filled + "▱" * (_BAR_CELLS - filled),
            percent=int(share * 100),
            step=update.step,
            steps=update.steps,
            node=shown(update.node, _NODE_LETTERS),
        )
        elapsed = self._duration(update.elapsed_s)
        if update.eta_s is None:
            return [line, self._text("card.timing", elapsed=elapsed)]
        return [line, self._text("card.timing_eta", elapsed=elapsed, eta=self._duration(max(1.0, update.eta_s)))]

    def _duration(self, seconds: float) -> str:
        return duration(seconds, self.locale)

    def _text(self, key: str, **fields: object) -> str:
        return text(key, self.locale, **fields)
