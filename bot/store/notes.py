"""Small facts about ourselves that outlive the process."""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from bot.store.database import Database
from bot.store.tables import notes


class NoteStore:
    """Texts by name."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def read(self, name: str) -> str | None:
        """Return a note, or None."""
        return await self._database.read(lambda one: one.scalar(sa.select(notes.c.value).where(notes.c.name == name)))

    async def write(self, name: str, value: str) -> None:
        """Set a note; two that do so at once do not disturb each other."""
        insert = (postgresql if self._database.shared else sqlite).insert(notes).values(name=name, value=value)
        upsert = insert.on_conflict_do_update(index_elements=[notes.c.name], set_={"value": value})
        await self._database.write(lambda connection: connection.execute(upsert).rowcount)
