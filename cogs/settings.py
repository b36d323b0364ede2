"""`/settings`: what this guild's admins decide. Everything here comes from the table in `bot.model.guild`."""

from typing import Any

import discord
from discord import app_commands
from discord.ext import commands

from bot.answers import acknowledge, answer, only_manager
from bot.bot import EaselBot, Interaction
from bot.model.guild import SETTINGS, Kind, Named, Setting
from bot.replies.catalogue import guild_command, in_guilds, localised, text
from bot.replies.guild_words import setting_line, setting_lines
from bot.replies.lines import within
from bot.services import Author

_CHOICES = 25


@in_guilds
@app_commands.default_permissions(manage_guild=True)
class GuildSettingsCog(
    commands.GroupCog,
    name="settings",
    group_name=localised("commands.settings.name"),
    group_description=localised("commands.settings.description"),
):
    """Show, set, reset."""

    def __init__(self, bot: EaselBot) -> None:
        self._services = bot.services
        self._council = bot.services.bench.council

    async def interaction_check(self, interaction: Interaction, /) -> bool:  # pyright: ignore[reportIncompatibleMethodOverride] - our client's own interaction
        """Let only those in who may manage the guild."""
        return await only_manager(interaction)

    @guild_command("settings.show", "setting")
    async def show(self, interaction: Interaction, setting: str | None = None) -> None:
        """Show all settings, or one with what it is for."""
        await acknowledge(interaction, ephemeral=True)
        settings, locale = await self._council.settings(interaction.guild_id or 0), interaction.locale.value
        if setting is not None and setting in SETTINGS:
            line = setting_line(SETTINGS[setting], getattr(settings, setting), locale)
            await answer(interaction, line)
        else:
            await answer(interaction, within(setting_lines(settings, locale), locale))

    @guild_command("settings.set", "setting", "value")
    async def put(self, interaction: Interaction, setting: str, value: app_commands.Range[str, 1, 1000]) -> None:
        """Set one, in force at once."""
        await acknowledge(interaction, ephemeral=True)
        changed, now = await self._council.change(_author(interaction), setting, value, self._named(interaction))
        lines = [setting_line(changed, now, interaction.locale.value), *self._warnings(interaction, changed, now)]
        await answer(interaction, "\n".join(lines))

    @guild_command("settings.reset", "setting")
    async def reset(self, interaction: Interaction, setting: str) -> None:
        """Set one back to its default."""
        await acknowledge(interaction, ephemeral=True)
        changed, now = await self._council.reset(_author(interaction), setting)
        await answer(interaction, setting_line(changed, now, interaction.locale.value))

    @show.autocomplete("setting")
    @put.autocomplete("setting")
    @reset.autocomplete("setting")
    async def _keys(self, _interaction: Interaction, typed: str) -> list[app_commands.Choice[str]]:
        found = [key for key in SETTINGS if typed.strip().casefold() in key]
        return [app_commands.Choice(name=key, value=key) for key in found[:_CHOICES]]

    @put.autocomplete("value")
    async def _values(self, interaction: Interaction, typed: str) -> list[app_commands.Choice[str]]:
        setting = SETTINGS.get(str(getattr(interaction.namespace, "setting", "")))
        if setting is None:
            return []
        offered: list[tuple[str, str]] = [(one, one) for one in setting.choices]
        if setting.kind is Kind.SWITCH:
            offered = [("on", "on"), ("off", "off")]
        names = self._named(interaction).get({Kind.CHANNEL: "channel", Kind.TEMPLATE: "template"}.get(setting.kind, ""))
        offered += [(name, str(ident)) for name, ident in (names or {}).items()]
        found = [(name, value) for name, value in offered if typed.strip().casefold() in name]
        return [app_commands.Choice(name=name[:100], value=value[:100]) for name, value in found[:_CHOICES]]

    def _warnings(self, interaction: Interaction, setting: Setting, value: Any) -> list[str]:
        """Return what an admin should know of a value that counts all the same."""
        locale, guild, keys = interaction.locale.value, interaction.guild, list[str]()
        if setting.key.startswith("picture_") and not self._services.bench.gate.checks_pictures:
            keys.append("no_check")
        channel = guild.get_channel(value) if guild is not None and setting.kind is Kind.CHANNEL else None
        if guild is not None and channel is not None:
            user = interaction.client.user
            me = guild.get_member(user.id) if user is not None else None
            mine = channel.permissions_for(me) if me is not None else None
            if mine is not None and not (mine.view_channel and mine.send_messages and mine.attach_files):
                keys.append("unseen_channel")
            if channel.permissions_for(guild.default_role).view_channel:
                keys.append("public_channel")
        return [text(f"settings.{key}", locale) for key in keys]

    def _named(self, interaction: Interaction) -> Named:
        guild = interaction.guild
        if guild is None:
            return {}
        return {
            "channel": {
                channel.name.casefold(): channel.id
                for channel in (*guild.channels, *guild.threads)
                if not isinstance(channel, discord.CategoryChannel)
            },
            "role": {role.name.casefold(): role.id for role in guild.roles},
            "template": {name.casefold(): name for name in self._services.library.by_name},
        }


def _author(interaction: Interaction) -> Author:
    return Author(interaction.guild_id or 0, interaction.user.id)


async def setup(bot: EaselBot) -> None:
    """Add the cog."""
    await bot.add_cog(GuildSettingsCog(bot))
