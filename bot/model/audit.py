"""The audit trail: who did what to whom and why, chained so that no entry can be changed or taken out unseen.

Every field that may have to be erased one day (people, reasons, prompts) is sealed: the chain covers a digest of the
value with a salt of its own. Erasing takes value and salt away; the digest stays, and the chain still verifies. Without
the salt nobody can try out ids or words against it.
"""

import hashlib
import json
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

START = "0" * 64
"""What stands before the first entry of a chain."""


class Act(StrEnum):
    """What was done."""

    ASKED = "generation.asked"
    REFUSED = "generation.refused"
    HELD = "generation.held"
    BLOCKED = "generation.blocked"
    APPROVED = "case.approved"
    REJECTED = "case.rejected"
    REPORTED = "case.reported"
    REMOVED = "case.removed"
    DISMISSED = "case.dismissed"
    APPEALED = "case.appealed"
    UPHELD = "case.upheld"
    GRANTED = "case.granted"
    STRIKE = "sanction.strike"
    PARDON = "sanction.pardon"
    TIMEOUT = "sanction.timeout"
    BAN = "sanction.ban"
    UNBAN = "sanction.unban"
    SETTING = "guild.setting"
    WORD = "guild.word"
    CANCELLED = "generation.cancelled"
    EXPORTED = "audit.exported"
    PRUNED = "audit.pruned"
    DATA_EXPORTED = "data.exported"
    DATA_ERASED = "data.erased"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One thing that was done. `at` in seconds since 1970; nobody as `actor_id` is Easel itself."""

    guild_id: int
    act: Act
    at: float
    actor_id: int | None = None
    target_id: int | None = None
    case: int | None = None
    job_id: str | None = None
    reason: str = field(default="", repr=False)
    facts: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)


ERASABLE = ("actor_id", "target_id", "reason", "facts")
"""Fields that are sealed; an erased one is None."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """An entry in its chain. Erased fields are None and have no salt; every seal stays."""

    number: int
    guild_id: int
    act: str
    at: float
    case: int | None
    job_id: str | None
    values: Mapping[str, Any] = field(repr=False)
    salts: Mapping[str, str] = field(repr=False)
    seals: Mapping[str, str]
    previous: str
    digest: str

    def public(self) -> dict[str, Any]:
        """Return the link as a JSON object, as it is exported; it can be verified from this alone."""
        return {
            "number": self.number,
            "guild_id": str(self.guild_id),
            "act": self.act,
            "at": self.at,
            "case": self.case,
            "job_id": self.job_id,
            **{name: _text_id(name, self.values.get(name)) for name in ERASABLE},
            "salts": dict(self.salts),
            "seals": dict(self.seals),
            "previous": self.previous,
            "digest": self.digest,
        }


def _text_id(name: str, value: Any) -> Any:
    """Ids as text: JavaScript and spreadsheets lose the last digits of large numbers."""
    return str(value) if name.endswith("_id") and value is not None else value


def chained(entry: Entry, number: int, previous: str) -> Link:
    """Return an entry as the link after `previous`, sealed with fresh salts."""
    values = {name: getattr(entry, name) for name in ERASABLE}
    values["facts"] = dict(entry.facts)
    salts = {name: secrets.token_hex(16) for name in ERASABLE}
    seals = {name: _seal(salts[name], value) for name, value in values.items()}
    link = Link(
        number=number,
        guild_id=entry.guild_id,
        act=entry.act,
        at=entry.at,
        case=entry.case,
        job_id=entry.job_id,
        values=values,
        salts=salts,
        seals=seals,
        previous=previous,
        digest="",
    )
    return replace(link, digest=_digest(link))


def fault_of(links: Iterable[Link], anchor: str, first: int, last: tuple[int, str]) -> int | None:
    """Return the number of the first link of a chain that does not fit, or None if all do.

    `anchor` is the digest before the link numbered `first`, `last` number and digest of the newest link there was.
    """
    previous, number = anchor, first - 1
    for link in links:
        number += 1
        if link.number != number or link.previous != previous or link.digest != _digest(link) or not _sealed(link):
            return number
        previous = link.digest
    return None if (number, previous) == last else number + 1


def _sealed(link: Link) -> bool:
    """Whether what is not erased is what was sealed."""
    return set(link.seals) == set(ERASABLE) and all(
        link.values.get(name) is None
        if name not in link.salts
        else _seal(link.salts[name], link.values.get(name)) == seal
        for name, seal in link.seals.items()
    )


def _seal(salt: str, value: Any) -> str:
    return hashlib.sha256(f"{salt}:{_canonical(value)}".encode()).hexdigest()


def _digest(link: Link) -> str:
    parts = [link.guild_id, link.number, link.at, link.act, link.case, link.job_id, dict(link.seals), link.previous]
    return hashlib.sha256(_canonical(parts).encode()).hexdigest()


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
