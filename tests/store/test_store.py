"""Rows: steps are compare-and-set, and everything survives the process. Every test runs on both databases."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import stamina
from sqlalchemy import Connection, event, func, select
from sqlalchemy.exc import DBAPIError, IntegrityError

from bot.errors import SettingsError
from bot.model.job import Claim, Failure, FailureCode, Job, JobState, ReplyAddress, Result
from bot.model.request import Request, Size
from bot.store.database import Database, PostgresDatabase, SqliteDatabase, open_database
from bot.store.jobs import JobStore
from bot.store.keeping import KeepingStore
from bot.store.notes import NoteStore
from bot.store.tables import jobs
from bot.store.uploads import UploadStore

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
async def sqlite(tmp_path: Path) -> AsyncGenerator[SqliteDatabase]:
    async with open_database(f"sqlite:///{tmp_path / 'own.sqlite3'}") as database:
        assert isinstance(database, SqliteDatabase)
        yield database


async def test_a_job_survives_the_process(url: str) -> None:
    """What was stored is read back equal by the next process, with its failure and results."""
    async with open_database(url) as database:
        store = JobStore(database)
        await store.add(job("a", claim=Claim(weight=2, priority=1, cost=3)))
        await store.add_results("a", [Result(filename="x.png", subfolder="s"), Result(filename="y", kind="temp")])
        await store.end("a", JobState.FAILED, Failure(code=FailureCode.REJECTED, facts={"node": "K"}))
    async with open_database(url) as database:
        store = JobStore(database)
        found = await store.get("a")
        assert found is not None
        assert found == job(
            "a",
            claim=Claim(weight=2, priority=1, cost=3),
            state=JobState.FAILED,
            created_at=found.created_at,
            failure=Failure(code=FailureCode.REJECTED, facts={"node": "K"}),
        )
        assert await store.results("a") == [Result(filename="x.png", subfolder="s"), Result(filename="y", kind="temp")]


async def test_only_one_of_many_gets_a_step(database: Database) -> None:
    """Twenty tries at the same step at once: exactly one wins."""
    store = JobStore(database)
    await store.add(job("a"))
    won = await asyncio.gather(*(store.assign("a", 0, server=f"s{n}", prompt_id=f"p{n}") for n in range(20)))
    assert sum(won) == 1
    assert not await store.move("a", 0, JobState.ASSIGNED, JobState.RUNNING)
    assert await store.move("a", 1, JobState.ASSIGNED, JobState.RUNNING)


async def test_the_attempt_is_a_fence(database: Database) -> None:
    """An older attempt cannot deliver what a newer one has taken over."""
    store = JobStore(database)
    await store.add(job("a"))
    await store.assign("a", 0, server="s", prompt_id="p1")
    await store.move("a", 1, JobState.ASSIGNED, JobState.RUNNING)
    await store.move("a", 1, JobState.RUNNING, JobState.QUEUED)
    await store.assign("a", 1, server="s", prompt_id="p2")
    await store.move("a", 2, JobState.ASSIGNED, JobState.RUNNING)
    assert not await store.move("a", 1, JobState.RUNNING, JobState.DELIVERING)
    assert await store.move("a", 2, JobState.RUNNING, JobState.DELIVERING)


async def test_a_step_that_does_not_exist_is_a_bug(database: Database) -> None:
    """Steps outside the table are refused loudly."""
    with pytest.raises(ValueError, match="does not go"):
        await JobStore(database).move("a", 0, JobState.DONE, JobState.QUEUED)


async def test_ends_are_final_and_delivery_is_not_cancelled(database: Database) -> None:
    """What is being delivered can fail but not be cancelled; what has ended can do neither."""
    store = JobStore(database)
    await store.add(job("a"))
    await store.assign("a", 0, server="s", prompt_id="p")
    await store.move("a", 1, JobState.ASSIGNED, JobState.RUNNING)
    await store.move("a", 1, JobState.RUNNING, JobState.DELIVERING)
    assert not await store.end("a", JobState.CANCELLED)
    assert await store.end("a", JobState.FAILED)
    assert not await store.end("a", JobState.FAILED)
    assert await store.live() == []


async def test_own_jobs_are_own(database: Database) -> None:
    """A member's list holds neither another member's jobs nor those of another guild."""
    store = JobStore(database)
    for name, member, guild in (("a", 7, 2), ("b", 8, 2), ("c", 7, 9), ("d", 7, None)):
        await store.add(job(name, request=replace(REQUEST, member_id=member, guild_id=guild)))
    assert [one.id for one in await store.newest_of(7, [JobState.QUEUED], 2)] == ["a"]
    assert [one.id for one in await store.newest_of(7, [JobState.QUEUED], None)] == ["d"]
    assert len(await store.live()) == 4


async def test_notes_are_replaced(database: Database) -> None:
    """A note has one value, the last."""
    notes = NoteStore(database)
    assert await notes.read("x") is None
    await notes.write("x", "1")
    await notes.write("x", "2")
    assert await notes.read("x") == "2"


async def test_writes_survive_a_power_cut(sqlite: SqliteDatabase) -> None:
    """The file is in WAL mode with a full sync."""
    assert await sqlite.read(lambda one: one.exec_driver_sql("PRAGMA journal_mode").scalar()) == "wal"
    assert await sqlite.read(lambda one: one.exec_driver_sql("PRAGMA synchronous").scalar()) == 2


@pytest.mark.parametrize(
    "url", ["nonsense", "oracle://x", "sqlite+aiosqlite:////proc/nowhere/x.sqlite3", "mysql://x/y"]
)
async def test_an_unusable_address_is_one_line(url: str) -> None:
    """A database that cannot be opened is told by the variable's name, without the address."""
    with pytest.raises(SettingsError) as caught:
        async with open_database(url):
            pass
    (line,) = caught.value.faults
    assert line.startswith("DATABASE_URL")
    assert url not in line


