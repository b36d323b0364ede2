"""Tells members and guilds' log channels of what was done; whoever acts does not wait for it."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import structlog

from bot.model.case import Sanction
from bot.model.guild import EVERYWHERE
from bot.replies.case_words import log_line, sanction_words
from bot.replies.courier import Courier
from bot.replies.safe import shown
from bot.store.guilds import GuildStore

log = structlog.get_logger()


class Notices:
    """Sends notices, each in a task of its own; what is on its way at the end is dropped."""

    def __init__(self, courier: Courier, guilds: GuildStore) -> None:
        self._courier, self._guilds = courier, guilds
        self._tasks: set[asyncio.Task[None]] = set()

    async def of_sanction(self, sanction: Sanction, strikes: int) -> None:
        """Tell a member of a measure against them, and the log channel."""
        locale = self._guilds.locale(sanction.guild_id)
        guild = shown(self._courier.guild_name(sanction.guild_id), 80)
        words = sanction_words(sanction, strikes, guild, locale)
        self._send(self._direct(sanction.member_id, words), f"notice-{sanction.id}")
        await self.log(sanction.guild_id, log_line(sanction, locale))

    async def log(self, guild_id: int, words: str) -> None:
        """Write a line into a guild's log channel, if it has one."""
        channel_id = 0 if guild_id == EVERYWHERE else (await self._guilds.settings(guild_id)).log_channel
        if channel_id:
            self._send(self._say(channel_id, words), f"log-{guild_id}")

    async def _direct(self, member_id: int, words: str) -> None:
        await self._courier.notify(member_id, words)

    async def _say(self, channel_id: int, words: str) -> None:
        await self._courier.say(channel_id, words)

    def _send(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (fault := task.exception()) is not None:
            log.error("notice.failed", task=task.get_name(), exc_info=fault)

    async def close(self) -> None:
        """End what is on its way."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
