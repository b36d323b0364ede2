"""What members do: ask, look, call off. Every process that talks to members has a desk; one leader serves them all."""

import secrets
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, replace

import structlog
from sqlalchemy.exc import SQLAlchemyError

from bot.errors import RequestError
from bot.jobs.admission import Admission
from bot.jobs.board import Place
from bot.jobs.fleet import Fleet
from bot.jobs.library import Library
from bot.jobs.runner import OnStep
from bot.jobs.scheduler import Limits
from bot.model.job import WAITING, Eta, Job, JobState, ReplyAddress
from bot.model.request import Request, Standing
from bot.store.jobs import JobStore
from bot.workflow.template import Template

log = structlog.get_logger()

CANCELLABLE = (*WAITING, JobState.RUNNING)
Places = Callable[[Collection[str]], Awaitable[Mapping[str, Place]]]
"""Answers where waiting jobs stand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueEntry:
    """A job with its place and time (None: it runs, or nobody knows)."""

    job: Job
    place: int | None = None
    eta: Eta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueView:
    """The queue as `/queue` shows it."""

    running: int
    waiting: int
    up: int
    servers: int
    own: tuple[QueueEntry, ...]
    others: tuple[QueueEntry, ...] = ()
    """Everybody's in this guild, for who may see them."""


class Desk:
    """Takes requests in. `on_step` hears of what was committed."""

    def __init__(
        self,
        store: JobStore,
        admission: Admission,
        library: Library,
        fleet: Fleet,
        limits: Limits,
        places: Places,
        on_step: OnStep = lambda _job: None,
    ) -> None:
        self._store, self._admission, self._library, self._fleet = store, admission, library, fleet
        self._limits, self._places, self._on_step = limits, places, on_step
        self.template = admission.template
        self.closed = False
        """Whether we are stopping: nothing new is taken."""

    def usable(self) -> list[Template]:
        """Return the templates that can be used now, in order of name."""
        return self._library.usable()

    async def submit(self, request: Request, address: ReplyAddress, standing: Standing) -> Job:
        """Store a request and queue it; the row is committed before this returns.

        Raises:
            RequestError: it cannot be done, this member may not, has too many waiting, or their guild has.
        """
        if self.closed:
            raise RequestError("refused.stopping")
        template = await self._admission.admit(request, standing)
        request = replace(request, template=template.name)
        job = Job(
            id=secrets.token_hex(8),
            request=request,
            address=address,
            state=JobState.QUEUED,
            attempt=0,
            created_at=time.time(),
            claim=self._admission.claim(template, request, standing),
        )
        limits = self._limits
        try:
            full = await self._store.add(job, member_limit=limits.waiting, guild_limit=limits.guild_waiting)
        except (SQLAlchemyError, OSError) as fault:
            log.exception("desk.store_away")
            raise RequestError("refused.store_away") from fault
        if full is not None:
            raise await self._too_many(request.member_id, request.guild_id, whose=full)
        log.info("job.queued", job=job.id, template=template.name)
        self._on_step(job)
        return job

    async def welcome(self, template: Template, member_id: int, guild_id: int | None, standing: Standing) -> None:
        """Refuse who may not ask for a template, or has too many waiting, before any file of theirs is fetched.

        Raises:
            RequestError: so, or we are stopping.
        """
        if self.closed:
            raise RequestError("refused.stopping")
        self._admission.welcome(template, standing)
        try:
            waiting = await self._store.waiting_of(member_id)
        except (SQLAlchemyError, OSError) as fault:
            log.exception("desk.store_away")
            raise RequestError("refused.store_away") from fault
        if waiting >= self._limits.waiting:
            raise await self._too_many(member_id, guild_id, whose="member")

    async def _too_many(self, member_id: int, guild_id: int | None, *, whose: str) -> RequestError:
        """Return the refusal: with the time at which the next of those that wait should be done, if it is known."""
        key, limit = "refused.too_many_waiting", self._limits.waiting
        if whose == "guild":
            key, limit = "refused.guild_full", self._limits.guild_waiting
        if whose == "guild":
            waiting = await self._store.in_guild(WAITING, guild_id)
        else:
            waiting = await self._store.of_member(member_id, WAITING)
        etas = [place.eta for place in (await self._places([job.id for job in waiting])).values() if place.eta]
        if not etas:
            return RequestError(key, limit=limit)
        soonest = min((eta.low_s + eta.high_s) / 2 for eta in etas)
        return RequestError(f"{key}_until", limit=limit, minutes=max(1, round(soonest / 60)))

    async def find(self, job_id: str) -> Job | None:
        """Return a job, ended or not."""
        return await self._store.get(job_id)

    async def cancel(self, job_id: str) -> bool:
        """Cancel a job, waiting or running; its reply will say so. False if it was too late."""
        if not await self._store.end(job_id, JobState.CANCELLED):
            return False
        job = await self._store.get(job_id)
        if job is not None:
            log.info("job.cancelled", job=job.id)
            self._on_step(job)
        return True

    async def own_live(self, member_id: int, guild_id: int | None) -> list[Job]:
        """Return a member's jobs in a guild that can still be cancelled, oldest first."""
        return await self._store.newest_of(member_id, CANCELLABLE, guild_id)

    async def view(self, member_id: int, guild_id: int | None, *, everyone: bool = False) -> QueueView:
        """Return the queue as a member may see it, or (`everyone`) a moderator."""
        own = await self.own_live(member_id, guild_id)
        all_ = await self._store.in_guild(CANCELLABLE, guild_id) if everyone else []
        others = [job for job in all_ if job.request.member_id != member_id]
        places = await self._places([job.id for job in (*own, *others)])
        waiting, running = await self._store.counts()
        return QueueView(
            running=running,
            waiting=waiting,
            up=self._fleet.up,
            servers=len(self._fleet.servers),
            own=_entries(own, places),
            others=_entries(others, places),
        )


def _entries(jobs: list[Job], places: Mapping[str, Place]) -> tuple[QueueEntry, ...]:
    """Return running jobs first, then those that wait, in order."""
    known = [(job, places.get(job.id)) for job in jobs]
    known.sort(key=lambda pair: (pair[1].place if pair[1] else 0, pair[0].created_at))
    return tuple(
        QueueEntry(job=job, place=place.place if place else None, eta=place.eta if place else None)
        for job, place in known
    )
