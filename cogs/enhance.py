"""`/enhance`: help with words. The member looks at them before anything is made; buttons of a draft are in `remix`."""

from discord import app_commands
from discord.ext import commands

from bot.answers import acknowledge, answer_card, asker_of, standing_of
from bot.bot import EaselBot, Interaction
from bot.model.request import PROMPT_LIMIT
from bot.replies.catalogue import guild_command


class Enhance(commands.Cog):
    """Asks the prompt helper."""

    def __init__(self, bot: EaselBot) -> None:
        self._rewording = bot.services.rewording

    @guild_command("enhance", "idea")
    async def enhance(self, interaction: Interaction, idea: app_commands.Range[str, 1, PROMPT_LIMIT]) -> None:
        """Make a prompt of an idea."""
        await acknowledge(interaction, ephemeral=True)
        card = await self._rewording.of_prompt(idea, asker_of(interaction), standing_of(interaction))
        await answer_card(interaction, card)


async def setup(bot: EaselBot) -> None:
    """Add the cog; without a helper there is nobody to ask."""
    if bot.services.rewording.available:
        await bot.add_cog(Enhance(bot))
