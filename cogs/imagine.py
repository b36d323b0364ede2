"""`/imagine`: from words to pictures, with any template."""

from dataclasses import replace
from typing import Any

import discord
from discord import app_commands
from discord.ext import commands

from bot.answers import acknowledge_reply, standing_of
from bot.bot import EaselBot, Interaction
from bot.errors import RequestError
from bot.model.request import COUNT_LIMIT, PROMPT_LIMIT, SEED_LIMIT
from bot.publishing import CHOICES, by_role, plain_choices, request_of, role_choices, size_choices
from bot.replies.catalogue import guild_command

_OPTIONS = ("prompt", "template", "style", "negative", "seed", "size", "count", "image", "mask", "lora", "model")
_FURTHER = ("sampler", "steps", "cfg", "private")
_INSISTED = ("negative", "size", "count")
"""What is not just left out where a template has no use for it."""

Prompt = app_commands.Range[str, 1, PROMPT_LIMIT]
Seed = app_commands.Range[int, 0, SEED_LIMIT]
Count = app_commands.Range[int, 1, COUNT_LIMIT]
Steps = app_commands.Range[int, 1, 150]
Cfg = app_commands.Range[float, 0.0, 30.0]
_Choice = app_commands.Choice[str]


class Imagine(commands.Cog):
    """The command that makes pictures."""

    def __init__(self, bot: EaselBot) -> None:
        self._services = bot.services

    @guild_command("imagine", *_OPTIONS, *_FURTHER)
    async def imagine(  # noqa: PLR0913, PLR0917 - one parameter an option
        self,
        interaction: Interaction,
        prompt: Prompt,
        template: str | None = None,
        style: str | None = None,
        negative: Prompt | None = None,
        seed: Seed | None = None,
        size: str | None = None,
        count: Count | None = None,
        image: discord.Attachment | None = None,
        mask: discord.Attachment | None = None,
        lora: str | None = None,
        model: str | None = None,
        sampler: str | None = None,
        steps: Steps | None = None,
        cfg: Cfg | None = None,
        private: bool = False,  # noqa: FBT001, FBT002 - an option of a command
    ) -> None:
        """Acknowledge, then queue."""
        address = await acknowledge_reply(interaction, private=private)
        services, standing = self._services, standing_of(interaction)
        chosen = services.jobs.template(template, interaction.guild_id)
        await services.jobs.welcome(chosen, interaction.user.id, interaction.guild_id, standing)
        prompt = await services.recent.meant(interaction.user.id, interaction.guild_id or 0, prompt)
        if lora is not None:
            if not chosen.manifest.prompt_syntax:
                raise RequestError("refused.no_lora", template=chosen.title)
            prompt = f"{prompt} <lora:{lora}>"
        asked: dict[str, Any] = {"prompt": prompt, "negative": negative, "seed": seed, "size": size, "count": count}
        asked |= {"model": model, "sampler": sampler, "steps": steps, "cfg": cfg, "image": image, "mask": mask}
        known, unused = by_role(chosen, {role: value for role, value in asked.items() if value is not None})
        for role in unused:
            if role in _INSISTED and not (role == "count" and count == 1):
                raise RequestError(f"refused.no_{role}", template=chosen.title)
        request = await request_of(interaction, services, chosen, known, address)
        told = tuple(role for role in unused if role != "count")
        look = services.remix.style(style, interaction.locale.value) if style else None
        await services.jobs.submit(replace(request, unused=told, style=look), address, standing)

    @imagine.autocomplete("prompt")
    async def _prompts(self, interaction: Interaction, typed: str) -> list[_Choice]:
        guild_id = interaction.guild_id or 0
        adult, recent = standing_of(interaction).adult_channel, self._services.recent
        found = (await recent.offered(interaction.user.id, guild_id, typed, adult=adult))[:CHOICES]
        fit = await self._services.bench.gate.tellable([one.prompt for one in found], guild_id)
        return [app_commands.Choice(name=_cut(one.prompt), value=one.value) for one in found if one.prompt in fit]

    @imagine.autocomplete("template")
    async def _templates(self, interaction: Interaction, typed: str) -> list[_Choice]:
        locale = interaction.locale.value
        return _titled(
            {one.name: one.title_in(locale) for one in self._services.jobs.usable(interaction.guild_id)}, typed
        )

    @imagine.autocomplete("style")
    async def _styles(self, interaction: Interaction, typed: str) -> list[_Choice]:
        styles = self._services.library.styles
        return _titled({name: one.title_in(interaction.locale.value) for name, one in styles.items()}, typed)

    @imagine.autocomplete("size")
    async def _sizes(self, interaction: Interaction, typed: str) -> list[_Choice]:
        return size_choices(typed, self._template(interaction), interaction.locale.value)

    @imagine.autocomplete("lora")
    async def _loras(self, _interaction: Interaction, typed: str) -> list[_Choice]:
        return plain_choices(self._services.machines.offered_loras(typed))

    @imagine.autocomplete("model")
    async def _models(self, interaction: Interaction, typed: str) -> list[_Choice]:
        return self._listed(interaction, "model", typed)

    @imagine.autocomplete("sampler")
    async def _samplers(self, interaction: Interaction, typed: str) -> list[_Choice]:
        return self._listed(interaction, "sampler", typed)

    def _template(self, interaction: Interaction) -> Any:
        """Return the template that was chosen so far, or the usual one; None if there is none."""
        try:
            return self._services.jobs.template(interaction.namespace.template, interaction.guild_id)
        except RequestError:
            return None

    def _listed(self, interaction: Interaction, role: str, typed: str) -> list[_Choice]:
        template = self._template(interaction)
        return role_choices(template, role, typed) if template is not None else []


def _titled(titles: dict[str, str], typed: str) -> list[_Choice]:
    words = typed.casefold()
    found = [(title, name) for name, title in titles.items() if words in title.casefold() or words in name.casefold()]
    return [app_commands.Choice(name=title[:100], value=name[:100]) for title, name in found[:CHOICES]]


def _cut(words: str) -> str:
    return words if len(words) <= 100 else words[:99] + "…"


async def setup(bot: EaselBot) -> None:
    """Add the cog."""
    await bot.add_cog(Imagine(bot))
