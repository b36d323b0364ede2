"""Small facts about ourselves that outlive the process."""

from sqlalchemy.ext.asyncio import AsyncEngine

from bot.store.database import whole
from bot.store.tables import notes


class NoteStore:
    """Texts by name."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    @whole
    async def read(self, name: str) -> str | None:
        """Return a note, or None."""
        async with self._engine.connect() as connection:
            row = (await connection.execute(notes.select().where(notes.c.name == name))).first()
        return row.value if row else None

    @whole
    async def write(self, name: str, value: str) -> None:
        """Set a note."""
        async with self._engine.begin() as connection:
            await connection.execute(notes.delete().where(notes.c.name == name))
            await connection.execute(notes.insert().values(name=name, value=value))
