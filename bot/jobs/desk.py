"""What members do: ask, look, call off. Every process that talks to members has a desk; one leader serves them all."""

import secrets
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import assert_never

import structlog
from sqlalchemy.exc import SQLAlchemyError

from bot.errors import RequestError
from bot.jobs.admission import Admission
from bot.jobs.board import Place
from bot.jobs.fleet import Fleet
from bot.jobs.library import Library
from bot.jobs.runner import OnStep
from bot.jobs.scheduler import Limits
from bot.model.audit import Act, Entry
from bot.model.guild import EVERYWHERE, HOUR_S, GuildSettings
from bot.model.job import WAITING, Allowance, Eta, Job, JobState, ReplyAddress
from bot.model.request import Request, Standing
from bot.model.verdict import Allow, Ask, Hold, HoldReason, Refuse
from bot.moderation.policy import Gate
from bot.moderation.quota import quota_for
from bot.store.guilds import GuildStore
from bot.store.jobs import JobStore
from bot.workflow.template import Template

log = structlog.get_logger()

SOURCES = 20
"""Steps from picture to picture that are looked back."""
CANCELLABLE = (*WAITING, JobState.RUNNING, JobState.HELD)
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
        gate: Gate,
        guilds: GuildStore,
        limits: Limits,
        places: Places,
        on_step: OnStep = lambda _job: None,
    ) -> None:
        self._store, self._admission, self._library, self._fleet = store, admission, library, fleet
        self._gate, self._guilds = gate, guilds
        self._limits, self._places, self._on_step = limits, places, on_step
        self.on_submit: list[Callable[[Job], None]] = []
        """Called with every job that was taken in."""
        self.closed = False
        """Whether we are stopping: nothing new is taken."""

    def template(self, name: str | None, guild_id: int | None = None) -> Template:
        """Return the named template, or the default one here; raises RequestError if there is none."""
        return self._admission.template(name, self._guilds.last_known(guild_id).default_template)

    def usable(self, guild_id: int | None = None) -> list[Template]:
        """Return the templates that can be used now, where somebody asks, in order of name."""
        here = self._guilds.last_known(guild_id).templates
        return [one for one in self._library.usable() if not here or one.name in here]

    async def submit(self, request: Request, address: ReplyAddress, standing: Standing) -> Job:
        """Store a request and queue it; the row is committed before this returns.

        Raises:
            RequestError: the gate refuses it, it cannot be done, or the member or their guild has too much already.
        """
        if self.closed:
            raise RequestError("refused.stopping")
        template = self._admission.template(request.template)
        request = replace(request, template=template.name, adult=standing.adult_channel)
        await self._check_source(request)
        hold = await self._judged(template, request, standing)
        await self._admission.admit(request, standing)
        async with _store_at_hand():
            guild = await self._guilds.settings(request.guild_id or EVERYWHERE)
            job = Job(
                id=secrets.token_hex(8),
                request=request,
                address=address,
                state=JobState.QUEUED,
                attempt=0,
                created_at=time.time(),
                claim=self._admission.claim(template, request, standing, guild),
                hold=hold,
            )
            full = await self._store.add(
                job,
                member_limit=guild.member_waiting or self._limits.waiting,
                guild_limit=self._limits.guild_waiting,
                quota=quota_for(guild, standing),
                entry=_entry(job),
                spared=standing.manager,
            )
        if full is not None:
            raise await self._too_many(request.member_id, request.guild_id, guild, whose=full)
        log.info("job.queued", job=job.id, template=template.name)
        self._on_step(job)
        for listener in self.on_submit:
            listener(job)
        return job

    async def _check_source(self, request: Request) -> None:
        """Refuse what goes on from a picture that was taken away or deleted since, however many steps ago."""
        source = request.source
        for _ in range(SOURCES):
            job = await self._store.get(source) if source else None
            if job is None:
                return
            if job.removed or job.deleted:
                raise RequestError("refused.source_gone")
            source = job.request.source

    async def _judged(self, template: Template, request: Request, standing: Standing) -> HoldReason | None:
        """Take a request through the gate; return why what it makes is to be held, or None."""
        ask = await self._admission.ask(template, request)
        verdict = await self._gate.request(ask, request.member_id, request.guild_id, standing)
        match verdict:
            case Refuse():
                raise refusal(verdict)
            case Hold(reason=reason):
                return reason
            case Allow():
                return None
            case _:
                assert_never(verdict)

    async def welcome(self, template: Template, member_id: int, guild_id: int | None, standing: Standing) -> None:
        """Refuse who may not ask for a template, or has too many waiting, before any file of theirs is fetched.

        Raises:
            RequestError: so, or we are stopping.
        """
        if self.closed:
            raise RequestError("refused.stopping")
        self._admission.welcome(template, standing)
        verdict = await self._gate.welcome(Ask(template=template.name), member_id, guild_id, standing)
        if not isinstance(verdict, Allow):
            raise refusal(verdict)
        async with _store_at_hand():
            guild = await self._guilds.settings(guild_id or EVERYWHERE)
            waiting = await self._store.waiting_of(member_id)
        if waiting >= (guild.member_waiting or self._limits.waiting):
            raise await self._too_many(member_id, guild_id, guild, whose="member")

    async def allowance(self, member_id: int, guild_id: int, standing: Standing) -> Allowance:
        """Return what a member has spent here and what is left."""
        guild = await self._guilds.settings(guild_id)
        since = time.time() - guild.quota_window
        spent, oldest = await self._store.spent(member_id, guild_id, since)
        of_guild, _ = await self._store.spent(None, guild_id, since)
        return Allowance(
            spent=spent,
            limit=guild.quota_of(standing.role_ids),
            guild_spent=of_guild,
            guild_limit=guild.guild_quota or None,
            window_s=guild.quota_window,
            frees_at=oldest + guild.quota_window if oldest is not None else None,
        )

    async def _too_many(
        self, member_id: int, guild_id: int | None, guild: GuildSettings, *, whose: str
    ) -> RequestError:
        """Return the refusal: with the time at which the next of those that wait should be done, if it is known."""
        if whose == "blocked":
            return RequestError("refused.banned")
        if whose in ("member_quota", "guild_quota"):
            hours = round(guild.quota_window / HOUR_S, 1)
            return RequestError(f"refused.{whose}", hours=f"{hours:g}")
        key, limit = "refused.too_many_waiting", guild.member_waiting or self._limits.waiting
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

    async def shown_in(self, message_id: int, guild_id: int) -> Job | None:
        """Return the job whose pictures a message of this guild shows."""
        return await self._store.shown_in(message_id, guild_id)

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


