"""`/history`, `/gallery`, Favourite, and choosing one picture of several to go on with."""

from typing import Any

import discord
from discord.ext import commands

from bot.answers import acknowledge, answer, answer_card, asker_of, seen_channels, shown_by, standing_of
from bot.bot import EaselBot, Interaction
from bot.errors import RequestError
from bot.replies.catalogue import guild_command, text
from bot.replies.press import Action, Press
from bot.replies.shelf_words import ON_A_PAGE, Line, shelf_card
from bot.services import Page, Viewer, check_there


class Shelf(commands.Cog):
    """What was made."""

    def __init__(self, bot: EaselBot) -> None:
        self._services = bot.services
        bot.on_press(Action.FAVOURITE, self.favour)
        bot.on_turn("history", self.history_page)
        bot.on_turn("gallery", self.gallery_page)
        bot.on_pick(self.pick)

    @guild_command("history")
    async def history(self, interaction: Interaction) -> None:
        """Show the member's own pictures of this guild."""
        await acknowledge(interaction, ephemeral=True)
        await self._show(interaction, "history", 0)

    @guild_command("gallery")
    async def gallery(self, interaction: Interaction) -> None:
        """Show what members of this guild like."""
        await acknowledge(interaction, ephemeral=True)
        await self._show(interaction, "gallery", 0)

    async def history_page(self, interaction: discord.Interaction[Any], page: int) -> None:
        """Turn to a page of one's own pictures; a list that somebody else opened shows one's own all the same."""
        await _turning(interaction)
        await self._show(interaction, "history", page)

    async def gallery_page(self, interaction: discord.Interaction[Any], page: int) -> None:
        """Turn to a page of the gallery."""
        await _turning(interaction)
        await self._show(interaction, "gallery", page)

    async def _show(self, interaction: discord.Interaction[Any], book: str, page: int) -> None:
        found = await self._services.viewing.page(book, page, self._viewer(interaction), ON_A_PAGE)
        if not found.items and page:
            page = max(0, -(-found.total // ON_A_PAGE) - 1)  # fewer than when the list was opened
            found = await self._services.viewing.page(book, page, self._viewer(interaction), ON_A_PAGE)
        locale = interaction.locale.value
        await answer_card(interaction, shelf_card(book, self._lines(found, locale), page, found.total, locale))

    def _viewer(self, interaction: discord.Interaction[Any]) -> Viewer:
        return Viewer(
            member_id=interaction.user.id,
            guild_id=interaction.guild_id or 0,
            adult=standing_of(interaction).adult_channel,
            channel_ids=seen_channels(interaction),
        )

    def _lines(self, page: Page, locale: str) -> list[Line]:
        title = self._services.recipes.title
        return [Line(one.job, one.number, title(one.job, locale), one.thumb, one.likes) for one in page.items]

    async def favour(self, interaction: discord.Interaction[Any], press: Press) -> None:
        """Like a picture, or like it no more."""
        await acknowledge(interaction, ephemeral=True)
        job = check_there(await self._services.jobs.find(press.job_id), asker_of(interaction))
        if job.address.ephemeral:
            raise RequestError("refused.private_favourite")
        number = max(1, press.number)
        if all(one.number != number for one in await self._services.shelf.files(job.id)):
            raise RequestError("refused.picture_gone")
        likes = await self._services.shelf.favour(job, number, interaction.user.id)
        await answer(interaction, text("favourite.added" if likes else "favourite.removed", interaction.locale.value))

    async def pick(self, interaction: discord.Interaction[Any], job_id: str, number: int) -> None:
        """Show one picture with all that can be done with it, for whoever chose it."""
        await acknowledge(interaction, ephemeral=True)
        job = check_there(await self._services.jobs.find(job_id), asker_of(interaction))
        locale, message = interaction.locale.value, interaction.message
        shown = shown_by(message) if message is not None and not message.flags.ephemeral else []
        limit = interaction.filesize_limit
        await answer_card(interaction, await self._services.viewing.picked(job, number, locale, limit, shown))


async def _turning(interaction: discord.Interaction[Any]) -> None:
    """Acknowledge a turn: in place, or under what everybody reads in an answer for whoever turned."""
    message = interaction.message
    theirs = message is not None and message.flags.ephemeral
    await acknowledge(interaction, ephemeral=True, thinking=not theirs)


async def setup(bot: EaselBot) -> None:
    """Add the cog."""
    await bot.add_cog(Shelf(bot))
