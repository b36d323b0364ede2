"""What a guild asked for and what it took of the machines, counted by the database: only sums come here."""

from dataclasses import replace
from typing import Any, TypeAlias

import sqlalchemy as sa

from bot.model.job import JobState
from bot.model.stats import Stats, StatsBin
from bot.store.database import Database
from bot.store.tables import jobs

TEMPLATES = 5
"""Templates that are named."""
_ENDS = {
    "done": JobState.DONE,
    "failed": JobState.FAILED,
    "cancelled": JobState.CANCELLED,
    "refused": JobState.REFUSED,
}
_TAKEN = jobs.c.changed_at - jobs.c.created_at - jobs.c.run_s
_WAIT = sa.case(
    (sa.and_(jobs.c.state == JobState.DONE, _TAKEN >= 0), _TAKEN),
    (sa.and_(jobs.c.state == JobState.DONE, _TAKEN < 0), 0.0),  # clocks of two machines
)
"""Seconds a done job waited, its delivery included; null where nobody knows for how long it ran."""

Where: TypeAlias = tuple[sa.ColumnElement[bool], ...]
Grouped: TypeAlias = sa.Select[*tuple[Any, ...]]
"""Asks for rows of `span`, the number of a bin, with fields of `StatsBin`."""


class StatsStore:
    """Counts what is in the queue's table. What members erased, or is past its time there, counts no more."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def guild(self, guild_id: int, since: float, now: float, bins: int) -> Stats:
        """Return a guild's use from `since` until just before `now` (Unix seconds), in `bins` equal spans.

        Raises:
            ValueError: the window is empty, or has no spans.
        """
        if bins < 1 or now <= since:
            raise ValueError("a window needs a length and at least one span")
        here = _within(jobs.c.created_at, since, now, jobs.c.guild_id == guild_id)
        by_span, whole = (_questions(guild_id, since, now, count) for count in (bins, 1))
        width = (now - since) / bins

        def question(connection: sa.Connection) -> Stats:
            found, total = _merged(connection, by_span), _merged(connection, whole)
            return Stats(
                since=since,
                until=now,
                total=_bin(since, total.get(0, {})),
                bins=tuple(_bin(since + width * number, found.get(number, {})) for number in range(bins)),
                templates=tuple((row.template, row.asked) for row in connection.execute(_templates(here))),
                members=connection.scalar(sa.select(sa.func.count(jobs.c.member_id.distinct())).where(*here)) or 0,
            )

        return await self._database.read(question)


def _within(column: sa.Column[float], since: float, now: float, *also: sa.ColumnElement[bool]) -> Where:
    return (*also, column >= since, column < now)


def _questions(guild_id: int, since: float, now: float, bins: int) -> list[Grouped]:
    """Return the questions whose answers together are the bins."""
    here = _within(jobs.c.created_at, since, now, jobs.c.guild_id == guild_id)
    ran = _within(jobs.c.changed_at, since, now, jobs.c.run_s.is_not(None))
    asked_in, ran_in = (_span(column, since, now, bins) for column in (jobs.c.created_at, jobs.c.changed_at))
    return [_ends(asked_in, here), _waits(asked_in, here), _use(ran_in, ran, guild_id)]


def _span(column: sa.Column[float], since: float, now: float, bins: int) -> sa.ColumnElement[int]:
    """Return the number of the bin that a time is in."""
    place = (column - since) * (bins / (now - since))
    # SQLite cuts where PostgreSQL rounds, and SQLite's floor() is not in every build.
    near = sa.cast(place, sa.Integer)
    return sa.case((near > place, near - 1), (near >= bins, bins - 1), else_=near)


def _ends(span: sa.ColumnElement[int], where: Where) -> Grouped:
    counts = [sa.func.count(sa.case((jobs.c.state == state, 1))).label(name) for name, state in _ENDS.items()]
    mean = sa.func.avg(_WAIT).label("wait_mean_s")
    asked = sa.func.count().label("asked")
    return sa.select(span.label("span"), asked, mean, *counts).where(*where).group_by("span")


def _waits(span: sa.ColumnElement[int], where: Where) -> Grouped:
    """Ask for the 90th percentile by rank: the shortest wait that nine of ten did not exceed."""
    known = sa.select(span.label("span"), _WAIT.label("wait")).where(*where).subquery()
    ranked = (
        sa.select(
            known.c.span,
            known.c.wait,
            sa.func.row_number().over(partition_by=known.c.span, order_by=known.c.wait).label("rank"),
            sa.func.count().over(partition_by=known.c.span).label("many"),
        )
        .where(known.c.wait.is_not(None))
        .subquery()
    )
    nine_of_ten = (ranked.c.rank * 10 >= ranked.c.many * 9, (ranked.c.rank - 1) * 10 < ranked.c.many * 9)
    return sa.select(ranked.c.span, ranked.c.wait.label("wait_p90_s")).where(*nine_of_ten)


def _use(span: sa.ColumnElement[int], where: Where, guild_id: int) -> Grouped:
    own = sa.func.sum(sa.case((jobs.c.guild_id == guild_id, jobs.c.run_s), else_=0.0)).label("used_s")
    everybodys = sa.func.sum(jobs.c.run_s).label("used_by_all_s")
    return sa.select(span.label("span"), own, everybodys).where(*where).group_by("span")


def _templates(where: Where) -> Grouped:
    """Ask which were used most; where a member erased a request, its template is no longer known."""
    asked = sa.func.count().label("asked")
    named = sa.select(jobs.c.template, asked).where(*where, jobs.c.template != "").group_by(jobs.c.template)
    return named.order_by(asked.desc(), jobs.c.template).limit(TEMPLATES)


def _merged(connection: sa.Connection, questions: list[Grouped]) -> dict[int, dict[str, Any]]:
    """Return what all questions say of each span."""
    found: dict[int, dict[str, Any]] = {}
    for question in questions:
        for row in connection.execute(question).mappings():
            found.setdefault(row["span"], {}).update({name: row[name] for name in row if name != "span"})
    return found


def _bin(begins_at: float, told: dict[str, Any]) -> StatsBin:
    return replace(StatsBin(begins_at=begins_at), **told)
