"""The audit trail: one chain a guild. Entries are appended inside the transaction of what they tell of."""

import json
import time
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from bot.model.audit import ERASABLE, START, Act, Entry, Link, chained, fault_of
from bot.model.jsontree import obj
from bot.store.database import Database
from bot.store.tables import audit, audit_heads


def locked(connection: sa.Connection, guild_id: int) -> Any:
    """Return the head of a guild's chain, locked until the transaction ends (take it last); made if there is none."""
    row = connection.execute(_HEAD, {"guild": guild_id}).one_or_none()
    if row is None:
        insert = (postgresql if connection.dialect.name == "postgresql" else sqlite).insert(audit_heads)
        head = {"guild_id": guild_id, "number": 0, "digest": START, "first": 1, "anchor": START}
        connection.execute(insert.on_conflict_do_nothing(), head)
        row = connection.execute(_HEAD, {"guild": guild_id}).one()
    return row


def append(connection: sa.Connection, entry: Entry) -> None:
    """Chain an entry, inside the transaction of what it tells of."""
    row = locked(connection, entry.guild_id)
    link = chained(entry, row.number + 1, row.digest)
    connection.execute(audit.insert(), _row(link))
    connection.execute(_MOVE_HEAD, {"guild": entry.guild_id, "at_number": link.number, "at_digest": link.digest})


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which entries to look for; None does not narrow. `person_id` did it or had it done to them."""

    guild_id: int
    person_id: int | None = None
    moderator_id: int | None = None
    case: int | None = None
    since: float | None = None


class AuditStore:
    """Looks at chains, and shortens them from the front."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, entry: Entry) -> None:
        """Append an entry that tells of nothing else in the database."""
        await self._database.write(lambda connection: append(connection, entry))

    async def note_export(self, guild_id: int, by_id: int) -> None:
        """Keep that somebody took the trail out."""
        await self.add(Entry(guild_id=guild_id, act=Act.EXPORTED, at=time.time(), actor_id=by_id))

    async def find(self, wanted: Wanted, most: int | None = None) -> list[Link]:
        """Return entries of one guild, the newest first."""
        query = audit.select().where(audit.c.guild_id == wanted.guild_id)
        if wanted.person_id is not None:
            query = query.where(sa.or_(audit.c.actor_id == wanted.person_id, audit.c.target_id == wanted.person_id))
        if wanted.moderator_id is not None:
            query = query.where(audit.c.actor_id == wanted.moderator_id, audit.c.act.not_like("generation.asked"))
        if wanted.case is not None:
            query = query.where(audit.c.case_number == wanted.case)
        if wanted.since is not None:
            query = query.where(audit.c.at >= wanted.since)
        query = query.order_by(audit.c.number.desc()).limit(most)
        return await self._database.read(lambda one: [_link(row) for row in one.execute(query)])

    async def verify(self, guild_id: int) -> tuple[int, int | None]:
        """Return how many entries a guild's chain has, and the number of the first that does not fit, or None."""

        def question(connection: sa.Connection) -> tuple[int, int | None]:
            head = connection.execute(_LOOK, {"guild": guild_id}).one_or_none()
            rows = connection.execute(audit.select().where(audit.c.guild_id == guild_id).order_by(audit.c.number))
            links = [_link(row) for row in rows]
            if head is None:
                return len(links), (links[0].number if links else None)
            return len(links), fault_of(links, head.anchor, head.first, (head.number, head.digest))

        return await self._database.read(question)

    async def guilds(self) -> list[int]:
        """Return the guilds that have a chain."""
        query = sa.select(audit_heads.c.guild_id).order_by(audit_heads.c.guild_id)
        return await self._database.read(lambda one: list(one.scalars(query)))

    async def prune(self, guild_id: int, before: float) -> int:
        """Forget entries older than a time; the chain goes on from an anchor. Return how many."""
        old = sa.select(audit.c.number, audit.c.digest).where(audit.c.guild_id == guild_id, audit.c.at < before)

        def change(connection: sa.Connection) -> int:
            connection.execute(_HEAD, {"guild": guild_id})
            last = connection.execute(old.order_by(audit.c.number.desc()).limit(1)).one_or_none()
            if last is None:
                return 0
            gone = audit.delete().where(audit.c.guild_id == guild_id, audit.c.number <= last.number)
            count = connection.execute(gone).rowcount
            anchor = audit_heads.update().where(audit_heads.c.guild_id == guild_id)
            connection.execute(anchor.values(first=last.number + 1, anchor=last.digest))
            return count

        return await self._database.write(change)

    async def export_member(self, member_id: int) -> list[dict[str, Any]]:
        """Return what the trails of all guilds say of a member: their own doings, and what was done to them."""
        own = sa.or_(audit.c.actor_id == member_id, audit.c.target_id == member_id)
        query = audit.select().where(own).order_by(audit.c.at)
        return await self._database.read(lambda one: [_of_member(_link(row), member_id) for row in one.execute(query)])

    async def erase_member(self, member_id: int) -> int:
        """Blank a member wherever they are named, with what was written about them; the chains stay whole."""

        def change(connection: sa.Connection) -> int:
            done = audit.select().where(sa.or_(audit.c.actor_id == member_id, audit.c.target_id == member_id))
            rows = connection.execute(done).all()
            for row in rows:
                _blank(connection, _link(row), member_id)
            return len(rows)

        return await self._database.write(change)


