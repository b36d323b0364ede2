"""Strikes, timeouts and bans. What is in force is asked anew each time: it may have changed in another process."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from bot.model.audit import Entry
from bot.model.case import Sanction, SanctionKind
from bot.store.audit import append
from bot.store.database import Database
from bot.store.tables import sanctions

_BLOCKS = (SanctionKind.TIMEOUT, SanctionKind.BAN)
AT_ONCE_S = 60.0
"""Seconds by which a block may last longer than another and still be the same: of a burst, one is enough."""


class SanctionStore:
    """Sanctions by member and guild."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, measure: "Measured") -> list[Sanction]:
        """Keep a sanction and what it leads to; return all that was kept."""
        return await self._database.write(lambda connection: impose(connection, measure))

    async def block(self, member_id: int, guild_ids: tuple[int, ...], now: float) -> Sanction | None:
        """Return what keeps a member out in any of these guilds, the longest of all that does; None: nothing."""
        query = _blocks(member_id, guild_ids, now)
        found = await self._database.read(lambda one: [_sanction(row) for row in one.execute(query)])
        return max(found, key=lambda one: one.expires_at or float("inf"), default=None)

    async def strikes(self, member_id: int, guild_id: int, now: float) -> int:
        """Return how many strikes are in force."""
        return await self._database.read(lambda one: _strikes(one, member_id, guild_id, now))

    async def record(self, member_id: int, guild_id: int) -> list[Sanction]:
        """Return all sanctions of a member in a guild, the newest first."""
        query = sanctions.select().where(sanctions.c.member_id == member_id, sanctions.c.guild_id == guild_id)
        query = query.order_by(sanctions.c.at.desc())
        return await self._database.read(lambda one: [_sanction(row) for row in one.execute(query)])

    async def lift(self, lifted: Sanction, kinds: tuple[SanctionKind, ...], entry: Entry) -> int:
        """Lift what is in force: one (`lifted.id`), or all of these kinds (no id); return how many."""
        return await self._database.write(lambda connection: lift(connection, lifted, kinds, entry))

    async def export_member(self, member_id: int) -> list[dict[str, Any]]:
        """Return a member's sanctions in all guilds; who imposed them is not theirs to know."""
        query = sanctions.select().where(sanctions.c.member_id == member_id).order_by(sanctions.c.at)
        names = ("guild_id", "kind", "at", "reason", "expires_at", "lifted_at")
        return await self._database.read(
            lambda one: [{name: getattr(row, name) for name in names} for row in one.execute(query)]
        )

    async def erase_member(self, member_id: int, now: float) -> int:
        """Forget a member's sanctions but those in force: else erasing would be the way out of a ban."""
        over = sa.not_(sa.and_(*_in_force(now)))
        gone = sanctions.delete().where(sanctions.c.member_id == member_id, over)
        blank = sanctions.update().where(sanctions.c.member_id == member_id).values(reason="")

        def change(connection: sa.Connection) -> int:
            count = connection.execute(gone).rowcount
            connection.execute(blank)
            return count

        return await self._database.write(change)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A sanction with its audit entry, and by the guild's ladder what so many strikes lead to."""

    sanction: Sanction
    entry: Entry
    next: Callable[[int], tuple[Sanction, Entry] | None] = lambda _strikes: None


def impose(connection: sa.Connection, measure: Measured) -> list[Sanction]:
    """Keep a sanction and what it leads to, in one transaction; a block beside one that lasts as long is left out."""
    sanction = measure.sanction
    member_alone(connection, sanction.member_id)
    if connection.scalar(sa.select(sanctions.c.id).where(sanctions.c.id == sanction.id)) is not None:
        return []  # tried again after a lost answer, it is there already
    kept = [(sanction, measure.entry)]
    if sanction.kind is SanctionKind.STRIKE:
        strikes = _strikes(connection, sanction.member_id, sanction.guild_id, sanction.at) + 1
        led_to = measure.next(strikes)
        if led_to is not None and not _is_outlasted(connection, led_to[0]):
            kept.append(led_to)
    for one, entry in kept:
        connection.execute(sanctions.insert(), _row(one))
        append(connection, entry)
    return [one for one, _ in kept]


def lift(connection: sa.Connection, lifted: Sanction, kinds: tuple[SanctionKind, ...], entry: Entry) -> int:
    """Lift what is in force, inside another change; return how many."""
    now = lifted.lifted_at or 0.0
    whose = (sanctions.c.member_id == lifted.member_id, sanctions.c.guild_id == lifted.guild_id)
    which = [sanctions.c.kind.in_(kinds), *([sanctions.c.id == lifted.id] if lifted.id else [])]
    change = sanctions.update().where(*whose, *which, *_in_force(now))
    count = connection.execute(change.values(lifted_at=now, lifted_by=lifted.lifted_by)).rowcount
    if count:
        append(connection, entry)
    return count


def _is_outlasted(connection: sa.Connection, sanction: Sanction) -> bool:
    there = connection.execute(_blocks(sanction.member_id, (sanction.guild_id,), sanction.at)).all()
    until = (sanction.expires_at or float("inf")) - AT_ONCE_S
    return any((row.expires_at or float("inf")) >= until for row in there)


def member_alone(connection: sa.Connection, member_id: int) -> None:
    """Let what concerns one member happen one after another: a request must not slip in beside a ban."""
    if connection.dialect.name == "postgresql":
        lock = sa.text("SELECT pg_advisory_xact_lock(4241, hashint8(:whose))")
        connection.execute(lock, {"whose": member_id})


def is_blocked(connection: sa.Connection, member_id: int, guild_ids: tuple[int, ...], now: float) -> bool:
    """Tell whether a timeout or a ban of one of these guilds is in force."""
    return connection.execute(_blocks(member_id, guild_ids, now).limit(1)).first() is not None


def _blocks(member_id: int, guild_ids: tuple[int, ...], now: float) -> sa.Select[Any]:
    return sanctions.select().where(
        sanctions.c.member_id == member_id,
        sanctions.c.guild_id.in_(guild_ids),
        sanctions.c.kind.in_(_BLOCKS),
        *_in_force(now),
    )


def _in_force(now: float) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        sanctions.c.lifted_at.is_(None),
        sa.or_(sanctions.c.expires_at.is_(None), sanctions.c.expires_at > now),
    )


def _strikes(connection: sa.Connection, member_id: int, guild_id: int, now: float) -> int:
    query = (
        sa.select(sa.func.count())
        .select_from(sanctions)
        .where(
            sanctions.c.member_id == member_id,
            sanctions.c.guild_id == guild_id,
            sanctions.c.kind == SanctionKind.STRIKE,
            *_in_force(now),
        )
    )
    return connection.scalar(query) or 0


def _row(sanction: Sanction) -> dict[str, Any]:
    return {
        "id": sanction.id,
        "guild_id": sanction.guild_id,
        "member_id": sanction.member_id,
        "kind": sanction.kind,
        "at": sanction.at,
        "reason": sanction.reason,
        "by_id": sanction.by_id,
        "expires_at": sanction.expires_at,
    }


def _sanction(row: Any) -> Sanction:
    return Sanction(
        id=row.id,
        guild_id=row.guild_id,
        member_id=row.member_id,
        kind=SanctionKind(row.kind),
        at=row.at,
        reason=row.reason,
        by_id=row.by_id,
        expires_at=row.expires_at,
        lifted_at=row.lifted_at,
        lifted_by=row.lifted_by,
    )
