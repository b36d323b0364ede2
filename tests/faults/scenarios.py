"""What goes wrong, one scenario a function; each takes a number of jobs and returns its tally."""

import asyncio
import os
import random
import signal
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from bot.sandbox.comfyui.worker import Pace
from bot.sandbox.discord.faults import Fault
from tests.faults.launch import POINTS
from tests.faults.world import Tally, World, scene

SETTLE_S = 120.0
SLOW = Pace(step_s=0.03)

Scenario: TypeAlias = Callable[[int, str | None], Coroutine[Any, Any, Tally]]
"""(number of jobs, address of a PostgreSQL or None for SQLite)"""


def forced(point: str) -> Scenario:
    """Kill the bot right after a step of the state machine, and start it again."""

    async def scenario(jobs: int, database_url: str | None) -> Tally:
        async with scene(database_url=database_url) as world:
            more = {"FAULT_POINT": point, "FAULT_AFTER": str(jobs // 2), "FAULT_MARK": str(world.data / "mark")}
            await world.start("bot", "run", **more)
            await world.ready()
            asking = asyncio.create_task(world.ask(jobs))
            await world.gone("bot")
            world.kills += 1
            await asking
            await world.start("bot", "run", **more)
            await world.settle(SETTLE_S)
            return world.tally(f"kill -9 after {point}")

    return scenario


async def killed_at_random(jobs: int, database_url: str | None) -> Tally:
    """Kill the one process again and again while members go on asking."""
    async with scene(database_url=database_url, pace=SLOW) as world:
        await world.start("bot", "run")
        for _ in range(max(2, jobs // 5)):
            await world.ready()
            await world.ask(5)
            await asyncio.sleep(random.uniform(0.1, 1.5))  # noqa: S311 - a dice, not a secret
            await world.kill("bot")
            world.discord.gateway.sessions.clear()
            await world.start("bot", "run")
        await world.settle(SETTLE_S)
        return world.tally("bot killed at random")


async def fleet_killed_at_random(jobs: int, database_url: str | None) -> Tally:
    """Two gateways (one leads) and two workers on three servers; any of them is killed, and started again."""
    async with scene(machines=3, database_url=database_url, pace=SLOW) as world:
        ours = (int(world.discord.world.guild_id) >> 22) % 2
        commands = {
            "gateway": (("run",), {"DISCORD_SHARD_IDS": str(ours), "DISCORD_SHARD_COUNT": "2"}),
            "standby": (("run",), {"DISCORD_SHARD_IDS": str(1 - ours), "DISCORD_SHARD_COUNT": "2"}),
            "worker-a": (("worker", "--server", "m0", "--server", "m1"), {}),
            "worker-b": (("worker", "--server", "m1", "--server", "m2"), {}),
        }
        for name, (command, more) in commands.items():
            await world.start(name, *command, **more)
        for _ in range(max(2, jobs // 5)):
            await world.ready()
            await world.ask(5)
            await asyncio.sleep(random.uniform(0.1, 1.5))  # noqa: S311 - as above
            name = random.choice(list(commands))  # noqa: S311 - as above
            await world.kill(name)
            if name == "gateway":
                world.discord.gateway.sessions.clear()
            command, more = commands[name]
            await world.start(name, *command, **more)
        await world.settle(SETTLE_S)
        return world.tally("leader and workers killed at random")


async def zombie(jobs: int, database_url: str | None) -> Tally:
    """A worker sleeps for longer than it may, another takes over, the sleeper wakes and goes on."""
    async with scene(machines=1, database_url=database_url, pace=Pace(step_s=0.1)) as world:
        await world.start("gateway", "run")
        await world.ready()
        await world.start("worker", "worker")
        await world.ask(jobs)
        await asyncio.sleep(2)
        await world.kill("worker", signal.SIGSTOP)
        await asyncio.sleep(14)
        await world.kill("worker", signal.SIGCONT)
        await world.settle(SETTLE_S)
        return world.tally("worker asleep (SIGSTOP)")


async def comfyui_restarted(jobs: int, database_url: str | None) -> Tally:
    """One of two servers is stopped in mid-run, and comes back without its memory."""
    async with scene(machines=2, database_url=database_url, pace=SLOW) as world:
        await world.start("bot", "run")
        await world.ready()
        await world.ask(jobs)
        for machine in world.machines:
            await asyncio.sleep(1.5)
            await machine.stop()
            await asyncio.sleep(2)
            await machine.start()
        await world.settle(SETTLE_S)
        return world.tally("ComfyUI stopped and restarted", resubmits=True)


async def sockets_cut(jobs: int, database_url: str | None) -> Tally:
    """Every event socket is broken, many times over."""
    async with scene(database_url=database_url, pace=SLOW) as world:
        await world.start("bot", "run")
        await world.ready()
        await world.ask(jobs)
        for _ in range(jobs):
            await asyncio.sleep(0.3)
            comfy = world.machines[0].comfy
            if comfy is not None:
                await comfy.hub.cut()
        await world.settle(SETTLE_S)
        return world.tally("event sockets cut")


async def discord_in_trouble(jobs: int, database_url: str | None) -> Tally:
    """Edits are answered with 429, 502, broken connections and lost answers; the gateway drops."""
    async with scene(database_url=database_url, limits=True) as world:
        await world.start("bot", "run")
        await world.ready()
        faults = world.discord.world.faults
        faults += [
            Fault(pattern="PATCH /webhooks", status=502, times=3),
            Fault(pattern="PATCH /webhooks", drop=True, status=500, times=3),
            Fault(pattern="PATCH /webhooks", drop=True, status=500, after=True, times=3, needs_files=True),
        ]
        await world.ask(jobs // 2)
        world.discord.gateway.drop()
        await asyncio.sleep(0.5)
        await world.ready()
        await world.ask(jobs - jobs // 2)
        await world.settle(SETTLE_S)
        return world.tally("Discord: 429, 502, reset, lost answers")


async def sixteen_minutes(jobs: int, database_url: str | None) -> Tally:
    """The tokens die while the jobs run, and the bot is killed on top of it."""
    async with scene(database_url=database_url, pace=SLOW) as world:
        await world.start("bot", "run")
        await world.ready()
        await world.ask(jobs)
        world.discord.world.offset_s = 16 * 60
        await asyncio.sleep(1)
        await world.kill("bot")
        await world.start("bot", "run")
        await world.settle(SETTLE_S)
        return world.tally("16 minutes pass, and a kill")


async def stopped_politely(jobs: int, database_url: str | None) -> Tally:
    """SIGTERM: within ten seconds it is gone with exit code 0, and the next start goes on."""
    async with scene(database_url=database_url, pace=SLOW) as world:
        await world.start("bot", "run")
        await world.ready()
        await world.ask(jobs)
        process, began = world.processes["bot"], time.monotonic()
        await world.kill("bot", signal.SIGTERM)
        if process.returncode != 0 or time.monotonic() - began > 10:
            raise AssertionError(f"exit code {process.returncode} after {time.monotonic() - began:.1f} s")
        await world.start("bot", "run")
        await world.settle(SETTLE_S)
        return world.tally("SIGTERM in mid-run")


async def database_cut(jobs: int, database_url: str | None) -> Tally:
    """Every connection to PostgreSQL is cut, several times, and once it stays away, while jobs come and run."""
    import psycopg  # noqa: PLC0415 - only where there is one
    from psycopg.sql import SQL, Identifier  # noqa: PLC0415

    async with scene(machines=2, database_url=database_url, pace=SLOW) as world:
        await world.start("bot", "run")
        await world.ready()
        name = urlsplit(str(database_url)).path.strip("/")
        elsewhere = urlsplit(str(database_url))._replace(path="/postgres").geturl()
        async with await psycopg.AsyncConnection.connect(elsewhere, autocommit=True) as connection:
            for away_s in (0.0, 0.0, 5.0):
                await world.ask(jobs // 3)
                await asyncio.sleep(0.7)
                database = Identifier(name)
                await connection.execute(SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(database))
                await connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,)
                )
                await asyncio.sleep(away_s)
                await connection.execute(SQL("ALTER DATABASE {} ALLOW_CONNECTIONS true").format(database))
        await world.settle(SETTLE_S)
        return world.tally("PostgreSQL cut off, and away for 5 s")


RESTART = "FAULTS_POSTGRES_RESTART"
"""The variable with a shell command that restarts the whole PostgreSQL: only where it is nobody else's."""


async def database_restarted(jobs: int, database_url: str | None) -> Tally:
    """PostgreSQL itself is restarted, twice, while jobs come and run."""
    async with scene(machines=2, database_url=database_url, pace=SLOW) as world:
        await world.start("bot", "run")
        await world.ready()
        for _ in range(2):
            await world.ask(jobs // 2)
            await asyncio.sleep(0.7)
            restart = await asyncio.create_subprocess_shell(os.environ[RESTART])
            await restart.wait()
        await world.settle(SETTLE_S)
        return world.tally("PostgreSQL restarted, twice")


EMBEDDED: dict[str, Scenario] = {
    **{f"after {point}": forced(point) for point in POINTS},
    "random": killed_at_random,
    "sigterm": stopped_politely,
    "comfyui": comfyui_restarted,
    "sockets": sockets_cut,
    "discord": discord_in_trouble,
    "minutes": sixteen_minutes,
}
SHARED: dict[str, Scenario] = {
    **{f"after {point}": forced(point) for point in POINTS},
    "fleet": fleet_killed_at_random,
    "zombie": zombie,
    "database": database_cut,
    **({"restart": database_restarted} if RESTART in os.environ else {}),
    "comfyui": comfyui_restarted,
    "sigterm": stopped_politely,
}

__all__ = ["EMBEDDED", "SHARED", "Scenario", "World"]
