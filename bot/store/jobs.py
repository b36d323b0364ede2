"""The queue's rows. Every change of state is a compare-and-set, fenced by `attempt`.

On a shared database every change also rings a bell (NOTIFY) in its own transaction: a hint for the leader, who reads
the row. The row is the truth.
"""

import functools
import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Literal, TypeAlias

import sqlalchemy as sa
import structlog

from bot.model.job import (
    ENDED,
    LIVE,
    STEPS,
    WAITING,
    Claim,
    Failure,
    FailureCode,
    Job,
    JobState,
    ReplyAddress,
    Result,
)
from bot.model.jsontree import JsonObject, obj
from bot.model.request import Request
from bot.store.database import Along, Database, Work
from bot.store.tables import jobs, results

log = structlog.get_logger()

BELL = "easel_jobs"
"""The channel on which PostgreSQL announces changed jobs; the payload is `id:state:attempt`."""

_OF_MEMBERS, _OF_GUILDS = 4241, 4242
"""Kinds of advisory locks: always taken in this order."""

_MARKS = ("attempt", "prompt_id")
"""Columns by which a step is known to be ours."""

Full: TypeAlias = Literal["member", "guild"]


class JobStore:
    """Jobs and their results."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, job: Job, *, member_limit: int | None = None, guild_limit: int | None = None) -> Full | None:
        """Insert a new job, unless its member or its guild has that many waiting already: then say which."""
        tries = 0

        def change(connection: sa.Connection) -> Full | None:
            nonlocal tries
            tries += 1
            if tries > 1 and connection.scalar(sa.select(jobs.c.id).where(jobs.c.id == job.id)):
                return None  # it was committed, only the answer got lost
            self._one_at_a_time(connection, job.request)
            whose = {"member": job.request.member_id, "guild": job.request.guild_id}
            of_member, of_guild = connection.execute(_WAITING_OF, whose).one()
            if member_limit is not None and of_member >= member_limit:
                return "member"
            if guild_limit is not None and of_guild >= guild_limit:
                return "guild"
            connection.execute(_ringing(jobs.insert()) if self._database.shared else jobs.insert(), _row(job))
            return None

        return await self._database.write(change)

    def _one_at_a_time(self, connection: sa.Connection, request: Request) -> None:
        """Two requests of a member or a guild that come at once must not both take the last place."""
        if self._database.shared:
            lock = sa.text("SELECT pg_advisory_xact_lock(:kind, hashint8(:whose))")
            connection.execute(lock, {"kind": _OF_MEMBERS, "whose": request.member_id})
            if request.guild_id is not None:
                connection.execute(lock, {"kind": _OF_GUILDS, "whose": request.guild_id})

    # Reading

    async def get(self, job_id: str) -> Job | None:
        """Return one job."""
        found = await self._select(jobs.c.id == job_id)
        return found[0] if found else None

    async def live(self) -> list[Job]:
        """Return all jobs that have not ended, oldest first."""
        return await self._select(jobs.c.state.in_(LIVE))

    async def newest_of(self, member_id: int, states: Iterable[JobState], guild_id: int | None) -> list[Job]:
        """Return a member's jobs in these states in one guild, oldest first."""
        return await self._select(
            jobs.c.member_id == member_id, jobs.c.state.in_(list(states)), jobs.c.guild_id == guild_id
        )

    async def of_member(self, member_id: int, states: Iterable[JobState]) -> list[Job]:
        """Return a member's jobs in these states, wherever they were asked for, oldest first."""
        return await self._select(jobs.c.member_id == member_id, jobs.c.state.in_(list(states)))

    async def in_guild(self, states: Iterable[JobState], guild_id: int | None) -> list[Job]:
        """Return everybody's jobs in these states in one guild, oldest first."""
        return await self._select(jobs.c.state.in_(list(states)), jobs.c.guild_id == guild_id)

    async def untold(self, before: float | None = None) -> list[Job]:
        """Return the jobs that failed or were cancelled (before a time) and whose reply does not surely say so."""
        late = [] if before is None else [jobs.c.changed_at < before]
        return await self._select(
            jobs.c.state.in_([JobState.FAILED, JobState.CANCELLED]), jobs.c.told.is_(False), *late
        )

    async def measured(self, most: int) -> list[Job]:
        """Return the last jobs whose run was measured, oldest first."""
        newest = sa.select(jobs.c.id).where(jobs.c.run_s.is_not(None)).order_by(jobs.c.changed_at.desc()).limit(most)
        return await self._select(jobs.c.id.in_(newest.scalar_subquery()))

    async def waiting_of(self, member_id: int) -> int:
        """Return how many jobs of a member wait."""
        return await self._database.read(lambda one: one.scalar(_OF_MEMBER, {"member": member_id}) or 0)

    async def changed_within(self, seconds: float) -> list[tuple[str, JobState, int]]:
        """Return (id, state, attempt) of the jobs whose state has changed lately."""
        query = sa.select(jobs.c.id, jobs.c.state, jobs.c.attempt).where(jobs.c.changed_at >= time.time() - seconds)
        rows = await self._database.read(lambda connection: connection.execute(query).all())
        return [(row.id, JobState(row.state), row.attempt) for row in rows]

    async def counts(self) -> tuple[int, int]:
        """Return how many jobs wait, and how many run."""

        def question(connection: sa.Connection) -> tuple[int, int]:
            running = sa.select(sa.func.count()).select_from(jobs).where(jobs.c.state == JobState.RUNNING)
            return connection.scalar(_waiting()) or 0, connection.scalar(running) or 0

        return await self._database.read(question)

    async def _select(self, *conditions: sa.ColumnElement[bool]) -> list[Job]:
        query = jobs.select().where(*conditions).order_by(jobs.c.created_at, jobs.c.id)

        def question(connection: sa.Connection) -> list[Job]:
            found = [_readable(row) for row in connection.execute(query)]
            return [job for job in found if job is not None]

        return await self._database.read(question)

    # Steps

    async def announce(self, word: str) -> None:
        """Ring the bell with a word of its own; on a database that nobody shares, nobody hears it."""
        if self._database.shared:
            await self._database.write(lambda one: one.execute(sa.select(sa.func.pg_notify(BELL, word))).first())

    async def assign(
        self,
        job_id: str,
        attempt: int,
        *,
        server: str,
        prompt_id: str,
        expected_s: float | None = None,
        along: Along | None = None,
    ) -> bool:
        """Queued → assigned as the next attempt, with the prompt id it will have; False if somebody was faster."""
        values: dict[str, Any] = {
            "server": server,
            "prompt_id": prompt_id,
            "attempt": attempt + 1,
            "expected_s": expected_s,
        }
        return await self._step(job_id, attempt, JobState.QUEUED, JobState.ASSIGNED, values, along=along)

    async def move(self, job_id: str, attempt: int, source: JobState, target: JobState) -> bool:
        """Take one step; False if the job is no longer there, or another attempt has it."""
        return await self._step(job_id, attempt, source, target, {})

    async def take(self, job_id: str, attempt: int) -> Job | None:
        """Assigned → running, and return the row as it was; None as `move`. One way to the database instead of two."""
        step = _stepping(("state", "changed_at"), ringing=self._database.shared).returning(jobs)
        values = {
            "state": JobState.RUNNING,
            "changed_at": time.time(),
            "of_job": job_id,
            "of_attempt": attempt,
            "of_state": JobState.ASSIGNED,
        }

        def change(connection: sa.Connection) -> Job | None:
            row = connection.execute(step, values).first()
            job = _readable(row) if row is not None else None
            return replace(job, state=JobState.ASSIGNED) if job is not None else None

        return await self._database.write(change)

    async def made(
        self, job_id: str, attempt: int, found: Sequence[Result], run_s: float | None, recipe: JsonObject
    ) -> bool:
        """Running → delivering, with what was made, by which recipe, and the seconds it took; False as `move`."""

        def also(connection: sa.Connection) -> None:
            _replace_results(connection, job_id, found)

        values = {"run_s": run_s, "recipe": json.dumps(recipe, ensure_ascii=False)}
        return await self._step(job_id, attempt, JobState.RUNNING, JobState.DELIVERING, values, also=also)

    async def delivered(self, job_id: str, attempt: int) -> bool:
        """Delivering → done; what was kept for the delivery is dropped. False as `move`."""

        def also(connection: sa.Connection) -> None:
            connection.execute(_DROP_KEPT, {"job": job_id})

        return await self._step(job_id, attempt, JobState.DELIVERING, JobState.DONE, {"told": True}, also=also)

    async def end(
        self, job_id: str, target: JobState, failure: Failure | None = None, *, attempt: int | None = None
    ) -> bool:
        """End a job as failed, cancelled or refused; its cost is given back.

        False if it has ended, another attempt than `attempt` has it, or (to cancel it) it is being delivered.
        """
        values: dict[str, Any] = {"failure": _failure_text(failure)} if failure else {}
        allowed = [state for state, targets in STEPS.items() if target in targets]
        if target is JobState.CANCELLED:
            allowed.remove(JobState.DELIVERING)
        fence = [] if attempt is None else [jobs.c.attempt == attempt]
        change = jobs.update().where(jobs.c.id == job_id, jobs.c.state.in_(allowed), *fence)
        return await self._change(change.values(state=target, spent=0.0, changed_at=time.time(), **values), ring=True)

    async def note_spent(self, job_id: str, spent: float) -> None:
        """Keep what a cancelled job had used of its cost by then."""
        await self._change(jobs.update().where(jobs.c.id == job_id).values(spent=spent))

    async def tell(self, job_id: str) -> None:
        """Note that the reply shows how the job ended."""
        await self._change(jobs.update().where(jobs.c.id == job_id).values(told=True))

    async def note_posted(self, job_id: str, message_id: int) -> None:
        """Keep the message that was posted in place of the reply."""
        await self._change(jobs.update().where(jobs.c.id == job_id).values(posted_id=message_id))

    async def recipe(self, job_id: str) -> JsonObject:
        """Return what made a job's pictures; empty if it never began."""
        query = sa.select(jobs.c.recipe).where(jobs.c.id == job_id)

        def question(connection: sa.Connection) -> JsonObject:
            found = connection.execute(query).scalar_one_or_none()
            return obj(json.loads(found)) if found else {}

        return await self._database.read(question)

    async def add_results(self, job_id: str, found: Sequence[Result]) -> None:
        """Replace the results of a job."""
        await self._database.write(lambda connection: _replace_results(connection, job_id, found))

    async def results(self, job_id: str) -> list[Result]:
        """Return the results of a job in order."""
        query = results.select().where(results.c.job_id == job_id).order_by(results.c.number)

        def question(connection: sa.Connection) -> list[Result]:
            rows = connection.execute(query)
            return [
                Result(filename=row.filename, subfolder=row.subfolder, kind=row.kind, data=row.data) for row in rows
            ]

        return await self._database.read(question)

    async def purge(self, before: float) -> int:
        """Forget the jobs that ended before a time, with their results; return how many."""
        old = jobs.delete().where(jobs.c.state.in_(ENDED), jobs.c.changed_at < before)
        return await self._database.write(lambda connection: connection.execute(old).rowcount)

    async def _step(
        self,
        job_id: str,
        attempt: int,
        source: JobState,
        target: JobState,
        values: dict[str, Any],
        *,
        also: Work[None] | None = None,
        along: Along | None = None,
    ) -> bool:
        """Take a step, fenced; `also` and `along` belong to its transaction.

        Tried again after a lost connection, the step may have been committed before; then its marks are ours.
        """
        if target not in STEPS[source]:
            raise ValueError(f"a job does not go from {source} to {target}")
        changed = {"state": target, "changed_at": time.time(), **values}
        fence = {"of_job": job_id, "of_attempt": attempt, "of_state": source}
        tries = 0

        def change(connection: sa.Connection) -> bool:
            nonlocal tries
            tries += 1
            step = _stepping(tuple(changed), ringing=self._database.shared)
            if not self._done(connection.execute(step, {**changed, **fence})):
                ours = [
                    jobs.c[name] == value for name, value in {"attempt": attempt, **values}.items() if name in _MARKS
                ]
                taken = sa.select(jobs.c.id).where(jobs.c.id == job_id, jobs.c.state == target, *ours)
                return self._database.shared and tries > 1 and connection.scalar(taken) is not None
            if also is not None:
                also(connection)
            return True

        return await self._database.write(change, along)

    def _done(self, outcome: sa.CursorResult[Any]) -> bool:
        """Tell whether a change found its row."""
        return outcome.first() is not None if outcome.returns_rows else outcome.rowcount == 1

    async def _change(self, statement: sa.Update, *, ring: bool = False) -> bool:
        """Carry out a change; `ring`: the leader should hear of it."""
        statement = _ringing(statement) if ring and self._database.shared else statement
        return await self._database.write(lambda connection: self._done(connection.execute(statement)))


