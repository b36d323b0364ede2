"""Strikes, timeouts and bans: what they lead to, and whom they keep out."""

import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

import sqlalchemy as sa
import structlog

from bot.errors import RequestError
from bot.model.audit import Act, Entry
from bot.model.case import Record, Sanction, SanctionKind
from bot.model.guild import EVERYWHERE, Measure
from bot.model.job import LIVE, Job, JobState
from bot.store.cases import CaseStore
from bot.store.guilds import GuildStore
from bot.store.jobs import JobStore
from bot.store.sanctions import Measured, SanctionStore, lift

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
        """Count a strike; return how many are in force, and what keeps the member out now."""
        await self.settle(order, await self._store.add(await self.measured(order, SanctionKind.STRIKE)))
        return await self.strikes(order.member_id, order.guild_id), await self.block(order.member_id, order.guild_id)

    async def ban(self, order: Order, seconds: float | None) -> None:
        """Keep a member out for seconds, or for good; what they have waiting or running here is cancelled."""
        await self.settle(order, await self._store.add(await self.measured(order, SanctionKind.BAN, seconds)))

    async def measured(self, order: Order, kind: SanctionKind, seconds: float | None = None) -> Measured:
        """Return a sanction as it is kept, with what the guild's ladder makes of a strike."""
        if kind is not SanctionKind.STRIKE:
            sanction, entry = _sanction(order, kind, seconds)
            return Measured(sanction=sanction, entry=entry)
        settings = await self._guilds.settings(order.guild_id)
        sanction, entry = _sanction(order, kind, settings.strike_life or None)

        def led_to(strikes: int) -> tuple[Sanction, Entry] | None:
            rung = settings.rung(strikes)
            kind = _MEASURES.get(rung.measure) if rung else None
            if rung is None or kind is None:
                return None
            return _sanction(replace(order, by_id=None, reason=f"{strikes} strikes"), kind, rung.seconds)

        return Measured(sanction=sanction, entry=entry, next=led_to)

    async def settle(self, order: Order, imposed: Sequence[Sanction]) -> None:
        """Do what sanctions mean that were committed: end jobs, tell the member and the guild."""
        for sanction in imposed:
            log.info("sanction.imposed", kind=sanction.kind, member=sanction.member_id, guild=sanction.guild_id)
        if any(sanction.kind in BLOCKS for sanction in imposed):
            await self._end_jobs(order)
        strikes = await self.strikes(order.member_id, order.guild_id)
        for sanction in imposed:
            await self.tell(sanction, strikes)

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
        count = await self._store.lift(*_lifted(order, kinds, act, sanction_id))
        if not count:
            raise RequestError("refused.nothing_to_lift")
        return count

    async def block(self, member_id: int, guild_id: int, *, manager: bool = False) -> Sanction | None:
        """Return what keeps a member out here now, or None; who manages the guild only the owner keeps out."""
        where = (EVERYWHERE,) if manager else (guild_id, EVERYWHERE)
        return await self._store.block(member_id, where, time.time())

    async def strikes(self, member_id: int, guild_id: int) -> int:
        """Return how many strikes of a member are in force here."""
        return await self._store.strikes(member_id, guild_id, time.time())

    async def record(self, member_id: int, guild_id: int) -> Record:
        """Return what a guild knows of a member; what the bot's owner decided is not its own."""
        now = time.time()
        return Record(
            sanctions=tuple(await self._store.record(member_id, guild_id)),
            cases=tuple(await self._cases.of_member(guild_id, member_id)),
            strikes=await self._store.strikes(member_id, guild_id, now),
            block=await self._store.block(member_id, (guild_id,), now),
        )


def lift_all(connection: sa.Connection, order: Order) -> None:
    """Lift whatever is in force against a member here, inside another change."""
    lift(connection, *_lifted(order, (SanctionKind.STRIKE,), Act.PARDON))
    lift(connection, *_lifted(order, BLOCKS, Act.UNBAN))


def _lifted(
    order: Order, kinds: tuple[SanctionKind, ...], act: Act, sanction_id: str = ""
) -> tuple[Sanction, tuple[SanctionKind, ...], Entry]:
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
    return lifted, kinds, _entry(order, act, now, None)


def _sanction(order: Order, kind: SanctionKind, seconds: float | None) -> tuple[Sanction, Entry]:
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
    return sanction, _entry(order, _ACTS[kind], now, seconds)


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
