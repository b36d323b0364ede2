"""Who decides: real store, scheduler and leader; the work itself is a stand-in that can be held up or fail."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from bot.errors import RequestError
from bot.jobs.board import places_in
from bot.jobs.crew import Crew
from bot.jobs.leader import Leader
from bot.jobs.runner import OnStep
from bot.jobs.scheduler import Assignment
from bot.model.job import Failure, FailureCode, Job, JobState, Result
from bot.store.database import open_database
from bot.store.jobs import JobStore
from tests.benchmarks.crew import means_for, request
from tests.conftest import eventually


class Bench:
    """Work that waits until it is told to go on; every attempt that was begun is noted."""

    def __init__(self, store: JobStore) -> None:
        self.store = store
        self.begun: list[Job] = []
        self.gate = asyncio.Event()
        self.dies = False
        self.step: OnStep = lambda _job: None

    async def __call__(self, job: Job) -> None:
        self.begun.append(job)
        if job.state is not JobState.ASSIGNED:
            return
        if self.dies:
            raise OSError("the task is gone")
        await self.store.move(job.id, job.attempt, JobState.ASSIGNED, JobState.RUNNING)
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            return
        await self.store.made(job, [Result(filename="x")], 2.0, {})
        self.step(replace(job, state=JobState.DELIVERING, run_s=2.0))
        await self.store.delivered(job.id, job.attempt)
        self.step(replace(job, state=JobState.DONE, run_s=2.0))


class Room:
    """A running crew with such work."""

    def __init__(self, crew: Crew, bench: Bench, store: JobStore) -> None:
        self.crew, self.bench, self.store = crew, bench, store

    @property
    def leader(self) -> Leader:
        return self.crew.leader

    async def ask(self, count: int, members: int = 1, first: int = 0) -> list[Job]:
        return [await self.crew.desk.submit(*request(first + number, members)) for number in range(count)]

    async def states(self) -> dict[str, JobState]:
        return {job.id: job.state for job in await self.store.live()}

    async def begun(self, count: int) -> None:
        await eventually(lambda: len(self.bench.begun) >= count, f"not {count} begun")


@asynccontextmanager
async def room(folder: Path, *, servers: int = 1, slots: int = 1, waiting: int = 100) -> AsyncGenerator[Room]:
    async with (
        open_database(f"sqlite:///{folder / 'x.sqlite3'}") as database,
        means_for(database, servers=servers, slots=slots, waiting=waiting) as means,
    ):
        crew, bench = Crew(means), Bench(means.store)
        bench.step = crew.leader.learn
        crew.hands.work = bench
        task = asyncio.create_task(crew.run(), name="crew")
        try:
            yield Room(crew, bench, means.store)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def test_a_server_gets_one_that_runs_and_one_that_follows(tmp_path: Path) -> None:
    """Of five requests two go to the only slot, three wait with us; when one is done the next goes."""
    async with room(tmp_path) as here:
        await here.ask(5, members=5)
        await here.begun(2)
        assert sorted((await here.states()).values()).count(JobState.QUEUED) == 3
        here.bench.gate.set()
        await eventually(lambda: _none_left(here), "some are left")
        assert len({job.id for job in here.bench.begun}) == 5
        assert here.crew.worker.reporters is not None
        assert all(not server.busy for server in here.leader.fleet.servers.values())


async def _none_left(here: Room) -> bool:
    return await here.store.live() == []


async def test_a_cancelled_job_is_free_at_once(tmp_path: Path) -> None:
    """Cancelled while it waits, follows or runs, a job gives its place to the next, and its end is to be told."""
    async with room(tmp_path) as here:
        jobs = await here.ask(4, members=4)
        await here.begun(2)
        for job in (jobs[2], jobs[0], jobs[1]):
            assert await here.crew.desk.cancel(job.id)
        await eventually(lambda: any(one.id == jobs[3].id for one in here.bench.begun), "the last one does not begin")
        assert not await here.crew.desk.cancel(jobs[0].id)
        await eventually(
            lambda: {one.id for one in here.bench.begun if one.state is JobState.CANCELLED} >= {jobs[2].id},
            "nobody tells the one that waited",
        )


async def test_work_that_died_is_found_and_begun_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A job whose task ended without a step is handed over again by the sweep, as the same attempt."""
    monkeypatch.setattr("bot.jobs.leader.SWEEP_S", 0.05)
    async with room(tmp_path) as here:
        here.bench.dies = True
        (job,) = await here.ask(1)
        await here.begun(1)
        here.bench.dies = False
        here.bench.gate.set()
        await eventually(lambda: _none_left(here), "it stays unworked")
        assert {one.attempt for one in here.bench.begun if one.id == job.id} == {1}


