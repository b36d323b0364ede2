"""`python -m tests.benchmarks [--quick]`: figures of the main job, as a table. Measurements, never assertions.

The latencies stand beside the time of a bare HTTP call to the same stand-in in the same run, as a ratio.
"""

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import aiohttp

from bot.sandbox.comfyui.server import serving as serving_comfyui
from bot.sandbox.comfyui.worker import Pace
from bot.sandbox.discord.server import Discord
from bot.sandbox.discord.server import serving as serving_discord
from bot.sandbox.discord.world import Interaction


def row(name: str, values: Sequence[float], unit: str, base: float | None = None) -> str:
    """Return a line of the table: median, 95th percentile, maximum, and the ratio to a base."""
    ordered = sorted(values)
    late = ordered[min(len(ordered) - 1, round(0.95 * len(ordered)))]
    ratio = f"{statistics.median(ordered) / base:8.1f}" if base else " " * 8
    return f"{name:<58} {statistics.median(ordered):9.1f} {late:9.1f} {ordered[-1]:9.1f} {unit:<3} {ratio}"


async def measure(rounds: int) -> list[str]:
    """Run `easel run` as a process of its own between the stand-ins and measure it from outside."""
    with tempfile.TemporaryDirectory() as data:
        async with (
            serving_comfyui(pace=Pace(step_s=0.0)) as (comfy, url),
            serving_discord(enforce_limits=False) as discord,
        ):
            environment = {
                **os.environ,
                "DISCORD_TOKEN": discord.world.token,
                "DISCORD_API_URL": discord.url,
                "COMFYUI_SERVERS": url,
                "DATA_DIR": data,
                "LOG_LEVEL": os.environ.get("LOG_LEVEL", "WARNING"),
            }
            bot = await asyncio.create_subprocess_exec(sys.executable, "-m", "bot", "run", env=environment)
            try:
                await _ready(discord)
                idle = _resident_mib(bot.pid)
                bare = await _bare(discord, rounds)
                acks, ends = await _requests(discord, comfy.worker.history, rounds)
                after = _resident_mib(bot.pid)
            finally:
                bot.terminate()
                await bot.wait()
    base = statistics.median(bare)
    return [
        row("bare GET of the stand-in (base of the ratios)", bare, "ms"),
        row("interaction sent → acknowledged", acks, "ms", base),
        row("ComfyUI's end (history written) → picture in the reply", ends, "ms", base),
        row("memory of the idle bot", [idle], "MiB"),
        row(f"memory after {rounds} pictures", [after], "MiB"),
    ]


async def _ready(discord: Discord) -> None:
    async with asyncio.timeout(60):
        while not discord.gateway.connected or not discord.world.commands:
            await asyncio.sleep(0.05)
        await asyncio.sleep(4)


async def _bare(discord: Discord, rounds: int) -> list[float]:
    found: list[float] = []
    headers = {"Authorization": f"Bot {discord.world.token}"}
    async with aiohttp.ClientSession(headers=headers) as session:
        for _ in range(rounds):
            began = time.perf_counter()
            async with session.get(f"{discord.url}/api/v10/users/@me") as reply:
                await reply.read()
            found.append((time.perf_counter() - began) * 1000)
    return found


async def _requests(discord: Discord, history: object, rounds: int) -> tuple[list[float], list[float]]:
    acks: list[float] = []
    ends: list[float] = []
    people, world = discord.people, discord.world
    person, channel = world.person_named("max"), world.channel_named("pictures")
    for number in range(rounds):
        command, options = people.read_line(f"/imagine prompt:boat {number}", person, channel)
        shown = asyncio.Event()

        def hear(event: str, data: dict[str, object], _only: str | None, shown: asyncio.Event = shown) -> None:
            if event == "MESSAGE_UPDATE" and "easel-" in json.dumps(data):
                shown.set()

        world.listeners.append(hear)
        began = time.perf_counter()
        interaction: Interaction = await people.slash(person, channel, command, options)
        await people.acknowledged(interaction)
        acks.append((time.perf_counter() - began) * 1000)
        await shown.wait()
        seen = time.time()
        world.listeners.remove(hear)
        newest = list(history.values())[-1] if isinstance(history, dict) else {}
        ends.append(seen * 1000 - newest["status"]["messages"][-1][1]["timestamp"])
    return acks, ends


def _resident_mib(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def main() -> None:
    """Parse the arguments, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    rounds = 10 if parser.parse_args().quick else 60
    lines = asyncio.run(measure(rounds))
    print(f"{'':<58} {'median':>9} {'p95':>9} {'max':>9}     x base")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
