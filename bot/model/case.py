"""What moderators decide on: cases, and the measures against members."""

from dataclasses import dataclass, field
from enum import StrEnum


class CaseKind(StrEnum):
    """What a case is about (DESIGN §1)."""

    HELD = "held"
    REPORT = "report"
    APPEAL = "appeal"


class Outcome(StrEnum):
    """How a case ended."""

    APPROVED = "approved"
    REJECTED = "rejected"
    REMOVED = "removed"
    DISMISSED = "dismissed"
    GRANTED = "granted"
    UPHELD = "upheld"
    OVERTAKEN = "overtaken"
    """What it was about ended by itself: cancelled, failed, erased."""


class Decision(StrEnum):
    """What a moderator may press under a case; `…_STRIKE` and `…_BAN` also act against the member."""

    APPROVE = "approve"
    REJECT = "reject"
    REJECT_STRIKE = "rejectstrike"
    REMOVE = "remove"
    REMOVE_STRIKE = "removestrike"
    REMOVE_BAN = "removeban"
    DISMISS = "dismiss"
    GRANT = "grant"
    UPHOLD = "uphold"


CHOICES = {
    CaseKind.HELD: (Decision.APPROVE, Decision.REJECT, Decision.REJECT_STRIKE),
    CaseKind.REPORT: (Decision.REMOVE, Decision.REMOVE_STRIKE, Decision.REMOVE_BAN, Decision.DISMISS),
    CaseKind.APPEAL: (Decision.GRANT, Decision.UPHOLD),
}
"""What can be decided on each kind of case."""

AGAINST = frozenset({Decision.REJECT_STRIKE, Decision.REMOVE_STRIKE, Decision.REMOVE_BAN})
"""Decisions that also act against the member."""

OUTCOMES = {
    Decision.APPROVE: Outcome.APPROVED,
    Decision.REJECT: Outcome.REJECTED,
    Decision.REJECT_STRIKE: Outcome.REJECTED,
    Decision.REMOVE: Outcome.REMOVED,
    Decision.REMOVE_STRIKE: Outcome.REMOVED,
    Decision.REMOVE_BAN: Outcome.REMOVED,
    Decision.DISMISS: Outcome.DISMISSED,
    Decision.GRANT: Outcome.GRANTED,
    Decision.UPHOLD: Outcome.UPHELD,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One matter of one guild, numbered from 1 in it. Times in seconds since 1970."""

    guild_id: int
    number: int
    kind: CaseKind
    member_id: int | None
    """Whom it is about; None if that was erased."""
    opened_at: float
    job_id: str | None = None
    reason: str = field(default="", repr=False)
    outcome: Outcome | None = None
    decided_by: int | None = None
    decided_at: float | None = None
    channel_id: int | None = None
    message_id: int | None = None
    """Where moderators see it."""
    reporters: tuple[int, ...] = field(default=(), repr=False)


class SanctionKind(StrEnum):
    """A measure against a member."""

    STRIKE = "strike"
    TIMEOUT = "timeout"
    BAN = "ban"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sanction:
    """One measure; in force from `at` until it expires or is lifted. Guild 0 is everywhere."""

    id: str
    guild_id: int
    member_id: int
    kind: SanctionKind
    at: float
    reason: str = ""
    by_id: int | None = None
    """Nobody: Easel itself, by a guild's rules."""
    expires_at: float | None = None
    lifted_at: float | None = None
    lifted_by: int | None = None

    def in_force(self, now: float) -> bool:
        """Tell whether it holds at a time."""
        return self.lifted_at is None and (self.expires_at is None or self.expires_at > now)


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What a guild knows of a member."""

    sanctions: tuple[Sanction, ...]
    cases: tuple[Case, ...]
    strikes: int
    block: Sanction | None
