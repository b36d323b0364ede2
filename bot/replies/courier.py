"""Carries cards to Discord: by the interaction's token while it lives, then by the bot's own."""

import io
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import TypedDict

import aiohttp
import discord
import stamina
import structlog

from bot.errors import EaselError
from bot.model.job import ReplyAddress
from bot.replies.buttons import view_of
from bot.replies.cards import Card

log = structlog.get_logger()

TOKEN_MARGIN_S = 60.0
"""An interaction's token lives 15 minutes; one minute before that we stop relying on it."""


class CourierError(EaselError):
    """Root of what can happen to a card on its way."""


class ReplyGone(CourierError):
    """The reply can no longer be edited: it was deleted, or nobody may edit it any more. Fact: code."""


class FileRefused(CourierError):
    """Discord finds a file too large. Fact: code."""


class CardRefused(CourierError):
    """Discord refuses the card itself. Facts: status, code."""


class Undelivered(CourierError):
    """Discord could not be reached, or answered with a fault of its own. Fact: reason."""


_TOO_LARGE = 40005


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


class _Edit(TypedDict, total=False):
    content: str
    view: discord.ui.View | None
    attachments: list[discord.File]


class Courier:
    """Edits replies. `client` is whichever Discord client is logged in; it may be replaced at a reconnection."""

    def __init__(self, client: discord.Client) -> None:
        self._client = client

    async def edit(self, job_id: str, address: ReplyAddress, card: Card, *, attempts: int | None = 1) -> None:
        """Show a card in a reply; faults of the network and of Discord are tried `attempts` times (None: for ever).

        Raises:
            ReplyGone, FileRefused, CardRefused, Undelivered: as they say.
        """
        async for attempt in stamina.retry_context(
            on=Undelivered, attempts=attempts, timeout=None, wait_initial=0.5, wait_max=30
        ):
            with attempt:
                async with _translated():
                    await self._edit_once(job_id, address, card)

    async def _edit_once(self, job_id: str, address: ReplyAddress, card: Card) -> None:
        if time.time() < address.expires_at - TOKEN_MARGIN_S:
            try:
                await self._by_token(job_id, address, card)
            except discord.HTTPException as fault:
                if fault.status not in (401, 403, 404):
                    raise
                log.info("courier.token_refused", job=job_id, status=fault.status, code=fault.code)
            else:
                return
        await self._by_bot(job_id, address, card)

    async def _by_token(self, job_id: str, address: ReplyAddress, card: Card) -> None:
        webhook = discord.Webhook.partial(address.application_id, address.token, client=self._client)
        if address.message_id is None:
            raise ReplyGone("the reply's message is not known")
        await webhook.edit_message(address.message_id, **_edit(job_id, address, card))

    async def _by_bot(self, job_id: str, address: ReplyAddress, card: Card) -> None:
        if address.message_id is None:
            raise ReplyGone("the reply's message is not known")
        channel = self._client.get_partial_messageable(address.channel_id)
        try:
            await channel.get_partial_message(address.message_id).edit(**_edit(job_id, address, card))
        except (discord.NotFound, discord.Forbidden) as fault:
            raise ReplyGone("the reply cannot be edited", code=fault.code) from fault


def _edit(job_id: str, address: ReplyAddress, card: Card) -> _Edit:
    fields = _Edit(content=card.content, view=view_of(card.buttons, job_id, address.locale) if card.buttons else None)
    if card.files is not None:
        fields["attachments"] = [
            discord.File(io.BytesIO(file.data), filename=file.filename, description=file.alt) for file in card.files
        ]
    return fields
