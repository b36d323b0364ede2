"""Remix: the same again, with changes, in a dialog. *Remix this* begins with any picture in a message."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import discord
from discord.ext import commands

from bot.answers import acknowledge, acknowledge_reply, answer_card, asker_of, fault_words, shown_by, standing_of
from bot.bot import EaselBot, Interaction
from bot.errors import RequestError
from bot.filled import Filled
from bot.replies.cards import Card, Tone, draft_row
from bot.replies.catalogue import menu
from bot.replies.dialogs import ENHANCE, NEGATIVE, PROMPT, SETTINGS, TEMPLATE, remix_dialog
from bot.replies.press import Action, Press
from bot.services import Typed

OPEN_S = 2.2
"""Seconds to find what a dialog begins with; it must be open within Discord's three."""


class RemixDialogs(commands.Cog):
    """Opens the dialog, and takes what comes back."""

    def __init__(self, bot: EaselBot) -> None:
        self._services = bot.services
        bot.on_press(Action.REMIX, self.ask)
        bot.on_dialog("remix", self.submit)
        bot.on_draft(self.draft)

    async def ask(self, interaction: discord.Interaction[Any], press: Press) -> None:
        """Open the dialog for a job."""
        which = f"n{press.number}" if press.number else ""
        await self._open(interaction, f"j{press.job_id}{which}{'p' if press.private else ''}")

    async def remix_message(self, interaction: Interaction, message: discord.Message) -> None:
        """Open the dialog for a picture in a message: of ours by its record, of others by what the file says."""
        job = await self._services.jobs.shown_in(message.id, interaction.guild_id or 0)
        if job is not None:
            await self._open(interaction, f"j{job.id}{'p' if job.address.ephemeral else ''}")
            return
        async with _in_time():
            draft_id = await self._services.foreign.draft(
                shown_by(message), asker_of(interaction), standing_of(interaction)
            )
            dialog = await self._dialog(interaction, f"d{draft_id}")
        await interaction.response.send_modal(dialog)

    async def _open(self, interaction: discord.Interaction[Any], state: str) -> None:
        """Show the dialog; it must be the very first answer."""
        async with _in_time():
            dialog = await self._dialog(interaction, state)
        await interaction.response.send_modal(dialog)

    async def _dialog(self, interaction: discord.Interaction[Any], state: str) -> discord.ui.Modal:
        services, locale = self._services, interaction.locale.value
        helper = services.rewording.available
        form = await services.remix.form(state, asker_of(interaction), with_template=helper)
        usable = services.jobs.usable(interaction.guild_id)
        return remix_dialog(
            state,
            locale,
            prompt=form.prompt,
            negative=form.negative,
            settings=form.settings,
            template=form.template,
            titles=() if helper else [(one.name, one.title_in(locale)) for one in usable],
            file=form.takes_file,
            helper=helper,
        )

    async def submit(self, interaction: discord.Interaction[Any], state: str, filled: Filled) -> None:
        """Take the dialog: queue it, or let the helper reword it first."""
        typed = Typed(
            prompt=filled.texts.get(PROMPT, ""),
            negative=filled.texts.get(NEGATIVE, ""),
            settings=filled.texts.get(SETTINGS, ""),
            template=filled.choice(TEMPLATE),
            files=filled.files,
            shown=shown_by(interaction.message),
        )
        asker, standing, private = asker_of(interaction), standing_of(interaction), state.endswith("p")
        address = None  # with a tick nothing is queued yet
        if ENHANCE in filled.ticked:
            await acknowledge(interaction, ephemeral=True)
        else:
            address = await acknowledge_reply(interaction, private=private)
        try:
            request = await self._services.remix.request(state, typed, asker, standing)
            if address is not None:
                await self._services.jobs.submit(request, address, standing)
            else:
                card = await self._services.rewording.of_request(request, standing, private=private)
                await answer_card(interaction, card)
        except RequestError as fault:
            await self._give_back(interaction, state, typed, fault)

    async def _give_back(
        self, interaction: discord.Interaction[Any], state: str, typed: Typed, fault: RequestError
    ) -> None:
        """Say what was wrong, with a button that opens what was typed again: nothing is lost."""
        words = await fault_words(interaction, fault)
        draft_id = await self._services.remix.keep(state, typed, asker_of(interaction))
        kept = f"{draft_id}p" if state.endswith("p") else draft_id
        row = draft_row(kept, interaction.locale.value, "edit")
        await answer_card(interaction, Card(tone=Tone.FAILED, text=words, rows=(row,)))

    async def draft(self, interaction: discord.Interaction[Any], what: str, draft_id: str) -> None:
        """Send a draft, or open it."""
        if what == "edit":
            await self._open(interaction, f"d{draft_id}")
            return
        address = await acknowledge_reply(interaction, private=draft_id.endswith("p"))
        request = await self._services.remix.drafted(draft_id, asker_of(interaction))
        await self._services.jobs.submit(request, address, standing_of(interaction))


@asynccontextmanager
async def _in_time() -> AsyncGenerator[None]:
    """Turn what takes too long for a dialog into words."""
    try:
        async with asyncio.timeout(OPEN_S):
            yield
    except TimeoutError as late:
        raise RequestError("refused.dialog_late") from late


async def setup(bot: EaselBot) -> None:
    """Add the cog and its context menu."""
    cog = RemixDialogs(bot)
    await bot.add_cog(cog)

    async def remix_this(interaction: discord.Interaction[EaselBot], message: discord.Message) -> None:
        await cog.remix_message(interaction, message)

    bot.tree.add_command(menu("remix_this", remix_this))
