"""Pictures that are none of ours, in somebody's message: how they say they were made, and going on with them."""

import asyncio
from collections.abc import Sequence

from bot.delivery.intake import check_size
from bot.errors import RequestError
from bot.jobs.desk import Desk
from bot.jobs.follow import file_option
from bot.jobs.inputs import Intake
from bot.jobs.library import Library
from bot.jobs.pictures import Attached
from bot.jobs.remix import Remix
from bot.model.request import PROMPT_LIMIT, Asker, Request, Standing, random_seed
from bot.model.verdict import Allow
from bot.moderation.policy import Gate
from bot.replies.cards import kind_of_name
from bot.replies.press import VARY
from bot.workflow.found import Found, read_metadata
from bot.workflow.options import Kind
from bot.workflow.template import Template


class Foreign:
    """Reads pictures of others."""

    def __init__(self, desk: Desk, library: Library, gate: Gate, intake: Intake, remix: Remix) -> None:
        self._desk, self._library, self._gate = desk, library, gate
        self._intake, self._remix = intake, remix

    async def read(self, files: Sequence[Attached]) -> tuple[bytes, Found | None]:
        """Return the first picture of a message, and what it says of how it was made.

        Raises:
            RequestError: there is none, it is too large, or it cannot be fetched.
        """
        file = next((one for one in files if kind_of_name(one.filename) == "image"), None)
        if file is None:
            raise RequestError("refused.no_picture_there")
        check_size(file.size)
        data = await file.read()
        return data, await asyncio.to_thread(read_metadata, data)

    async def draft(self, files: Sequence[Attached], asker: Asker, standing: Standing) -> str:
        """Keep a draft that goes on with the first picture of a message; return its id.

        Raises:
            RequestError: as `read`; or the asker may not ask for anything here.
        """
        template = self._template(asker.guild_id)
        await self._desk.welcome(template, asker.member_id, asker.guild_id, standing)
        data, found = await self.read(files)
        kept: dict[str, str] = {}
        if template.takes is Kind.IMAGE:

            async def read() -> bytes:
                return data

            upload = await self._intake.take(asker.member_id, Kind.IMAGE, len(data), read)
            kept = {file_option(template).name: upload.id}
        prompt, negative = await self._words(found, asker.guild_id or 0)
        request = Request(
            prompt=prompt,
            template=template.name,
            seed=random_seed() if found is None or found.seed is None else found.seed,
            member_id=asker.member_id,
            guild_id=asker.guild_id,
            channel_id=asker.channel_id,
            negative=negative if template.roles.negative else None,
            size=found.size if found is not None and template.option("size") else None,
            files=kept,
            locale=asker.locale,
            guild_locale=asker.guild_locale,
        )
        return await self._remix.draft(request)

    def _template(self, guild_id: int | None) -> Template:
        """Return the template that varies pictures here, else the usual one."""
        here = {one.name for one in self._desk.usable(guild_id)}
        varying = [one for one in self._library.serving(VARY) if one.name in here and one.takes is Kind.IMAGE]
        return varying[0] if varying else self._desk.template(None, guild_id)

    async def _words(self, found: Found | None, guild_id: int) -> tuple[str, str | None]:
        """Return prompt and negative prompt, unless this guild does not want to read them."""
        if found is None:
            return "", None
        said = "\n".join(part for part in (found.prompt, found.negative) if part)
        if not isinstance(await self._gate.text(said, guild_id), Allow):
            return "", None
        return found.prompt[:PROMPT_LIMIT], (found.negative or "")[:PROMPT_LIMIT] or None
