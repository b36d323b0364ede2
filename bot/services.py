"""All that a cog may use, and nothing else."""

from dataclasses import dataclass, field

from bot.delivery.package import Attachment
from bot.jobs.desk import Desk, QueueEntry
from bot.jobs.inputs import Intake
from bot.jobs.library import Library
from bot.jobs.machines import Machines
from bot.moderation.bench import Bench
from bot.moderation.council import Author
from bot.moderation.policy import Visitor
from bot.moderation.sanctions import Order
from bot.store.audit import Wanted
from bot.store.cases import Decided

__all__ = ["Attachment", "Author", "Bench", "Decided", "Order", "QueueEntry", "Services", "Visitor", "Wanted"]


@dataclass(frozen=True, slots=True)
class Services:
    """Handed to the bot once; cogs find it as `bot.services`."""

    jobs: Desk
    library: Library
    machines: Machines
    intake: Intake
    bench: Bench
    owner_ids: frozenset[int] = field(default_factory=frozenset[int])
    """Members who may use the owner's commands everywhere, besides the application's own owner."""