def _blank(connection: sa.Connection, link: Link, member_id: int) -> None:
    names = {"actor_id"} if link.values["actor_id"] == member_id and link.act in _OWN_ACTS else set[str]()
    if link.values["target_id"] == member_id:
        names |= {"target_id", "reason", "facts"}
    elif names and link.values["target_id"] is None:
        names |= {"reason", "facts"}
    if not names:
        return  # what somebody did as a moderator stays theirs
    salts = {name: salt for name, salt in link.salts.items() if name not in names}
    where = audit.update().where(audit.c.guild_id == link.guild_id, audit.c.number == link.number)
    connection.execute(where.values(salts=json.dumps(salts), **dict.fromkeys(names)))


def _of_member(link: Link, member_id: int) -> dict[str, Any]:
    """Return an entry as its member may see it: who reported or judged them is not theirs to know."""
    public = link.public()
    if link.values["actor_id"] != member_id:
        public["actor_id"] = None
        public["facts"] = {name: value for name, value in obj(public["facts"]).items() if name in _TOLD_FACTS}
        if link.act not in _TOLD_ACTS:
            public["reason"] = None
    return {name: public[name] for name in ("guild_id", "at", "act", "actor_id", "target_id", "reason", "facts")}


_OWN_ACTS = frozenset({Act.ASKED, Act.REPORTED, Act.APPEALED, Act.DATA_EXPORTED, Act.DATA_ERASED})
"""What people do as members; what they do as moderators stays theirs."""
_TOLD_ACTS = frozenset({Act.STRIKE, Act.TIMEOUT, Act.BAN, Act.PARDON, Act.UNBAN})
"""Acts whose reason the member was told."""
_TOLD_FACTS = frozenset({"rule", "asked", "template", "seconds"})
"""Facts that do not reveal a list."""

_HEAD = sa.select(audit_heads).where(audit_heads.c.guild_id == sa.bindparam("guild")).with_for_update()
_LOOK = sa.select(audit_heads).where(audit_heads.c.guild_id == sa.bindparam("guild"))
_MOVE_HEAD = (
    audit_heads.update()
    .where(audit_heads.c.guild_id == sa.bindparam("guild"))
    .values(number=sa.bindparam("at_number"), digest=sa.bindparam("at_digest"))
)


def _row(link: Link) -> dict[str, Any]:
    return {
        "guild_id": link.guild_id,
        "number": link.number,
        "at": link.at,
        "act": link.act,
        "case_number": link.case,
        "job_id": link.job_id,
        **{name: link.values[name] for name in ERASABLE},
        "facts": json.dumps(link.values["facts"]),
        "salts": json.dumps(dict(link.salts)),
        "seals": json.dumps(dict(link.seals)),
        "previous": link.previous,
        "digest": link.digest,
    }


def _link(row: Any) -> Link:
    values = {name: getattr(row, name) for name in ERASABLE}
    values["facts"] = None if row.facts is None else json.loads(row.facts)
    return Link(
        number=row.number,
        guild_id=row.guild_id,
        act=row.act,
        at=row.at,
        case=row.case_number,
        job_id=row.job_id,
        values=values,
        salts=json.loads(row.salts),
        seals=json.loads(row.seals),
        previous=row.previous,
        digest=row.digest,
    )