@functools.cache
def _stepping(columns: tuple[str, ...], *, ringing: bool) -> Any:
    """Return the compare-and-set that changes these columns; made once, for making it costs more than running it."""
    fence = (
        jobs.c.id == sa.bindparam("of_job"),
        jobs.c.attempt == sa.bindparam("of_attempt"),
        jobs.c.state == sa.bindparam("of_state"),
    )
    step = jobs.update().where(*fence).values({name: sa.bindparam(name) for name in columns})
    return _ringing(step) if ringing else step


def _ringing(statement: Any) -> Any:
    """Return a change that rings the bell by itself; PostgreSQL does so when it is committed."""
    return statement.returning(
        sa.func.pg_notify(BELL, jobs.c.id + ":" + jobs.c.state + ":" + sa.cast(jobs.c.attempt, sa.String))
    )


def _waiting(*whose: sa.ColumnElement[bool]) -> sa.Select[int]:
    return sa.select(sa.func.count()).select_from(jobs).where(jobs.c.state.in_(list(WAITING)), *whose)


_OF_MEMBER = _waiting(jobs.c.member_id == sa.bindparam("member"))
_OF_GUILD = _waiting(jobs.c.guild_id == sa.bindparam("guild"))
_WAITING_OF = sa.select(_OF_MEMBER.scalar_subquery(), _OF_GUILD.scalar_subquery())
_DROP_KEPT = (
    results.update().where(results.c.job_id == sa.bindparam("job"), results.c.data.is_not(None)).values(data=None)
)


