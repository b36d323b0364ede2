"""Files that members brought, so that a request can be run again after a restart and on any server."""

import base64
import secrets
import time
from typing import Any

import sqlalchemy as sa

from bot.model.upload import Upload
from bot.store.database import Database
from bot.store.tables import uploads


class UploadStore:
    """Uploads by id."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, member_id: int, ending: str, data: bytes, *, transparent: bool) -> Upload:
        """Keep a file under a random id."""
        made = Upload(id=secrets.token_hex(16), ending=ending, data=data, transparent=transparent)
        row = {
            "id": made.id,
            "member_id": member_id,
            "ending": ending,
            "transparent": transparent,
            "data": data,
            "created_at": time.time(),
        }

        def change(connection: sa.Connection) -> None:
            connection.execute(uploads.insert().values(row))

        await self._database.write(change)
        return made

    async def get(self, upload_id: str) -> Upload | None:
        """Return a file, or None if it is not kept any more."""

        def question(connection: sa.Connection) -> Upload | None:
            row = connection.execute(uploads.select().where(uploads.c.id == upload_id)).one_or_none()
            if row is None:
                return None
            return Upload(id=row.id, ending=row.ending, data=row.data, transparent=row.transparent)

        return await self._database.read(question)

    async def purge(self, before: float) -> int:
        """Forget the files that came before a time; return how many."""

        def change(connection: sa.Connection) -> int:
            return connection.execute(uploads.delete().where(uploads.c.created_at < before)).rowcount

        return await self._database.write(change)

    async def export_member(self, member_id: int) -> list[dict[str, Any]]:
        """Return a member's files: what they are, and the bytes in base64."""
        query = uploads.select().where(uploads.c.member_id == member_id).order_by(uploads.c.created_at)

        def question(connection: sa.Connection) -> list[dict[str, Any]]:
            return [
                {
                    "id": row.id,
                    "ending": row.ending,
                    "created_at": row.created_at,
                    "bytes": base64.b64encode(row.data).decode(),
                }
                for row in connection.execute(query)
            ]

        return await self._database.read(question)

    async def erase_member(self, member_id: int) -> int:
        """Forget a member's files; return how many."""
        own = uploads.delete().where(uploads.c.member_id == member_id)
        return await self._database.write(lambda connection: connection.execute(own).rowcount)
