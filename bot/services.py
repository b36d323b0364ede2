"""All that a cog may use, and nothing else."""

from dataclasses import dataclass, field

from bot.jobs.desk import Desk, QueueEntry
from bot.jobs.inputs import Intake
from bot.jobs.library import Library
from bot.jobs.machines import Machines

__all__ = ["QueueEntry", "Services"]


@dataclass(frozen=True, slots=True)
class Services:
    """Handed to the bot once; cogs find it as `bot.services`."""

    jobs: Desk
    library: Library
    machines: Machines
    intake: Intake
    owner_ids: frozenset[int] = field(default_factory=frozenset[int])
    """Members who may use the owner's commands everywhere, besides the application's own owner."""
