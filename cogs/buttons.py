"""What the buttons under a card do. Their state is in their id and the job's row, so they work after any restart."""

from typing import Any

import discord
from discord.ext import commands

from bot.answers import acknowledge, acknowledge_reply, answer, asker_of, is_moderator, shown_by, standing_of
from bot.bot import EaselBot
from bot.errors import RequestError
from bot.model.audit import Act
from bot.model.job import Job
from bot.replies.catalogue import text
from bot.replies.press import VARY, Action, Press
from bot.services import again, check_here, check_open


class Buttons(commands.Cog):
    """Again, Vary and the other follow-ups; Delete, Cancel."""

    def __init__(self, bot: EaselBot) -> None:
        self._jobs, self._follow = bot.services.jobs, bot.services.follow
        self._casework, self._shelf = bot.services.bench.casework, bot.services.shelf
        bot.on_press(Action.AGAIN, self.again)
        bot.on_press(Action.VARY, self.follow)
        bot.on_press(Action.FOLLOW, self.follow)
        bot.on_press(Action.DELETE, self.delete)
        bot.on_press(Action.CANCEL, self.cancel)

    async def again(self, interaction: discord.Interaction[Any], press: Press) -> None:
        """Make another one with a new seed, in a reply of its own; it is the presser's request."""
        address = await acknowledge_reply(interaction, private=press.private)
        asker = asker_of(interaction)
        job = check_open(await self._jobs.find(press.job_id), asker)
        request = again(job.request, asker)
        await self._jobs.submit(request, address, standing_of(interaction))

    async def follow(self, interaction: discord.Interaction[Any], press: Press) -> None:
        """Go on with one file of a job: vary it, or put it into another template. It is the presser's request."""
        address = await acknowledge_reply(interaction, private=press.private)
        asker, standing = asker_of(interaction), standing_of(interaction)
        job = check_open(await self._jobs.find(press.job_id), asker)
        what = VARY if press.action is Action.VARY else press.what
        shown = shown_by(interaction.message)
        request = await self._follow.on(job, press.number, what, press.what, asker, standing, shown)
        await self._jobs.submit(request, address, standing)

    async def delete(self, interaction: discord.Interaction[Any], press: Press) -> None:
        """Remove the reply with the pictures; nobody can go on with them any more."""
        await acknowledge(interaction, thinking=False)
        job = await self._job(interaction, press)
        if not _may(interaction, job):
            await _only_for_them(interaction, "delete.not_yours")
            return
        if interaction.user.id != job.request.member_id:
            await self._casework.note(Act.REMOVED, job, interaction.user.id)
        await self._shelf.forget(job.id)
        await interaction.delete_original_response()

    async def cancel(self, interaction: discord.Interaction[Any], press: Press) -> None:
        """Cancel the job; its own reply tells."""
        await acknowledge(interaction, thinking=False)
        job = await self._job(interaction, press)
        if not _may(interaction, job):
            await _only_for_them(interaction, "cancel.not_yours")
        elif not await self._jobs.cancel(job.id):
            await _only_for_them(interaction, "cancel.too_late")
        elif interaction.user.id != job.request.member_id:
            await self._casework.note(Act.CANCELLED, job, interaction.user.id)

    async def _job(self, interaction: discord.Interaction[Any], press: Press) -> Job:
        """Return the job of a button, which must be of the guild where it was pressed."""
        job = check_here(await self._jobs.find(press.job_id), asker_of(interaction))
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
