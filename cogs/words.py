"""`/words`: the guild's word list, and for the bot's owner the one that counts everywhere."""

from typing import Literal

import discord
from discord import app_commands
from discord.ext import commands

from bot.answers import acknowledge, answer, only_moderator
from bot.bot import EaselBot, Interaction
from bot.errors import RequestError
from bot.model.guild import EVERYWHERE
from bot.replies.catalogue import guild_command, in_guilds, localised, text
from bot.replies.guild_words import word_line
from bot.replies.lines import within
from bot.replies.safe import shown
from bot.services import Author

Entry = app_commands.Range[str, 1, 100]
Mode = Literal["refuse", "hold", "strike"]


@in_guilds
@app_commands.default_permissions(manage_messages=True)
class Words(
    commands.GroupCog,
    group_name=localised("commands.words.name"),
    group_description=localised("commands.words.description"),
):
    """Add, allow, remove, list, test, import."""

    def __init__(self, bot: EaselBot) -> None:
        self._bot, self._council = bot, bot.services.bench.council

    async def interaction_check(self, interaction: Interaction, /) -> bool:  # pyright: ignore[reportIncompatibleMethodOverride] - our client's own interaction
        """Let only moderators in."""
        return await only_moderator(interaction)

    @guild_command("words.add", "word", "mode", "rule", "everywhere")
    async def add(
        self, interaction: Interaction, word: Entry, mode: Mode | None = None, rule: Entry | None = None,
        everywhere: bool = False,  # noqa: FBT001, FBT002 - an option of a command
    ) -> None:  # fmt: skip
        """Put a word on the list."""
        await acknowledge(interaction, ephemeral=True)
        added = await self._council.add_word(
            self._author(interaction, everywhere=everywhere), word, mode or "", rule or ""
        )
        await answer(
            interaction, text("words.added", interaction.locale.value, line=word_line(added, interaction.locale.value))
        )

    @guild_command("words.allow", "word", "everywhere")
    async def allow(self, interaction: Interaction, word: Entry, everywhere: bool = False) -> None:  # noqa: FBT001, FBT002 - an option of a command
        """Make an exception."""
        await acknowledge(interaction, ephemeral=True)
        added = await self._council.allow_word(self._author(interaction, everywhere=everywhere), word)
        await answer(interaction, text("words.allowed", interaction.locale.value, word=shown(added, 100)))

    @guild_command("words.remove", "word", "everywhere")
    async def remove(self, interaction: Interaction, word: Entry, everywhere: bool = False) -> None:  # noqa: FBT001, FBT002 - an option of a command
        """Take a word off the list, or out of the exceptions."""
        await acknowledge(interaction, ephemeral=True)
        await self._council.remove_word(self._author(interaction, everywhere=everywhere), word)
        await answer(interaction, text("words.removed", interaction.locale.value, word=shown(word, 100)))

    @guild_command("words.list", "everywhere")
    async def listed(self, interaction: Interaction, everywhere: bool = False) -> None:  # noqa: FBT001, FBT002 - an option of a command
        """Show the list."""
        await acknowledge(interaction, ephemeral=True)
        locale = interaction.locale.value
        lists = await self._council.words(self._author(interaction, everywhere=everywhere).guild_id)
        lines = [word_line(word, locale) for word in lists.words]
        lines += [text("words.exception", locale, word=shown(one, 100)) for one in lists.allowed]
        await answer(interaction, within(lines, locale) if lines else text("words.empty", locale))

    @guild_command("words.test", "text")
    async def test(self, interaction: Interaction, text: app_commands.Range[str, 1, 1500]) -> None:
        """Tell what a text would hit."""
        await acknowledge(interaction, ephemeral=True)
        hits = await self._council.hits(interaction.guild_id or 0, text)
        await answer(interaction, _hit_words([word_line(word, interaction.locale.value) for word in hits], interaction))

    @guild_command("words.import")
    async def imported(self, interaction: Interaction) -> None:
        """Take over the keywords of Discord's own AutoMod."""
        await acknowledge(interaction, ephemeral=True)
        if interaction.guild is None:
            raise RequestError("refused.guild_only")
        try:
            rules = await interaction.guild.fetch_automod_rules()
        except discord.Forbidden as fault:
            raise RequestError("refused.automod_unseen") from fault
        triggers = [rule.trigger for rule in rules if rule.enabled]
        words = [word for trigger in triggers for word in trigger.keyword_filter]
        allowed = [word for trigger in triggers if trigger.keyword_filter for word in trigger.allow_list]
        taken, exceptions = await self._council.import_words(self._author(interaction), words, allowed)
        await answer(interaction, text("words.imported", interaction.locale.value, words=taken, allowed=exceptions))

    def _author(self, interaction: Interaction, *, everywhere: bool = False) -> Author:
        """Return for whom somebody decides: everywhere only the bot's owner does."""
        if everywhere and not self._bot.is_owner_of_easel(interaction.user):
            raise RequestError("refused.owner_only")
        return Author(EVERYWHERE if everywhere else interaction.guild_id or 0, interaction.user.id)


def _hit_words(lines: list[str], interaction: Interaction) -> str:
    locale = interaction.locale.value
    return within([text("words.hits", locale), *lines], locale) if lines else text("words.no_hits", locale)


async def setup(bot: EaselBot) -> None:
    """Add the cog."""
    await bot.add_cog(Words(bot))
