"""Files that members brought, so that a request can be run again after a restart and on any server."""

import secrets
import time

from sqlalchemy.ext.asyncio import AsyncEngine

from bot.model.upload import Upload
from bot.store.database import whole
from bot.store.tables import uploads


class UploadStore:
    """Uploads by id."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    @whole
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
        async with self._engine.begin() as connection:
            await connection.execute(uploads.insert().values(row))
        return made

    @whole
    async def get(self, upload_id: str) -> Upload | None:
        """Return a file, or None if it is not kept any more."""
        async with self._engine.connect() as connection:
            row = (await connection.execute(uploads.select().where(uploads.c.id == upload_id))).one_or_none()
        if row is None:
            return None
        return Upload(id=row.id, ending=row.ending, data=row.data, transparent=row.transparent)