async def test_a_cancelled_caller_leaves_no_half_done_work(database: Database) -> None:
    """A transaction that was begun is finished although its caller is cancelled, and the caller does hear of it."""
    store = JobStore(database)
    task = asyncio.create_task(store.add(job("a")))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await store.get("a") is not None


async def test_the_last_free_place_is_given_once(database: Database) -> None:
    """Twenty requests at once with room for five: five get a row, the others hear whose limit it is."""
    store = JobStore(database)
    full = await asyncio.gather(*(store.add(job(f"{n}"), member_limit=5) for n in range(20)))
    assert full.count(None) == 5
    assert set(full) == {None, "member"}
    other = replace(REQUEST, member_id=8)
    assert await store.add(job("x", request=other), member_limit=5, guild_limit=5) == "guild"
    assert await store.waiting_of(7) == 5
    assert await store.counts() == (5, 0)


async def test_a_failure_or_cancel_gives_the_cost_back(database: Database) -> None:
    """What a job costs is spent when it is taken in, given back when it fails, and charged in part on note."""
    store = JobStore(database)

    async def spent(job_id: str) -> float | None:
        return await database.read(lambda one: one.scalar(select(jobs.c.spent).where(jobs.c.id == job_id)))

    for name in ("a", "b"):
        await store.add(job(name, claim=Claim(cost=4)))
    assert await spent("a") == 4
    await store.end("a", JobState.FAILED)
    await store.end("b", JobState.CANCELLED)
    assert (await spent("a"), await spent("b")) == (0, 0)
    await store.note_spent("b", 1.5)
    assert await spent("b") == 1.5


async def test_what_cannot_be_fetched_again_is_kept_until_delivered(database: Database) -> None:
    """Frames are stored with the step to delivering, and dropped with the step to done."""
    store = JobStore(database)
    await store.add(job("a"))
    await store.assign("a", 0, server="s", prompt_id="p")
    await store.move("a", 1, JobState.ASSIGNED, JobState.RUNNING)
    frame = Result(filename="frame.png", kind="socket", data=b"png")
    assert not await store.made(job("a"), [frame], 2.0, {})
    assert await store.results("a") == []
    assert await store.made(replace(job("a"), attempt=1), [frame], 2.0, {"seed": 1})
    assert await store.results("a") == [frame]
    assert (await store.recipe("a")) == {"seed": 1}
    assert [one.run_s for one in await store.measured(5)] == [2.0]
    assert await store.delivered("a", 1)
    assert await store.results("a") == [replace(frame, data=None)]
    assert await store.untold() == []


async def test_two_who_set_a_note_at_once(database: Database) -> None:
    """A note that is new to both of two writers is set twice, and neither fails."""
    notes = NoteStore(database)
    await asyncio.gather(*(notes.write("new", f"{number}") for number in range(10)))
    assert await notes.read("new") in {f"{number}" for number in range(10)}


async def test_what_is_old_is_purged(database: Database) -> None:
    """Ended jobs with their results and uploads older than asked go; what lives stays, however old."""
    store, uploads = JobStore(database), UploadStore(database)
    await store.add(job("live", created_at=5.0))
    await store.add(job("old", created_at=5.0))
    await store.add_results("old", [Result(filename="x")])
    await store.end("old", JobState.FAILED)
    upload = await uploads.add(7, "png", b"x", transparent=False)
    assert (await KeepingStore(database).purge(100.0), await uploads.purge(100.0)) == (0, 0)
    later = time.time() + 10
    assert (await KeepingStore(database).purge(later), await uploads.purge(later)) == (1, 1)
    assert await store.results("old") == []
    assert await uploads.get(upload.id) is None
    assert [one.id for one in await store.live()] == ["live"]