@asynccontextmanager
async def _store_at_hand() -> AsyncGenerator[None]:
    """Turn a store that is away into words."""
    try:
        yield
    except (SQLAlchemyError, OSError) as fault:
        log.exception("desk.store_away")
        raise RequestError("refused.store_away") from fault


def refusal(verdict: Refuse | Hold) -> RequestError:
    """Return a refusal for the edge to put into words."""
    return RequestError(verdict.key, **verdict.facts) if isinstance(verdict, Refuse) else RequestError("refused.gone")


def _entry(job: Job) -> Entry:
    request = job.request
    asked = {"prompt": request.prompt, "negative": request.negative, "template": request.template, "seed": request.seed}
    return Entry(
        guild_id=request.guild_id or EVERYWHERE,
        act=Act.ASKED,
        at=job.created_at,
        actor_id=request.member_id,
        job_id=job.id,
        facts={name: str(value) for name, value in asked.items() if value is not None},
    )


def _entries(jobs: list[Job], places: Mapping[str, Place]) -> tuple[QueueEntry, ...]:
    """Return running jobs first, then those that wait, in order."""
    known = [(job, places.get(job.id)) for job in jobs]
    known.sort(key=lambda pair: (pair[1].place if pair[1] else 0, pair[0].created_at))
    return tuple(
        QueueEntry(job=job, place=place.place if place else None, eta=place.eta if place else None)
        for job, place in known
    )
