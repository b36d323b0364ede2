"""How commands, buttons and dialogs acknowledge and answer; who asks, as far as Discord tells."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import aiohttp
import discord
import stamina
import structlog
from sqlalchemy.exc import SQLAlchemyError

from bot.errors import EaselError, RequestError, new_reference
from bot.model.case import Case
from bot.model.job import ReplyAddress
from bot.model.request import Asker, Standing
from bot.model.verdict import Refuse
from bot.replies.buttons import case_view
from bot.replies.cards import Card
from bot.replies.failures import words_for_bug, words_for_error
from bot.replies.layout import file_of, layout_of
from bot.services import Attachment, Owed, PromiseStore, Services

log = structlog.get_logger()

_PROMISE_S = 0.25
UNANSWERED = "unanswered"
"""The mark on an interaction whose member has not heard from us: it is owed still."""
_TOKEN_LIFE_S = 15 * 60.0
_LETTERS = 2000
NETWORK = (aiohttp.ClientError, OSError, TimeoutError)
_UNKNOWN_INTERACTION, _ALREADY_ACKNOWLEDGED = 10062, 40060


async def acknowledge(
    interaction: discord.Interaction[Any], *, ephemeral: bool = False, thinking: bool = True
) -> int | None:
    """Acknowledge, before anything else; return the id of the message that answers, if Discord tells it.

    Raises:
        discord.HTTPException: Discord no longer knows the interaction.
    """
    began = time.monotonic()
    message_id: int | None = None
    if thinking:
        await _promise(interaction)
    try:
        async for attempt in stamina.retry_context(on=NETWORK, attempts=3, timeout=2.0, wait_initial=0.05):
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


async def _promise(interaction: discord.Interaction[Any]) -> None:
    """Write down that we are going to answer: should we die, the next process does. Discord does not wait for it."""
    owed = Owed(
        id=interaction.id,
        application_id=interaction.application_id,
        token=interaction.token,
        locale=interaction.locale.value,
        at=time.time(),
    )
    # In a task of its own: a store that is asked to stop waits for what it has begun, and Discord would not.
    giving = asyncio.create_task(_given(services_of(interaction).promises, owed), name=f"promise-{owed.id}")
    interaction.client.own(giving)  # pyright: ignore[reportAttributeAccessIssue] - ours does
    await asyncio.wait({giving}, timeout=_PROMISE_S)


async def _given(promises: PromiseStore, owed: Owed) -> None:
    try:
        await promises.give(owed)
    except (SQLAlchemyError, OSError) as fault:
        log.warning("interaction.not_promised", fault=type(fault).__name__)


def services_of(interaction: discord.Interaction[Any]) -> Services:
    """Return what the client of an interaction may use."""
    return cast("Services", interaction.client.services)  # pyright: ignore[reportAttributeAccessIssue] - ours has them


async def acknowledge_reply(interaction: discord.Interaction[Any], *, private: bool = False) -> ReplyAddress:
    """Acknowledge with a new reply, and return where that lives; raises as `acknowledge`.

    It is for the member alone if they ask for that and their guild allows it, or if their guild says so.
    """
    rule = services_of(interaction).bench.guilds.last_known(interaction.guild_id).private_results
    ephemeral = rule == "always" or (private and rule == "allowed")
    message_id = await acknowledge(interaction, ephemeral=ephemeral) or (await interaction.original_response()).id
    return ReplyAddress(
        application_id=interaction.application_id,
        channel_id=interaction.channel_id or 0,
        message_id=message_id,
        token=interaction.token,
        expires_at=interaction.created_at.timestamp() + _TOKEN_LIFE_S,
        upload_limit=interaction.filesize_limit,
        locale=interaction.locale.value if ephemeral else guild_locale(interaction),
        ephemeral=ephemeral,
    )


def standing_of(interaction: discord.Interaction[Any]) -> Standing:
    """Return what the member is, here; a channel that does not surely say that it is for adults is not."""
    member, channel = interaction.user, interaction.channel
    roles = member.roles if isinstance(member, discord.Member) else []
    joined = member.joined_at if isinstance(member, discord.Member) else None
    place = channel.parent if isinstance(channel, discord.Thread) else channel
    adult = isinstance(place, discord.TextChannel | discord.ForumChannel | discord.VoiceChannel) and place.is_nsfw()
    parent = channel.parent_id if isinstance(channel, discord.Thread) else None
    return Standing(
        role_ids=frozenset(role.id for role in roles),
        adult_channel=adult,
        place_ids=frozenset(one for one in (interaction.channel_id, parent) if one is not None),
        born_at=member.created_at.timestamp(),
        joined_at=joined.timestamp() if joined is not None else None,
        moderator=is_moderator(interaction),
        manager=interaction.permissions.manage_guild,
    )


@dataclass(frozen=True, slots=True)
class Brought:
    """A file of a message or of an option, fetched when it is wanted."""

    file: discord.Attachment

    @property
    def filename(self) -> str:
        """Its name."""
        return self.file.filename

    @property
    def size(self) -> int:
        """Bytes."""
        return self.file.size

    async def read(self) -> bytes:
        """Fetch it from Discord.

        Raises:
            RequestError: it cannot be had.
        """
        try:
            return await self.file.read()
        except (discord.HTTPException, *NETWORK) as fault:
            raise RequestError("refused.not_fetched") from fault


def shown_by(message: discord.Message | None) -> list[Brought]:
    """Return the files of a message."""
    return [Brought(file) for file in message.attachments] if message is not None else []


def asker_of(interaction: discord.Interaction[Any]) -> Asker:
    """Return whose request an interaction makes, and where."""
    return Asker(
        member_id=interaction.user.id,
        guild_id=interaction.guild_id,
        channel_id=interaction.channel_id or 0,
        locale=interaction.locale.value,
        guild_locale=guild_locale(interaction),
        adult=standing_of(interaction).adult_channel,
    )


def seen_channels(interaction: discord.Interaction[Any]) -> frozenset[int]:
    """Return the channels and open threads of the guild that a member can read, and we, too; what is not known is none.

    Those for adults are among them only for who asks from one.
    """
    guild, member = interaction.guild, interaction.user
    if guild is None or not isinstance(member, discord.Member):
        return frozenset()
    adult = standing_of(interaction).adult_channel
    threads = [one for one in guild.threads if not one.is_private()]
    return frozenset(
        one.id
        for one in (*guild.channels, *threads)
        if (adult or not one.is_nsfw()) and _reads(one, member) and _reads(one, guild.me)
    )


def _reads(channel: discord.abc.GuildChannel | discord.Thread, member: discord.Member) -> bool:
    may = channel.permissions_for(member)
    return may.view_channel and may.read_message_history


def guild_locale(interaction: discord.Interaction[Any]) -> str:
    """Return the language in which the guild of an interaction is written to."""
    otherwise = interaction.guild_locale or interaction.locale
    return services_of(interaction).bench.guilds.locale(interaction.guild_id or 0, otherwise.value)


def is_moderator(interaction: discord.Interaction[Any]) -> bool:
    """Tell whether somebody moderates here: may manage messages or the guild, or has one of the guild's own roles."""
    if interaction.guild_id is None:
        return False
    if interaction.permissions.manage_messages or interaction.permissions.manage_guild:
        return True
    chosen = services_of(interaction).bench.guilds.last_known(interaction.guild_id).moderator_roles
    return isinstance(interaction.user, discord.Member) and any(role.id in chosen for role in interaction.user.roles)


