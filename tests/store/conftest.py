"""Both databases, fresh for each test."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from bot.store.database import Database, open_database


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgres":
        return request.getfixturevalue("postgres_url")
    return f"sqlite+aiosqlite:///{tmp_path / 'deep' / 'easel.sqlite3'}"


@pytest.fixture
async def database(url: str) -> AsyncGenerator[Database]:
    async with open_database(url) as database:
        yield database
