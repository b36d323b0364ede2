"""The queue's rows. Every change of state is a compare-and-set, fenced by `attempt`.

On a shared database every change also rings a bell (NOTIFY) in its own transaction: a hint for the leader, who reads
the row. The row is the truth.
"""

import functools
import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, TypeAlias

import sqlalchemy as sa

from bot.model.audit import Entry
from bot.model.guild import EVERYWHERE
from bot.model.job import LIVE, STEPS, WAITING, Failure, Job, JobState, Quota, Result
from bot.model.jsontree import JsonObject, obj
from bot.model.request import Request
from bot.model.verdict import HoldReason
from bot.store import cases
from bot.store.audit import append
from bot.store.database import Along, Database, Work
from bot.store.rows import failure_text, readable, row_of
from bot.store.sanctions import is_blocked, member_alone
from bot.store.tables import jobs, results

BELL = "easel_jobs"
"""The channel on which PostgreSQL announces changed jobs; the payload is `id:state:attempt`."""

_OF_GUILDS = 4242
"""The kind of advisory lock that is taken after the member's."""

_MARKS = ("attempt", "prompt_id")
"""Columns by which a step is known to be ours."""

Full: TypeAlias = Literal["blocked", "member", "guild", "member_quota", "guild_quota"]


class JobStore:
    """Jobs and their results."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(
        self,
        job: Job,
        *,
        member_limit: int | None = None,
        guild_limit: int | None = None,
        quota: Quota | None = None,
        entry: Entry | None = None,
        spared: bool = False,
    ) -> Full | None:
        """Insert a new job, with its audit entry, unless its member is kept out, or they or their guild have too much.

        `spared`: only the owner's ban keeps this member out.
        """
        tries = 0

        def change(connection: sa.Connection) -> Full | None:
            nonlocal tries
            tries += 1
            if tries > 1 and connection.scalar(sa.select(jobs.c.id).where(jobs.c.id == job.id)):
                return None  # it was committed, only the answer got lost
            self._one_at_a_time(connection, job.request)
            where = (EVERYWHERE,) if spared else (job.request.guild_id or EVERYWHERE, EVERYWHERE)
            if is_blocked(connection, job.request.member_id, where, job.created_at):
                return "blocked"
            whose = {"member": job.request.member_id, "guild": job.request.guild_id}
            of_member, of_guild = connection.execute(_WAITING_OF, whose).one()
            if member_limit is not None and of_member >= member_limit:
                return "member"
            if guild_limit is not None and of_guild >= guild_limit:
                return "guild"
            if quota is not None and (spent := _overspent(connection, job, quota)) is not None:
                return spent
            connection.execute(_ringing(jobs.insert()) if self._database.shared else jobs.insert(), row_of(job))
            if entry is not None:
                append(connection, entry)
            return None

        return await self._database.write(change)

    def _one_at_a_time(self, connection: sa.Connection, request: Request) -> None:
        """Two requests of a member or a guild that come at once must not both take the last place."""
        if self._database.shared:
            member_alone(connection, request.member_id)
            lock = sa.text("SELECT pg_advisory_xact_lock(:kind, hashint8(:whose))")
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
        """Return the jobs that ended without a picture, or are held, and whose reply does not surely say so."""
        late = [] if before is None else [jobs.c.changed_at < before]
        ended = sa.or_(jobs.c.state.in_(_TOLD), sa.and_(jobs.c.state == JobState.DONE, jobs.c.removed))
        return await self._select(ended, jobs.c.told.is_(False), *late)

    async def shown_in(self, message_id: int, guild_id: int) -> Job | None:
        """Return the job whose pictures a message shows."""
        shown = sa.or_(jobs.c.message_id == message_id, jobs.c.posted_id == message_id)
        found = await self._select(shown, jobs.c.guild_id == guild_id)
        return found[-1] if found else None

    async def spent(self, member_id: int | None, guild_id: int, since: float) -> tuple[float, float | None]:
        """Return the cost that a member (None: everybody) spent in a guild since a time, and when that began."""

        def question(connection: sa.Connection) -> tuple[float, float | None]:
            row = connection.execute(_spent(member_id, guild_id, since)).one()
            return row[0] or 0.0, row[1]

        return await self._database.read(question)

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
            found = [readable(row) for row in connection.execute(query)]
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
            job = readable(row) if row is not None else None
            return replace(job, state=JobState.ASSIGNED) if job is not None else None

        return await self._database.write(change)

    async def made(
        self,
        job: Job,
        found: Sequence[Result],
        run_s: float | None,
        recipe: JsonObject,
        *,
        spoiler: bool = False,
        held: HoldReason | None = None,
    ) -> bool:
        """Running → delivering, with what was made, by which recipe, and the seconds it took; False as `move`.

        With `held` it goes to held instead, and a case is opened on it.
        """

        def also(connection: sa.Connection) -> None:
            _replace_results(connection, job.id, found)
            if held is not None:
                cases.open_held(connection, job, held)

        values = {"run_s": run_s, "recipe": json.dumps(recipe, ensure_ascii=False), "spoiler": spoiler}
        target = JobState.DELIVERING
        if held is not None:
            target, values["hold"] = JobState.HELD, held
        return await self._step(job.id, job.attempt, JobState.RUNNING, target, values, also=also)

    async def delivered(self, job_id: str, attempt: int, thumbs: Mapping[int, bytes] | None = None) -> bool:
        """Delivering → done; what was kept for the delivery is dropped, small pictures stay. False as `move`."""

        def also(connection: sa.Connection) -> None:
            connection.execute(_DROP_KEPT, {"job": job_id})
            for number, thumb in (thumbs or {}).items():
                connection.execute(_KEEP_THUMB, {"job": job_id, "which": number - 1, "small": thumb})

        return await self._step(job_id, attempt, JobState.DELIVERING, JobState.DONE, {"told": True}, also=also)

    async def end(
        self,
        job_id: str,
        target: JobState,
        failure: Failure | None = None,
        *,
        attempt: int | None = None,
        entry: Entry | None = None,
    ) -> bool:
        """End a job as failed or cancelled, its cost given back, or as refused, its cost kept: the work was done.

        False if it has ended, another attempt than `attempt` has it, or (to cancel it) it is being delivered.
        """
        values: dict[str, Any] = {"failure": failure_text(failure)} if failure else {}
        allowed = [state for state, targets in STEPS.items() if target in targets]
        if target is JobState.CANCELLED:
            allowed.remove(JobState.DELIVERING)
        fence = [] if attempt is None else [jobs.c.attempt == attempt]
        if target is not JobState.REFUSED:  # what is held was made, and costs what it cost
            values["spent"] = sa.case((jobs.c.state == JobState.HELD, jobs.c.spent), else_=0.0)
        statement = jobs.update().where(jobs.c.id == job_id, jobs.c.state.in_(allowed), *fence)
        statement = statement.values(state=target, told=False, changed_at=time.time(), **values)
        statement = _ringing(statement) if self._database.shared else statement

        def change(connection: sa.Connection) -> bool:
            if not self._done(connection.execute(statement)):
                return False
            cases.overtake(connection, job_id)
            connection.execute(_DROP_KEPT, {"job": job_id})
            if entry is not None:
                append(connection, entry)
            return True

        return await self._database.write(change)

    async def decide(self, decided: cases.Decided, consequences: cases.Consequences) -> cases.Settled | None:
        """Close a case, and let its job go on or end; None if there is no such case in this guild."""
        return await self._database.write(lambda one: cases.decide(one, decided, self._release, consequences))

    def _release(self, connection: sa.Connection, job_id: str, target: JobState, failure: Failure | None) -> bool:
        """Held → delivering or refused, inside another change; False if it is not held any more."""
        values = {"failure": failure_text(failure)} if failure else {}
        held = jobs.update().where(jobs.c.id == job_id, jobs.c.state == JobState.HELD)
        held = held.values(state=target, told=False, changed_at=time.time(), **values)
        if target is JobState.REFUSED:
            connection.execute(_DROP_KEPT, {"job": job_id})
        return self._done(connection.execute(_ringing(held) if self._database.shared else held))

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

    async def keep_evidence(self, job_id: str, shown: Mapping[int, Result]) -> None:
        """Keep the bytes of a job's files by their number, the first one 1; what else is known of them stays."""

        def change(connection: sa.Connection) -> None:
            for number, one in shown.items():
                place = {"job_id": job_id, "number": number - 1}
                same = sa.and_(results.c.job_id == job_id, results.c.number == number - 1)
                if not connection.execute(results.update().where(same).values(data=one.data)).rowcount:
                    new = {"filename": one.filename, "subfolder": one.subfolder, "kind": one.kind, "data": one.data}
                    connection.execute(results.insert(), {**place, **new})

        await self._database.write(change)

    async def add_results(self, job_id: str, found: Sequence[Result]) -> None:
        """Replace the results of a job."""
        await self._database.write(lambda connection: _replace_results(connection, job_id, found))

    async def drop_kept(self, job_id: str) -> None:
        """Forget the bytes that were kept of what a job made."""
        await self._database.write(lambda one: one.execute(_DROP_KEPT, {"job": job_id}).rowcount)

    async def results(self, job_id: str) -> list[Result]:
        """Return the results of a job in order."""
        query = results.select().where(results.c.job_id == job_id).order_by(results.c.number)

        def question(connection: sa.Connection) -> list[Result]:
            rows = connection.execute(query)
            return [
                Result(filename=row.filename, subfolder=row.subfolder, kind=row.kind, data=row.data) for row in rows
            ]

        return await self._database.read(question)

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

    async def _change(self, statement: sa.Update) -> bool:
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


