"""`/queue` and `/cancel`."""

from discord import app_commands
from discord.ext import commands

from bot.answers import acknowledge, answer, is_moderator
from bot.bot import EaselBot, Interaction
from bot.model.job import JobState
from bot.replies.catalogue import guild_command, text
from bot.replies.lines import within
from bot.replies.safe import shown
from bot.replies.times import eta_words
from bot.services import QueueEntry

_LISTED = 10
_WORDS = 80


class Queue(commands.Cog):
    """What waits and runs."""

    def __init__(self, bot: EaselBot) -> None:
        self._jobs = bot.services.jobs

    @guild_command("queue")
    async def queue(self, interaction: Interaction) -> None:
        """Show the load, and the member's own requests in this guild."""
        await acknowledge(interaction, ephemeral=True)
        locale = interaction.locale.value
        everyone = is_moderator(interaction)
        view = await self._jobs.view(interaction.user.id, interaction.guild_id, everyone=everyone)
        lines = [
            text("queue.load", locale, running=view.running, waiting=view.waiting, up=view.up, servers=view.servers)
        ]
        if not view.running and not view.waiting:
            lines.append(text("queue.empty", locale))
        lines += _listed("queue.yours", [_line(entry, locale) for entry in view.own], locale)
        lines += _listed("queue.others", [_line_of_member(entry, locale) for entry in view.others], locale)
        await answer(interaction, within(lines, locale))

    @guild_command("cancel", "job")
    async def cancel(self, interaction: Interaction, job: str | None = None) -> None:
        """Cancel the named request of the member's own, or the newest."""
        await acknowledge(interaction, ephemeral=True)
        words = await self._cancelled(interaction, job)
        await answer(interaction, words)

    async def _cancelled(self, interaction: Interaction, job_id: str | None) -> str:
        locale = interaction.locale.value
        own = await self._jobs.own_live(interaction.user.id, interaction.guild_id)
        chosen = next((job for job in own if job.id == job_id), None) if job_id else (own[-1] if own else None)
        if chosen is None:
            return text("cancel.unknown" if job_id else "cancel.nothing", locale)
        if not await self._jobs.cancel(chosen.id):
            return text("cancel.too_late", locale)
        return text("cancel.done", locale, prompt=shown(chosen.request.prompt, _WORDS))

    @cancel.autocomplete("job")
    async def _own(self, interaction: Interaction, typed: str) -> list[app_commands.Choice[str]]:
        own = await self._jobs.own_live(interaction.user.id, interaction.guild_id)
        found = [job for job in own if typed.casefold() in job.request.prompt.casefold()]
        return [app_commands.Choice(name=(job.request.prompt or job.id)[:100], value=job.id) for job in found[-25:]]


def _listed(head: str, entries: list[str], locale: str) -> list[str]:
    if not entries:
        return []
    more = [text("queue.more", locale, count=len(entries) - _LISTED)] if len(entries) > _LISTED else []
    return [text(head, locale), *(f"- {entry}" for entry in entries[:_LISTED]), *more]


def _line(entry: QueueEntry, locale: str) -> str:
    prompt = shown(entry.job.request.prompt, _WORDS)
    if entry.place is None:
        waits = entry.job.state is JobState.QUEUED  # and whoever orders the queue has not told us where
        return text("queue.entry_queued" if waits else "queue.entry_running", locale, prompt=prompt)
    if entry.eta is None:
        return text("queue.entry_waiting", locale, place=entry.place, prompt=prompt)
    return text("queue.entry_waiting_eta", locale, place=entry.place, eta=eta_words(entry.eta, locale), prompt=prompt)


def _line_of_member(entry: QueueEntry, locale: str) -> str:
    return text("queue.of_member", locale, entry=_line(entry, locale), member=entry.job.request.member_id)


async def setup(bot: EaselBot) -> None:
    """Add the cog."""
    await bot.add_cog(Queue(bot))