async def test_only_what_has_changed_is_read_again(database: Database) -> None:
    """Rows whose state has not changed since a time are left out."""
    store = JobStore(database)
    await store.add(job("a", created_at=5.0))
    await store.add(job("b", created_at=5.0))
    await store.end("b", JobState.CANCELLED)
    assert await store.changed_within(100.0) == [("b", JobState.CANCELLED, 0)]
    assert [one.id for one in await store.in_guild([JobState.QUEUED], 2)] == ["a"]


async def test_a_faulty_change_takes_no_other_with_it(sqlite: SqliteDatabase) -> None:
    """Changes that are committed together: the one that fails is told, the others are committed all the same."""
    store = JobStore(sqlite)

    def faulty(connection: Connection) -> None:
        connection.execute(jobs.insert().values(id=None))

    outcomes = await asyncio.gather(
        store.add(job("a")), sqlite.write(faulty), store.add(job("b")), return_exceptions=True
    )
    assert isinstance(outcomes[1], IntegrityError)
    assert {one.id for one in await store.live()} == {"a", "b"}


async def test_a_burst_is_committed_together(sqlite: SqliteDatabase) -> None:
    """A hundred requests at once need a few commits, not a hundred."""
    store, commits = JobStore(sqlite), 0

    def count(_connection: object) -> None:
        nonlocal commits
        commits += 1

    event.listen(sqlite.engine, "commit", count)
    await asyncio.gather(*(store.add(job(f"{n}")) for n in range(100)))
    assert commits <= 5


async def test_a_second_process_is_kept_out(tmp_path: Path) -> None:
    """While one Easel serves from a SQLite file, another that would is refused by name; afterwards it may."""
    url = f"sqlite:///{tmp_path / 'x.sqlite3'}"
    async with open_database(url, alone=True):
        with pytest.raises(SettingsError, match="another Easel"):
            async with open_database(url, alone=True):
                pass
    async with open_database(url, alone=True):
        pass


async def test_a_restart_of_postgres_is_waited_for(postgres_url: str) -> None:
    """With every connection of the pool cut, the next read and the next step are tried again and succeed."""
    async with open_database(postgres_url) as database, open_database(postgres_url) as other:
        store = JobStore(database)
        await store.add(job("a"))

        def cut(connection: Connection) -> None:
            connection.exec_driver_sql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )

        await other.write(cut)
        assert await store.get("a") is not None
        tries = 0

        def breaks_once(connection: Connection) -> None:
            nonlocal tries
            tries += 1
            if tries == 1:
                own = connection.scalar(select(func.pg_backend_pid()))
                connection.exec_driver_sql(f"SELECT pg_terminate_backend({own})")
            connection.execute(jobs.update().values(template="again"))

        await database.write(breaks_once)
        assert tries == 2


async def test_a_step_whose_answer_was_lost_was_still_ours(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A step that was committed, but whose commit seemed to fail, counts as taken when it is tried again."""
    async with open_database(postgres_url) as database:
        assert isinstance(database, PostgresDatabase)
        store = JobStore(database)
        await store.add(job("a"))
        patiently, lost = database._patiently, []

        async def loses_the_first_answer(work: Callable[[], Coroutine[Any, Any, object]], name: str) -> object:
            async def once() -> object:
                found = await work()
                if not lost:
                    lost.append(True)
                    raise DBAPIError("commit", None, Exception("connection lost"), connection_invalidated=True)
                return found

            return await patiently(once, name)

        monkeypatch.setattr(database, "_patiently", loses_the_first_answer)
        assert await store.assign("a", 0, server="s", prompt_id="p")
        assert lost
        assert not await store.assign("a", 0, server="s", prompt_id="q")


async def test_a_wrong_password_is_told_at_once(postgres_url: str) -> None:
    """What PostgreSQL will not take later either is not waited for; what it is restarting for, is."""
    wrong = postgres_url.replace("postgres@", "nobody_of_that_name:x@")
    if wrong == postgres_url:
        pytest.skip("TEST_DATABASE_URL names another user")
    async with asyncio.timeout(20):
        with pytest.raises(SettingsError, match="DATABASE_URL"):
            async with open_database(wrong):
                pass


async def test_who_is_cancelled_tries_no_more(postgres_url: str) -> None:
    """While the database is away, a caller that is cancelled is free at once."""
    stamina.set_testing(False)
    async with open_database(postgres_url) as database:

        def away(_connection: Connection) -> None:
            raise DBAPIError("connect", None, Exception("connection refused"), connection_invalidated=True)

        task = asyncio.create_task(database.read(away))
        await asyncio.sleep(0.1)
        task.cancel()
        async with asyncio.timeout(5):
            with pytest.raises(asyncio.CancelledError):
                await task
