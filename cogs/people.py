"""What members may know and say of themselves: `/quota`, `/appeal`, `/privacy`, `/mydata`. Open to those kept out."""

import json

from discord import app_commands
from discord.ext import commands

from bot.answers import acknowledge, answer, answer_files, standing_of
from bot.bot import EaselBot, Interaction
from bot.replies.catalogue import guild_command, in_guilds, localised, text
from bot.replies.people_words import allowance_words, privacy_words
from bot.services import Attachment

_FILE = 8_000_000


class People(commands.Cog):
    """One's own standing."""

    def __init__(self, bot: EaselBot) -> None:
        self._jobs, self._bench = bot.services.jobs, bot.services.bench

    @guild_command("quota")
    async def quota(self, interaction: Interaction) -> None:
        """Tell what one has spent here, and what is left."""
        await acknowledge(interaction, ephemeral=True)
        allowance = await self._jobs.allowance(interaction.user.id, interaction.guild_id or 0, standing_of(interaction))
        await answer(interaction, allowance_words(allowance, interaction.locale.value))

    @guild_command("appeal", "appeal", spared=True)
    async def appeal(self, interaction: Interaction, appeal: app_commands.Range[str, 1, 1000]) -> None:
        """Ask the moderators to look at one's strikes, timeout or ban again."""
        await acknowledge(interaction, ephemeral=True)
        opened = await self._bench.casework.appeal(interaction.guild_id or 0, interaction.user.id, appeal)
        key = "appeal.taken" if opened.new else "appeal.open"
        await answer(interaction, text(key, interaction.locale.value, number=opened.case.number))

    @guild_command("privacy", spared=True)
    async def privacy(self, interaction: Interaction) -> None:
        """Say what is kept."""
        await acknowledge(interaction, ephemeral=True)
        settings = await self._bench.council.settings(interaction.guild_id or 0)
        days = self._bench.memory.days
        await answer(interaction, privacy_words(settings, days, interaction.locale.value))


@in_guilds
class MyData(
    commands.GroupCog,
    group_name=localised("commands.mydata.name"),
    group_description=localised("commands.mydata.description"),
):
    """What is kept of oneself."""

    def __init__(self, bot: EaselBot) -> None:
        self._memory, self._recent = bot.services.bench.memory, bot.services.recent

    @guild_command("mydata.export", spared=True)
    async def export(self, interaction: Interaction) -> None:
        """Hand over everything that is kept of the member."""
        await acknowledge(interaction, ephemeral=True)
        kept = await self._memory.export(interaction.user.id, interaction.guild_id or 0)
        data = json.dumps(kept, ensure_ascii=False, indent=1).encode()
        if len(data) > min(_FILE, interaction.filesize_limit):
            kept["uploads"] = [{**one, "bytes": None} for one in kept["uploads"]]
            data = json.dumps(kept, ensure_ascii=False).encode()
        locale = interaction.locale.value
        await answer_files(
            interaction, text("mydata.exported", locale), [Attachment(filename="mydata.json", data=data, alt="")]
        )

    @guild_command("mydata.erase", "sure", spared=True)
    async def erase(self, interaction: Interaction, sure: bool) -> None:  # noqa: FBT001 - an option of a command
        """Erase everything that need not stay."""
        await acknowledge(interaction, ephemeral=True)
        locale = interaction.locale.value
        if not sure:
            await answer(interaction, text("mydata.not_sure", locale))
            return
        count = await self._memory.erase(interaction.user.id, interaction.guild_id or 0)
        self._recent.forget(interaction.user.id)
        await answer(interaction, text("mydata.erased", locale, count=count))


async def setup(bot: EaselBot) -> None:
    """Add the cogs."""
    await bot.add_cog(People(bot))
    await bot.add_cog(MyData(bot))
