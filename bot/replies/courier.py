"""Carries cards to Discord: by the interaction's token while it lives, then by the bot's own.

A last card whose reply nobody can edit any more is posted: in the channel, or where that cannot be, or only the member
may see it, to the member directly.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, TypedDict, cast

import aiohttp
import discord
import stamina
import structlog

from bot.delivery.package import Attachment
from bot.errors import EaselError
from bot.model.case import Case
from bot.model.job import Job, ReplyAddress
from bot.replies.buttons import case_view
from bot.replies.cards import Card
from bot.replies.layout import file_of, layout_of

log = structlog.get_logger()

TOKEN_MARGIN_S = 60.0
"""An interaction's token lives 15 minutes; one minute before that we stop relying on it."""


class CourierError(EaselError):
    """Root of what can happen to a card on its way."""


class ReplyGone(CourierError):
    """The reply can no longer be edited: it was deleted, or nobody may edit it any more. Fact: code."""


class OutOfReach(ReplyGone):
    """The reply is there, but neither token reaches it any more. Fact: code."""


class FileRefused(CourierError):
    """Discord finds a file too large. Fact: code."""


class CardRefused(CourierError):
    """Discord refuses the card itself. Facts: status, code."""


class Undelivered(CourierError):
    """Discord could not be reached, or answered with a fault of its own. Fact: reason."""


_TOO_LARGE = 40005
_UNKNOWN_MESSAGE, _TOO_MANY_OLD_EDITS = 10008, 30046
UPLOADS = 3
"""Cards with files on their way at once: each holds its bytes several times over."""
_LETTERS = 2000
_ORIGINAL = "@original"
"""What stands for the id of an interaction's first reply."""
LOOKED_BACK = 500
"""Messages that are looked through for one that was posted before a restart."""

Note = Callable[[str, int], Awaitable[None]]
"""Keeps (job id, message id) of what was posted."""


@asynccontextmanager
async def _translated() -> AsyncGenerator[None]:
    """Turn discord.py's faults into ours: the one place where they end."""
    try:
        yield
    except discord.HTTPException as fault:
        if fault.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE or fault.code == _TOO_LARGE:
            raise FileRefused("too large for Discord", code=fault.code) from fault
        if fault.status >= HTTPStatus.INTERNAL_SERVER_ERROR or fault.status == HTTPStatus.TOO_MANY_REQUESTS:
            raise Undelivered(f"Discord answered {fault.status}", reason=fault.status) from fault
        raise CardRefused(
            f"Discord refused: {fault.status}/{fault.code}", status=fault.status, code=fault.code
        ) from fault
    except (aiohttp.ClientError, OSError, TimeoutError, RuntimeError) as fault:  # RuntimeError: the session is closed
        raise Undelivered("Discord is out of reach", reason=type(fault).__name__) from fault


class _Edit(TypedDict):
    content: None
    view: discord.ui.LayoutView
    attachments: list[discord.File]


