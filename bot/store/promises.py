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
HANDLER_S = 300.0
"""No handler takes longer: what is older is answered by nobody, in whichever process it was begun."""


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
        """Return what is owed by nobody who lives, and can still be answered; what cannot any more is forgotten.

        On a file of our own, every other process is dead; on a shared database, whoever has not answered in
        `HANDLER_S` is, and so is a handler of ours.

        Jobs answer for themselves: theirs are not among them.
        """
        stale = promises.c.at <= now - HANDLER_S
        left = stale if self._database.shared else sa.or_(stale, promises.c.keeper != self._keeper)
        job = sa.exists().where(jobs.c.token == promises.c.token)
        query = promises.select().where(left, promises.c.at > now - LIFE_S, ~job)

        def change(connection: sa.Connection) -> list[Owed]:
            found = [
                Owed(id=row.id, application_id=row.application_id, token=row.token, locale=row.locale, at=row.at)
                for row in connection.execute(query)
            ]
            connection.execute(promises.delete().where(promises.c.at <= now - LIFE_S))
            return found

        return await self._database.write(change)
