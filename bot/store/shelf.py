"""What members look through: their own finished pictures, and those that their guild likes."""

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa

from bot.model.job import Job, JobState
from bot.store.database import Database
from bot.store.rows import readable
from bot.store.tables import favourites, jobs, results


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One finished file: which of its job's (the first one 1), its small picture, how many members like it."""

    job: Job
    number: int
    filename: str
    thumb: bytes | None = field(default=None, repr=False)
    likes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Some of a list, and how many there are in all."""

    items: tuple[Shown, ...]
    total: int


class ShelfStore:
    """Finished pictures that are still to be seen: neither deleted nor removed."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def history(self, member_id: int, guild_id: int, *, adult: bool, start: int, most: int) -> Page:
        """Return a member's own jobs in a guild, newest first, each by its first file.

        Without `adult` those asked for in channels for adults are left out: this is shown somewhere else.
        """
        own = (jobs.c.member_id == member_id, jobs.c.guild_id == guild_id, results.c.number == 0)
        return await self._page(own, jobs.c.created_at.desc(), adult=adult, start=start, most=most)

    async def gallery(self, guild_id: int, channel_ids: Collection[int], *, adult: bool, start: int, most: int) -> Page:
        """Return what members of a guild like, most liked first, from channels that the asker can see."""
        liked = sa.exists().where(favourites.c.job_id == results.c.job_id, favourites.c.number == results.c.number + 1)
        here = (jobs.c.guild_id == guild_id, jobs.c.channel_id.in_(list(channel_ids)), jobs.c.ephemeral.is_(False))
        return await self._page((*here, liked), _LIKES.desc(), adult=adult, start=start, most=most)

    async def _page(
        self,
        conditions: Sequence[sa.ColumnElement[bool]],
        order: sa.UnaryExpression[int],
        *,
        adult: bool,
        start: int,
        most: int,
    ) -> Page:
        there = (jobs.c.state == JobState.DONE, jobs.c.deleted.is_(False), jobs.c.removed.is_(False))
        fitting = () if adult else (jobs.c.adult.is_(False),)
        both = jobs.join(results, results.c.job_id == jobs.c.id)
        chosen = sa.and_(*conditions, *there, *fitting)
        counted = sa.select(sa.func.count()).select_from(both).where(chosen)
        query = (
            sa.select(jobs, results.c.number, results.c.filename, results.c.thumb, _LIKES.label("likes"))
            .select_from(both)
            .where(chosen)
            .order_by(order, jobs.c.created_at.desc(), results.c.number)
            .offset(start)
            .limit(most)
        )

        def question(connection: sa.Connection) -> Page:
            items = tuple(one for row in connection.execute(query) if (one := _shown(row)) is not None)
            return Page(items=items, total=connection.scalar(counted) or 0)

        return await self._database.read(question)

    async def files(self, job_id: str) -> list[Shown]:
        """Return the files of one job in order, whatever has become of it."""
        both = jobs.join(results, results.c.job_id == jobs.c.id)
        query = (
            sa.select(jobs, results.c.number, results.c.filename, results.c.thumb, _LIKES.label("likes"))
            .select_from(both)
            .where(jobs.c.id == job_id)
            .order_by(results.c.number)
        )

        def question(connection: sa.Connection) -> list[Shown]:
            return [one for row in connection.execute(query) if (one := _shown(row)) is not None]

        return await self._database.read(question)

    async def favour(self, job: Job, number: int, member_id: int) -> bool:
        """Like a file, or like it no more; return whether the member likes it now."""
        same = sa.and_(
            favourites.c.job_id == job.id, favourites.c.number == number, favourites.c.member_id == member_id
        )
        row = {
            "job_id": job.id,
            "number": number,
            "member_id": member_id,
            "guild_id": job.request.guild_id or 0,
            "at": time.time(),
        }

        def change(connection: sa.Connection) -> bool:
            if connection.execute(favourites.delete().where(same)).rowcount:
                return False
            connection.execute(favourites.insert(), row)
            return True

        return await self._database.write(change)

    async def forget(self, job_id: str) -> None:
        """Note that a job's reply was deleted; its small pictures and its place in the gallery go, too."""

        def change(connection: sa.Connection) -> None:
            connection.execute(jobs.update().where(jobs.c.id == job_id).values(deleted=True))
            connection.execute(results.update().where(results.c.job_id == job_id).values(thumb=None))
            connection.execute(favourites.delete().where(favourites.c.job_id == job_id))

        await self._database.write(change)

    async def prompts(self, member_id: int, guild_id: int, most: int) -> list[Job]:
        """Return a member's last jobs in a guild, newest first, whatever became of them."""
        own = (jobs.c.member_id == member_id, jobs.c.guild_id == guild_id, jobs.c.template != "")
        query = jobs.select().where(*own).order_by(jobs.c.created_at.desc()).limit(most)

        def question(connection: sa.Connection) -> list[Job]:
            found = [readable(row) for row in connection.execute(query)]
            return [job for job in found if job is not None]

        return await self._database.read(question)


_LIKES = (
    sa.select(sa.func.count())
    .select_from(favourites)
    .where(favourites.c.job_id == results.c.job_id, favourites.c.number == results.c.number + 1)
    .correlate(results)
    .scalar_subquery()
)


def _shown(row: sa.Row[tuple[object, ...]]) -> Shown | None:
    job = readable(row)
    if job is None:
        return None
    return Shown(job=job, number=row.number + 1, filename=row.filename, thumb=row.thumb, likes=row.likes)
