"""Recipe: how a picture was made. A button, a command, and a menu on any message with a picture."""

from dataclasses import asdict
from typing import Any

import discord
from discord import app_commands
from discord.ext import commands

from bot.answers import acknowledge, answer_card, asker_of, is_moderator, shown_by
from bot.bot import EaselBot, Interaction
from bot.errors import RequestError
from bot.model.job import Job
from bot.model.request import Value
from bot.model.verdict import Refuse
from bot.replies.catalogue import guild_command, menu
from bot.replies.press import Action, Press
from bot.replies.recipe_words import found_card, recipe_card
from bot.services import check_open


class Recipe(commands.Cog):
    """Tells how."""

    def __init__(self, bot: EaselBot) -> None:
        self._services = bot.services
        bot.on_press(Action.RECIPE, self.pressed)

    async def pressed(self, interaction: discord.Interaction[Any], press: Press) -> None:
        """Tell how the pictures above the button were made."""
        await acknowledge(interaction, ephemeral=True)
        await self._tell(interaction, await self._services.jobs.find(press.job_id))

    @guild_command("recipe", "picture")
    async def recipe(self, interaction: Interaction, picture: str | None = None) -> None:
        """Tell how one of the member's own pictures was made, the newest if none is named."""
        await acknowledge(interaction, ephemeral=True)
        own = await self._own(interaction)
        wanted = own[:1] if picture is None else [job for job in own if job.id == picture]
        if not wanted:
            raise RequestError("refused.no_own_picture")
        await self._tell(interaction, wanted[0])

    @recipe.autocomplete("picture")
    async def _pictures(self, interaction: Interaction, typed: str) -> list[app_commands.Choice[str]]:
        own = [job for job in await self._own(interaction) if typed.casefold() in job.request.prompt.casefold()]
        fit = await self._services.bench.gate.tellable([job.request.prompt for job in own], interaction.guild_id or 0)
        found = [job for job in own if job.request.prompt in fit]
        return [app_commands.Choice(name=(job.request.prompt or job.id)[:100], value=job.id) for job in found[:25]]

    async def _own(self, interaction: Interaction) -> list[Job]:
        jobs = await self._services.shelf.prompts(interaction.user.id, interaction.guild_id or 0, 100)
        adult = asker_of(interaction).adult
        return [job for job in jobs if not job.deleted and not job.removed and (adult or not job.request.adult)]

    async def recipe_message(self, interaction: Interaction, message: discord.Message) -> None:
        """Tell how a picture in a message was made: ours by its record, another by what the file says."""
        await acknowledge(interaction, ephemeral=True)
        job = await self._services.jobs.shown_in(message.id, interaction.guild_id or 0)
        if job is not None:
            await self._tell(interaction, job)
            return
        _, found = await self._services.foreign.read(shown_by(message))
        if found is None:
            raise RequestError("refused.no_recipe")
        names = (found.sampler, found.scheduler, found.model, *found.loras)
        await self._check(interaction, found.negative, found.prompt, *names)
        facts = {**asdict(found), "models": [found.model] if found.model else []}
        if found.size is not None:
            facts |= {"width": found.size.width, "height": found.size.height}
        locale = interaction.locale.value
        await answer_card(interaction, found_card(facts, found.prompt, found.negative, found.source, locale))

    async def _tell(self, interaction: discord.Interaction[Any], job: Job | None) -> None:
        job = check_open(job, asker_of(interaction))
        locale, recipes = interaction.locale.value, self._services.recipes
        kept, workflow = await recipes.of(job), await recipes.workflow(job)
        await self._check(interaction, job.request.negative, job.request.prompt, *job.request.values.values())
        card = recipe_card(
            job,
            kept,
            recipes.title(job, locale),
            locale,
            files=(workflow,) if workflow is not None else (),
            moderator=is_moderator(interaction),
        )
        await answer_card(interaction, card)

    async def _check(self, interaction: discord.Interaction[Any], negative: str | None, *told: Value | None) -> None:
        """What is told again passes the gate again: the list may have grown since; raises RequestError."""
        said = "\n".join(str(one) for one in told if one is not None)
        verdict = await self._services.bench.gate.text(said, interaction.guild_id or 0, negative=negative)
        if isinstance(verdict, Refuse):
            raise RequestError(verdict.key, **verdict.facts)


async def setup(bot: EaselBot) -> None:
    """Add the cog and its context menu."""
    cog = Recipe(bot)
    await bot.add_cog(cog)

    async def recipe_of(interaction: discord.Interaction[EaselBot], message: discord.Message) -> None:
        await cog.recipe_message(interaction, message)

    bot.tree.add_command(menu("recipe_of", recipe_of))
