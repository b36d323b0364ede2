"""What is kept of members' jobs after they ended: handed over, erased, forgotten in time."""

import json
from collections.abc import Mapping

import sqlalchemy as sa

from bot.model.job import ENDED
from bot.model.jsontree import JsonObject
from bot.store import cases
from bot.store.database import Database
from bot.store.rows import blank_of
from bot.store.tables import drafts, favourites, jobs, results


class KeepingStore:
    """Jobs that have ended, with all that hangs on them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def purge(self, before: float, guild_id: int | None = None) -> int:
        """Forget the jobs (of one guild) that ended before a time, with their results; return how many."""
        here = () if guild_id is None else (jobs.c.guild_id == guild_id,)
        old = jobs.delete().where(jobs.c.state.in_(ENDED), jobs.c.changed_at < before, ~cases.concerns(), *here)
        return await self._database.write(lambda connection: connection.execute(old).rowcount)

    async def export_member(self, member_id: int) -> list[JsonObject]:
        """Return what a member asked for, and how it ended."""
        query = jobs.select().where(jobs.c.member_id == member_id).order_by(jobs.c.created_at)
        names = ("id", "guild_id", "channel_id", "message_id", "state", "created_at", "changed_at")

        def question(connection: sa.Connection) -> list[JsonObject]:
            return [
                {**{name: getattr(row, name) for name in names}, "request": json.loads(row.request)}
                for row in connection.execute(query)
            ]

        return await self._database.read(question)

    async def erase_member(self, member_id: int, counted: Mapping[int, float]) -> int:
        """Forget a member's jobs that have ended, with their results; return how many.

        `counted`: guilds with a quota, and since when it counts; of jobs there the cost stays, and nothing else.
        """
        own = (jobs.c.member_id == member_id, jobs.c.state.in_(ENDED))
        counts = [sa.and_(jobs.c.guild_id == guild, jobs.c.created_at >= since) for guild, since in counted.items()]
        kept = sa.or_(sa.false(), *counts)

        def change(connection: sa.Connection) -> int:
            rows = connection.execute(jobs.select().where(*own, kept)).all()
            for row in rows:
                connection.execute(results.delete().where(results.c.job_id == row.id))
                connection.execute(jobs.update().where(jobs.c.id == row.id).values(**blank_of(row)))
            return connection.execute(jobs.delete().where(*own, ~kept)).rowcount + len(rows)

        return await self._database.write(change)

    async def favourites_of(self, member_id: int) -> list[JsonObject]:
        """Return what a member favours."""
        query = favourites.select().where(favourites.c.member_id == member_id).order_by(favourites.c.at)

        def question(connection: sa.Connection) -> list[JsonObject]:
            names = ("guild_id", "job_id", "number", "at")
            return [{name: getattr(row, name) for name in names} for row in connection.execute(query)]

        return await self._database.read(question)

    async def drafts_of(self, member_id: int) -> list[JsonObject]:
        """Return what a member has not sent yet."""
        query = drafts.select().where(drafts.c.member_id == member_id).order_by(drafts.c.created_at)

        def question(connection: sa.Connection) -> list[JsonObject]:
            return [
                {"created_at": row.created_at, "request": json.loads(row.request), "settings": row.settings}
                for row in connection.execute(query)
            ]

        return await self._database.read(question)

    async def erase_touched(self, member_id: int) -> int:
        """Forget what a member favours and has drafted; return how many records."""

        def change(connection: sa.Connection) -> int:
            tables = (favourites, drafts)
            return sum(connection.execute(one.delete().where(one.c.member_id == member_id)).rowcount for one in tables)

        return await self._database.write(change)

    async def purge_drafts(self, before: float) -> int:
        """Forget the drafts of before a time."""
        old = drafts.delete().where(drafts.c.created_at < before)
        return await self._database.write(lambda connection: connection.execute(old).rowcount)
