"""`/imagine`: from words to pictures."""

from discord import app_commands
from discord.ext import commands

from bot.bot import EaselBot, Interaction, acknowledge_reply
from bot.errors import RequestError
from bot.model.request import COUNT_LIMIT, PROMPT_LIMIT, SEED_LIMIT, Request, Size, parse_size, random_seed
from bot.replies.catalogue import localised

CHOICES = 25
SIZES = ("512x512", "512x768", "768x512", "1024x1024", "832x1216", "1216x832", "1344x768", "768x1344")

_OPTIONS = ("prompt", "template", "negative", "seed", "size", "count")

Prompt = app_commands.Range[str, 1, PROMPT_LIMIT]
Seed = app_commands.Range[int, 0, SEED_LIMIT]
Count = app_commands.Range[int, 1, COUNT_LIMIT]


class Imagine(commands.Cog):
    """The command that makes pictures."""

    def __init__(self, bot: EaselBot) -> None:
        self._jobs = bot.services.jobs

    @app_commands.command(
        name=localised("commands.imagine.name"), description=localised("commands.imagine.description")
    )
    @app_commands.rename(**{name: localised(f"commands.imagine.options.{name}.name") for name in _OPTIONS})
    @app_commands.describe(**{name: localised(f"commands.imagine.options.{name}.description") for name in _OPTIONS})
    @app_commands.allowed_installs(guilds=True, users=False)
    @app_commands.allowed_contexts(guilds=True, dms=False, private_channels=False)
    async def imagine(
        self,
        interaction: Interaction,
        prompt: Prompt,
        template: str | None = None,
        negative: Prompt | None = None,
        seed: Seed | None = None,
        size: str | None = None,
        count: Count | None = None,
    ) -> None:
        """Acknowledge, then queue."""
        address = await acknowledge_reply(interaction)
        if not prompt.strip():
            raise RequestError("refused.empty_prompt")
        request = Request(
            prompt=prompt,
            negative=negative,
            template=self._jobs.template(template).name,
            seed=random_seed() if seed is None else seed,
            size=_size(size),
            count=count,
            member_id=interaction.user.id,
            guild_id=interaction.guild_id,
            channel_id=address.channel_id,
            locale=interaction.locale.value,
        )
        await self._jobs.submit(request, address)

    @imagine.autocomplete("template")
    async def _templates(self, _interaction: Interaction, typed: str) -> list[app_commands.Choice[str]]:
        words = typed.casefold()
        found = [one for one in self._jobs.usable() if words in one.title.casefold() or words in one.name.casefold()]
        return [app_commands.Choice(name=one.title[:100], value=one.name[:100]) for one in found[:CHOICES]]

    @imagine.autocomplete("size")
    async def _sizes(self, _interaction: Interaction, typed: str) -> list[app_commands.Choice[str]]:
        found = [size for size in SIZES if typed.strip().lower() in size]
        if not found and (own := parse_size(typed)):
            found = [str(own)]
        return [app_commands.Choice(name=size, value=size) for size in found]


def _size(text: str | None) -> Size | None:
    if text is None:
        return None
    size = parse_size(text)
    if size is None:
        raise RequestError("refused.bad_size", size=text)
    return size


async def setup(bot: EaselBot) -> None:
    """Add the cog."""
    await bot.add_cog(Imagine(bot))
