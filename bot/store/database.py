"""The database: SQLite by default, PostgreSQL by its address; opening, migrating, reading, writing.

On SQLite one task writes, and what is asked of it meanwhile goes into one transaction with what waits already: a burst
costs one sync of the disk, not one each. On PostgreSQL every change has a transaction and a connection of its own.
"""

import asyncio
import importlib.resources
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import filelock
import sqlalchemy as sa
import stamina
from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from bot.errors import SettingsError

Found = TypeVar("Found")
Change: TypeAlias = Callable[[AsyncConnection], Awaitable[Found]]

POSTGRES_ADVICE = "DATABASE_URL: PostgreSQL needs the extra: uv sync --extra postgres"
AWAY_S = 60.0
"""Seconds that a change waits for a PostgreSQL that is being restarted."""
_MIGRATING = 4_241_001
"""The advisory lock of who migrates: many processes may start at once."""
KEEPALIVES: Mapping[str, Any] = {"keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3}
"""A database host that is lost is noticed after about eleven seconds."""


class Database:
    """One open database. `engine` is for who needs more than `read` and `write`."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine
        self.shared = engine.dialect.name == "postgresql"
        """Whether other processes may work on it at the same time."""
        self._waiting: list[tuple[Change[Any], asyncio.Future[Any]]] = []
        self._writer: asyncio.Task[None] | None = None

    async def read(self, question: Change[Found]) -> Found:
        """Ask in a connection of its own; begun is finished, also when the asker is cancelled."""

        async def asked() -> Found:
            async with self.engine.connect() as connection:
                return await question(connection)

        return await _finished(asyncio.create_task(self._patiently(asked), name="store-read"))

    async def write(self, change: Change[Found]) -> Found:
        """Commit a change; begun is finished, also when the asker is cancelled. It may be run again after a fault."""
        if self.shared:

            async def alone() -> Found:
                async with self.engine.begin() as connection:
                    return await change(connection)

            return await _finished(asyncio.create_task(self._patiently(alone), name="store-write"))
        outcome: asyncio.Future[Found] = asyncio.get_running_loop().create_future()
        self._waiting.append((change, outcome))
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write_waiting(), name="store-writer")
        return await _finished(outcome)

    async def close(self) -> None:
        """Finish what is being written, and let go."""
        if self._writer is not None:
            await asyncio.wait({self._writer})
        await self.engine.dispose()

    async def _patiently(self, work: Callable[[], Awaitable[Found]]) -> Found:
        """A PostgreSQL that drops its connections is coming back; SQLite has no such excuse."""
        if not self.shared:
            return await work()
        async for attempt in stamina.retry_context(
            on=_is_away, attempts=None, timeout=AWAY_S, wait_initial=0.05, wait_max=2
        ):
            with attempt:
                return await work()
        raise AssertionError  # stamina returns or raises

    async def _write_waiting(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            if not await self._wrote(batch) and len(batch) > 1:
                for one in batch:  # one of them is at fault, the others must not suffer
                    await self._wrote([one])

    async def _wrote(self, batch: list[tuple[Change[Any], asyncio.Future[Any]]]) -> bool:
        """Commit changes together; False if they could not be, which a single one is told."""
        try:
            async with self.engine.begin() as connection:
                found = [await change(connection) for change, _ in batch]
        except Exception as fault:  # noqa: BLE001 - whatever it is, it belongs to whoever asked
            if len(batch) == 1:
                batch[0][1].set_exception(fault)
            return False
        for (_, outcome), value in zip(batch, found, strict=True):
            outcome.set_result(value)
        return True


async def _finished(outcome: asyncio.Future[Found]) -> Found:
    """Wait for what was begun. A connection that is cancelled in mid-statement is dropped unclosed by the pool."""
    try:
        return await asyncio.shield(outcome)
    except asyncio.CancelledError:
        await asyncio.wait({outcome})
        if not outcome.cancelled():
            outcome.exception()  # nobody is left to hear it
        raise


def _is_away(fault: Exception) -> bool:
    return isinstance(fault, OSError) or (isinstance(fault, DBAPIError) and fault.connection_invalidated) or (
        isinstance(fault, DBAPIError) and "connection" in str(fault.orig).lower()
    )  # fmt: skip


@asynccontextmanager
async def open_database(url: str, *, alone: bool = False) -> AsyncGenerator[Database]:
    """Open the database, bring its tables up to date, and close it at the end.

    With `alone`, a second process that asks for the same SQLite file is refused until this one is gone.

    Raises:
        SettingsError: the address cannot be used, or another process is there.
    """
    engine = _engine(url)
    async with AsyncExitStack() as stack:
        database = Database(engine)
        stack.push_async_callback(database.close)
        if alone and not database.shared:
            stack.enter_context(_alone(_file(engine.url)))
        try:
            await migrate(engine)
        except ImportError as missing:
            raise SettingsError([POSTGRES_ADVICE]) from missing
        except (SQLAlchemyError, CommandError, OSError) as fault:
            raise SettingsError([f"DATABASE_URL: the database cannot be opened ({type(fault).__name__})"]) from fault
        yield database


async def migrate(engine: AsyncEngine) -> None:
    """Run the migrations that this database has not had."""
    scripts = importlib.resources.files("bot.store") / "migrations"
    config = Config()
    config.set_main_option("script_location", str(scripts))
    config.set_main_option("path_separator", "os")

    def upgrade(connection: sa.Connection) -> None:
        if connection.dialect.name == "postgresql":
            connection.execute(sa.text(f"SELECT pg_advisory_xact_lock({_MIGRATING})"))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")

    async with engine.begin() as connection:
        await connection.run_sync(upgrade)


def is_postgres(url: str) -> bool:
    """Tell whether an address is a PostgreSQL's."""
    return url.partition(":")[0].partition("+")[0] in ("postgresql", "postgres")


def libpq_url(url: str) -> str:
    """Return a PostgreSQL address as libpq reads it, without a driver's name."""
    return "postgresql:" + url.partition(":")[2]


def _engine(url: str) -> AsyncEngine:
    options: dict[str, Any] = {}
    try:
        if is_postgres(url):
            parsed = sa.make_url(libpq_url(url)).set(drivername="postgresql+psycopg")
            options = {"pool_pre_ping": True, "pool_size": 10, "max_overflow": 10, "connect_args": KEEPALIVES}
        else:
            parsed = sa.make_url(url)
        if parsed.drivername == "sqlite":
            parsed = parsed.set(drivername="sqlite+aiosqlite")
        if (path := _file(parsed)) is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
        engine = create_async_engine(parsed, hide_parameters=True, **options)
    except ImportError as missing:
        advice = POSTGRES_ADVICE if is_postgres(url) else "DATABASE_URL: its driver is not installed"
        raise SettingsError([advice]) from missing
    except (SQLAlchemyError, OSError, ValueError) as fault:
        raise SettingsError([f"DATABASE_URL: cannot be used ({type(fault).__name__})"]) from fault
    if engine.dialect.name == "sqlite":
        event.listen(engine.sync_engine, "connect", _pragmas)
    return engine


def _file(url: sa.URL) -> Path | None:
    """Return the file of a SQLite address, or None."""
    if url.get_backend_name() != "sqlite" or url.database in (None, "", ":memory:"):
        return None
    return Path(str(url.database))


@contextmanager
def _alone(path: Path | None) -> Generator[None]:
    """Hold a lock that the system takes back from a process that dies."""
    if path is None:
        yield
        return
    try:
        with filelock.FileLock(f"{path}.lock", timeout=0):
            yield
    except filelock.Timeout as taken:
        raise SettingsError(
            [f"DATABASE_URL: another Easel works on {path} already; stop that one, or use PostgreSQL for several"]
        ) from taken


def _pragmas(connection: Any, _record: object) -> None:
    """WAL and a full sync: what was committed survives a power cut."""
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=5000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
