"""Rows: steps are compare-and-set, and everything survives the process."""

import asyncio
import time
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from bot.errors import SettingsError
from bot.model.job import Failure, FailureCode, Job, JobState, ReplyAddress, Result
from bot.model.request import Request, Size
from bot.store.database import open_database
from bot.store.jobs import JobStore
from bot.store.notes import NoteStore

REQUEST = Request(
    prompt="p", template="t", seed=1, member_id=7, guild_id=2, channel_id=3, size=Size(width=64, height=64)
)
ADDRESS = ReplyAddress(
    application_id=1, channel_id=3, message_id=4, token="tok", expires_at=9.5, upload_limit=10, locale="ja"
)


def job(job_id: str, **more: object) -> Job:
    made = Job(id=job_id, request=REQUEST, address=ADDRESS, state=JobState.QUEUED, attempt=0, created_at=time.time())
    return replace(made, **more)  # pyright: ignore[reportArgumentType]


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite+aiosqlite:///{tmp_path / 'deep' / 'easel.sqlite3'}"


@pytest.fixture
async def engine(url: str) -> AsyncGenerator[AsyncEngine]:
    async with open_database(url) as engine:
        yield engine


async def test_a_job_survives_the_process(url: str) -> None:
    """What was stored is read back equal by the next process, with its failure and results."""
    async with open_database(url) as engine:
        store = JobStore(engine)
        await store.add(job("a"))
        await store.add_results("a", [Result(filename="x.png", subfolder="s"), Result(filename="y", kind="temp")])
        await store.end("a", JobState.FAILED, Failure(code=FailureCode.REJECTED, facts={"node": "K"}))
    async with open_database(url) as engine:
        store = JobStore(engine)
        found = await store.get("a")
        assert found is not None
        assert found == job(
            "a",
            state=JobState.FAILED,
            created_at=found.created_at,
            failure=Failure(code=FailureCode.REJECTED, facts={"node": "K"}),
        )
        assert await store.results("a") == [Result(filename="x.png", subfolder="s"), Result(filename="y", kind="temp")]


async def test_only_one_of_many_gets_a_step(engine: AsyncEngine) -> None:
    """Twenty tries at the same step at once: exactly one wins."""
    store = JobStore(engine)
    await store.add(job("a"))
    won = await asyncio.gather(*(store.assign("a", 0, server=f"s{n}", prompt_id=f"p{n}") for n in range(20)))
    assert sum(won) == 1
    assert not await store.move("a", 0, JobState.ASSIGNED, JobState.RUNNING)
    assert await store.move("a", 1, JobState.ASSIGNED, JobState.RUNNING)


async def test_the_attempt_is_a_fence(engine: AsyncEngine) -> None:
    """An older attempt cannot deliver what a newer one has taken over."""
    store = JobStore(engine)
    await store.add(job("a"))
    await store.assign("a", 0, server="s", prompt_id="p1")
    await store.move("a", 1, JobState.ASSIGNED, JobState.RUNNING)
    await store.move("a", 1, JobState.RUNNING, JobState.QUEUED)
    await store.assign("a", 1, server="s", prompt_id="p2")
    await store.move("a", 2, JobState.ASSIGNED, JobState.RUNNING)
    assert not await store.move("a", 1, JobState.RUNNING, JobState.DELIVERING)
    assert await store.move("a", 2, JobState.RUNNING, JobState.DELIVERING)


async def test_a_step_that_does_not_exist_is_a_bug(engine: AsyncEngine) -> None:
    """Steps outside the table are refused loudly."""
    with pytest.raises(ValueError, match="does not go"):
        await JobStore(engine).move("a", 0, JobState.DONE, JobState.QUEUED)


async def test_ends_are_final_and_delivery_is_not_cancelled(engine: AsyncEngine) -> None:
    """What is being delivered can fail but not be cancelled; what has ended can do neither."""
    store = JobStore(engine)
    await store.add(job("a"))
    await store.assign("a", 0, server="s", prompt_id="p")
    await store.move("a", 1, JobState.ASSIGNED, JobState.RUNNING)
    await store.move("a", 1, JobState.RUNNING, JobState.DELIVERING)
    assert not await store.end("a", JobState.CANCELLED)
    assert await store.end("a", JobState.FAILED)
    assert not await store.end("a", JobState.FAILED)
    assert await store.live() == []


async def test_own_jobs_are_own(engine: AsyncEngine) -> None:
    """A member's list holds neither another member's jobs nor those of another guild."""
    store = JobStore(engine)
    for name, member, guild in (("a", 7, 2), ("b", 8, 2), ("c", 7, 9), ("d", 7, None)):
        await store.add(job(name, request=replace(REQUEST, member_id=member, guild_id=guild)))
    assert [one.id for one in await store.newest_of(7, [JobState.QUEUED], 2)] == ["a"]
    assert [one.id for one in await store.newest_of(7, [JobState.QUEUED], None)] == ["d"]
    assert len(await store.live()) == 4


async def test_notes_are_replaced(engine: AsyncEngine) -> None:
    """A note has one value, the last."""
    notes = NoteStore(engine)
    assert await notes.read("x") is None
    await notes.write("x", "1")
    await notes.write("x", "2")
    assert await notes.read("x") == "2"


async def test_writes_survive_a_power_cut(engine: AsyncEngine) -> None:
    """The file is in WAL mode with a full sync."""
    async with engine.connect() as connection:
        assert (await connection.exec_driver_sql("PRAGMA journal_mode")).scalar() == "wal"
        assert (await connection.exec_driver_sql("PRAGMA synchronous")).scalar() == 2


@pytest.mark.parametrize("url", ["nonsense", "oracle://x", "sqlite+aiosqlite:////proc/nowhere/x.sqlite3"])
async def test_an_unusable_address_is_one_line(url: str) -> None:
    """A database that cannot be opened is told by the variable's name, without the address."""
    with pytest.raises(SettingsError) as caught:
        async with open_database(url):
            pass
    (line,) = caught.value.faults
    assert line.startswith("DATABASE_URL")
    assert url not in line


async def test_a_cancelled_caller_leaves_no_half_done_work(engine: AsyncEngine) -> None:
    """A transaction that was begun is finished although its caller is cancelled, and the caller does hear of it."""
    store = JobStore(engine)
    task = asyncio.create_task(store.add(job("a")))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await store.get("a") is not None
