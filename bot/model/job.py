"""A request in the queue: its states, where its reply lives, what it says while it runs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TypeAlias

from bot.model.request import Request
from bot.model.verdict import HoldReason


class JobState(StrEnum):
    """Where a job stands (DESIGN §1)."""

    QUEUED = "queued"
    ASSIGNED = "assigned"
    RUNNING = "running"
    HELD = "held"
    DELIVERING = "delivering"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    REFUSED = "refused"


ENDED = frozenset({JobState.DONE, JobState.FAILED, JobState.CANCELLED, JobState.REFUSED})
WAITING = frozenset({JobState.QUEUED, JobState.ASSIGNED})
LIVE = frozenset(JobState) - ENDED
_GIVEN_UP = frozenset({JobState.FAILED, JobState.CANCELLED, JobState.REFUSED})

STEPS: Mapping[JobState, frozenset[JobState]] = MappingProxyType(
    {
        JobState.QUEUED: frozenset({JobState.ASSIGNED}) | _GIVEN_UP,
        JobState.ASSIGNED: frozenset({JobState.QUEUED, JobState.RUNNING}) | _GIVEN_UP,
        JobState.RUNNING: frozenset({JobState.QUEUED, JobState.HELD, JobState.DELIVERING}) | _GIVEN_UP,
        JobState.HELD: frozenset({JobState.DELIVERING}) | _GIVEN_UP,
        JobState.DELIVERING: frozenset({JobState.DONE, JobState.QUEUED}) | _GIVEN_UP,
        JobState.DONE: frozenset(),
        JobState.FAILED: frozenset(),
        JobState.CANCELLED: frozenset(),
        JobState.REFUSED: frozenset(),
    }
)
"""The steps a job may take; the store refuses every other one."""


class FailureCode(StrEnum):
    """Why a job ended without a picture; the catalogue has words for each."""

    UNREACHABLE = "unreachable"
    REJECTED = "rejected"
    NODE_FAILED = "node_failed"
    OUT_OF_MEMORY = "out_of_memory"
    INTERRUPTED = "interrupted"
    VANISHED = "vanished"
    TIMED_OUT = "timed_out"
    NO_PICTURE = "no_picture"
    PICTURE_LOST = "picture_lost"
    TEMPLATE_GONE = "template_gone"
    TEMPLATE_UNFIT = "template_unfit"
    SERVER_FAULT = "server_fault"
    TOO_LARGE = "too_large"
    BLOCKED = "blocked"
    UNJUDGED = "unjudged"
    TURNED_DOWN = "turned_down"
    BUG = "bug"


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A code, the facts its words may use, and for bugs the reference number that is also in the log."""

    code: FailureCode
    facts: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyAddress:
    """Enough for any process to answer: the message, and the token that may edit it until it expires."""

    application_id: int
    channel_id: int
    message_id: int | None
    token: str = field(repr=False)
    expires_at: float
    upload_limit: int
    """Bytes that one attachment of this interaction may have (Discord's `attachment_size_limit`)."""
    locale: str = "en-US"
    ephemeral: bool = False
    """Only the member sees the reply, and only the token reaches it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a job may ask of the queue, settled when it was admitted."""

    weight: float = 1.0
    """The member's share beside other members': 2 gets twice as much as 1."""
    priority: int = 0
    """The class; a higher one has a head start, no more."""
    cost: float = 1.0
    """What it takes of its servers, an ordinary picture of its template being the manifest's `cost`."""
    running_cap: int | None = None
    """How many of the member's may run here while others wait, where the guild says so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """What may be spent in a guild within `window_s` seconds, by the member and by everybody; None: no limit."""

    window_s: float
    member: float | None = None
    guild: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What a member has left, in cost units: an ordinary picture of an ordinary template costs 1."""

    spent: float
    limit: float | None
    guild_spent: float
    guild_limit: float | None
    window_s: float
    frees_at: float | None = None
    """When the oldest of what was spent falls out of the window."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One file that a job made, as the server named it."""

    filename: str
    subfolder: str = ""
    kind: str = "output"
    """ComfyUI's folder type: output, temp; `socket` for a picture that came as a binary frame, `text` for words."""
    data: bytes | None = field(default=None, repr=False)
    """What cannot be fetched again, kept until it is delivered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One row of the queue."""

    id: str
    request: Request
    address: ReplyAddress
    state: JobState
    attempt: int
    created_at: float
    prompt_id: str | None = None
    server: str | None = None
    failure: Failure | None = None
    claim: Claim = field(default_factory=Claim)
    expected_s: float | None = None
    """Seconds it should run on its server, as far as anybody knew when it was assigned."""
    run_s: float | None = None
    """Seconds it ran."""
    posted_id: int | None = None
    """The message that was posted in place of a reply that nobody could edit any more."""
    hold: HoldReason | None = None
    """Why what it makes is to be looked at by a moderator first."""
    spoiler: bool = False
    """Whether its pictures are shown under a veil."""
    removed: bool = False
    """Whether moderators took it away."""
    deleted: bool = False
    """Whether its member, or a moderator for them, deleted its reply."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Eta:
    """Seconds until a picture is there: four times of five it takes from `low_s` to `high_s`."""

    low_s: float
    high_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """In our queue, `place` 1 is next; `reachable` is whether any server answers at all."""

    place: int
    reachable: bool = True
    eta: Eta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Preparing:
    """A server was chosen; the graph is on its way to it."""

    ahead: int = 0
    """Prompts of others that the server runs first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loading:
    """The server loads a model."""

    node: str
    elapsed_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Working:
    """The server runs a node that tells no steps."""

    node: str
    elapsed_s: float
    preview: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """A node told step `step` of `steps`; `eta_s` is what is left of this node at the pace so far."""

    node: str
    step: int
    steps: int
    elapsed_s: float
    eta_s: float | None = None
    preview: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Saving:
    """The pictures are made and on their way to the member."""

    elapsed_s: float


JobUpdate: TypeAlias = Waiting | Preparing | Loading | Working | Sampling | Saving
