"""The whole path, with `easel run` as a process of its own between the stand-ins, measured from outside."""

import asyncio
import json
import os
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

from bot.sandbox.comfyui.worker import Pace
from bot.sandbox.discord.world import Interaction
from tests.benchmarks.table import row
from tests.faults.world import World, scene

SETTLED_S = 3.0


async def measure(rounds: int) -> list[str]:
    """Return the rows of the main job: acknowledgement, whole path beside a bare script, idle GPU, memory."""
    async with scene(pace=Pace(step_s=0.0)) as world:
        await world.start("bot", "run")
        await world.ready()
        await asyncio.sleep(SETTLED_S)
        idle = _resident_mib(world.processes["bot"].pid)
        acks, wholes = await _by_bot(world, rounds)
        after = _resident_mib(world.processes["bot"].pid)
        await world.kill("bot")
        world.discord.gateway.sessions.clear()
        bare = await _by_script(world, rounds)
    base = statistics.median(bare)
    return [
        row("bare script: interaction sent → picture in the reply", bare, "ms", base),
        row("Easel: interaction sent → picture in the reply", wholes, "ms", base),
        row("Easel: interaction sent → acknowledged", acks, "ms", base),
        row("GPU idle between two jobs of a busy server", await _gaps(rounds), "ms"),
        row("memory of the idle bot", [idle], "MiB"),
        row(f"memory after {rounds} pictures", [after], "MiB"),
    ]


async def _timed(world: World, interaction: Callable[[], Awaitable[Interaction]]) -> tuple[float, float, Interaction]:
    """Return the milliseconds to the acknowledgement and to the picture."""
    shown = asyncio.Event()

    def hear(event: str, data: Any, _only: str | None) -> None:
        if event == "MESSAGE_UPDATE" and "easel-" in json.dumps(data):
            shown.set()

    world.discord.world.listeners.append(hear)
    began = time.perf_counter()
    sent = await interaction()
    await world.discord.people.acknowledged(sent)
    ack = time.perf_counter() - began
    await asyncio.wait_for(shown.wait(), 60)
    whole = time.perf_counter() - began
    world.discord.world.listeners.remove(hear)
    return ack * 1000, whole * 1000, sent


async def _by_bot(world: World, rounds: int) -> tuple[list[float], list[float]]:
    people, known = world.discord.people, world.discord.world
    person, channel = known.person_named("max"), known.channel_named("pictures")
    acks: list[float] = []
    wholes: list[float] = []
    for number in range(rounds):
        command, options = people.read_line(f"/sd15 prompt:boat {number} steps:1", person, channel)
        ack, whole, _ = await _timed(
            world, lambda command=command, options=options: people.slash(person, channel, command, options)
        )
        acks.append(ack)
        wholes.append(whole)
        await asyncio.sleep(0.05)
    return acks, wholes


async def _by_script(world: World, rounds: int) -> list[float]:
    people, known = world.discord.people, world.discord.world
    person, channel = known.person_named("max"), known.channel_named("pictures")
    command, options = people.read_line("/sd15 prompt:boat steps:1", person, channel)
    comfy = world.machines[0].comfy
    if comfy is None:
        raise RuntimeError
    graph = next(iter(comfy.worker.history.values()))["prompt"][2]
    seeds = [node["inputs"] for node in graph.values() if "seed" in node["inputs"]]
    comfyui = f"http://127.0.0.1:{world.machines[0].port}"
    script = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.benchmarks.bare", world.discord.url, known.application_id, comfyui,
        stdin=asyncio.subprocess.PIPE,
    )  # fmt: skip
    if script.stdin is None:
        raise RuntimeError
    found: list[float] = []
    for number in range(rounds):
        for inputs in seeds:
            inputs["seed"] = number

        async def send(stdin: asyncio.StreamWriter = script.stdin) -> Interaction:
            sent = await people.slash(person, channel, command, options)
            stdin.write(json.dumps({"id": sent.id, "token": sent.token, "graph": graph}).encode() + b"\n")
            return sent

        _, whole, _ = await _timed(world, send)
        found.append(whole)
    script.stdin.close()
    await script.wait()
    return found[1:]  # the script's own start is not its path


async def _gaps(jobs: int) -> list[float]:
    """Return the milliseconds between one job's end and the next one's start on a server for which others wait."""
    async with scene(pace=Pace(step_s=0.01)) as world:
        await world.start("bot", "run")
        await world.ready()
        await world.ask(jobs)
        await world.settle(120)
        comfy = world.machines[0].comfy
        history = list(comfy.worker.history.values()) if comfy else []
        times = [
            (entry["status"]["messages"][0][1]["timestamp"], entry["status"]["messages"][-1][1]["timestamp"])
            for entry in history
        ]
        return [float(start - end) for (_, end), (start, _) in pairwise(times)]


def _resident_mib(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
