"""Small facts about ourselves that outlive the process."""

from sqlalchemy.ext.asyncio import AsyncConnection

from bot.store.database import Database
from bot.store.tables import notes


class NoteStore:
    """Texts by name."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def read(self, name: str) -> str | None:
        """Return a note, or None."""

        async def question(connection: AsyncConnection) -> str | None:
            row = (await connection.execute(notes.select().where(notes.c.name == name))).first()
            return row.value if row else None

        return await self._database.read(question)

    async def write(self, name: str, value: str) -> None:
        """Set a note."""

        async def change(connection: AsyncConnection) -> None:
            known = await connection.execute(notes.update().where(notes.c.name == name).values(value=value))
            if known.rowcount == 0:
                await connection.execute(notes.insert().values(name=name, value=value))

        await self._database.write(change)
