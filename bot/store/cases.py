"""Cases: held pictures, reports, appeals. The first decision wins: it is a compare-and-set like every step of a job."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import sqlalchemy as sa

from bot.model.audit import Act, Entry
from bot.model.case import CHOICES, OUTCOMES, Case, CaseKind, Decision, Outcome, Sanction
from bot.model.guild import DAY_S, HOUR_S
from bot.model.job import Failure, FailureCode, Job, JobState
from bot.model.verdict import HoldReason
from bot.store.audit import append, locked
from bot.store.database import Database
from bot.store.sanctions import member_alone
from bot.store.tables import cases, jobs, reports, results

LATELY_S = 7 * DAY_S
"""How long cases and reports keep their people, whatever these erase."""

Release: TypeAlias = Callable[[sa.Connection, str, JobState, Failure | None], bool]
"""Takes a held job on, inside the transaction: False if it is not held any more."""

_ACTS: Mapping[Outcome, Act] = {
    Outcome.APPROVED: Act.APPROVED,
    Outcome.REJECTED: Act.REJECTED,
    Outcome.REMOVED: Act.REMOVED,
    Outcome.DISMISSED: Act.DISMISSED,
    Outcome.GRANTED: Act.GRANTED,
    Outcome.UPHELD: Act.UPHELD,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """What a moderator decided."""

    guild_id: int
    number: int
    decision: Decision
    by_id: int
    at: float
    reason: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """How a case stands after a decision; `won` tells whether it was this one that counted."""

    case: Case
    won: bool
    imposed: tuple[Sanction, ...] = ()


Consequences: TypeAlias = Callable[[sa.Connection, Case], Sequence[Sanction]]
"""What a decision means for a member, inside its transaction; returns the sanctions that were kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A case that a report or an appeal went to; `new` if it was opened by it, `joined` if it counts in it."""

    case: Case
    new: bool
    joined: bool = True


def open_held(connection: sa.Connection, job: Job, reason: HoldReason) -> None:
    """Open the case of a finished picture that waits for a moderator; once a job."""
    request = job.request
    open_now = sa.select(cases.c.number).where(cases.c.job_id == job.id, cases.c.kind == CaseKind.HELD)
    if connection.scalar(open_now) is not None:
        return
    at = _now(connection, job)
    case = Case(
        guild_id=request.guild_id or 0,
        number=0,
        kind=CaseKind.HELD,
        member_id=request.member_id,
        opened_at=at,
        job_id=job.id,
        reason=reason,
    )
    _open(connection, case, Act.HELD, actor_id=None)


def _now(connection: sa.Connection, job: Job) -> float:
    """Return when the job took its last step: the same moment is the case's."""
    return connection.scalar(sa.select(jobs.c.changed_at).where(jobs.c.id == job.id)) or job.created_at


def _open(connection: sa.Connection, case: Case, act: Act, *, actor_id: int | None) -> Case:
    """Insert a case under its guild's next number; the lock on the guild's audit trail keeps the numbers apart."""
    locked(connection, case.guild_id)
    last = connection.scalar(sa.select(sa.func.max(cases.c.number)).where(cases.c.guild_id == case.guild_id)) or 0
    numbered = replace(case, number=last + 1)
    names = ("guild_id", "number", "kind", "member_id", "job_id", "reason", "opened_at")
    connection.execute(cases.insert(), {name: getattr(numbered, name) for name in names})
    append(connection, _opening(numbered, act, actor_id))
    return numbered


def _opening(case: Case, act: Act, actor_id: int | None) -> Entry:
    return Entry(
        guild_id=case.guild_id,
        act=act,
        at=case.opened_at,
        actor_id=actor_id,
        target_id=case.member_id,
        case=case.number,
        job_id=case.job_id,
        reason=case.reason,
    )


def concerns() -> sa.ColumnElement[bool]:
    """Return the condition that a case about a job waits for a decision."""
    about = sa.select(cases.c.job_id).where(cases.c.outcome.is_(None), cases.c.job_id.is_not(None))
    return jobs.c.id.in_(about)


def overtake(connection: sa.Connection, job_id: str) -> None:
    """Close what waits for a decision on a job that has ended by itself."""
    waiting = cases.update().where(cases.c.job_id == job_id, cases.c.kind == CaseKind.HELD, cases.c.outcome.is_(None))
    connection.execute(waiting.values(outcome=Outcome.OVERTAKEN))


