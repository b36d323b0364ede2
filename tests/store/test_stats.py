"""Statistics from rows: counted by span, waits and use of machines as rows tell them. Both databases."""

import statistics
import time
from typing import Any

import pytest
from sqlalchemy import insert, select

from bot.model.job import JobState
from bot.model.stats import Stats, StatsBin
from bot.store.database import Database
from bot.store.rows import row_of
from bot.store.stats import StatsStore
from bot.store.tables import jobs
from tests.store.test_store import job

GUILD, OTHER = 2, 3
BLANK = row_of(job("blank"))


def row(number: int, created_at: float, **more: Any) -> dict[str, Any]:
    """Return a row of a job that was done a second after it was asked for, or what `more` says."""
    plain = {"state": JobState.DONE, "template": "t", "guild_id": GUILD, "member_id": 7, "run_s": None}
    given = {"id": f"j{number}", "created_at": created_at, "changed_at": created_at + 1, **more}
    return {**BLANK, **plain, **given}


async def stored(database: Database, rows: list[dict[str, Any]]) -> StatsStore:
    await database.write(lambda connection: connection.execute(insert(jobs), rows).close())
    return StatsStore(database)


async def test_requests_count_where_they_were_asked_for(database: Database) -> None:
    """Each end counts in its span, what goes on is only asked, and neither others nor other times count."""
    ends = [
        (100.0, JobState.DONE),
        (109.9, JobState.FAILED),
        (110.0, JobState.CANCELLED),
        (119.0, JobState.REFUSED),
        (139.999, JobState.QUEUED),
        (135.0, JobState.HELD),
    ]
    rows = [row(number, at, state=state) for number, (at, state) in enumerate(ends)]
    rows += [row(10, 99.999), row(11, 140.0), row(12, 105.0, guild_id=OTHER), row(13, 105.0, guild_id=None)]
    found = await (await stored(database, rows)).guild(GUILD, 100.0, 140.0, 4)
    assert (found.since, found.until, found.span_s) == (100.0, 140.0, 10.0)
    assert found.bins == (
        StatsBin(begins_at=100.0, asked=2, done=1, failed=1),
        StatsBin(begins_at=110.0, asked=2, cancelled=1, refused=1),
        StatsBin(begins_at=120.0),
        StatsBin(begins_at=130.0, asked=2),
    )
    assert found.total == StatsBin(begins_at=100.0, asked=6, done=1, failed=1, cancelled=1, refused=1)


async def test_waits_are_what_the_run_does_not_explain(database: Database) -> None:
    """A done job waited for what lies between, less its run: never less than 0, unknown where no run was measured."""
    waits = [5.0, 1.0, 4.0, 2.0, 3.0, 10.0, 6.0, 7.0, 9.0, 8.0]
    rows = [row(number, 10.0, run_s=20.0, changed_at=30.0 + wait) for number, wait in enumerate(waits)]
    rows.append(row(20, 60.0, run_s=5.0, changed_at=64.0))
    rows.append(row(21, 60.0, run_s=None, changed_at=90.0))
    rows.append(row(22, 60.0, run_s=5.0, changed_at=90.0, state=JobState.HELD))
    rows.append(row(23, 60.0, changed_at=90.0, state=JobState.FAILED))
    found = await (await stored(database, rows)).guild(GUILD, 0.0, 100.0, 2)
    assert [(one.wait_mean_s, one.wait_p90_s) for one in found.bins] == [(5.5, 9.0), (0.0, 0.0)]
    assert (found.total.wait_mean_s, found.total.wait_p90_s) == (5.0, 9.0)


@pytest.mark.parametrize("many", [1, 2, 9, 10, 11, 20, 21])
async def test_nine_of_ten_waited_no_longer(database: Database, many: int) -> None:
    """The 90th percentile is a wait that somebody had: at least nine of ten had no longer one, with less fewer."""
    rows = [row(number, 0.0, run_s=1.0, changed_at=2.0 + number) for number in range(many)]
    found = await (await stored(database, rows)).guild(GUILD, 0.0, 1.0, 1)
    p90 = found.total.wait_p90_s
    assert p90 is not None
    waits = [1.0 + number for number in range(many)]
    assert sum(wait <= p90 for wait in waits) >= 0.9 * many > sum(wait < p90 for wait in waits)


