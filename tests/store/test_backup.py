"""Backup and restore, as docs/scaling.md says."""

import asyncio
import shutil
import sqlite3
import subprocess
from pathlib import Path

import pytest

from bot.store.database import open_database
from bot.store.jobs import JobStore
from tests.conftest import fresh_postgres
from tests.store.test_store import job


async def test_sqlite_while_it_is_written(tmp_path: Path) -> None:
    """A backup taken by SQLite's own means while jobs are written holds every job committed before, and opens."""
    own, copy = tmp_path / "easel.sqlite3", tmp_path / "copy.sqlite3"
    async with open_database(f"sqlite:///{own}") as database:
        store = JobStore(database)
        await store.add(job("a"))
        writing = asyncio.gather(*(store.add(job(f"{number}")) for number in range(50)))

        def back_up() -> None:
            with sqlite3.connect(own) as source, sqlite3.connect(copy) as target:
                source.backup(target)
            source.close()
            target.close()

        await asyncio.to_thread(back_up)
        await writing
    async with open_database(f"sqlite:///{copy}") as database:
        assert await JobStore(database).get("a") is not None


async def test_postgres_by_its_own_tools(postgres_url: str, tmp_path: Path) -> None:
    """What pg_dump wrote of an open database is there after pg_restore into an empty one, and goes on working."""
    if shutil.which("pg_dump") is None:
        pytest.skip("NO pg_dump HERE: the restore of PostgreSQL goes untested")
    dump = tmp_path / "easel.dump"
    async with open_database(postgres_url) as database:
        await JobStore(database).add(job("a"))
        await asyncio.to_thread(subprocess.run, ["pg_dump", "-Fc", "-f", str(dump), postgres_url], check=True)
    with fresh_postgres() as empty:
        restore = ["pg_restore", "--no-owner", "-d", empty, str(dump)]
        await asyncio.to_thread(subprocess.run, restore, check=True)
        async with open_database(empty) as database:
            store = JobStore(database)
            assert await store.get("a") is not None
            assert await store.assign("a", 0, server="s", prompt_id="p")