class Courier:
    """Edits replies. `client` is whichever Discord client is logged in; it may be replaced at a reconnection."""

    def __init__(self, client: discord.Client) -> None:
        self._client = client
        self._uploads = asyncio.Semaphore(UPLOADS)

    async def edit(self, job_id: str, address: ReplyAddress, card: Card) -> None:
        """Show a card in a reply; tried once, for the next one is not far.

        Raises:
            ReplyGone, FileRefused, CardRefused, Undelivered: as they say.
        """
        async with _translated():
            await self._edit_once(job_id, address, card)

    async def deliver(self, job: Job, card: Card, note: Note) -> None:
        """Show a last card, as long as it takes; where its reply cannot be edited, post it, once, and `note` that.

        Raises:
            ReplyGone: the reply was deleted, or the member cannot be reached either.
            FileRefused, CardRefused, Undelivered: as they say.
        """
        async with AsyncExitStack() as stack:
            if card.files:
                await stack.enter_async_context(self._uploads)
            async for attempt in stamina.retry_context(
                on=Undelivered, attempts=None, timeout=None, wait_initial=0.5, wait_max=30
            ):
                with attempt:
                    async with _translated():
                        await self._deliver_once(job, card, note)

    async def remove(self, job: Job, card: Card) -> None:
        """Take a job's pictures away from where they are shown, in a few tries; raises as `edit`."""
        channel = self._client.get_partial_messageable(job.address.channel_id)
        async for attempt in stamina.retry_context(on=Undelivered, attempts=4, timeout=20.0, wait_initial=0.3):
            with attempt:
                async with _translated():
                    if job.posted_id is None:
                        await self._edit_once(job.id, job.address, card)
                    else:
                        await channel.get_partial_message(job.posted_id).edit(**_edit(card))

    def guild_name(self, guild_id: int) -> str:
        """Return a guild's name, empty if this process does not know it."""
        guild = self._client.get_guild(guild_id)
        return guild.name if guild is not None else ""

    async def notify(self, member_id: int, words: str) -> bool:
        """Send a direct message; False if the member cannot be reached."""
        try:
            async with _translated():
                direct = await self._client.create_dm(cast("discord.User", discord.Object(member_id)))
                await direct.send(words[:_LETTERS], allowed_mentions=discord.AllowedMentions.none())
        except CourierError as fault:
            log.info("courier.not_notified", member=member_id, fault=str(fault))
            return False
        return True

    async def say(self, channel_id: int, words: str) -> bool:
        """Write into a channel; False if that cannot be."""
        try:
            async with _translated():
                channel = self._client.get_partial_messageable(channel_id)
                await channel.send(words[:_LETTERS], allowed_mentions=discord.AllowedMentions.none())
        except CourierError as fault:
            log.warning("courier.not_said", channel=channel_id, fault=str(fault))
            return False
        return True

    async def post_case(self, channel_id: int, case: Case, words: str, files: Sequence[Attachment], locale: str) -> int:
        """Show a case to moderators, once (Discord takes the same nonce once); return the message's id.

        Raises:
            FileRefused, CardRefused, Undelivered: as they say.
        """
        channel = self._client.get_partial_messageable(channel_id)
        view = case_view(case, locale) or discord.utils.MISSING
        async with self._uploads, _translated():
            message = await channel.send(
                words[:_LETTERS],
                files=[file_of(file) for file in files],
                view=view,
                nonce=f"case-{case.number}-{case.guild_id}"[:25],
                allowed_mentions=discord.AllowedMentions.none(),
            )
        return message.id

    async def pictures(self, job: Job, begins: str = "") -> list[Attachment]:
        """Return the pictures that a job's reply shows, whose names begin so; none where the bot cannot see it."""
        channel = self._client.get_partial_messageable(job.address.channel_id)
        try:
            async with _translated():
                message = await channel.fetch_message(job.posted_id or job.address.message_id or 0)
                named = [(one.filename.removeprefix("SPOILER_"), one) for one in message.attachments]
                return [
                    Attachment(filename=name, data=await one.read(), alt=one.description or "")
                    for name, one in named
                    if name.startswith(begins)
                ]
        except CourierError as fault:
            log.info("courier.pictures_unseen", job=job.id, fault=str(fault))
            return []

    async def answer_late(self, application_id: int, token: str, words: str) -> bool:
        """Put words in place of "thinking…", if that still stands there; False if Discord has to be asked again."""
        webhook = discord.Webhook.partial(application_id, token, client=self._client)
        try:
            async with _translated():
                reply = await webhook.fetch_message(cast("int", _ORIGINAL))
                if not reply.flags.loading:
                    return True
                await webhook.edit_message(cast("int", _ORIGINAL), content=words)
        except CourierError as fault:
            log.info("courier.not_answered_late", fault=str(fault))
            return not isinstance(fault, Undelivered)
        log.info("courier.answered_late")
        return True

    async def is_gone(self, job: Job) -> bool:
        """Tell whether a job's reply was surely deleted; where the bot cannot look, it was not."""
        channel = self._client.get_partial_messageable(job.address.channel_id)
        try:
            await channel.fetch_message(job.posted_id or job.address.message_id or 0)
        except discord.NotFound as fault:
            return fault.code == _UNKNOWN_MESSAGE and job.posted_id is None
        except (discord.HTTPException, aiohttp.ClientError, OSError, TimeoutError) as fault:
            log.info("courier.not_looked", job=job.id, fault=type(fault).__name__)
        return False

    async def update_case(self, case: Case, words: str, locale: str) -> None:
        """Show how a case stands now; a message that is gone is left alone."""
        if case.channel_id is None or case.message_id is None:
            return
        channel = self._client.get_partial_messageable(case.channel_id)
        try:
            async with _translated():
                await channel.get_partial_message(case.message_id).edit(
                    content=words[:_LETTERS], view=case_view(case, locale)
                )
        except CourierError as fault:
            log.info("courier.case_not_updated", case=case.number, fault=str(fault))

    async def _deliver_once(self, job: Job, card: Card, note: Note) -> None:
        if job.posted_id is not None:
            return  # what was posted is the last word already
        try:
            await self._edit_once(job.id, job.address, card)
        except OutOfReach as lost:
            log.info("courier.posting", job=job.id, code=lost.facts.get("code"))
            posted = await self._post(job, card)
            await note(job.id, posted.id)

    async def _edit_once(self, job_id: str, address: ReplyAddress, card: Card) -> None:
        if time.time() < address.expires_at - TOKEN_MARGIN_S and address.message_id is not None:
            try:
                webhook = discord.Webhook.partial(address.application_id, address.token, client=self._client)
                # (its type names the older kind of view alone, its code takes both)
                await webhook.edit_message(address.message_id, **cast("Any", _edit(card)))
            except discord.HTTPException as fault:
                if fault.status not in (401, 403, 404):
                    raise
                log.info("courier.token_refused", job=job_id, status=fault.status, code=fault.code)
                if fault.code == _UNKNOWN_MESSAGE:
                    raise ReplyGone("the reply was deleted", code=fault.code) from fault
            else:
                return
        await self._by_bot(address, card)

    async def _by_bot(self, address: ReplyAddress, card: Card) -> None:
        if address.message_id is None or address.ephemeral:
            raise OutOfReach("the bot's own token does not reach the reply", code=0)
        channel = self._client.get_partial_messageable(address.channel_id)
        try:
            await channel.get_partial_message(address.message_id).edit(**_edit(card))
        except discord.HTTPException as fault:
            if fault.code == _UNKNOWN_MESSAGE:
                raise ReplyGone("the reply was deleted", code=fault.code) from fault
            if isinstance(fault, discord.NotFound | discord.Forbidden) or fault.code == _TOO_MANY_OLD_EDITS:
                raise OutOfReach("the reply cannot be edited", code=fault.code) from fault
            raise

    async def _post(self, job: Job, card: Card) -> discord.Message:
        """Post a card where its member sees it. Discord takes the same nonce once; a restart looks before it posts."""
        refused: discord.HTTPException | None = None
        if not job.address.ephemeral:
            try:
                return await self._post_in(self._client.get_partial_messageable(job.address.channel_id), job, card)
            except (discord.Forbidden, discord.NotFound) as fault:
                refused = fault
        try:
            direct = await self._client.create_dm(cast("discord.User", discord.Object(job.request.member_id)))
            return await self._post_in(direct, job, card)
        except (discord.Forbidden, discord.NotFound) as fault:
            raise ReplyGone("the member cannot be reached", code=fault.code) from (refused or fault)

    async def _post_in(self, channel: discord.abc.Messageable, job: Job, card: Card) -> discord.Message:
        if (posted := await self._posted_before(channel, job)) is not None:
            return posted
        return await channel.send(
            files=[file_of(file) for file in card.files],
            view=layout_of(card),
            nonce=job.id[:25],
            allowed_mentions=discord.AllowedMentions.none(),
        )

    async def _posted_before(self, channel: discord.abc.Messageable, job: Job) -> discord.Message | None:
        try:
            since = discord.Object(discord.utils.time_snowflake(datetime.fromtimestamp(job.created_at, UTC)))
            async for message in channel.history(limit=LOOKED_BACK, after=since):
                if message.author == self._client.user and _names(message, job.id):
                    return message
        except (discord.Forbidden, discord.NotFound):
            log.info("courier.history_closed", job=job.id)  # the nonce has to do
        return None


def _names(message: discord.Message, job_id: str) -> bool:
    """Tell whether a message is a last card of a job: its buttons carry the job's id."""
    return any(job_id in str(getattr(item, "custom_id", None) or "") for item in _walked(message.components))


def _walked(components: Iterable[Any]) -> Iterator[Any]:
    for item in components:
        yield item
        yield from _walked(getattr(item, "children", ()))


def _edit(card: Card) -> _Edit:
    """Return the whole of a message: what a reply has said before in plain content goes, and so do its files."""
    return _Edit(content=None, view=layout_of(card), attachments=[file_of(file) for file in card.files])
