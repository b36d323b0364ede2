"""Strikes, timeouts and bans: what they lead to, and whom they keep out."""

import secrets
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace

import structlog

from bot.errors import RequestError
from bot.model.audit import Act, Entry
from bot.model.case import Record, Sanction, SanctionKind
from bot.model.guild import EVERYWHERE, Measure, Rung
from bot.model.job import LIVE, Job, JobState
from bot.store.cases import CaseStore
from bot.store.guilds import GuildStore
from bot.store.jobs import JobStore
from bot.store.sanctions import SanctionStore

log = structlog.get_logger()

_ACTS = {SanctionKind.STRIKE: Act.STRIKE, SanctionKind.TIMEOUT: Act.TIMEOUT, SanctionKind.BAN: Act.BAN}
_MEASURES = {Measure.TIMEOUT: SanctionKind.TIMEOUT, Measure.BAN: SanctionKind.BAN}
BLOCKS = (SanctionKind.TIMEOUT, SanctionKind.BAN)

Tell = Callable[[Sanction, int], Awaitable[None]]
"""Tells the member, and the guild's log channel, of a new sanction; the number is that of strikes in force."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Who acts against whom, where and why. Nobody as `by_id`: a guild's own rules."""

    guild_id: int
    member_id: int
    by_id: int | None
    reason: str = ""
    case: int | None = None


class Sanctions:
    """Imposes and lifts. `on_step` hears of jobs that a ban ended, `tell` of every sanction."""

    def __init__(self, store: SanctionStore, cases: CaseStore, guilds: GuildStore, jobs: JobStore) -> None:
        self._store, self._cases, self._guilds, self._jobs = store, cases, guilds, jobs
        self.on_step: Callable[[Job], None] = lambda _job: None
        self.tell: Tell = _nobody

    async def strike(self, order: Order) -> tuple[int, Sanction | None]:
        """Count a strike; return how many are in force, and the timeout or ban that they led to."""
        settings = await self._guilds.settings(order.guild_id)
        strikes = await self._impose(order, SanctionKind.STRIKE, settings.strike_life or None)
        rung = settings.rung(strikes)
        return strikes, await self._measure(order, rung, strikes) if rung else None

    async def _measure(self, order: Order, rung: Rung, strikes: int) -> Sanction | None:
        kind = _MEASURES.get(rung.measure)
        if kind is None:
            return None
        by_rule = replace(order, by_id=None, reason=f"{strikes} strikes")
        await self._impose(by_rule, kind, rung.seconds)
        return await self._store.block(order.member_id, order.guild_id, time.time())

    async def ban(self, order: Order, seconds: float | None) -> None:
        """Keep a member out for seconds, or for good; what they have waiting or running here is cancelled."""
        await self._impose(order, SanctionKind.BAN, seconds)

    async def _impose(self, order: Order, kind: SanctionKind, seconds: float | None) -> int:
        now = time.time()
        sanction = Sanction(
            id=secrets.token_hex(4),
            guild_id=order.guild_id,
            member_id=order.member_id,
            kind=kind,
            at=now,
            reason=order.reason,
            by_id=order.by_id,
            expires_at=now + seconds if seconds else None,
        )
        strikes = await self._store.add(sanction, _entry(order, _ACTS[kind], now, seconds))
        log.info("sanction.imposed", kind=kind, member=order.member_id, guild=order.guild_id, by=order.by_id)
        if kind in BLOCKS:
            await self._end_jobs(order)
        await self.tell(sanction, strikes)
        return strikes

    async def _end_jobs(self, order: Order) -> None:
        jobs = await self._jobs.of_member(order.member_id, LIVE - {JobState.DELIVERING})
        for job in jobs:
            if order.guild_id not in (EVERYWHERE, job.request.guild_id):
                continue
            if await self._jobs.end(job.id, JobState.CANCELLED):
                self.on_step(replace(job, state=JobState.CANCELLED))

    async def pardon(self, order: Order, strike_id: str = "") -> int:
        """Take back one strike, or all; return how many were in force, raise RequestError if none was."""
        return await self._lift(order, (SanctionKind.STRIKE,), Act.PARDON, strike_id)

    async def unban(self, order: Order) -> int:
        """End a member's timeouts and bans; return how many were in force, raise RequestError if none was."""
        return await self._lift(order, BLOCKS, Act.UNBAN)

    async def _lift(self, order: Order, kinds: tuple[SanctionKind, ...], act: Act, sanction_id: str = "") -> int:
        now = time.time()
        lifted = Sanction(
            id=sanction_id,
            guild_id=order.guild_id,
            member_id=order.member_id,
            kind=kinds[0],
            at=now,
            lifted_at=now,
            lifted_by=order.by_id,
        )
        found = await self._store.lift(lifted, kinds, _entry(order, act, now, None))
        if not found:
            raise RequestError("refused.nothing_to_lift")
        return len(found)

    async def lift_all(self, order: Order) -> None:
        """Lift whatever is in force against a member here; nothing may be, any more."""
        for lift in (self.pardon, self.unban):
            with suppress(RequestError):
                await lift(order)

    async def block(self, member_id: int, guild_id: int) -> Sanction | None:
        """Return what keeps a member out here now, or None."""
        return await self._store.block(member_id, guild_id, time.time())

    async def strikes(self, member_id: int, guild_id: int) -> int:
        """Return how many strikes of a member are in force here."""
        return await self._store.strikes(member_id, guild_id, time.time())

    async def record(self, member_id: int, guild_id: int) -> Record:
        """Return what a guild knows of a member."""
        now = time.time()
        return Record(
            sanctions=tuple(await self._store.record(member_id, guild_id)),
            cases=tuple(await self._cases.of_member(guild_id, member_id)),
            strikes=await self._store.strikes(member_id, guild_id, now),
            block=await self._store.block(member_id, guild_id, now),
        )


async def _nobody(_sanction: Sanction, _strikes: int) -> None:
    """Tell nobody."""


def _entry(order: Order, act: Act, at: float, seconds: float | None) -> Entry:
    return Entry(
        guild_id=order.guild_id,
        act=act,
        at=at,
        actor_id=order.by_id,
        target_id=order.member_id,
        case=order.case,
        reason=order.reason,
        facts={"seconds": f"{seconds:g}"} if seconds else {},
    )
