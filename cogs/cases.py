"""Reports, and the buttons under cases. A click counts in the guild where it is made, for who moderates there."""

import time
from typing import Any

import discord
from discord.ext import commands

from bot.answers import acknowledge, answer, asker_of, manages, only_moderator
from bot.bot import EaselBot, Interaction
from bot.errors import RequestError
from bot.filled import Filled
from bot.model.case import AGAINST, Decision
from bot.model.job import Job, JobState
from bot.replies.case_words import outcome_words, record_lines
from bot.replies.catalogue import menu, text
from bot.replies.lines import within
from bot.replies.press import Action, Press
from bot.services import Decided, check_here

REASON = "reason"
_LETTERS = 300


class Cases(commands.Cog):
    """Report a picture; decide a case; look at a member."""

    def __init__(self, bot: EaselBot) -> None:
        self._jobs, self._bench = bot.services.jobs, bot.services.bench
        bot.on_press(Action.REPORT, self.ask_why)
        bot.on_dialog("report", self.report)
        bot.on_decide(self.decide)

    async def ask_why(self, interaction: discord.Interaction[Any], press: Press) -> None:
        """Open the dialog of a report; nothing is looked up before, a dialog must be the first answer."""
        await interaction.response.send_modal(_dialog(press.job_id, interaction.locale.value))

    async def report_message(self, interaction: Interaction, message: discord.Message) -> None:
        """Open the dialog of a report for the picture in a message."""
        job = await self._jobs.shown_in(message.id, interaction.guild_id or 0)
        if job is None:
            raise RequestError("refused.no_picture_of_mine")
        await interaction.response.send_modal(_dialog(job.id, interaction.locale.value))

    async def report(self, interaction: discord.Interaction[Any], job_id: str, filled: Filled) -> None:
        """Take the report."""
        await acknowledge(interaction, ephemeral=True, thinking=True)
        job = await self._job(interaction, job_id)
        reason = filled.texts.get(REASON, "").strip()[:_LETTERS]
        opened = await self._bench.casework.report(job, interaction.user.id, reason)
        key = "report.taken" if opened.joined else "report.again"
        await answer(interaction, text(key, interaction.locale.value))

    async def _job(self, interaction: discord.Interaction[Any], job_id: str) -> Job:
        job = check_here(await self._jobs.find(job_id), asker_of(interaction))
        if job.state is not JobState.DONE:
            raise RequestError("refused.gone")
        if job.removed:
            raise RequestError("refused.removed")
        return job

    async def decide(self, interaction: discord.Interaction[Any], decision: Decision, number: int) -> None:
        """Settle a case; who comes second is told what the first one decided."""
        await acknowledge(interaction, thinking=False)
        if not await only_moderator(interaction):
            return
        decided = Decided(
            guild_id=interaction.guild_id or 0,
            number=number,
            decision=decision,
            by_id=interaction.user.id,
            at=time.time(),
        )
        await self._check_rank(interaction, decided)
        settled, done = await self._bench.casework.decide(decided)
        locale = interaction.locale.value
        words = outcome_words(settled.case, locale) + ("" if done else text("case.not_done", locale))
        message = interaction.message
        if message is not None and message.flags.ephemeral:
            await interaction.edit_original_response(view=None)
        await answer(interaction, words if settled.won else text("case.too_late", locale, outcome=words))

    async def _check_rank(self, interaction: discord.Interaction[Any], decided: Decided) -> None:
        """Nobody judges themselves, and only who manages the guild acts against those who do; raises RequestError."""
        case, _ = await self._bench.casework.case(decided.guild_id, decided.number)
        if interaction.permissions.manage_guild or case.member_id is None:
            return
        if case.member_id == interaction.user.id:
            raise RequestError("refused.own_case")
        if decided.decision in AGAINST and await manages(interaction, case.member_id):
            raise RequestError("refused.not_against_them")

    async def member_record(self, interaction: Interaction, member: discord.Member) -> None:
        """Show what this guild knows of a member."""
        await acknowledge(interaction, ephemeral=True)
        if not await only_moderator(interaction):
            return
        record = await self._bench.sanctions.record(member.id, interaction.guild_id or 0)
        locale = interaction.locale.value
        await answer(interaction, within(record_lines(record, member.id, locale), locale))


def _dialog(job_id: str, locale: str) -> discord.ui.Modal:
    """Return the dialog of a report; what was typed comes back by its id, also after a restart."""
    dialog = discord.ui.Modal(title=text("report.title", locale), custom_id=f"easel:report:{job_id}", timeout=600)
    field = discord.ui.TextInput[discord.ui.Modal](
        custom_id=REASON, style=discord.TextStyle.paragraph, required=False, max_length=_LETTERS
    )
    dialog.add_item(discord.ui.Label(text=text("report.reason", locale), component=field))
    return dialog


async def setup(bot: EaselBot) -> None:
    """Add the cog and the two context menus."""
    cog = Cases(bot)
    await bot.add_cog(cog)

    async def report_picture(interaction: discord.Interaction[EaselBot], message: discord.Message) -> None:
        await cog.report_message(interaction, message)

    async def member_record(interaction: discord.Interaction[EaselBot], member: discord.Member) -> None:
        await cog.member_record(interaction, member)

    bot.tree.add_command(menu("report_picture", report_picture))
    bot.tree.add_command(menu("member_record", member_record, discord.Permissions(manage_messages=True)))
