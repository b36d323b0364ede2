"""Opening the database: pragmas, migrations, one engine."""

import asyncio
import functools
import importlib.resources
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import event
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from bot.errors import SettingsError

Given = ParamSpec("Given")
Found = TypeVar("Found")


@asynccontextmanager
async def open_database(url: str) -> AsyncGenerator[AsyncEngine]:
    """Open the database, bring its tables up to date, and close it at the end.

    Raises:
        SettingsError: the address cannot be used.
    """
    engine = _engine(url)
    try:
        try:
            await migrate(engine)
        except (SQLAlchemyError, CommandError, OSError) as fault:
            raise SettingsError([f"DATABASE_URL: the database cannot be opened ({type(fault).__name__})"]) from fault
        yield engine
    finally:
        await engine.dispose()


async def migrate(engine: AsyncEngine) -> None:
    """Run the migrations that this database has not had."""
    scripts = importlib.resources.files("bot.store") / "migrations"
    config = Config()
    config.set_main_option("script_location", str(scripts))
    config.set_main_option("path_separator", "os")

    def upgrade(connection: sa.Connection) -> None:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")

    async with engine.begin() as connection:
        await connection.run_sync(upgrade)


def whole(transaction: Callable[Given, Coroutine[Any, Any, Found]]) -> Callable[Given, Coroutine[Any, Any, Found]]:
    """Decorate a transaction: once begun it is finished, also when the task that wants it is cancelled meanwhile.

    A connection that is cancelled in mid-statement is dropped unclosed by the pool, thread and all.
    """

    @functools.wraps(transaction)
    async def finished(*args: Given.args, **kwargs: Given.kwargs) -> Found:
        task = asyncio.create_task(transaction(*args, **kwargs), name="store-transaction")
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            await asyncio.wait({task})
            raise

    return finished


def _engine(url: str) -> AsyncEngine:
    try:
        parsed = sa.make_url(url)
        if parsed.drivername == "sqlite":
            parsed = parsed.set(drivername="sqlite+aiosqlite")
        if parsed.get_backend_name() == "sqlite" and parsed.database not in (None, "", ":memory:"):
            Path(str(parsed.database)).parent.mkdir(parents=True, exist_ok=True)
        engine = create_async_engine(parsed, hide_parameters=True)
    except (SQLAlchemyError, ImportError, OSError) as fault:
        raise SettingsError([f"DATABASE_URL: cannot be used ({type(fault).__name__})"]) from fault
    if engine.dialect.name == "sqlite":
        event.listen(engine.sync_engine, "connect", _pragmas)
    return engine


def _pragmas(connection: Any, _record: object) -> None:
    """WAL and a full sync: what was committed survives a power cut."""
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=5000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
