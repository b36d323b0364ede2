"""Fixtures that several rooms share."""

import asyncio
import json
import os
import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import coverage
import hypothesis
import pytest
import stamina

from bot.sandbox.comfyui.worker import Pace
from bot.sandbox.run import Sandbox, running
from tests.person import Person

PROJECT = Path(__file__).parents[1]
SHARED = PROJECT.parent / "shared"
FAST = Pace(step_s=0.002, load=0.0)

LONGEST = ("faults/", "test_cli", "benchmarks/", "sandbox/test_page", "sandbox/test_contracts", "e2e/", "cogs/")
"""Where tests take seconds: they begin first, or a single worker would be left with them at the end."""

hypothesis.settings.register_profile("easel", deadline=None)  # a slow machine is no fault
hypothesis.settings.load_profile("easel")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Hand out the longest tests first; within a file the order stays."""
    ranks = {room: rank for rank, room in enumerate(LONGEST)}
    items.sort(key=lambda item: next((ranks[room] for room in LONGEST if room in item.nodeid), len(LONGEST)))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None]:
    """Let `no_cover`, which pytest-cov keeps for the test itself, hold for its fixtures, too."""
    tracer = coverage.Coverage.current() if item.get_closest_marker("no_cover") else None
    if tracer is None:
        return (yield)
    tracer.stop()
    try:
        return (yield)
    finally:
        tracer.start()


@pytest.fixture(autouse=True)
def _no_waits_between_tries() -> None:
    stamina.set_testing(True, attempts=8, cap=True)


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Settings come from the test alone: no variable of the developer's, no .env of the checkout."""
    for name in list(os.environ):
        if name.startswith(
            (
                "DISCORD_",
                "COMFYUI_",
                "DATABASE_",
                "DATA_",
                "TEMPLATES_",
                "DEFAULT_",
                "OWNER_",
                "HTTP_P",
                "LOG_",
                "MEMBER_",
                "GUILD_",
                "ROLE_",
                "RETENTION_",
                "PICTURE_",
                "PROMPT_",
            )
        ):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def shared(*parts: str) -> Path:
    """Return a path below shared/, or skip where the recordings are not at hand."""
    path = SHARED.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"shared/{'/'.join(parts)} is not beside this checkout")
    return path


def records(path: Path) -> list[dict[str, Any]]:
    """Read a recording."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


POSTGRES = "postgresql://postgres@127.0.0.1:5432/postgres"
"""Where a PostgreSQL listens, unless `TEST_DATABASE_URL` says otherwise."""


def _admin_url() -> str:
    return os.environ.get("TEST_DATABASE_URL", POSTGRES)


@contextmanager
def fresh_postgres() -> Generator[str]:
    """Make a database on a real PostgreSQL, and drop it at the end; raises psycopg.OperationalError without one."""
    import psycopg  # noqa: PLC0415 - the extra may be missing
    from psycopg.sql import SQL, Identifier  # noqa: PLC0415

    name = f"easel_test_{secrets.token_hex(6)}"
    with psycopg.connect(_admin_url(), autocommit=True, connect_timeout=5) as connection:
        connection.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))
    try:
        yield urlsplit(_admin_url())._replace(path=f"/{name}").geturl()
    finally:
        with psycopg.connect(_admin_url(), autocommit=True) as connection:
            connection.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(name)))


@pytest.fixture
def postgres_url() -> Generator[str]:
    """A fresh database on a real PostgreSQL; where there is none, the test is skipped aloud."""
    psycopg = pytest.importorskip("psycopg", reason="the extra postgres is not installed")
    with ExitStack() as stack:
        try:
            url = stack.enter_context(fresh_postgres())
        except psycopg.OperationalError as fault:
            pytest.skip(f"NO POSTGRESQL at TEST_DATABASE_URL or 127.0.0.1:5432: HALF THE STORE GOES UNTESTED ({fault})")
        yield url


@pytest.fixture
async def sandbox() -> AsyncGenerator[Sandbox]:
    """Both stand-ins and the real bot, over real sockets, with models that load at once."""
    async with running(pace=FAST) as world:
        assert await world.app.fleet_ready()
        yield world
        assert world.discord.world.unknown_routes == []


@pytest.fixture
async def slow_sandbox() -> AsyncGenerator[Sandbox]:
    """As `sandbox`, but a picture takes some seconds, so that things can happen meanwhile."""
    async with running(pace=Pace(step_s=0.2)) as world:
        assert await world.app.fleet_ready()
        yield world


@pytest.fixture
def max_(sandbox: Sandbox) -> Person:
    """An ordinary member in the picture channel."""
    return Person(sandbox, "max")


async def eventually(fact: Callable[[], Awaitable[bool] | bool], what: str, within_s: float = 20.0) -> None:
    """Wait until something is true: for facts that nobody announces."""
    async with asyncio.timeout(within_s):
        while True:
            found = fact()
            if found if isinstance(found, bool) else await found:
                return
            await asyncio.sleep(0.01)
    raise AssertionError(what)
