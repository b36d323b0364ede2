"""Small facts about ourselves that outlive the process."""

import sqlalchemy as sa

from bot.store.database import Database
from bot.store.tables import notes


class NoteStore:
    """Texts by name."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def read(self, name: str) -> str | None:
        """Return a note, or None."""

        def question(connection: sa.Connection) -> str | None:
            row = connection.execute(notes.select().where(notes.c.name == name)).first()
            return row.value if row else None

        return await self._database.read(question)

    async def write(self, name: str, value: str) -> None:
        """Set a note."""

        def change(connection: sa.Connection) -> None:
            known = connection.execute(notes.update().where(notes.c.name == name).values(value=value))
            if known.rowcount == 0:
                connection.execute(notes.insert().values(name=name, value=value))

        await self._database.write(change)
