"""discord.py's client and command tree; what goes wrong in any command or button is answered here, once."""

import asyncio
import hashlib
import importlib
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias, cast

import aiohttp
import discord
import stamina
import structlog
from discord import app_commands
from discord.ext import commands
from discord.http import Route

from bot.errors import EaselError, RequestError, new_reference
from bot.model.job import ReplyAddress
from bot.model.request import Standing
from bot.replies.buttons import JobButton
from bot.replies.cards import Action
from bot.replies.catalogue import CatalogueTranslator
from bot.replies.failures import words_for_bug, words_for_error
from bot.services import Services

log = structlog.get_logger()

# Easel has no use for voice; without this, discord.py warns at every start that its voice libraries are missing.
discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False

Interaction: TypeAlias = "discord.Interaction[EaselBot]"
Press: TypeAlias = Callable[[discord.Interaction[Any], str], Awaitable[None]]

_TOKEN_LIFE_S = 15 * 60.0
HANDLERS_S = 2.0
"""Seconds that a stop waits for commands and clicks that are being answered."""
_NETWORK = (aiohttp.ClientError, OSError, TimeoutError)
_UNKNOWN_INTERACTION, _ALREADY_ACKNOWLEDGED = 10062, 40060


class EaselTree(app_commands.CommandTree["EaselBot"]):
    """Answers every fault of a command."""

    async def interaction_check(self, interaction: discord.Interaction[Any], /) -> bool:
        """Let everything through; but its task is ours from now on."""
        del interaction
        self.client.own_task()
        return True

    async def on_error(self, interaction: discord.Interaction[Any], error: app_commands.AppCommandError, /) -> None:
        """Tell the member what is expected in plain words, and of a bug its number."""
        if isinstance(error, app_commands.CheckFailure):
            return  # whoever checked has answered
        if isinstance(error, app_commands.CommandNotFound | app_commands.CommandSignatureMismatch):
            await answer_fault(interaction, RequestError("refused.command_changed"))
            return
        cause = error.original if isinstance(error, app_commands.CommandInvokeError) else error
        await answer_fault(interaction, cause)