async def test_machines_run_for_all(database: Database) -> None:
    """Seconds on machines count when the run was over, for this guild and for everybody, also before a moderator."""
    rows = [
        row(1, 0.0, run_s=3.0, changed_at=11.0),
        row(2, -50.0, run_s=4.0, changed_at=5.0),
        row(3, 12.0, run_s=5.0, changed_at=18.0, guild_id=OTHER, state=JobState.REFUSED),
        row(4, 1.0, run_s=6.0, changed_at=19.0, guild_id=None, state=JobState.HELD),
        row(5, 12.0, run_s=100.0, changed_at=20.0),
        row(6, 12.0, state=JobState.RUNNING, changed_at=13.0),
    ]
    found = await (await stored(database, rows)).guild(GUILD, 0.0, 20.0, 2)
    assert [(one.used_s, one.used_by_all_s) for one in found.bins] == [(4.0, 4.0), (3.0, 14.0)]
    assert (found.total.used_s, found.total.used_by_all_s) == (7.0, 18.0)


async def test_templates_and_members(database: Database) -> None:
    """The five most used templates come first to last, those that were erased not at all; members count once each."""
    used = {"a": 1, "b": 4, "c": 3, "d": 2, "e": 2, "f": 1, "": 9}
    names = [name for name, count in used.items() for _ in range(count)]
    rows = [row(number, 1.0, template=name, member_id=number % 3) for number, name in enumerate(names)]
    rows.append(row(100, 1.0, template="z", guild_id=OTHER, member_id=99))
    found = await (await stored(database, rows)).guild(GUILD, 0.0, 2.0, 1)
    assert found.templates == (("b", 4), ("c", 3), ("d", 2), ("e", 2), ("a", 1))
    assert found.members == 3


async def test_nothing_is_there(database: Database) -> None:
    """Without a request all counts are 0 and waits unknown; a window without length or spans is refused."""
    store = StatsStore(database)
    empty = (StatsBin(begins_at=0.0), StatsBin(begins_at=1.0))
    assert await store.guild(GUILD, 0.0, 2.0, 2) == Stats(since=0.0, until=2.0, total=empty[0], bins=empty)
    for since, now, bins in ((0.0, 0.0, 2), (0.0, 1.0, 0)):
        with pytest.raises(ValueError, match="window"):
            await store.guild(GUILD, since, now, bins)


async def test_a_busy_month_is_counted_soon(database: Database) -> None:
    """More than a hundred thousand requests are counted within seconds, and every span by itself."""
    slice_s, start = 20_000.0, 1_900_000_000.0
    waits = [number * 37 % 1000 / 10 for number in range(1000)]
    rows = [
        row(number, start + number, run_s=9.0, changed_at=start + number + 9.0 + wait, member_id=number % 500)
        for number, wait in enumerate(waits)
    ]
    store = await stored(database, rows)
    for doubling in range(7):  # the database makes them faster than we could send them
        moved = slice_s * 2**doubling
        anew = {
            "id": jobs.c.id + f"-{doubling}",
            **{name: jobs.c[name] + moved for name in ("created_at", "changed_at")},
        }
        copies = select(*(anew.get(column.name, column) for column in jobs.c))
        copy = insert(jobs).from_select([column.name for column in jobs.c], copies)
        await database.write(lambda connection, copy=copy: connection.execute(copy).close())
    began = time.monotonic()
    found = await store.guild(GUILD, start, start + 128 * slice_s, 128)
    assert time.monotonic() - began < 10
    assert (found.total.asked, found.members, len(found.bins)) == (128_000, 500, 128)
    for one in (*found.bins, found.total):
        assert one.wait_mean_s == pytest.approx(statistics.fmean(waits), abs=1e-4)
        assert one.wait_p90_s == pytest.approx(sorted(waits)[899], abs=1e-4)
        assert one.used_s == pytest.approx(9.0 * one.asked)
    assert {one.asked for one in found.bins} == {1000}
