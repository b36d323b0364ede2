"""Answers that are owed: an interaction says "thinking…" until it is answered, also by a later process.

A row is written before the acknowledgement, and goes when its handler is done. What is left belongs to a process that
died in between.
"""

import secrets
from dataclasses import dataclass, field

import sqlalchemy as sa

from bot.store.database import Database
from bot.store.tables import jobs, promises

LIFE_S = 14 * 60.0
"""Seconds for which an interaction's token surely answers."""
HANDLER_S = 120.0
"""No handler takes longer; where several processes work, what is older is nobody's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Owed:
    """An interaction that was to be answered, in the language of whoever waits."""

    id: int
    application_id: int
    token: str = field(repr=False)
    locale: str
    at: float


class PromiseStore:
    """What this process owes, and what others have left."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._keeper = secrets.token_hex(8)

    async def give(self, owed: Owed) -> None:
        """Write down that an interaction is going to be answered."""
        row = {
            "id": owed.id,
            "application_id": owed.application_id,
            "token": owed.token,
            "locale": owed.locale,
            "keeper": self._keeper,
            "at": owed.at,
        }

        def change(connection: sa.Connection) -> None:
            connection.execute(promises.delete().where(promises.c.id == owed.id))
            connection.execute(promises.insert(), row)

        await self._database.write(change)

    async def kept(self, interaction_id: int) -> None:
        """Forget one that was answered."""
        done = promises.delete().where(promises.c.id == interaction_id)
        await self._database.write(lambda connection: connection.execute(done).rowcount)

    async def left(self, now: float) -> list[Owed]:
        """Return what dead processes owe and can still answer; what can not is forgotten.

        Jobs answer for themselves: theirs are not among them.
        """
        older = now - HANDLER_S if self._database.shared else now
        theirs = sa.and_(promises.c.keeper != self._keeper, promises.c.at <= older)
        job = sa.exists().where(jobs.c.token == promises.c.token)
        query = promises.select().where(theirs, promises.c.at > now - LIFE_S, ~job)

        def change(connection: sa.Connection) -> list[Owed]:
            found = [
                Owed(id=row.id, application_id=row.application_id, token=row.token, locale=row.locale, at=row.at)
                for row in connection.execute(query)
            ]
            connection.execute(promises.delete().where(theirs))
            return found

        return await self._database.write(change)
