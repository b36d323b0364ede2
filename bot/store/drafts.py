"""Requests that members have not sent yet: what a helper made of their words, or what they typed and was refused."""

import secrets
import time

import sqlalchemy as sa

from bot.model.request import Request
from bot.store.database import Database
from bot.store.tables import drafts


class DraftStore:
    """Drafts by id, each for its member alone."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, request: Request, settings: str | None = None) -> str:
        """Keep a draft for a day; return its id, 16 hex digits. `settings` are lines as they were typed."""
        draft_id = secrets.token_hex(8)
        row = {
            "id": draft_id,
            "member_id": request.member_id,
            "guild_id": request.guild_id or 0,
            "request": request.to_json(),
            "settings": settings,
            "created_at": time.time(),
        }
        await self._database.write(lambda connection: connection.execute(drafts.insert(), row).rowcount)
        return draft_id

    async def get(self, draft_id: str, member_id: int, guild_id: int) -> tuple[Request, str | None] | None:
        """Return a member's own draft of a guild with the lines that were typed, or None."""
        own = (drafts.c.id == draft_id, drafts.c.member_id == member_id, drafts.c.guild_id == guild_id)
        query = sa.select(drafts.c.request, drafts.c.settings).where(*own)

        def question(connection: sa.Connection) -> tuple[Request, str | None] | None:
            found = connection.execute(query).one_or_none()
            return (Request.from_json(found.request), found.settings) if found is not None else None

        return await self._database.read(question)
