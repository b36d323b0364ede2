"""`/stats`: a picture of what is going on."""

import asyncio
import time

from discord import app_commands
from discord.ext import commands

from bot.answers import acknowledge, answer_card
from bot.bot import EaselBot, Interaction
from bot.model.guild import DAY_S
from bot.replies.cards import Card, Tone
from bot.replies.catalogue import guild_command
from bot.replies.stats import plot, stats_words
from bot.services import Attachment

_BINS = {1: 24, 7: 28, 30: 30}


class Statistics(commands.Cog):
    """Numbers."""

    def __init__(self, bot: EaselBot) -> None:
        self._services = bot.services

    @guild_command("stats", "period")
    @app_commands.choices(period=[app_commands.Choice(name=f"{days} d", value=days) for days in _BINS])
    async def stats(self, interaction: Interaction, period: int = 7) -> None:
        """Tell how much was asked for here, how long it took, and how busy the machines were."""
        await acknowledge(interaction, ephemeral=True)
        now, days = time.time(), period if period in _BINS else 7
        found = await self._services.stats.guild(interaction.guild_id or 0, now - days * DAY_S, now, _BINS[days])
        machines, locale = len(self._services.machines.names), interaction.locale.value
        drawn = await asyncio.to_thread(plot, found, machines, locale)
        files = () if drawn is None else (Attachment(filename="stats.png", data=drawn[0], alt=drawn[1]),)
        await answer_card(interaction, Card(tone=Tone.PLAIN, text=stats_words(found, machines, locale), files=files))


async def setup(bot: EaselBot) -> None:
    """Add the cog."""
    await bot.add_cog(Statistics(bot))
