"""`/help`: live from the commands that this member may use."""

from collections.abc import AsyncIterator
from typing import Any, cast

import discord
from discord import app_commands
from discord.ext import commands

from bot.answers import acknowledge, answer_card, is_moderator
from bot.bot import EaselBot, Interaction
from bot.replies.cards import Card, Tone
from bot.replies.catalogue import CatalogueTranslator, guild_command, has, text
from bot.replies.lines import within
from bot.replies.safe import shown

_LETTERS, _TEMPLATES = 3300, 20
_OWNERS = frozenset({"server", "models"})
"""Groups that answer the owner alone, whatever Discord shows."""
_SLASH = discord.AppCommandType.chat_input
_MENUS = (discord.AppCommandType.message, discord.AppCommandType.user)


class Guide(commands.Cog):
    """What this bot can do."""

    def __init__(self, bot: EaselBot) -> None:
        self._bot, self._jobs = bot, bot.services.jobs
        self._translator = CatalogueTranslator()

    @guild_command("help", spared=True)
    async def help(self, interaction: Interaction) -> None:
        """Tell the member the commands that are theirs, and the templates that work now."""
        await acknowledge(interaction, ephemeral=True)
        locale = interaction.locale.value
        tree = self._bot.tree
        offered = [one for one in tree.get_commands(type=_SLASH) if self._may(interaction, one)]
        own = [one for one in offered if one.name not in self._bot.published]
        lines = [line for one in own async for line in self._lines(one, interaction)]
        found = [one for kind in _MENUS for one in tree.get_commands(type=kind) if self._may(interaction, one)]
        menus = [await self._word(one.name, getattr(one, "_locale_name", None), interaction) for one in found]
        names = ", ".join(
            shown(template.title_in(locale), 40) for template in self._jobs.usable(interaction.guild_id)[:_TEMPLATES]
        )
        ends = [
            text("help.menus", locale, menus=", ".join(menus)),
            text("help.buttons", locale),
            text("help.templates", locale, templates=names) if names else text("help.no_templates", locale),
        ]
        words = [text("help.title", locale), within(lines, locale, _LETTERS), *ends]
        await answer_card(interaction, Card(tone=Tone.PLAIN, text="\n".join(words)))

    def _may(self, interaction: Interaction, command: Any) -> bool:
        if command.name in _OWNERS:
            return self._bot.is_owner_of_easel(interaction.user)
        needed = cast("discord.Permissions | None", command.default_permissions)
        if needed is None or interaction.permissions >= needed:
            return True
        return needed.manage_messages and is_moderator(interaction)

    async def _lines(self, command: Any, interaction: Interaction, above: str = "") -> AsyncIterator[str]:
        """Yield a command, or those of a group, as `/name: what it does`, with an example if there is one."""
        name = f"{above}{await self._word(command.name, command._locale_name, interaction)}"  # noqa: SLF001 - discord.py shows it nowhere else
        if isinstance(command, app_commands.Group):
            for one in command.commands:
                async for line in self._lines(one, interaction, f"{name} "):
                    yield line
            return
        about = await self._word(command.description, command._locale_description, interaction)  # noqa: SLF001 - as above
        locale = interaction.locale.value
        key = f"examples.{command.qualified_name.replace(' ', '_')}"
        example = text("help.example", locale, example=text(key, locale)) if has(key) else ""
        yield text("help.line", locale, name=name, about=about) + example

    async def _word(self, english: str, words: app_commands.locale_str | None, interaction: Interaction) -> str:
        """Return a name or a description in the member's language, as Discord shows it to them."""
        if words is None:
            return english
        context = cast("Any", None)  # our translator does not look at it
        return await self._translator.translate(words, interaction.locale, context) or english


async def setup(bot: EaselBot) -> None:
    """Add the cog."""
    await bot.add_cog(Guide(bot))
