"""`/imagine`: from words to pictures, with any template."""

from dataclasses import replace

import discord
from discord import app_commands
from discord.ext import commands

from bot.answers import acknowledge_reply, standing_of
from bot.bot import EaselBot, Interaction
from bot.errors import RequestError
from bot.model.request import COUNT_LIMIT, PROMPT_LIMIT, SEED_LIMIT
from bot.publishing import CHOICES, by_role, request_of, size_choices
from bot.replies.catalogue import guild_command

_OPTIONS = ("prompt", "template", "negative", "seed", "size", "count", "image", "mask", "private")

Prompt = app_commands.Range[str, 1, PROMPT_LIMIT]
Seed = app_commands.Range[int, 0, SEED_LIMIT]
Count = app_commands.Range[int, 1, COUNT_LIMIT]


class Imagine(commands.Cog):
    """The command that makes pictures."""

    def __init__(self, bot: EaselBot) -> None:
        self._services = bot.services

    @guild_command("imagine", *_OPTIONS)
    async def imagine(
        self,
        interaction: Interaction,
        prompt: Prompt,
        template: str | None = None,
        negative: Prompt | None = None,
        seed: Seed | None = None,
        size: str | None = None,
        count: Count | None = None,
        image: discord.Attachment | None = None,
        mask: discord.Attachment | None = None,
        private: bool = False,  # noqa: FBT001, FBT002 - an option of a command
    ) -> None:
        """Acknowledge, then queue."""
        address = await acknowledge_reply(interaction, private=private)
        chosen = self._services.jobs.template(template, interaction.guild_id)
        await self._services.jobs.welcome(chosen, interaction.user.id, interaction.guild_id, standing_of(interaction))
        asked = {"prompt": prompt, "negative": negative, "seed": seed, "size": size, "count": count}
        given = {role: value for role, value in {**asked, "image": image, "mask": mask}.items() if value is not None}
        known, unused = by_role(chosen, given)
        for role in unused:
            if role in ("negative", "size") or (role == "count" and count != 1):
                raise RequestError(f"refused.no_{role}", template=chosen.title)
        request = await request_of(interaction, self._services, chosen, known, address)
        told = tuple(role for role in unused if role != "count")
        await self._services.jobs.submit(replace(request, unused=told), address, standing_of(interaction))

    @imagine.autocomplete("template")
    async def _templates(self, interaction: Interaction, typed: str) -> list[app_commands.Choice[str]]:
        words, locale = typed.casefold(), interaction.locale.value
        titles = {one.name: one.title_in(locale) for one in self._services.jobs.usable(interaction.guild_id)}
        found = [
            (title, name) for name, title in titles.items() if words in title.casefold() or words in name.casefold()
        ]
        return [app_commands.Choice(name=title[:100], value=name[:100]) for title, name in found[:CHOICES]]

    @imagine.autocomplete("size")
    async def _sizes(self, _interaction: Interaction, typed: str) -> list[app_commands.Choice[str]]:
        return size_choices(typed)


async def setup(bot: EaselBot) -> None:
    """Add the cog."""
    await bot.add_cog(Imagine(bot))
