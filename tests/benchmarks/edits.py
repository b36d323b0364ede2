"""Two hundred jobs at once, a hundred ticks a second each, against the stand-in's real bucket rules."""

import asyncio
import json
import sys
import time
from collections import defaultdict
from itertools import pairwise

from bot.sandbox.discord.server import serving
from bot.sandbox.discord.world import Interaction, Message
from tests.benchmarks.table import row


async def measure(jobs: int, seconds: float) -> list[str]:
    """Return the rows: seconds between edits of one reply, refusals, and the event loop's lag."""
    async with serving(enforce_limits=True) as discord:
        world = discord.world
        channel, person = world.channel_named("pictures"), world.person_named("max")
        replies: list[dict[str, str]] = []
        for number in range(jobs):
            message = Message(world.new_id(), channel.id, world.bot.user(), application_id=world.application_id)
            token, id_ = f"token-{number}", world.new_id()
            world.messages[message.id] = message
            world.interactions[id_] = Interaction(
                id_, token, 2, person, channel.id, time.time(), {}, acked=True, original=message.id
            )
            replies.append(
                {"application": world.application_id, "channel": channel.id, "message": message.id, "token": token}
            )
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.benchmarks.reporting", discord.url, world.token, str(seconds),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, _ = await process.communicate(json.dumps(replies).encode())
        edits = defaultdict[str, list[float]](list)
        for call in world.calls:
            if call.method == "PATCH":
                edits[call.path].append(call.at)
        gaps = [after - before for times in edits.values() for before, after in pairwise(times)]
        refused = sum(call.status == 429 for call in world.calls)
    return [
        row(f"{jobs} jobs: seconds between two edits of one reply", gaps, "s"),
        f"{'  … the least of them, and answers 429':<58} {min(gaps):9.2f} {refused:9d}",
        row(f"{jobs} jobs at 100 ticks/s: event loop lag", json.loads(out), "ms"),
    ]
