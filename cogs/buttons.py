"""What the buttons under a card do. Their state is in their id and the job's row, so they work after any restart."""

from dataclasses import replace
from typing import Any

import discord
from discord.ext import commands

from bot.answers import acknowledge, acknowledge_reply, answer, guild_locale, is_moderator, standing_of
from bot.bot import EaselBot
from bot.errors import RequestError
from bot.model.audit import Act
from bot.model.job import Job
from bot.model.request import random_seed
from bot.replies.cards import Action
from bot.replies.catalogue import text


class Buttons(commands.Cog):
    """Again, Delete, Cancel."""

    def __init__(self, bot: EaselBot) -> None:
        self._jobs, self._casework = bot.services.jobs, bot.services.bench.casework
        bot.on_press(Action.AGAIN, self.again)
        bot.on_press(Action.DELETE, self.delete)
        bot.on_press(Action.CANCEL, self.cancel)

    async def again(self, interaction: discord.Interaction[Any], job_id: str) -> None:
        """Make another one with a new seed, in a reply of its own; it is the presser's request."""
        address = await acknowledge_reply(interaction)
        job = await self._job(interaction, job_id)
        request = replace(
            job.request,
            seed=random_seed(),
            member_id=interaction.user.id,
            guild_id=interaction.guild_id,
            channel_id=address.channel_id,
            locale=interaction.locale.value,
            guild_locale=guild_locale(interaction),
        )
        await self._jobs.submit(request, address, standing_of(interaction))

    async def delete(self, interaction: discord.Interaction[Any], job_id: str) -> None:
        """Remove the reply with the pictures."""
        await acknowledge(interaction, thinking=False)
        job = await self._job(interaction, job_id)
        if not _may(interaction, job):
            await _only_for_them(interaction, "delete.not_yours")
            return
        if interaction.user.id != job.request.member_id:
            await self._casework.note(Act.REMOVED, job, interaction.user.id)
        await interaction.delete_original_response()

    async def cancel(self, interaction: discord.Interaction[Any], job_id: str) -> None:
        """Cancel the job; its own reply tells."""
        await acknowledge(interaction, thinking=False)
        job = await self._job(interaction, job_id)
        if not _may(interaction, job):
            await _only_for_them(interaction, "cancel.not_yours")
        elif not await self._jobs.cancel(job_id):
            await _only_for_them(interaction, "cancel.too_late")
        elif interaction.user.id != job.request.member_id:
            await self._casework.note(Act.CANCELLED, job, interaction.user.id)

    async def _job(self, interaction: discord.Interaction[Any], job_id: str) -> Job:
        """Return the job of a button, which must be of the guild where it was pressed."""
        job = await self._jobs.find(job_id)
        if job is None or job.request.guild_id != interaction.guild_id:
            raise RequestError("refused.gone")
        if job.removed:
            raise RequestError("refused.removed")
        return job


def _may(interaction: discord.Interaction[Any], job: Job) -> bool:
    """The requester may, and whoever moderates here."""
    return interaction.user.id == job.request.member_id or is_moderator(interaction)


async def _only_for_them(interaction: discord.Interaction[Any], key: str) -> None:
    await answer(interaction, text(key, interaction.locale.value))


async def setup(bot: EaselBot) -> None:
    """Add the cog."""
    await bot.add_cog(Buttons(bot))
