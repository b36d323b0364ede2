"""The database: SQLite by default, PostgreSQL by its address; opening, migrating, reading, writing.

Statements are written once, as functions of a connection. On SQLite one thread writes, and what is asked of it
meanwhile goes into one transaction: a burst costs one sync of the disk, and threads change once, not at each statement.
"""

import asyncio
import importlib.resources
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Generator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Protocol, TypeAlias, TypeVar

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
Work: TypeAlias = Callable[[sa.Connection], Found]
"""A piece of a transaction. On PostgreSQL it runs in SQLAlchemy's greenlet, on SQLite in a thread."""
Along: TypeAlias = Callable[[AsyncConnection], Awaitable[None]]
"""What goes into a PostgreSQL transaction besides, in its own terms."""

POSTGRES_ADVICE = "DATABASE_URL: PostgreSQL needs the extra: uv sync --extra postgres"
AWAY_S = 60.0
"""Seconds that a change waits for a PostgreSQL that is being restarted."""
READERS = 2
_MIGRATING = 4_241_001
"""The advisory lock of who migrates: many processes may start at once."""
KEEPALIVES: Mapping[str, Any] = {
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 11_000,
}
"""A database host that is lost is noticed after about eleven seconds."""


class Database(Protocol):
    """One open database."""

    shared: bool
    """Whether other processes may work on it at the same time."""

    async def read(self, question: Work[Found]) -> Found:
        """Ask; begun is finished, also when the asker is cancelled."""
        ...

    async def write(self, change: Work[Found], along: Along | None = None) -> Found:
        """Commit a change; begun is finished, also when the asker is cancelled. It may be run again after a fault.

        `along` is done in the same transaction, if the change returned something true.
        """
        ...


