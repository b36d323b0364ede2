"""Cases and sanctions as rows: limits hold also for those who come at once, and what was made costs what it cost."""

import asyncio
import time
from dataclasses import replace

from bot.model.audit import Act, Entry
from bot.model.case import Case, Decision, Outcome, Sanction, SanctionKind
from bot.model.job import JobState, Quota, Result
from bot.model.verdict import HoldReason
from bot.store.cases import CaseStore, Decided
from bot.store.database import Database
from bot.store.jobs import JobStore
from bot.store.sanctions import Measured, SanctionStore
from tests.store.test_store import REQUEST, job

GUILD, MEMBER = REQUEST.guild_id or 0, REQUEST.member_id


def sanction(number: int, kind: SanctionKind, seconds: float | None = None) -> tuple[Sanction, Entry]:
    now = time.time()
    until = now + seconds if seconds else None
    made = Sanction(id=f"s{number}{kind}", guild_id=GUILD, member_id=MEMBER, kind=kind, at=now, expires_at=until)
    return made, Entry(guild_id=GUILD, act=Act.STRIKE, at=now, target_id=MEMBER)


async def held(store: JobStore, job_id: str) -> None:
    await store.add(job(job_id))
    await store.assign(job_id, 0, server="s", prompt_id="p")
    await store.move(job_id, 1, JobState.ASSIGNED, JobState.RUNNING)
    made = [Result(filename="a.png", data=b"png")]
    assert await store.made(replace(job(job_id), attempt=1), made, 1.0, {}, held=HoldReason.ALL)


async def test_reports_that_come_at_once_keep_to_the_limit(database: Database) -> None:
    """Of many reports of one member at the same time, as many are taken as in a row."""
    cases, now = CaseStore(database), time.time()
    found = await asyncio.gather(*(cases.report(job(f"j{number}"), 5, "", now, 3) for number in range(8)))
    assert sum(one is not None for one in found) == 3


async def test_blocks_do_not_pile_up(database: Database) -> None:
    """Strikes that come at once lead to one ban, not to one each."""
    store = SanctionStore(database)

    def measured(number: int) -> Measured:
        made, entry = sanction(number, SanctionKind.STRIKE)
        return Measured(sanction=made, entry=entry, next=lambda _strikes: sanction(number, SanctionKind.BAN, 3600))

    kept = await asyncio.gather(*(store.add(measured(number)) for number in range(6)))
    kinds = [one.kind for imposed in kept for one in imposed]
    assert (kinds.count(SanctionKind.STRIKE), kinds.count(SanctionKind.BAN)) == (6, 1)


async def test_a_held_picture_costs_and_counts(database: Database) -> None:
    """Called off while it is held, a job keeps its cost; while it is held, it takes a waiting place."""
    store = JobStore(database)
    await held(store, "a")
    assert await store.waiting_of(MEMBER) == 1
    assert await store.add(job("b"), member_limit=1) == "member"
    assert await store.end("a", JobState.CANCELLED)
    assert (await store.spent(MEMBER, GUILD, 0.0))[0] == 1.0
    assert await store.add(job("c"), quota=Quota(window_s=3600, member=1.5)) == "member_quota"


async def test_a_decision_is_whole_or_nothing(database: Database) -> None:
    """If what a decision does to its member fails, the case stays open and the picture held."""
    store, cases = JobStore(database), CaseStore(database)
    await held(store, "a")
    decided = Decided(guild_id=GUILD, number=1, decision=Decision.REJECT_STRIKE, by_id=9, at=time.time())

    def breaks(_connection: object, _case: Case) -> list[Sanction]:
        raise ValueError("planted")

    (fault,) = await asyncio.gather(store.decide(decided, breaks), return_exceptions=True)
    assert isinstance(fault, ValueError)
    found, row = await cases.get(GUILD, 1), await store.get("a")
    assert found is not None
    assert row is not None
    assert (found.outcome, row.state) == (None, JobState.HELD)
    settled = await store.decide(decided, lambda _connection, _case: [])
    assert settled is not None
    assert (settled.won, settled.case.outcome) == (True, Outcome.REJECTED)