def decide(connection: sa.Connection, decided: Decided, release: Release, consequences: Consequences) -> Settled | None:
    """Close an open case, and carry out what the decision means for its job and its member: all of it or nothing."""
    where = (cases.c.guild_id == decided.guild_id, cases.c.number == decided.number)
    row = connection.execute(cases.select().where(*where)).one_or_none()
    if row is None or decided.decision not in CHOICES[CaseKind(row.kind)]:
        return None
    outcome = OUTCOMES[decided.decision]
    if row.outcome is None and row.kind == CaseKind.HELD:
        approved = decided.decision is Decision.APPROVE
        failure = None if approved else Failure(code=FailureCode.TURNED_DOWN)
        target = JobState.DELIVERING if approved else JobState.REFUSED
        if not release(connection, row.job_id, target, failure):
            outcome = Outcome.OVERTAKEN
    closing = cases.update().where(*where, cases.c.outcome.is_(None))
    values = {"outcome": outcome, "decided_by": decided.by_id, "decided_at": decided.at}
    won = connection.execute(closing.values(**values)).rowcount == 1
    if won and outcome is Outcome.REMOVED:
        connection.execute(jobs.update().where(jobs.c.id == row.job_id).values(removed=True, told=False))
        connection.execute(results.update().where(results.c.job_id == row.job_id).values(thumb=None))
    case = _case(connection, connection.execute(cases.select().where(*where)).one())
    if won and outcome in _ACTS:
        append(connection, _entry(case, decided, _ACTS[outcome]))
        return Settled(case=case, won=won, imposed=tuple(consequences(connection, case)))
    return Settled(case=case, won=won)


def _entry(case: Case, decided: Decided, act: Act) -> Entry:
    return Entry(
        guild_id=case.guild_id,
        act=act,
        at=decided.at,
        actor_id=decided.by_id,
        target_id=case.member_id,
        case=case.number,
        job_id=case.job_id,
        reason=decided.reason,
    )


class CaseStore:
    """Cases by guild and number."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, guild_id: int, number: int) -> Case | None:
        """Return a case of this guild."""
        found = await self._select(cases.c.guild_id == guild_id, cases.c.number == number)
        return found[0] if found else None

    async def of_job(self, job_id: str, kind: CaseKind) -> Case | None:
        """Return the newest case of a kind about a job."""
        found = await self._select(cases.c.job_id == job_id, cases.c.kind == kind)
        return found[-1] if found else None

    async def waiting(self, guild_id: int) -> list[Case]:
        """Return the guild's open cases, the oldest first."""
        return await self._select(cases.c.guild_id == guild_id, cases.c.outcome.is_(None))

    async def of_member(self, guild_id: int, member_id: int) -> list[Case]:
        """Return the guild's cases about a member, the oldest first."""
        return await self._select(cases.c.guild_id == guild_id, cases.c.member_id == member_id)

    async def report(self, job: Job, reporter_id: int, reason: str, now: float, most: int) -> Opened | None:
        """Open a case on a job, or join the open one; None if this member reported `most` times in the last hour.

        Who reported it before is not counted twice.
        """
        guild_id = job.request.guild_id or 0
        whose = (cases.c.job_id == job.id, cases.c.kind == CaseKind.REPORT)
        case = Case(
            guild_id=guild_id,
            number=0,
            kind=CaseKind.REPORT,
            member_id=job.request.member_id,
            opened_at=now,
            job_id=job.id,
            reason=reason,
        )

        def change(connection: sa.Connection) -> Opened | None:
            member_alone(connection, reporter_id)
            if (connection.scalar(_reports(reporter_id, guild_id, now - HOUR_S)) or 0) >= most:
                return None
            _one_report_at_a_time(connection, job.id)
            row = connection.execute(cases.select().where(*whose, cases.c.outcome.is_(None))).first()
            known = row is not None
            number = (
                row.number if row is not None else _open(connection, case, Act.REPORTED, actor_id=reporter_id).number
            )
            joined = _join(connection, guild_id, number, reporter_id, reason, now)
            if known and joined:
                append(connection, _opening(replace(case, number=number), Act.REPORTED, reporter_id))
            where = (cases.c.guild_id == guild_id, cases.c.number == number)
            there = _case(connection, connection.execute(cases.select().where(*where)).one())
            return Opened(case=there, new=not known, joined=joined)

        return await self._database.write(change)

    async def dismissed_of(self, reporter_id: int, guild_id: int, since: float) -> int:
        """Return how many of a member's reports in a guild were dismissed since a time."""
        query = _reports(reporter_id, guild_id, since, cases.c.outcome == Outcome.DISMISSED)
        return await self._database.read(lambda one: one.scalar(query) or 0)

    async def appeal(self, guild_id: int, member_id: int, reason: str, now: float) -> Opened:
        """Open an appeal, unless one of this member is open here already."""
        case = Case(
            guild_id=guild_id, number=0, kind=CaseKind.APPEAL, member_id=member_id, opened_at=now, reason=reason
        )
        own = (cases.c.guild_id == guild_id, cases.c.member_id == member_id, cases.c.kind == CaseKind.APPEAL)

        def change(connection: sa.Connection) -> Opened:
            _one_report_at_a_time(connection, f"appeal-{guild_id}-{member_id}")
            row = connection.execute(cases.select().where(*own, cases.c.outcome.is_(None))).first()
            if row is not None:
                return Opened(case=_case(connection, row), new=False, joined=False)
            return Opened(case=_open(connection, case, Act.APPEALED, actor_id=member_id), new=True)

        return await self._database.write(change)

    async def last_appeal(self, guild_id: int, member_id: int) -> Case | None:
        """Return a member's newest appeal here."""
        found = await self._select(
            cases.c.guild_id == guild_id, cases.c.member_id == member_id, cases.c.kind == CaseKind.APPEAL
        )
        return found[-1] if found else None

    async def posted(self, case: Case, channel_id: int, message_id: int) -> None:
        """Keep where moderators see a case."""
        where = cases.update().where(cases.c.guild_id == case.guild_id, cases.c.number == case.number)
        values = where.values(channel_id=channel_id, message_id=message_id)
        await self._database.write(lambda connection: connection.execute(values).rowcount)

    async def unposted(self, before: float) -> list[Case]:
        """Return cases opened before a time and still open that no moderators' channel shows."""
        return await self._select(cases.c.outcome.is_(None), cases.c.message_id.is_(None), cases.c.opened_at < before)

    async def export_member(self, member_id: int) -> list[dict[str, Any]]:
        """Return cases about a member, and the reports they made; who reported them is not theirs to know."""
        about = cases.select().where(cases.c.member_id == member_id)
        made = reports.select().where(reports.c.reporter_id == member_id)
        names = ("guild_id", "number", "kind", "opened_at", "outcome", "decided_at", "job_id")

        def question(connection: sa.Connection) -> list[dict[str, Any]]:
            found = [{name: getattr(row, name) for name in names} for row in connection.execute(about)]
            own = [{"report": row.number, "guild_id": row.guild_id, "at": row.at, "reason": row.reason}
                   for row in connection.execute(made)]  # fmt: skip
            return [*found, *own]

        return await self._database.read(question)

    async def erase_member(self, member_id: int) -> int:
        """Blank a member in their cases and forget their reports; what was decided stays.

        Cases of the last week keep the member, and reports theirs: else erasing would be the way round the limits.
        """
        lately = time.time() - LATELY_S
        old = sa.and_(cases.c.outcome.is_not(None), cases.c.opened_at < lately)
        blank = cases.update().where(cases.c.member_id == member_id, old).values(member_id=None, reason="")
        gone = reports.delete().where(reports.c.reporter_id == member_id, reports.c.at < lately)

        def change(connection: sa.Connection) -> int:
            return connection.execute(blank).rowcount + connection.execute(gone).rowcount

        return await self._database.write(change)

    async def open_about(self, member_id: int) -> bool:
        """Tell whether a case about a member waits for a decision, in any guild."""
        return bool(await self._select(cases.c.member_id == member_id, cases.c.outcome.is_(None)))

    async def _select(self, *conditions: sa.ColumnElement[bool]) -> list[Case]:
        query = cases.select().where(*conditions).order_by(cases.c.opened_at, cases.c.number)
        return await self._database.read(lambda one: [_case(one, row) for row in one.execute(query).all()])


