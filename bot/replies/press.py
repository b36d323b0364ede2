"""What can be pressed or chosen under a card, as values: whatever a press needs is in its id. Pure."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias


class Action(StrEnum):
    """What a button of a job does."""

    AGAIN = "again"
    VARY = "vary"
    FOLLOW = "follow"
    REMIX = "remix"
    RECIPE = "recipe"
    FAVOURITE = "favourite"
    DELETE = "delete"
    CANCEL = "cancel"
    REPORT = "report"


PRESS = (
    rf"easel:(?P<action>{'|'.join(Action)}):(?P<job>[0-9a-f]{{16}})"
    r"(?::(?P<number>[0-9]{1,2})(?P<private>p?)(?::(?P<what>[-_'\w]{1,32}))?)?"
)
"""What a button's id looks like; those of earlier releases end after the job."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Press:
    """A button of a job, and of one of its files where it matters which."""

    action: Action
    job_id: str
    number: int = 0
    """Which file of the job, the first one 1; 0: the job as a whole."""
    what: str = ""
    """How to vary, or which follow-up."""
    private: bool = False
    """Whether the job's reply is for its member alone, so that what comes of it is, too."""
    label: str = ""

    @property
    def custom_id(self) -> str:
        """The id, at most 100 characters."""
        what = f":{self.what}" if self.what else ""
        return f"easel:{self.action}:{self.job_id}:{self.number}{'p' if self.private else ''}{what}"


def read_press(custom_id: str) -> Press | None:
    """Return the press of a button's id; None if it is none of ours."""
    found = re.fullmatch(PRESS, custom_id)
    if found is None:
        return None
    return Press(
        action=Action(found["action"]),
        job_id=found["job"],
        number=int(found["number"] or 0),
        what=found["what"] or "",
        private=bool(found["private"]),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One picture in a list of pictures."""

    job_id: str
    number: int
    label: str

    @property
    def value(self) -> str:
        """What is sent when it is chosen: `JOB:NUMBER`."""
        return f"{self.job_id}:{self.number}"


CHOICE = re.compile(r"(?P<job>[0-9a-f]{16}):(?P<number>[0-9]{1,2})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Picker:
    """A list of pictures to choose one of."""

    choices: tuple[Choice, ...]
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A button that turns the pages of a list (`history` or `gallery`); pages count from 0."""

    book: str
    page: int
    label: str
    enabled: bool = True

    @property
    def custom_id(self) -> str:
        """The id: `easel:page:BOOK:PAGE`."""
        return f"easel:page:{self.book}:{self.page}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftPress:
    """A button of a draft: `run` sends it, `edit` opens it."""

    what: str
    draft_id: str
    """With a `p` behind it, what comes of it is for its member alone."""
    label: str = ""

    @property
    def custom_id(self) -> str:
        """The id: `easel:draft:WHAT:DRAFT`."""
        return f"easel:draft:{self.what}:{self.draft_id}"


Row: TypeAlias = tuple[Press | Turn | DraftPress, ...] | Picker
"""What stands side by side: up to five buttons, or one list."""


VARY = "vary"
"""The follow-up that makes variations; it has two buttons."""
SUBTLE, STRONG = "subtle", "strong"


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What can be made of a finished file: a follow-up's name, its title, and the kind of file that it takes."""

    name: str
    title: str
    kind: str = "image"
    """`image`, `video` or `audio`."""
    words: bool = False
    """Whether it needs words, so that what was made without any has none of it."""
