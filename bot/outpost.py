"""`easel worker`: works the jobs of some servers, near them. Speaks to Discord by REST alone; members never meet it."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import cast

import aiohttp
import discord
import structlog

from bot.app import aim, login, until_it_works
from bot.assembly import make_crew, means_of, open_bench, open_fleet, open_library
from bot.errors import SettingsError
from bot.jobs.procrastinate import SharedCrew
from bot.replies.courier import Courier
from bot.settings import ComfyServer, Settings
from bot.store.database import open_database

log = structlog.get_logger()


def chosen(settings: Settings, names: Sequence[str]) -> list[ComfyServer]:
    """Return the servers of these names, all without any.

    Raises:
        SettingsError: there is none of that name.
    """
    known = {server.name: server for server in settings.comfyui_servers}
    if unknown := [name for name in names if name not in known]:
        raise SettingsError([f"--server: {', '.join(unknown)} is not in COMFYUI_SERVERS; there are {', '.join(known)}"])
    return [known[name] for name in names] or list(known.values())


async def serve(settings: Settings, names: Sequence[str]) -> None:
    """Work until cancelled.

    Raises:
        SettingsError: something cannot be used, or Discord refuses the token.
    """
    servers, token = chosen(settings, names), settings.token()
    aim(settings)
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(open_database(settings.store_url))
        session = await stack.enter_async_context(aiohttp.ClientSession())
        fleet = open_fleet(session, servers)
        library = open_library(settings, fleet)
        client = await stack.enter_async_context(
            discord.Client(intents=discord.Intents.none(), proxy=settings.discord_proxy)
        )
        await until_it_works("login", lambda: login(client, token))
        courier = Courier(client)
        bench = open_bench(settings, database, session, courier)
        stack.push_async_callback(bench.notices.close)
        means = means_of(settings, library, courier, bench)
        crew = cast("SharedCrew", make_crew(settings, means, database))
        log.info("worker.ready", servers=[server.name for server in servers])
        async with asyncio.TaskGroup() as group:
            for name in fleet.servers:
                group.create_task(fleet.watch(name), name=f"fleet-{name}")
            group.create_task(library.watch(), name="templates")
            group.create_task(library.keep_converted(), name="templates-converted")
            group.create_task(crew.run(lead=False), name="crew")