def _reports(reporter_id: int, guild_id: int, since: float, *more: sa.ColumnElement[bool]) -> sa.Select[int]:
    """Return a count of a member's reports in a guild."""
    same = sa.and_(reports.c.guild_id == cases.c.guild_id, reports.c.number == cases.c.number)
    made = (reports.c.reporter_id == reporter_id, reports.c.guild_id == guild_id, reports.c.at >= since)
    return sa.select(sa.func.count()).select_from(reports.join(cases, same)).where(*made, *more)


def _one_report_at_a_time(connection: sa.Connection, key: str) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(4243, hashtext(:key))"), {"key": key})


def _join(connection: sa.Connection, guild_id: int, number: int, reporter_id: int, reason: str, now: float) -> bool:
    whose = (reports.c.guild_id == guild_id, reports.c.number == number, reports.c.reporter_id == reporter_id)
    if connection.execute(reports.select().where(*whose)).first() is not None:
        return False
    row = {"guild_id": guild_id, "number": number, "reporter_id": reporter_id, "at": now, "reason": reason}
    connection.execute(reports.insert(), row)
    return True


def _case(connection: sa.Connection, row: Any) -> Case:
    whose = (reports.c.guild_id == row.guild_id, reports.c.number == row.number)
    made = sa.select(reports.c.reporter_id).where(*whose).order_by(reports.c.at)
    reporters = tuple(connection.scalars(made)) if row.kind == CaseKind.REPORT else ()
    return Case(
        guild_id=row.guild_id,
        number=row.number,
        kind=CaseKind(row.kind),
        member_id=row.member_id,
        opened_at=row.opened_at,
        job_id=row.job_id,
        reason=row.reason,
        outcome=Outcome(row.outcome) if row.outcome else None,
        decided_by=row.decided_by,
        decided_at=row.decided_at,
        channel_id=row.channel_id,
        message_id=row.message_id,
        reporters=reporters,
    )