class EaselBot(commands.Bot):
    """The client. It may be built without a network and without settings."""

    services: Services

    def __init__(self, *, proxy: str | None = None, ready_timeout_s: float = 2.0, **shards: Any) -> None:
        super().__init__(
            **shards,
            command_prefix=(),
            intents=discord.Intents(guilds=True),
            allowed_mentions=discord.AllowedMentions.none(),
            tree_cls=EaselTree,
            help_command=None,
            max_messages=None,
            member_cache_flags=discord.MemberCacheFlags.none(),
            chunk_guilds_at_startup=False,
            guild_ready_timeout=ready_timeout_s,
            proxy=proxy,
        )
        self._presses: dict[Action, Press] = {}
        self._publish: Callable[[], None] = lambda: None
        self.published: tuple[str, ...] = ()
        """Names of the commands that templates have now."""
        self._answering: set[asyncio.Task[Any]] = set()

    async def setup_hook(self) -> None:
        """Load the cogs and the buttons; nothing here needs the network."""
        if self.extensions:
            return  # a second login after a fault of the network
        await self.tree.set_translator(CatalogueTranslator())
        for name in cast("tuple[str, ...]", importlib.import_module("cogs").EXTENSIONS):
            await self.load_extension(name)
        self.add_dynamic_items(JobButton)

    def on_publish(self, publish: Callable[[], None]) -> None:
        """Say how templates become commands; a cog's duty."""
        self._publish = publish

    def publish(self) -> None:
        """Put the commands of the templates that can be used now in place of those before."""
        self._publish()

    def is_owner_of_easel(self, member: discord.abc.User) -> bool:
        """Tell whether somebody may use the owner's commands: by `OWNER_IDS` (people or roles), or as its maker."""
        known = self.services.owner_ids
        roles = {role.id for role in member.roles} if isinstance(member, discord.Member) else set[int]()
        return member.id in known or bool(roles & known) or member.id in self._makers()

    def _makers(self) -> set[int]:
        application = self.application
        if application is None:
            return set()
        team = [member.id for member in application.team.members] if application.team else []
        return {application.owner.id, *team}

    async def tell_owners(self, words: str) -> None:
        """Send the owners a direct message; who cannot be reached finds the same in the log."""
        people = self.services.owner_ids or self._makers()
        for owner_id in people:
            try:
                channel = await self.create_dm(discord.Object(owner_id))
                await channel.send(words[:2000])
            except (discord.HTTPException, *_NETWORK) as fault:
                log.info("owner.not_told", owner=owner_id, fault=type(fault).__name__)

    def on_press(self, action: Action, press: Press) -> None:
        """Say what a button does; a cog's duty."""
        self._presses[action] = press

    async def press(self, interaction: discord.Interaction[Any], action: Action, job_id: str) -> None:
        """Do what a button says, and answer its faults."""
        self.own_task()
        try:
            await self._presses[action](interaction, job_id)
        except Exception as fault:  # noqa: BLE001 - this is the edge: whatever it is, the member gets an answer
            await answer_fault(interaction, fault)

    def own_task(self) -> None:
        """Take charge of the task that discord.py made for a command or a click: a stop waits for it."""
        if (task := asyncio.current_task()) is not None:
            self._answering.add(task)
            task.add_done_callback(self._answering.discard)

    async def close(self) -> None:
        """Give what is being answered a moment, end what is left, then close the connection."""
        if self._answering:
            _, late = await asyncio.wait(self._answering, timeout=HANDLERS_S)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)
        await super().close()

    async def payload_hash(self) -> str:
        """Return a hash of the commands as Discord would get them."""
        translator = self.tree.translator
        payload = [
            await command.get_translated_payload(self.tree, translator) if translator else command.to_dict(self.tree)
            for command in sorted(self.tree.get_commands(), key=lambda command: command.name)
        ]
        text = json.dumps([Route.BASE, self.application_id, payload], sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()


class ShardedBot(EaselBot, commands.AutoShardedBot):
    """The client of some of the guilds: `shard_ids` out of `shard_count`, or all shards in one process."""


async def acknowledge(
    interaction: discord.Interaction[Any], *, ephemeral: bool = False, thinking: bool = True
) -> int | None:
    """Acknowledge, before anything else; return the id of the message that answers, if Discord tells it.

    Raises:
        discord.HTTPException: Discord no longer knows the interaction.
    """
    began = time.monotonic()
    message_id: int | None = None
    try:
        async for attempt in stamina.retry_context(on=_NETWORK, attempts=3, timeout=2.0, wait_initial=0.05):
            with attempt:
                response = await interaction.response.defer(ephemeral=ephemeral, thinking=thinking)
                message_id = response.message_id if response else None
    except discord.HTTPException as refused:
        # The library repeats a callback that was answered with a 5xx; if that one had worked, the second is "already
        # acknowledged", and the reply is there.
        if refused.code != _ALREADY_ACKNOWLEDGED:
            raise
        log.warning("interaction.acknowledged_before")
    log.info("interaction.acknowledged", ms=round((time.monotonic() - began) * 1000, 1))
    return message_id


async def acknowledge_reply(interaction: discord.Interaction[Any]) -> ReplyAddress:
    """Acknowledge with a new public reply, and return where that reply lives; raises as `acknowledge`."""
    message_id = await acknowledge(interaction) or (await interaction.original_response()).id
    return ReplyAddress(
        application_id=interaction.application_id,
        channel_id=interaction.channel_id or 0,
        message_id=message_id,
        token=interaction.token,
        expires_at=interaction.created_at.timestamp() + _TOKEN_LIFE_S,
        upload_limit=interaction.filesize_limit,
        locale=interaction.locale.value,
    )


async def only_owner(interaction: discord.Interaction[Any]) -> bool:
    """Let the owner's commands be used by owners; anybody else is told, and the attempt is logged."""
    if cast("EaselBot", interaction.client).is_owner_of_easel(interaction.user):
        return True
    log.warning("owner.refused", member=interaction.user.id, guild=interaction.guild_id)
    await answer_fault(interaction, RequestError("refused.owner_only"))
    return False


def standing_of(interaction: discord.Interaction[Any]) -> Standing:
    """Return what the member may, here; a channel that does not surely say that it is for adults is not."""
    roles = interaction.user.roles if isinstance(interaction.user, discord.Member) else []
    channel = interaction.channel
    place = channel.parent if isinstance(channel, discord.Thread) else channel
    adult = isinstance(place, discord.TextChannel | discord.ForumChannel | discord.VoiceChannel) and place.is_nsfw()
    return Standing(role_ids=frozenset(role.id for role in roles), adult_channel=adult)


async def answer_fault(interaction: discord.Interaction[Any], fault: Exception) -> None:
    """Answer an expected fault in words, anything else with a reference number that is also in the log."""
    if isinstance(fault, discord.HTTPException) and fault.code == _UNKNOWN_INTERACTION:
        age = (discord.utils.utcnow() - interaction.created_at).total_seconds()
        log.warning("interaction.lost", code=fault.code, age_s=round(age, 2))
        return
    locale = interaction.locale.value
    if isinstance(fault, EaselError):
        words = words_for_error(fault, locale)
    else:
        reference = new_reference()
        log.error("interaction.bug", reference=reference, exc_info=fault)
        words = words_for_bug(reference, locale)
    try:
        await answer(interaction, words)
    except (discord.HTTPException, *_NETWORK) as unheard:
        log.warning("interaction.unanswered", fault=type(unheard).__name__)


async def answer(interaction: discord.Interaction[Any], words: str) -> None:
    """Put words where the member looks: in place of "thinking…" if that is there, else only for them.

    Raises:
        discord.HTTPException, aiohttp.ClientError, OSError: Discord was out of reach, several times.
    """
    trouble = (*_NETWORK, discord.DiscordServerError)
    async for attempt in stamina.retry_context(on=trouble, attempts=6, timeout=60.0, wait_initial=0.3, wait_max=10):
        with attempt:
            await _say(interaction, words)


async def _say(interaction: discord.Interaction[Any], words: str) -> None:
    kind = interaction.response.type
    if kind is discord.InteractionResponseType.deferred_channel_message:
        await interaction.edit_original_response(content=words)
    elif interaction.response.is_done():
        await interaction.followup.send(words, ephemeral=True)
    else:
        try:
            await interaction.response.send_message(words, ephemeral=True)
        except discord.HTTPException as refused:
            if refused.code != _ALREADY_ACKNOWLEDGED:
                raise
            await interaction.edit_original_response(content=words)
