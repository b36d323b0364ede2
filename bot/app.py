"""Builds everything, once, and takes it down in stages: one AsyncExitStack, one TaskGroup."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING

import aiohttp
import discord
import structlog
import yarl
from discord.gateway import DiscordWebSocket
from discord.http import Route
from sqlalchemy.exc import SQLAlchemyError

from bot.assembly import (
    make_bot,
    make_crew,
    make_enhancer,
    make_services,
    means_of,
    open_bench,
    open_fleet,
    open_library,
)
from bot.bot import EaselBot
from bot.errors import SettingsError
from bot.jobs.crew import Crew
from bot.jobs.fleet import Fleet
from bot.jobs.library import Library
from bot.moderation.bench import Bench
from bot.replies.catalogue import text
from bot.replies.courier import Courier
from bot.replies.safe import shown
from bot.settings import DISCORD_API, Settings
from bot.store.database import open_database
from bot.store.notes import NoteStore
from bot.workflow.template import TemplateFault

if TYPE_CHECKING:
    from bot.jobs.procrastinate import SharedCrew

log = structlog.get_logger()

COMMANDS_NOTE = "commands_hash"
FAULTS_TOLD, FAULT_LETTERS = 5, 300
DAY_S = 86_400.0
PROMISES_S = 60.0
FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 60.0
FLEET_S = 2.0
"""Seconds that the commands wait for the first server to answer."""
_REFUSED = (4004, 4010, 4011, 4012, 4013)
"""Gateway close codes after which trying again is no use."""

_OUT_OF_REACH = (
    *(aiohttp.ClientError, OSError, TimeoutError, discord.HTTPException, discord.GatewayNotFound),
    SQLAlchemyError,
)
_NOT_OURS_TO_MEND = 500
"""Answers from this status on, and 429, are worth asking again."""


@dataclass(frozen=True, slots=True)
class App:
    """The built world."""

    settings: Settings
    bot: EaselBot
    fleet: Fleet
    library: Library
    crew: "Crew | SharedCrew"
    notes: NoteStore
    bench: Bench
    courier: Courier
    published: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once Discord has the commands."""
    _telling: set[asyncio.Task[None]] = field(default_factory=set["asyncio.Task[None]"])

    def tell_owners(self, faults: Sequence[TemplateFault]) -> None:
        """Tell the owners of faulty templates, in a task of its own."""
        lines = [f"- {shown(fault.file, 80)}: {shown(fault.reason, FAULT_LETTERS)}" for fault in faults[:FAULTS_TOLD]]
        if len(faults) > FAULTS_TOLD:
            lines.append(text("lists.more", "en", count=len(faults) - FAULTS_TOLD))
        listed = "\n".join(lines)
        words = text("owner.template_faulty", "en", faults=listed)
        task = asyncio.create_task(self.bot.tell_owners(words), name="tell-owners")
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def close(self) -> None:
        """End what is still being told."""
        for task in list(self._telling):
            task.cancel()
        await asyncio.gather(*self._telling, return_exceptions=True)

    async def purge(self) -> None:
        """Forget, once a day, what is older than the owner and each guild want it kept."""
        while True:
            try:
                await self.bench.memory.purge()
            except (SQLAlchemyError, OSError):
                log.exception("retention.failed")
            await asyncio.sleep(DAY_S)

    async def fleet_ready(self, wait_s: float = 10.0) -> bool:
        """Wait until a server answers; False if none does in time."""

        async def first() -> None:
            while not self.fleet.up:
                await self.fleet.news.wait()
                self.fleet.news.clear()

        try:
            async with asyncio.timeout(wait_s):
                await first()
        except TimeoutError:
            return False
        return True


def aim(settings: Settings) -> None:
    """Point discord.py at the configured REST address, and at the gateway if that is configured too."""
    Route.BASE = settings.discord_api_url
    if settings.discord_gateway_url:
        DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(settings.discord_gateway_url)


@asynccontextmanager
async def build(settings: Settings, *, ready_timeout_s: float = 2.0) -> AsyncGenerator[App]:
    """Build the world without touching Discord or ComfyUI, and close at the end all that was opened.

    Raises:
        SettingsError: the database, or a server's `ca_file`, cannot be opened.
    """
    aim(settings)
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(open_database(settings.store_url, alone=True))
        session = await stack.enter_async_context(aiohttp.ClientSession())
        fleet = open_fleet(session, settings.comfyui_servers)
        library = open_library(settings, fleet)
        bot = await stack.enter_async_context(make_bot(settings, ready_timeout_s))
        courier = Courier(bot)
        bench = open_bench(settings, database, session, courier)
        stack.push_async_callback(bench.notices.close)
        crew = make_crew(settings, means_of(settings, library, courier, bench), database)
        bot.services = make_services(
            crew.desk, library, bench, database, courier, make_enhancer(settings, session), settings.owner_ids
        )
        app = App(settings, bot, fleet, library, crew, NoteStore(database), bench, courier)
        stack.push_async_callback(app.close)
        yield app


async def run(app: App, *, ready: Callable[[], None] | None = None, work: bool = True) -> None:
    """Serve until cancelled; without `work`, leave the jobs to workers elsewhere.

    Raises:
        SettingsError: Discord refuses the token.
    """
    if ready is not None:
        app.bot.add_listener(_once(ready), "on_ready")
    try:
        async with asyncio.TaskGroup() as group:
            for name in app.fleet.servers:
                group.create_task(app.fleet.watch(name), name=f"fleet-{name}")
            group.create_task(app.library.watch(), name="templates")
            group.create_task(app.library.keep_converted(), name="templates-converted")
            logged_in = asyncio.Event()
            group.create_task(_dispatch(app, logged_in, work=work), name="crew")
            group.create_task(_serve_discord(app, logged_in), name="discord")
            group.create_task(_keep_commands(app), name="commands")
            group.create_task(app.purge(), name="retention")
            group.create_task(_keep_promises(app, logged_in), name="promises")
    except* SettingsError as refused:
        raise refused.exceptions[0] from None


