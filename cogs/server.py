"""`/server`: the owner's hands on the machines. Every use is logged; who is no owner is refused."""

import structlog
from discord import app_commands
from discord.ext import commands

from bot.answers import acknowledge, answer
from bot.bot import EaselBot, Interaction, only_owner
from bot.replies.catalogue import guild_command, in_guilds, localised, text
from bot.replies.machines import node_words, status_words

log = structlog.get_logger()

_ADMINS = app_commands.default_permissions(manage_guild=True)


@in_guilds
@_ADMINS
class Server(
    commands.GroupCog,
    group_name=localised("commands.server.name"),
    group_description=localised("commands.server.description"),
):
    """Status, memory, queue and nodes of the servers."""

    def __init__(self, bot: EaselBot) -> None:
        self._bot = bot
        self._machines = bot.services.machines

    async def interaction_check(self, interaction: Interaction, /) -> bool:  # pyright: ignore[reportIncompatibleMethodOverride] - our client's own interaction
        """Let only owners in."""
        return await only_owner(interaction)

    async def _begin(self, interaction: Interaction, what: str, server: str | None = None) -> str:
        """Acknowledge and log; return the locale."""
        await acknowledge(interaction, ephemeral=True)
        log.info("owner.command", command=what, member=interaction.user.id, guild=interaction.guild_id, server=server)
        return interaction.locale.value

    @guild_command("server.status")
    async def status(self, interaction: Interaction) -> None:
        """Tell how every server is."""
        locale = await self._begin(interaction, "server status")
        lines = [status_words(await self._machines.status(name), locale) for name in self._machines.names]
        await answer(interaction, "\n".join(lines))

    @guild_command("server.free", "server")
    async def free(self, interaction: Interaction, server: str | None = None) -> None:
        """Unload models and drop caches."""
        locale = await self._begin(interaction, "server free", server)
        name = await self._machines.free(server)
        await answer(interaction, text("owner.freed", locale, name=name))

    @guild_command("server.interrupt", "server")
    async def interrupt(self, interaction: Interaction, server: str | None = None) -> None:
        """Stop what runs."""
        locale = await self._begin(interaction, "server interrupt", server)
        await answer(interaction, text("owner.interrupted", locale, count=await self._machines.interrupt(server)))

    @guild_command("server.clear", "server")
    async def clear(self, interaction: Interaction, server: str | None = None) -> None:
        """Empty the server's own queue."""
        locale = await self._begin(interaction, "server clear", server)
        await answer(interaction, text("owner.cleared", locale, count=await self._machines.clear(server)))

    @guild_command("server.nodes", "node", "server")
    async def nodes(self, interaction: Interaction, node: str, server: str | None = None) -> None:
        """Tell whether a node class is there, and its inputs."""
        locale = await self._begin(interaction, "server nodes", server)
        await answer(interaction, node_words(await self._machines.node(server, node), locale))

    @nodes.autocomplete("node")
    async def _nodes(self, _interaction: Interaction, typed: str) -> list[app_commands.Choice[str]]:
        return [app_commands.Choice(name=one[:100], value=one[:100]) for one in self._machines.offered_nodes(typed)]

    @free.autocomplete("server")
    @interrupt.autocomplete("server")
    @clear.autocomplete("server")
    @nodes.autocomplete("server")
    async def _servers(self, _interaction: Interaction, typed: str) -> list[app_commands.Choice[str]]:
        names = [name for name in self._machines.names if typed.casefold() in name.casefold()]
        return [app_commands.Choice(name=name, value=name) for name in names[:25]]


async def setup(bot: EaselBot) -> None:
    """Add the cog."""
    await bot.add_cog(Server(bot))
