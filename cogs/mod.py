"""`/mod`: what moderators do. Every command is checked again when it comes, and knows only the guild it comes from."""

import time
from typing import Literal

import discord
from discord import app_commands
from discord.ext import commands

from bot.answers import acknowledge, answer, answer_files, only_moderator
from bot.bot import EaselBot, Interaction
from bot.errors import RequestError
from bot.model.guild import DAY_S, EVERYWHERE, read_span
from bot.replies.case_words import case_lines, case_words, record_lines
from bot.replies.catalogue import guild_command, in_guilds, localised, text
from bot.replies.lines import within
from bot.services import Order, Wanted
from cogs.trail import TRAIL

Person = discord.Member | discord.User
Reason = app_commands.Range[str, 1, 300]
Number = app_commands.Range[int, 1, 999_999_999]


@in_guilds
@app_commands.default_permissions(manage_messages=True)
class Mod(
    commands.GroupCog,
    group_name=localised("commands.mod.name"),
    group_description=localised("commands.mod.description"),
):
    """Strike, pardon, ban, unban, record, review, case, audit."""

    def __init__(self, bot: EaselBot) -> None:
        self._bot, self._bench = bot, bot.services.bench

    async def interaction_check(self, interaction: Interaction, /) -> bool:  # pyright: ignore[reportIncompatibleMethodOverride] - our client's own interaction
        """Let only moderators in."""
        return await only_moderator(interaction)

    @guild_command("mod.strike", "member", "reason")
    async def strike(self, interaction: Interaction, member: Person, reason: Reason) -> None:
        """Count a strike."""
        await acknowledge(interaction, ephemeral=True)
        strikes, block = await self._bench.sanctions.strike(self._order(interaction, member, reason))
        key = "mod.struck_out" if block else "mod.struck"
        await answer(interaction, text(key, interaction.locale.value, member=member.id, strikes=strikes))

    @guild_command("mod.pardon", "member", "reason", "strike")
    async def pardon(self, interaction: Interaction, member: Person, reason: Reason, strike: str | None = None) -> None:
        """Take strikes back: one, or all."""
        await acknowledge(interaction, ephemeral=True)
        order = self._order(interaction, member, reason)
        count = await self._bench.sanctions.pardon(order, (strike or "").strip())
        await answer(interaction, text("mod.pardoned", interaction.locale.value, member=member.id, count=count))

    @guild_command("mod.ban", "member", "reason", "duration", "everywhere")
    async def ban(
        self, interaction: Interaction, member: Person, reason: Reason, duration: str | None = None,
        everywhere: bool = False,  # noqa: FBT001, FBT002 - an option of a command
    ) -> None:  # fmt: skip
        """Keep a member out of Easel, for a time or for good."""
        await acknowledge(interaction, ephemeral=True)
        seconds = read_span(duration) if duration else 0.0
        if seconds is None:
            raise RequestError("refused.setting_span", value=duration)
        order = self._order(interaction, member, reason, everywhere=everywhere)
        await self._bench.sanctions.ban(order, seconds or None)
        await answer(interaction, text("mod.banned", interaction.locale.value, member=member.id))

    @guild_command("mod.unban", "member", "reason", "everywhere")
    async def unban(self, interaction: Interaction, member: Person, reason: Reason, everywhere: bool = False) -> None:  # noqa: FBT001, FBT002 - an option of a command
        """Let a member in again: timeouts and bans end."""
        await acknowledge(interaction, ephemeral=True)
        await self._bench.sanctions.unban(self._order(interaction, member, reason, everywhere=everywhere))
        await answer(interaction, text("mod.unbanned", interaction.locale.value, member=member.id))

    @guild_command("mod.record", "member")
    async def record(self, interaction: Interaction, member: Person) -> None:
        """Show what this guild knows of a member."""
        await acknowledge(interaction, ephemeral=True)
        record = await self._bench.sanctions.record(member.id, interaction.guild_id or 0)
        await answer(
            interaction, within(record_lines(record, member.id, interaction.locale.value), interaction.locale.value)
        )

    @guild_command("mod.review")
    async def review(self, interaction: Interaction) -> None:
        """Show what waits for a decision."""
        await acknowledge(interaction, ephemeral=True)
        locale = interaction.locale.value
        waiting = await self._bench.casework.waiting(interaction.guild_id or 0)
        await answer(interaction, within(case_lines(waiting, locale), locale))

    @guild_command("mod.case", "number")
    async def case(self, interaction: Interaction, number: Number) -> None:
        """Show a case, with its pictures and what can be decided."""
        await acknowledge(interaction, ephemeral=True)
        case, job = await self._bench.casework.case(interaction.guild_id or 0, number)
        pictures = await self._bench.casework.pictures(case)
        locale = interaction.locale.value
        await answer_files(interaction, case_words(case, job, locale), pictures, case=case)

    @guild_command("mod.audit", "member", "moderator", "number", "days", "what")
    async def audit(
        self,
        interaction: Interaction,
        member: Person | None = None,
        moderator: Person | None = None,
        number: Number | None = None,
        days: app_commands.Range[int, 1, 3650] | None = None,
        what: Literal["show", "export", "verify"] = "show",
    ) -> None:
        """Search the trail of this guild, export it, or verify its chain."""
        await acknowledge(interaction, ephemeral=True)
        wanted = Wanted(
            guild_id=interaction.guild_id or 0,
            person_id=member.id if member else None,
            moderator_id=moderator.id if moderator else None,
            case=number,
            since=time.time() - days * DAY_S if days else None,
        )
        await TRAIL[what](interaction, self._bench, wanted)

    def _order(self, interaction: Interaction, member: Person, reason: str, *, everywhere: bool = False) -> Order:
        """Return who acts against whom. Everywhere only the bot's owner acts; nobody acts against those above them."""
        if everywhere and not self._bot.is_owner_of_easel(interaction.user):
            raise RequestError("refused.owner_only")
        above = isinstance(member, discord.Member) and _permissions(member).manage_guild
        if member.bot or member.id == interaction.user.id or (above and not interaction.permissions.manage_guild):
            raise RequestError("refused.not_against_them")
        guild_id = EVERYWHERE if everywhere else interaction.guild_id or 0
        return Order(guild_id=guild_id, member_id=member.id, by_id=interaction.user.id, reason=reason)


def _permissions(member: discord.Member) -> discord.Permissions:
    return member.resolved_permissions or member.guild_permissions


async def setup(bot: EaselBot) -> None:
    """Add the cog."""
    await bot.add_cog(Mod(bot))