async def manages(interaction: discord.Interaction[Any], member_id: int) -> bool:
    """Tell whether somebody may manage the guild; whoever has left may not.

    Raises:
        RequestError: Discord does not tell.
    """
    if interaction.guild is None:
        raise RequestError("refused.guild_only")
    try:
        member = await interaction.guild.fetch_member(member_id)
    except discord.NotFound:
        return False
    except (discord.HTTPException, *NETWORK) as fault:
        raise RequestError("refused.check_failed") from fault
    return member.guild_permissions.manage_guild


async def only_moderator(interaction: discord.Interaction[Any]) -> bool:
    """Let moderators of the guild of this very click in; anybody else is told."""
    return is_moderator(interaction) or await _turned_away(interaction, "refused.moderators_only")


async def only_manager(interaction: discord.Interaction[Any]) -> bool:
    """Let those in who may manage the guild of this very click; anybody else is told."""
    return interaction.permissions.manage_guild or await _turned_away(interaction, "refused.managers_only")


async def _turned_away(interaction: discord.Interaction[Any], key: str) -> bool:
    log.warning("moderation.turned_away", member=interaction.user.id, guild=interaction.guild_id)
    if interaction.type is not discord.InteractionType.autocomplete:
        await answer_fault(interaction, RequestError(key))
    return False


