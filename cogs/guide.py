"""`/help`."""

from discord.ext import commands

from bot.answers import acknowledge, answer
from bot.bot import EaselBot, Interaction
from bot.replies.catalogue import guild_command, text
from bot.replies.safe import shown

_TEMPLATES = 20


class Guide(commands.Cog):
    """What this bot can do."""

    def __init__(self, bot: EaselBot) -> None:
        self._jobs = bot.services.jobs

    @guild_command("help", spared=True)
    async def help(self, interaction: Interaction) -> None:
        """Tell the member the commands, and the templates that work now."""
        await acknowledge(interaction, ephemeral=True)
        locale = interaction.locale.value
        lines = [text(f"help.{part}", locale) for part in ("title", "imagine", "queue", "cancel", "buttons")]
        titles = ", ".join(
            shown(template.title, 40) for template in self._jobs.usable(interaction.guild_id)[:_TEMPLATES]
        )
        lines.append(text("help.templates", locale, templates=titles) if titles else text("help.no_templates", locale))
        await answer(interaction, "\n".join(lines))


async def setup(bot: EaselBot) -> None:
    """Add the cog."""
    await bot.add_cog(Guide(bot))