class SqliteDatabase:
    """A file, or memory. One thread writes; what is asked of it meanwhile is committed together."""

    shared = False

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine
        self._writer = ThreadPoolExecutor(1, "store-writer")
        self._readers = ThreadPoolExecutor(READERS, "store-reader") if _file(engine.url) else self._writer
        self._waiting: list[tuple[Work[Any], asyncio.Future[Any]]] = []
        self._writing: asyncio.Task[None] | None = None

    async def read(self, question: Work[Found]) -> Found:
        """See `Database`."""

        def asked() -> Found:
            with self.engine.connect() as connection:
                return question(connection)

        return await _finished(asyncio.get_running_loop().run_in_executor(self._readers, asked))

    async def write(self, change: Work[Found], along: Along | None = None) -> Found:
        """See `Database`; there is nothing to go along here."""
        del along
        outcome: asyncio.Future[Found] = asyncio.get_running_loop().create_future()
        self._waiting.append((change, outcome))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write_waiting(), name="store-writer")
        return await _finished(outcome)

    async def close(self) -> None:
        """Finish what is being written, and let go."""
        if self._writing is not None:
            await asyncio.wait({self._writing})
        await asyncio.to_thread(self._writer.shutdown)
        await asyncio.to_thread(self._readers.shutdown)
        self.engine.dispose()

    async def _write_waiting(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            batch, self._waiting = self._waiting, []
            outcomes = await loop.run_in_executor(self._writer, self._wrote, [change for change, _ in batch])
            for (_, outcome), (value, fault) in zip(batch, outcomes, strict=True):
                if fault is not None:
                    outcome.set_exception(fault)
                else:
                    outcome.set_result(value)

    def _wrote(self, batch: list[Work[Any]]) -> list[tuple[Any, Exception | None]]:
        """Commit changes together; if that fails, one by one: one of them is at fault, the others must not suffer."""
        try:
            with self.engine.begin() as connection:
                return [(change(connection), None) for change in batch]
        except Exception as fault:  # noqa: BLE001 - whatever it is, it belongs to whoever asked
            if len(batch) == 1:
                return [(None, fault)]
            return [outcome for change in batch for outcome in self._wrote([change])]


class PostgresDatabase:
    """A PostgreSQL. Every change has a transaction and a connection of its own; a restart is waited for."""

    shared = True

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine

    async def read(self, question: Work[Found]) -> Found:
        """See `Database`."""

        async def asked() -> Found:
            async with self.engine.connect() as connection:
                return await connection.run_sync(question)

        return await self._patiently(asked, "store-read")

    async def write(self, change: Work[Found], along: Along | None = None) -> Found:
        """See `Database`."""

        async def committed() -> Found:
            async with self.engine.begin() as connection:
                found = await connection.run_sync(change)
                if found and along is not None:
                    await along(connection)
                return found

        return await self._patiently(committed, "store-write")

    async def close(self) -> None:
        """Let go."""
        await self.engine.dispose()

    async def _patiently(self, work: Callable[[], Coroutine[Any, Any, Found]], name: str) -> Found:
        """A PostgreSQL that drops its connections is coming back. A try is finished; who is cancelled tries no more."""
        try:
            return await _finished(asyncio.create_task(work(), name=name))
        except (OSError, DBAPIError) as fault:
            if not _is_away(fault):
                raise
        async for attempt in stamina.retry_context(
            on=_is_away, attempts=None, timeout=AWAY_S, wait_initial=0.05, wait_max=2
        ):
            with attempt:
                return await _finished(asyncio.create_task(work(), name=name))
        raise AssertionError  # stamina returns or raises


async def _finished(outcome: asyncio.Future[Found]) -> Found:
    """Wait for what was begun. A connection that is cancelled in mid-statement is dropped unclosed by the pool."""
    try:
        return await asyncio.shield(outcome)
    except asyncio.CancelledError:
        await asyncio.wait({outcome})
        if not outcome.cancelled():
            outcome.exception()  # nobody is left to hear it
        raise


_FINAL = ("authentication failed", "does not exist", "no pg_hba.conf entry", "invalid", "not permitted")
"""What PostgreSQL says of connections that it will not take later either."""


def _is_away(fault: Exception) -> bool:
    """Tell whether a fault is one of a database that is coming back."""
    if not isinstance(fault, DBAPIError):
        return isinstance(fault, OSError)
    words = str(fault.orig).lower()
    return not any(final in words for final in _FINAL) and (fault.connection_invalidated or "connection" in words)


@asynccontextmanager
async def open_database(url: str, *, alone: bool = False) -> AsyncGenerator[SqliteDatabase | PostgresDatabase]:
    """Open the database, bring its tables up to date, and close it at the end.

    With `alone`, a second process that asks for the same SQLite file is refused until this one is gone.

    Raises:
        SettingsError: the address cannot be used, or another process is there.
    """
    database = _database(url)
    async with AsyncExitStack() as stack:
        if alone and isinstance(database, SqliteDatabase):
            stack.enter_context(_alone(_file(database.engine.url)))  # let go of after the database is closed
        stack.push_async_callback(database.close)
        try:
            await database.write(_migrate)
        except ImportError as missing:
            raise SettingsError([POSTGRES_ADVICE]) from missing
        except (SQLAlchemyError, CommandError, OSError) as fault:
            raise SettingsError([f"DATABASE_URL: the database cannot be opened ({type(fault).__name__})"]) from fault
        yield database


def _migrate(connection: sa.Connection) -> None:
    """Run the migrations that this database has not had."""
    scripts = importlib.resources.files("bot.store") / "migrations"
    config = Config()
    config.set_main_option("script_location", str(scripts))
    config.set_main_option("path_separator", "os")
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text(f"SELECT pg_advisory_xact_lock({_MIGRATING})"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def is_postgres(url: str) -> bool:
    """Tell whether an address is a PostgreSQL's."""
    return url.partition(":")[0].partition("+")[0] in ("postgresql", "postgres")


def libpq_url(url: str) -> str:
    """Return a PostgreSQL address as libpq reads it, without a driver's name."""
    return "postgresql:" + url.partition(":")[2]


def _database(url: str) -> SqliteDatabase | PostgresDatabase:
    try:
        if is_postgres(url):
            parsed = sa.make_url(libpq_url(url)).set(drivername="postgresql+psycopg")
            return PostgresDatabase(
                create_async_engine(
                    parsed,
                    hide_parameters=True,
                    pool_size=5,
                    max_overflow=5,
                    connect_args=dict(KEEPALIVES),
                )
            )
        parsed = sa.make_url(url)
        if parsed.get_backend_name() != "sqlite":
            raise SettingsError(["DATABASE_URL: must be the address of a SQLite file or of a PostgreSQL"])
        parsed = parsed.set(drivername="sqlite")
        if str(parsed.database).startswith("file:"):
            raise SettingsError(["DATABASE_URL: name the file itself, as in sqlite:///data/easel.sqlite3"])
        path = _file(parsed)
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
        pool = {} if path else {"poolclass": sa.StaticPool, "connect_args": {"check_same_thread": False}}
        engine = sa.create_engine(parsed, hide_parameters=True, **pool)
    except ImportError as missing:
        raise SettingsError([POSTGRES_ADVICE]) from missing
    except (SQLAlchemyError, OSError, ValueError) as fault:
        raise SettingsError([f"DATABASE_URL: cannot be used ({type(fault).__name__})"]) from fault
    event.listen(engine, "connect", _pragmas)
    return SqliteDatabase(engine)


def _file(url: sa.URL) -> Path | None:
    """Return the file of a SQLite address, or None."""
    if url.get_backend_name() != "sqlite" or url.database in (None, "", ":memory:"):
        return None
    return Path(str(url.database)).resolve()


@contextmanager
def _alone(path: Path | None) -> Generator[None]:
    """Hold a lock that the system takes back from a process that dies."""
    if path is None:
        yield
        return
    lock = filelock.FileLock(f"{path}.lock", timeout=0)
    try:
        lock.acquire()
    except filelock.Timeout as taken:
        raise SettingsError(
            [f"DATABASE_URL: another Easel works on {path} already; stop that one, or use PostgreSQL for several"]
        ) from taken
    except OSError as fault:
        raise SettingsError([f"DATABASE_URL: {path}.lock cannot be written ({fault.strerror})"]) from fault
    try:
        yield
    finally:
        lock.release()


def _pragmas(connection: Any, _record: object) -> None:
    """WAL and a full sync: what was committed survives a power cut."""
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=5000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
