"""`/models`: what model files the machines have, and what they say of themselves. Owner only, and logged."""

import structlog
from discord import app_commands
from discord.ext import commands

from bot.bot import EaselBot, Interaction, acknowledge, answer, only_owner
from bot.replies.catalogue import localised
from bot.replies.machines import metadata_words, models_words

log = structlog.get_logger()


@app_commands.allowed_installs(guilds=True, users=False)
@app_commands.allowed_contexts(guilds=True, dms=False, private_channels=False)
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

    @app_commands.command(
        name=localised("commands.models.list.name"), description=localised("commands.models.list.description")
    )
    @app_commands.rename(folder=localised("options.folder.name"), server=localised("options.server.name"))
    @app_commands.describe(
        folder=localised("options.folder.description"), server=localised("options.server.description")
    )
    async def listed(self, interaction: Interaction, folder: str = "checkpoints", server: str | None = None) -> None:
        """List the files of a folder."""
        await acknowledge(interaction, ephemeral=True)
        log.info("owner.command", command="models list", member=interaction.user.id, folder=folder, server=server)
        names = await self._machines.models(server, folder)
        await answer(interaction, models_words(folder, names, interaction.locale.value))

    @app_commands.command(
        name=localised("commands.models.info.name"), description=localised("commands.models.info.description")
    )
    @app_commands.rename(
        file=localised("options.file.name"),
        folder=localised("options.folder.name"),
        server=localised("options.server.name"),
    )
    @app_commands.describe(
        file=localised("options.file.description"),
        folder=localised("options.folder.description"),
        server=localised("options.server.description"),
    )
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