async def test_what_a_lost_server_had_goes_to_another(tmp_path: Path) -> None:
    """A server that is wedged: its jobs are begun as new attempts elsewhere, and none there any more."""
    async with room(tmp_path, servers=2) as here:
        await here.ask(2, members=2)
        await here.begun(2)
        fleet = here.leader.fleet
        dead = fleet.servers["s0"]
        dead.up, dead.wedged = False, True
        for listener in fleet.on_lost:
            listener("s0")
        await eventually(
            lambda: any(job.attempt == 2 and job.server == "s1" for job in here.bench.begun), "it was not moved"
        )
        assert not dead.busy


async def test_where_nobody_else_can_a_job_waits_for_its_server(tmp_path: Path) -> None:
    """The only server is away: its jobs stay with it, to be found again when it is back."""
    async with room(tmp_path, servers=1) as here:
        await here.ask(1)
        await here.begun(1)
        here.leader.fleet.servers["s0"].up = False
        for listener in here.leader.fleet.on_lost:
            listener("s0")
        await asyncio.sleep(0.05)
        assert list((await here.states()).values()) == [JobState.RUNNING]


async def test_old_news_changes_nothing(tmp_path: Path) -> None:
    """What is told of an earlier attempt, or twice, leaves places and order as they are."""
    async with room(tmp_path) as here:
        jobs = await here.ask(4, members=4)
        await here.begun(2)
        running = next(job for job in here.bench.begun if job.id == jobs[0].id)
        before = here.leader.board.of([job.id for job in jobs])
        here.leader.learn(replace(running, state=JobState.QUEUED, attempt=0))
        assert len(here.leader.fleet.servers["s0"].busy) == 2
        here.leader.learn(running)
        assert here.leader.hear(running.id, JobState.RUNNING, 1)
        assert not here.leader.hear("unknown", JobState.RUNNING, 1)
        assert here.leader.board.of([job.id for job in jobs]) == before
        assert len(here.leader.fleet.servers["s0"].busy) == 2


async def test_places_are_the_same_in_the_note(tmp_path: Path) -> None:
    """What other processes read from the leader's note is what the leader says."""
    async with room(tmp_path) as here:
        here.bench.gate.set()
        await here.ask(2)
        await eventually(lambda: _none_left(here), "some are left")
        here.bench.gate.clear()
        jobs = await here.ask(6, members=3, first=10)
        await here.begun(4)
        ids = [job.id for job in jobs]
        told, noted = here.leader.board.of(ids), places_in(here.leader.board.to_text(), ids)
        assert len(told) == 4
        assert {job_id: place.place for job_id, place in told.items()} == {
            job_id: place.place for job_id, place in noted.items()
        }
        assert all(place.eta is not None for place in noted.values())
        assert places_in(None, ids) == {}


async def test_too_many_are_refused_with_a_time(tmp_path: Path) -> None:
    """Over the cap a member hears when to come again, as soon as that is known; before, only that it is full."""
    async with room(tmp_path, waiting=2) as here:
        await here.ask(2)
        await here.begun(2)
        await here.ask(2)
        with pytest.raises(RequestError) as refused:
            await here.ask(1)
        assert refused.value.key == "refused.too_many_waiting"
        here.leader.estimator.learn("sd15", "s0", 1.0, 120.0)
        with pytest.raises(RequestError) as refused:
            await here.ask(1)
        assert refused.value.key == "refused.too_many_waiting_until"
        assert int(refused.value.facts["minutes"]) >= 2