async def answer_fault(interaction: discord.Interaction[Any], fault: Exception) -> None:
    """Answer an expected fault in words, anything else with a reference number that is also in the log."""
    if isinstance(fault, discord.HTTPException) and fault.code == _UNKNOWN_INTERACTION:
        age = (discord.utils.utcnow() - interaction.created_at).total_seconds()
        log.warning("interaction.lost", code=fault.code, age_s=round(age, 2))
        return
    try:
        await answer(interaction, await fault_words(interaction, fault))
    except (discord.HTTPException, *NETWORK) as unheard:
        log.warning("interaction.unanswered", fault=type(unheard).__name__)
        interaction.extras[UNANSWERED] = True


async def fault_words(interaction: discord.Interaction[Any], fault: Exception) -> str:
    """Return what the member is told of a fault; a bug is logged under the number that they get."""
    locale = interaction.locale.value
    if isinstance(fault, SQLAlchemyError):
        log.error("interaction.store_away", exc_info=fault)
        fault = RequestError("refused.store_away")
    if isinstance(fault, EaselError):
        return words_for_error(await _clean(interaction, fault), locale)
    reference = new_reference()
    log.error("interaction.bug", reference=reference, exc_info=fault)
    return words_for_bug(reference, locale)


async def _clean(interaction: discord.Interaction[Any], fault: EaselError) -> EaselError:
    """Return a fault whose facts may be shown: what a member typed passes the gate here, too."""
    typed = "\n".join(fault.facts.values())
    if not isinstance(fault, RequestError) or not typed or interaction.guild_id is None:
        return fault
    verdict = await services_of(interaction).bench.gate.text(typed, interaction.guild_id)
    return RequestError(verdict.key, **verdict.facts) if isinstance(verdict, Refuse) else fault


async def answer(interaction: discord.Interaction[Any], words: str) -> None:
    """Put words where the member looks: in place of "thinking…" if that is there, else only for them.

    Raises:
        discord.HTTPException, aiohttp.ClientError, OSError: Discord was out of reach, several times.
    """
    trouble = (*NETWORK, discord.DiscordServerError)
    async for attempt in stamina.retry_context(on=trouble, attempts=6, timeout=60.0, wait_initial=0.3, wait_max=10):
        with attempt:
            await _say(interaction, words)


async def answer_files(
    interaction: discord.Interaction[Any], words: str, files: Sequence[Attachment], *, case: Case | None = None
) -> None:
    """Answer with files, and under a case with what can be decided; raises as `answer`."""
    made = [file_of(one) for one in files]
    view = case_view(case, interaction.locale.value) if case is not None else None
    await interaction.edit_original_response(content=words[:_LETTERS], attachments=made, view=view)


async def answer_card(interaction: discord.Interaction[Any], card: Card) -> None:
    """Answer with a card, in place of what the reply shows; raises as `answer`."""
    trouble = (*NETWORK, discord.DiscordServerError)
    async for attempt in stamina.retry_context(on=trouble, attempts=4, timeout=30.0, wait_initial=0.3, wait_max=5):
        with attempt:
            files = [file_of(file) for file in card.files]
            await interaction.edit_original_response(content=None, view=layout_of(card), attachments=files)


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
