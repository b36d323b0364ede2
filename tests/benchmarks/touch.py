"""How a request feels: the acknowledgement, the first sign of work, and the picture of 2 MB once it is there."""

import asyncio
import time
from typing import Any

from bot.sandbox.comfyui.worker import Pace
from bot.sandbox.discord.world import Interaction
from tests.benchmarks.table import row
from tests.faults.world import World, scene

SETTLED_S = 3.0
WAITS = 0x8A8F98
"""The accent of a card whose picture is not begun."""
LINE = "/sd15 prompt:noise {number} steps:12 size:832x832"
"""Every pixel is chance: a PNG of 2 MB."""


async def measure(rounds: int) -> list[str]:
    """Return the rows, with `easel run` as a process of its own and Discord's limits enforced."""
    async with scene(pace=Pace(step_s=0.15), limits=True) as world:
        await world.start("bot", "run")
        await world.ready()
        await asyncio.sleep(SETTLED_S)
        found = [await _asked(world, number) for number in range(rounds)]
        sizes = [len(data) / 2**20 for name, data in world.discord.world.files.values() if name.startswith("easel-")]
    acks, firsts, lasts = ([one[at] for one in found] for at in range(3))
    return [
        row("touch: interaction sent → acknowledged (≤ 300)", acks, "ms"),
        row("touch: job starts on ComfyUI → shown at work (≤ 1000)", firsts, "ms"),
        row("touch: ComfyUI's end → picture in the reply (≤ 500)", lasts, "ms"),
        row("touch: the picture that is delivered", sizes, "MiB"),
    ]


async def _asked(world: World, number: int) -> tuple[float, float, float]:
    """Return the milliseconds to the acknowledgement, from the start to its card, from the end to the picture."""
    people, known = world.discord.people, world.discord.world
    person, channel = known.person_named("max"), known.channel_named("pictures")
    edits: list[tuple[float, Any]] = []
    shown = asyncio.Event()

    def hear(event: str, data: Any, _only: str | None) -> None:
        if event == "MESSAGE_UPDATE":
            edits.append((time.time(), data["message"]))
            if any(one["filename"].startswith("easel-") for one in data["message"]["attachments"]):
                shown.set()

    known.listeners.append(hear)
    command, options = people.read_line(LINE.format(number=number), person, channel)
    began = time.perf_counter()
    sent: Interaction = await people.slash(person, channel, command, options)
    await people.acknowledged(sent)
    acknowledged = time.perf_counter() - began
    await asyncio.wait_for(shown.wait(), 60)
    known.listeners.remove(hear)
    start, end = _times(world)
    first = next(at for at, message in edits if message["components"][0]["accent_color"] != WAITS)
    await asyncio.sleep(SETTLED_S)  # a member does not ask without a pause; the limits of the channel are theirs
    return acknowledged * 1000, (first - start) * 1000, (edits[-1][0] - end) * 1000


def _times(world: World) -> tuple[float, float]:
    """Return when ComfyUI began and ended its last job, in seconds since 1970."""
    comfy = world.machines[0].comfy
    if comfy is None:
        raise RuntimeError
    messages = list(comfy.worker.history.values())[-1]["status"]["messages"]
    return messages[0][1]["timestamp"] / 1000, messages[-1][1]["timestamp"] / 1000
