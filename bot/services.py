"""All that a cog may use, and nothing else."""

from dataclasses import dataclass

from bot.jobs.dispatcher import Dispatcher


@dataclass(frozen=True, slots=True)
class Services:
    """Handed to the bot once; cogs find it as `bot.services`."""

    jobs: Dispatcher