def _replace_results(connection: sa.Connection, job_id: str, found: Sequence[Result]) -> None:
    rows = [
        {
            "job_id": job_id,
            "number": number,
            "filename": one.filename,
            "subfolder": one.subfolder,
            "kind": one.kind,
            "data": one.data,
        }
        for number, one in enumerate(found)
    ]
    connection.execute(results.delete().where(results.c.job_id == job_id))
    if rows:
        connection.execute(results.insert(), rows)


def _failure_text(failure: Failure) -> str:
    return json.dumps({"code": failure.code, "facts": dict(failure.facts)}, ensure_ascii=False)


def _failure(text: str | None) -> Failure | None:
    if text is None:
        return None
    stored = json.loads(text)
    return Failure(code=FailureCode(stored["code"]), facts=stored["facts"])


def _row(job: Job) -> dict[str, Any]:
    address = job.address
    return {
        "id": job.id,
        "state": job.state,
        "attempt": job.attempt,
        "request": job.request.to_json(),
        "template": job.request.template,
        "member_id": job.request.member_id,
        "guild_id": job.request.guild_id,
        "application_id": address.application_id,
        "channel_id": address.channel_id,
        "message_id": address.message_id,
        "token": address.token,
        "token_expires_at": address.expires_at,
        "upload_limit": address.upload_limit,
        "locale": address.locale,
        "ephemeral": address.ephemeral,
        "weight": job.claim.weight,
        "priority": job.claim.priority,
        "cost": job.claim.cost,
        "spent": job.claim.cost,
        "created_at": job.created_at,
        "changed_at": job.created_at,
    }


def _readable(row: Any) -> Job | None:
    """Return the job of a row, or None for a row that nobody of us has written; it is left for a person to look at."""
    try:
        return _job(row)
    except (ValueError, KeyError, TypeError) as fault:
        log.error("store.row_unreadable", job=row.id, fault=type(fault).__name__)  # noqa: TRY400 - the row is at fault
        return None


def _job(row: Any) -> Job:
    return Job(
        id=row.id,
        request=Request.from_json(row.request),
        address=ReplyAddress(
            application_id=row.application_id,
            channel_id=row.channel_id,
            message_id=row.message_id,
            token=row.token,
            expires_at=row.token_expires_at,
            upload_limit=row.upload_limit,
            locale=row.locale,
            ephemeral=row.ephemeral,
        ),
        state=JobState(row.state),
        attempt=row.attempt,
        created_at=row.created_at,
        prompt_id=row.prompt_id,
        server=row.server,
        failure=_failure(row.failure),
        claim=Claim(weight=row.weight, priority=row.priority, cost=row.cost),
        expected_s=row.expected_s,
        run_s=row.run_s,
        posted_id=row.posted_id,
    )
