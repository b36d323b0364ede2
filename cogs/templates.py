"""Every published template as a slash command of its own."""

from collections.abc import Mapping
from typing import Any

from discord.ext import commands

from bot.answers import acknowledge_reply, standing_of
from bot.bot import EaselBot, Interaction
from bot.publishing import publish, request_of


class TemplateCommands(commands.Cog):
    """Commands that come and go with the files in the templates' folder."""

    def __init__(self, bot: EaselBot) -> None:
        self._bot = bot
        bot.on_publish(self.publish)
        self.publish()

    def publish(self) -> None:
        """Put the commands of the templates that can be used now in place of those before."""
        publish(self._bot, self.make)

    async def make(self, interaction: Interaction, name: str, given: Mapping[str, Any]) -> None:
        """Acknowledge, then queue."""
        address = await acknowledge_reply(interaction)
        services = self._bot.services
        template = services.jobs.template(name)
        await services.jobs.welcome(template, interaction.user.id, interaction.guild_id, standing_of(interaction))
        request = await request_of(interaction, services, template, given, address)
        await services.jobs.submit(request, address, standing_of(interaction))


async def setup(bot: EaselBot) -> None:
    """Add the cog."""
    await bot.add_cog(TemplateCommands(bot))
