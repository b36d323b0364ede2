"""Puts the rooms together: what a process works with, made from its settings, without touching Discord or ComfyUI."""

import importlib
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, cast

import aiohttp

from bot.bot import EaselBot, ShardedBot
from bot.enhancer import Enhancer
from bot.errors import SettingsError
from bot.jobs.admission import Admission, Ranks
from bot.jobs.crew import Crew, Means
from bot.jobs.desk import Desk
from bot.jobs.fleet import Fleet, make_server
from bot.jobs.follow import Follow
from bot.jobs.foreign import Foreign
from bot.jobs.inputs import Intake
from bot.jobs.library import Library
from bot.jobs.machines import Machines
from bot.jobs.pictures import Pictures
from bot.jobs.recent import RecentPrompts
from bot.jobs.recipes import Recipes
from bot.jobs.remix import Remix
from bot.jobs.rewording import Rewording
from bot.jobs.scheduler import Limits
from bot.jobs.viewing import Viewing
from bot.moderation.bench import Bench, make_bench
from bot.moderation.images import make_check
from bot.replies.courier import Courier
from bot.services import Services
from bot.settings import ComfyServer, Settings
from bot.store.database import POSTGRES_ADVICE, Database
from bot.store.drafts import DraftStore
from bot.store.promises import PromiseStore
from bot.store.shelf import ShelfStore
from bot.store.stats import StatsStore

if TYPE_CHECKING:
    from bot.jobs.procrastinate import SharedCrew


def make_services(
    desk: Desk,
    library: Library,
    bench: Bench,
    database: Database,
    courier: Courier,
    enhancer: Enhancer | None = None,
    owner_ids: Collection[int] = (),
) -> Services:
    """Return what cogs may use."""
    intake, pictures = Intake(bench.uploads), Pictures(bench.jobs, library.fleet, courier)
    shelf = ShelfStore(database)
    recent = RecentPrompts(shelf)
    desk.on_submit.append(lambda job: recent.note(job.request, job.id))
    remix = Remix(desk, library, bench.jobs, DraftStore(database), intake, pictures, bench.gate)
    return Services(
        jobs=desk,
        library=library,
        machines=Machines(library.fleet),
        intake=intake,
        bench=bench,
        follow=Follow(desk, library, bench.jobs, intake, pictures),
        pictures=pictures,
        remix=remix,
        rewording=Rewording(enhancer, bench.gate, desk, remix),
        foreign=Foreign(desk, library, bench.gate, intake, remix),
        recipes=Recipes(library, bench.jobs, bench.guilds),
        viewing=Viewing(shelf, library, pictures, bench.gate, bench.guilds, courier),
        shelf=shelf,
        stats=StatsStore(database),
        recent=recent,
        promises=PromiseStore(database),
        owner_ids=frozenset(owner_ids),
    )


def make_enhancer(settings: Settings, session: aiohttp.ClientSession) -> Enhancer | None:
    """Return the prompt helper, if the owner has set one up."""
    if settings.prompt_helper_url is None or settings.prompt_helper_model is None:
        return None
    key = settings.prompt_helper_key.get_secret_value() if settings.prompt_helper_key else None
    return Enhancer(session, settings.prompt_helper_url, settings.prompt_helper_model, key)


def make_bot(settings: Settings, ready_timeout_s: float) -> EaselBot:
    """Return the client: of all guilds, or of those that its shards have."""
    if settings.discord_shard_ids is None and settings.discord_shard_count is None:
        return EaselBot(proxy=settings.discord_proxy, ready_timeout_s=ready_timeout_s)
    return ShardedBot(
        proxy=settings.discord_proxy,
        ready_timeout_s=ready_timeout_s,
        shard_ids=list(settings.discord_shard_ids) if settings.discord_shard_ids is not None else None,
        shard_count=settings.discord_shard_count,
    )


def make_crew(settings: Settings, means: Means, database: Database) -> "Crew | SharedCrew":
    """Return who does the work: this process alone, or among others on one PostgreSQL.

    Raises:
        SettingsError: the extra for PostgreSQL is not installed.
    """
    if not database.shared:
        return Crew(means)
    try:
        shared = importlib.import_module("bot.jobs.procrastinate")  # only the extra `postgres` brings what it needs
    except ImportError as missing:
        raise SettingsError([POSTGRES_ADVICE]) from missing
    return cast("SharedCrew", shared.SharedCrew(means, settings.store_url, database))


def open_fleet(session: aiohttp.ClientSession, servers: Sequence[ComfyServer]) -> Fleet:
    """Return the fleet of these servers; raises SettingsError if a `ca_file` cannot be read."""
    try:
        return Fleet([make_server(session, server) for server in servers])
    except OSError as fault:
        raise SettingsError([f"COMFYUI_SERVERS: a ca_file cannot be read ({fault.strerror})"]) from fault


def open_bench(settings: Settings, database: Database, session: aiohttp.ClientSession, courier: Courier) -> Bench:
    """Return the moderation; raises SettingsError if the check of pictures is not installed."""
    return make_bench(database, courier, make_check(settings, session), settings.retention_days)


def means_of(settings: Settings, library: Library, courier: Courier, bench: Bench) -> Means:
    """Return what a crew works with."""
    ranks = Ranks(weights=settings.role_weights, priorities=settings.role_priorities)
    return Means(
        store=bench.jobs,
        uploads=bench.uploads,
        fleet=library.fleet,
        library=library,
        admission=Admission(library, library.fleet, bench.uploads, settings.default_template, ranks),
        courier=courier,
        sanctions=bench.sanctions,
        casework=bench.casework,
        guilds=bench.guilds,
        limits=Limits(
            waiting=settings.member_waiting,
            running=settings.member_running,
            guild_waiting=settings.guild_waiting,
            guild_running=settings.guild_running,
        ),
        shares=settings.guild_shares,
    )


def open_library(settings: Settings, fleet: Fleet) -> Library:
    """Return the templates; raises SettingsError if the default one is not there."""
    library = Library(settings.templates_dir, fleet)
    library.report(library.load())
    if settings.default_template and settings.default_template not in library.by_name:
        raise SettingsError([f"DEFAULT_TEMPLATE: there is no {settings.default_template}.json in TEMPLATES_DIR"])
    return library