async def test_an_end_that_nobody_told_is_told_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failure whose worker died before it could say so is told by the leader after a while."""
    monkeypatch.setattr("bot.jobs.leader.SWEEP_S", 0.02)
    monkeypatch.setattr("bot.jobs.leader.UNTOLD_S", 0.05)
    async with room(tmp_path) as here:
        (job,) = await here.ask(1)
        await here.begun(1)
        await here.crew.hands.end(here.bench.begun[0])
        await here.store.end(job.id, JobState.FAILED, Failure(code=FailureCode.BUG))
        here.leader.learn(replace(here.bench.begun[0], state=JobState.FAILED))
        await eventually(
            lambda: any(one.state is JobState.FAILED for one in here.bench.begun), "nobody tells of the failure"
        )


async def test_who_was_cancelled_between_plan_and_step_is_left(tmp_path: Path) -> None:
    """A job that is gone when its assignment is to be written is left alone, and the next round goes on."""
    async with room(tmp_path) as here:
        await here.leader._assign(Assignment("gone", "s0"))
        await here.ask(1)
        await here.begun(1)


async def test_what_no_server_can_run_any_more_ends_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the servers change so that a waiting request fits none of them, it ends; a store that faults delays that."""
    monkeypatch.setattr("bot.jobs.leader.STORE_PAUSE_S", 0.01)
    async with room(tmp_path) as here:
        jobs = await here.ask(3, members=3)
        await here.begun(2)
        end, faults = here.store.end, [OperationalError("locked", None, Exception("locked"))]

        async def faulty(*args: Any, **more: Any) -> bool:
            if faults:
                raise faults.pop()
            return await end(*args, **more)

        monkeypatch.setattr(here.store, "end", faulty)
        monkeypatch.setattr(here.leader._parts.admission, "can_run", lambda _request, _server: False)

        async def ended() -> bool:
            here.leader.fleet.forget()
            here.leader.wake()
            found = await here.store.get(jobs[2].id)
            return found is not None and found.state is JobState.FAILED

        await eventually(ended, "it waits for ever")
        assert not faults


async def test_a_server_whose_queue_nobody_serves_is_given_a_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Jobs that lie assigned and untaken go to another server, and that one gets none for a while."""
    monkeypatch.setattr("bot.jobs.leader.SWEEP_S", 0.02)
    monkeypatch.setattr("bot.jobs.leader.UNTAKEN_S", 0.1)
    async with room(tmp_path, servers=2) as here:
        taking = here.crew.hands.work

        async def by_one_only(job: Job) -> None:
            if job.server == "s0" and job.state is JobState.ASSIGNED:
                await asyncio.Event().wait()
            await taking(job)

        here.crew.hands.work = by_one_only
        await here.ask(1)
        await eventually(lambda: any(job.server == "s1" for job in here.bench.begun), "nobody takes it")
        assert [seat.server for seat in here.leader.fleet.seats()] == ["s1"]


async def test_a_server_that_was_not_read_yet_may_be_the_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a start, a job that the servers read so far cannot run waits for the one that answers later."""
    async with room(tmp_path, servers=2) as here:
        fleet, late = here.leader.fleet, here.leader.fleet.servers["s1"]
        node_list, late.node_list, late.up = late.node_list, {}, False
        monkeypatch.setattr(here.leader._parts.admission, "can_run", lambda _request, server: server == "s1")
        (job,) = await here.ask(1)
        fleet.forget()
        here.leader.wake()
        await eventually(lambda: not here.leader._wake.is_set(), "no round was made")
        await asyncio.gather(*here.leader._errands)
        assert (await here.states()) == {job.id: JobState.QUEUED}
        late.node_list, late.up = node_list, True
        fleet.forget()
        here.leader.wake()
        await here.begun(1)
        assert here.bench.begun[0].server == "s1"
