"""The queue's rows. Every change of state is a compare-and-set, fenced by `attempt`."""

import json
import time
from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa
import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from bot.model.job import LIVE, STEPS, Failure, FailureCode, Job, JobState, ReplyAddress, Result
from bot.model.jsontree import JsonObject, obj
from bot.model.request import Request
from bot.store.database import whole
from bot.store.tables import jobs, results

log = structlog.get_logger()


class JobStore:
    """Jobs and their results."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    @whole
    async def add(self, job: Job) -> None:
        """Insert a new job."""
        address = job.address
        row: dict[str, Any] = {
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
            "created_at": job.created_at,
            "changed_at": job.created_at,
        }
        async with self._engine.begin() as connection:
            await connection.execute(jobs.insert().values(row))

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

    async def untold(self) -> list[Job]:
        """Return the jobs that failed or were cancelled and whose reply does not surely say so."""
        return await self._select(jobs.c.state.in_([JobState.FAILED, JobState.CANCELLED]), jobs.c.told.is_(False))

    async def tell(self, job_id: str) -> None:
        """Note that the reply shows how the job ended."""
        await self._change(jobs.update().where(jobs.c.id == job_id).values(told=True))

    @whole
    async def _select(self, *conditions: sa.ColumnElement[bool]) -> list[Job]:
        query = jobs.select().where(*conditions).order_by(jobs.c.created_at, jobs.c.id)
        async with self._engine.connect() as connection:
            found = [_readable(row) for row in await connection.execute(query)]
        return [job for job in found if job is not None]

    async def assign(self, job_id: str, attempt: int, *, server: str, prompt_id: str) -> bool:
        """Queued → assigned as the next attempt, with the prompt id it will have; False if somebody was faster."""
        values: dict[str, Any] = {"server": server, "prompt_id": prompt_id, "attempt": attempt + 1}
        return await self._step(job_id, attempt, JobState.QUEUED, JobState.ASSIGNED, values)

    async def move(self, job_id: str, attempt: int, source: JobState, target: JobState) -> bool:
        """Take one step; False if the job is no longer there, or another attempt has it."""
        return await self._step(job_id, attempt, source, target, {})

    async def end(self, job_id: str, target: JobState, failure: Failure | None = None) -> bool:
        """End a job as failed, cancelled or refused; False if it has ended (or, to cancel it, is being delivered)."""
        values: dict[str, Any] = {"failure": _failure_text(failure)} if failure else {}
        allowed = [state for state, targets in STEPS.items() if target in targets]
        if target is JobState.CANCELLED:
            allowed.remove(JobState.DELIVERING)
        change = jobs.update().where(jobs.c.id == job_id, jobs.c.state.in_(allowed))
        return await self._change(change.values(state=target, changed_at=time.time(), **values))

    async def note_recipe(self, job_id: str, recipe: JsonObject) -> None:
        """Keep what made a job's pictures."""
        text = json.dumps(recipe, ensure_ascii=False)
        await self._change(jobs.update().where(jobs.c.id == job_id).values(recipe=text))

    @whole
    async def recipe(self, job_id: str) -> JsonObject:
        """Return what made a job's pictures; empty if it never began."""
        query = sa.select(jobs.c.recipe).where(jobs.c.id == job_id)
        async with self._engine.connect() as connection:
            found = (await connection.execute(query)).scalar_one_or_none()
        return obj(json.loads(found)) if found else {}

    @whole
    async def add_results(self, job_id: str, found: Sequence[Result]) -> None:
        """Replace the results of a job."""
        rows = [
            {"job_id": job_id, "number": number, "filename": one.filename, "subfolder": one.subfolder, "kind": one.kind}
            for number, one in enumerate(found)
        ]
        async with self._engine.begin() as connection:
            await connection.execute(results.delete().where(results.c.job_id == job_id))
            if rows:
                await connection.execute(results.insert(), rows)

    @whole
    async def results(self, job_id: str) -> list[Result]:
        """Return the results of a job in order."""
        query = results.select().where(results.c.job_id == job_id).order_by(results.c.number)
        async with self._engine.connect() as connection:
            rows = await connection.execute(query)
            return [Result(filename=row.filename, subfolder=row.subfolder, kind=row.kind) for row in rows]

    async def _step(
        self, job_id: str, attempt: int, source: JobState, target: JobState, values: dict[str, Any]
    ) -> bool:
        if target not in STEPS[source]:
            raise ValueError(f"a job does not go from {source} to {target}")
        change = jobs.update().where(jobs.c.id == job_id, jobs.c.state == source, jobs.c.attempt == attempt)
        return await self._change(change.values(state=target, changed_at=time.time(), **values))

    @whole
    async def _change(self, statement: sa.Update) -> bool:
        async with self._engine.begin() as connection:
            done = await connection.execute(statement)
        return done.rowcount == 1


def _failure_text(failure: Failure) -> str:
    return json.dumps({"code": failure.code, "facts": dict(failure.facts)}, ensure_ascii=False)


def _failure(text: str | None) -> Failure | None:
    if text is None:
        return None
    stored = json.loads(text)
    return Failure(code=FailureCode(stored["code"]), facts=stored["facts"])


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
        ),
        state=JobState(row.state),
        attempt=row.attempt,
        created_at=row.created_at,
        prompt_id=row.prompt_id,
        server=row.server,
        failure=_failure(row.failure),
    )
