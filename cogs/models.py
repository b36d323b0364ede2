"""`/models`: what model files the machines have, and what they say of themselves. Owner only, and logged."""

import structlog
from discord import app_commands
from discord.ext import commands

from bot.answers import acknowledge, answer
from bot.bot import EaselBot, Interaction, only_owner
from bot.replies.catalogue import guild_command, in_guilds, localised
from bot.replies.machines import metadata_words, models_words

log = structlog.get_logger()


@in_guilds
@app_commands.default_permissions(manage_guild=True)
class Models(
    commands.GroupCog,
    group_name=localised("commands.models.name"),
    group_description=localised("commands.models.description"),
):
    """Model files."""

    def __init__(self, bot: EaselBot) -> None:
        self._machines = bot.services.machines

    async def interaction_check(self, interaction: Interaction, /) -> bool:  # pyright: ignore[reportIncompatibleMethodOverride] - our client's own interaction
        """Let only owners in."""
        return await only_owner(interaction)

    @guild_command("models.list", "folder", "server")
    async def listed(self, interaction: Interaction, folder: str = "checkpoints", server: str | None = None) -> None:
        """List the files of a folder."""
        await acknowledge(interaction, ephemeral=True)
        log.info("owner.command", command="models list", member=interaction.user.id, folder=folder, server=server)
        names = await self._machines.models(server, folder)
        await answer(interaction, models_words(folder, names, interaction.locale.value))

    @guild_command("models.info", "file", "folder", "server")
    async def info(
        self, interaction: Interaction, file: str, folder: str = "checkpoints", server: str | None = None
    ) -> None:
        """Tell what a file says of itself."""
        await acknowledge(interaction, ephemeral=True)
        log.info("owner.command", command="models info", member=interaction.user.id, file=file, server=server)
        found = await self._machines.metadata(server, folder, file)
        await answer(interaction, metadata_words(file, found, interaction.locale.value))

    @info.autocomplete("file")
    async def _files(self, _interaction: Interaction, typed: str) -> list[app_commands.Choice[str]]:
        found = self._machines.offered_checkpoints(typed)
        return [app_commands.Choice(name=one[-100:], value=one[-100:]) for one in found]


async def setup(bot: EaselBot) -> None:
    """Add the cog."""
    await bot.add_cog(Models(bot))