def _spent(member_id: int | None, guild_id: int, since: float) -> sa.Select[Any, Any]:
    whose = () if member_id is None else (jobs.c.member_id == member_id,)
    here = (jobs.c.guild_id == guild_id, jobs.c.created_at >= since, jobs.c.spent > 0)
    return sa.select(sa.func.sum(jobs.c.spent), sa.func.min(jobs.c.created_at)).where(*here, *whose)


def _overspent(connection: sa.Connection, job: Job, quota: Quota) -> Full | None:
    """Tell whether a job costs more than what is left of a quota in its window."""
    guild_id = job.request.guild_id or 0
    since = job.created_at - quota.window_s
    for whose, limit in ((job.request.member_id, quota.member), (None, quota.guild)):
        if limit is None:
            continue
        spent = connection.execute(_spent(whose, guild_id, since)).one()[0] or 0.0
        if spent + job.claim.cost > limit + 1e-9:
            return "guild_quota" if whose is None else "member_quota"
    return None


_TOLD = (JobState.FAILED, JobState.CANCELLED, JobState.REFUSED, JobState.HELD)
_OF_MEMBER = (
    sa.select(sa.func.count())
    .select_from(jobs)
    .where(jobs.c.state.in_([*WAITING, JobState.HELD]), jobs.c.member_id == sa.bindparam("member"))
)
"""What a member has waiting: for a machine, or for a moderator."""
_OF_GUILD = _waiting(jobs.c.guild_id == sa.bindparam("guild"))
_WAITING_OF = sa.select(_OF_MEMBER.scalar_subquery(), _OF_GUILD.scalar_subquery())
_DROP_KEPT = (
    results.update().where(results.c.job_id == sa.bindparam("job"), results.c.data.is_not(None)).values(data=None)
)
_KEEP_THUMB = (
    results.update()
    .where(results.c.job_id == sa.bindparam("job"), results.c.number == sa.bindparam("which"))
    .values(thumb=sa.bindparam("small"))
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
