"""All that a cog may use, and nothing else."""

from dataclasses import dataclass, field

from bot.delivery.package import Attachment
from bot.jobs.desk import Desk, QueueEntry
from bot.jobs.follow import Follow, again
from bot.jobs.foreign import Foreign
from bot.jobs.inputs import Intake
from bot.jobs.library import Library
from bot.jobs.machines import Machines
from bot.jobs.pictures import Pictures, check_here, check_open, check_there
from bot.jobs.recent import RecentPrompts
from bot.jobs.recipes import Recipes
from bot.jobs.remix import Remix, Typed, size_names
from bot.jobs.rewording import Rewording
from bot.jobs.viewing import Viewer, Viewing
from bot.model.stats import Stats
from bot.moderation.bench import Bench
from bot.moderation.council import Author
from bot.moderation.policy import Visitor
from bot.moderation.sanctions import Order
from bot.store.audit import Wanted
from bot.store.cases import Decided
from bot.store.promises import Owed, PromiseStore
from bot.store.shelf import Page, ShelfStore, Shown
from bot.store.stats import StatsStore

__all__ = [
    "Attachment",
    "Author",
    "Bench",
    "Decided",
    "Order",
    "Owed",
    "Page",
    "PromiseStore",
    "QueueEntry",
    "Services",
    "Shown",
    "Stats",
    "Typed",
    "Viewer",
    "Visitor",
    "Wanted",
    "again",
    "check_here",
    "check_open",
    "check_there",
    "size_names",
]


@dataclass(frozen=True, slots=True)
class Services:
    """Handed to the bot once; cogs find it as `bot.services`."""

    jobs: Desk
    library: Library
    machines: Machines
    intake: Intake
    bench: Bench
    follow: Follow
    pictures: Pictures
    remix: Remix
    rewording: Rewording
    foreign: Foreign
    recipes: Recipes
    viewing: Viewing
    shelf: ShelfStore
    stats: StatsStore
    recent: RecentPrompts
    promises: PromiseStore
    owner_ids: frozenset[int] = field(default_factory=frozenset[int])
    """Members who may use the owner's commands everywhere, besides the application's own owner."""
