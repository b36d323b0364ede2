"""What the gate says of a request, a text or a picture: let it through, refuse it, or hold it for a person."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias


class HoldReason(StrEnum):
    """Why a finished picture waits for a moderator."""

    WORDS = "words"
    PICTURE = "picture"
    NEWCOMER = "newcomer"
    SUSPECTED = "suspected"
    ALL = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Allow:
    """It may go on; with `spoiler` only under a veil."""

    spoiler: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Refuse:
    """It ends here. `key` is the catalogue key of the words for it; neither it nor the facts reveal a list."""

    key: str
    facts: Mapping[str, object] = field(default_factory=dict[str, object])


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """It may be made, and nobody but moderators sees it until one of them has decided."""

    reason: HoldReason
    spoiler: bool = False
    """Whether it is veiled once it is shown."""


Verdict: TypeAlias = Allow | Refuse | Hold


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A request as the gate sees it: whatever of it a member can change, and where it comes from."""

    template: str
    texts: tuple[str, ...] = ()
    """Prompt, options, defaults, names in tags: all but the negative prompt."""
    negatives: tuple[str, ...] = ()
    pictures: tuple[tuple[str, bytes], ...] = field(default=(), repr=False)
    """Files that the member brought: (name, bytes)."""