async def _dispatch(app: App, logged_in: asyncio.Event, *, work: bool) -> None:
    """Run jobs once replies can be edited: what an earlier process left must not end unheard."""
    await logged_in.wait()
    await app.crew.run(work=work)


async def _keep_promises(app: App, logged_in: asyncio.Event) -> None:
    """Answer, once a minute, those whom a process that died has left at "thinking…"."""
    promises = app.bot.services.promises
    await logged_in.wait()
    while True:
        try:
            for owed in await promises.left(time.time()):
                words = text("refused.restarted", owed.locale)
                if await app.courier.answer_late(owed.application_id, owed.token, words):
                    await promises.kept(owed.id)
        except Exception:  # logged in full; whoever waits is tried again, and the bot goes on
            log.exception("promises.failed")
        await asyncio.sleep(PROMISES_S)


def _once(ready: Callable[[], None]) -> Callable[[], Coroutine[None, None, None]]:
    async def on_ready() -> None:
        ready()

    return on_ready


async def _serve_discord(app: App, logged_in: asyncio.Event) -> None:
    """Log in, hand over the commands, stay connected; a network that is down is waited for, a bad token is not."""
    token = app.settings.token()
    await until_it_works("login", lambda: login(app.bot, token))
    logged_in.set()
    await app.fleet_ready(FLEET_S)  # what servers can run decides what is offered
    app.bot.publish()
    await until_it_works("commands", lambda: sync_commands(app))
    app.published.set()
    await until_it_works("gateway", lambda: _find_gateway(app))
    wait_s = FIRST_WAIT_S
    while not app.bot.is_closed():
        try:
            await app.bot.connect()
        except discord.ConnectionClosed as closed:
            if closed.code in _REFUSED:
                raise SettingsError(
                    [f"DISCORD_TOKEN: Discord refused the connection (close code {closed.code})"]
                ) from closed
            log.warning("discord.closed", code=closed.code)
        except discord.PrivilegedIntentsRequired as refused:
            raise SettingsError(["DISCORD_TOKEN: Discord refused the connection (close code 4014)"]) from refused
        except AttributeError as fault:
            # discord.py 2.7.1 trips over its own missing socket when the very first connection fails (#10520).
            if getattr(app.bot, "ws", None) is not None:
                raise
            log.warning("discord.gateway_unreachable", fault=type(fault.__context__).__name__, wait_s=wait_s)
        except _OUT_OF_REACH as fault:
            log.warning("discord.lost", fault=type(fault).__name__, wait_s=wait_s)
        await asyncio.sleep(wait_s)
        wait_s = min(LONGEST_WAIT_S, wait_s * 2)


async def login(bot: discord.Client, token: str) -> None:
    """Log in, without a connection to the gateway; raises SettingsError if Discord does not accept the token."""
    try:
        await bot.login(token)
    except discord.LoginFailure as refused:
        raise SettingsError(
            ["DISCORD_TOKEN: Discord does not accept this token; copy it again from the Developer Portal"]
        ) from refused
    except BaseException:
        await bot.http.close()
        bot.http.connector = discord.utils.MISSING  # a closed connector would fail every further try
        raise


async def until_it_works(what: str, attempt: Callable[[], Awaitable[None]]) -> None:
    """Try until Discord is within reach."""
    wait_s = FIRST_WAIT_S
    while True:
        try:
            await attempt()
        except _OUT_OF_REACH as fault:
            log.warning("discord.out_of_reach", what=what, fault=str(fault) or type(fault).__name__, wait_s=wait_s)
            await asyncio.sleep(wait_s)
            wait_s = min(LONGEST_WAIT_S, wait_s * 2)
        else:
            return


async def sync_commands(app: App) -> None:
    """Hand our commands to Discord if they are not those it has."""
    wanted = await app.bot.payload_hash()
    if await app.notes.read(COMMANDS_NOTE) == wanted:
        return
    try:
        await app.bot.hand_over()
    except discord.HTTPException as refused:
        if refused.status >= _NOT_OURS_TO_MEND or refused.status == HTTPStatus.TOO_MANY_REQUESTS:
            raise
        log.exception("commands.refused", status=refused.status)  # serve with the commands that Discord has
        return
    await app.notes.write(COMMANDS_NOTE, wanted)
    log.info("commands.synced")


async def _keep_commands(app: App) -> None:
    """Hand Discord the commands again whenever templates or servers change what there is."""
    changed = asyncio.Event()
    app.library.on_change.append(changed.set)
    app.library.on_fault.append(app.tell_owners)
    await app.published.wait()
    if app.library.faults:
        app.tell_owners(app.library.faults)  # what was wrong before anybody could be told
    while True:
        await changed.wait()
        changed.clear()
        app.bot.publish()
        await until_it_works("commands", lambda: sync_commands(app))


async def _find_gateway(app: App) -> None:
    """With only the API address configured, the gateway's address is what that API says."""
    settings = app.settings
    if settings.discord_gateway_url is None and settings.discord_api_url != DISCORD_API:
        # (a sharded client asks by itself, and is told the same)
        _, url, _ = await app.bot.http.get_bot_gateway()
        DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(url)
