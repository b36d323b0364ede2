"""`python -m tests.benchmarks.reporting URL`: two hundred jobs report at once; reads their replies from standard input.

Real discord.py client, courier, trackers and reporters; the ticks are made here. Prints the event loop's lag as JSON.
"""

import asyncio
import json
import sys
import time
from typing import Any

import discord

from bot import logs
from bot.app import aim, login
from bot.comfy.events import Executing, ExecutionStart, Progress
from bot.jobs.reporters import Reporters
from bot.jobs.updates import Tracker
from bot.model.job import Job, JobState, ReplyAddress
from bot.model.request import Request
from bot.replies.cards import CardMaker
from bot.replies.courier import Courier
from bot.settings import load_settings
from bot.workflow.graph import Graph, Node

TICKS = 100
"""A second, and job."""
LAG_PROBE_S = 0.005


def _job(number: int, reply: Any) -> Job:
    address = ReplyAddress(
        application_id=int(reply["application"]),
        channel_id=int(reply["channel"]),
        message_id=int(reply["message"]),
        token=reply["token"],
        expires_at=time.time() + 900,
        upload_limit=10**7,
    )
    request = Request(prompt=f"boat {number}", template="sd15", seed=1, member_id=1, guild_id=1, channel_id=1)
    return Job(
        id=f"{number:016x}", request=request, address=address, state=JobState.RUNNING, attempt=1, created_at=time.time()
    )


async def _tick(reporters: Reporters, job: Job, seconds: float) -> None:
    """Feed one job's events to its tracker and reporter."""
    graph = Graph({"3": Node(id="3", class_type="KSampler", inputs={}, title="")})
    tracker = Tracker(graph, time.time, time.time())
    reporter = reporters.of(job, CardMaker(request=job.request, title="SD", locale="en-US"))
    for event in (ExecutionStart(prompt_id=job.id), Executing(prompt_id=job.id, node="3")):
        if (update := tracker.take(event)) is not None:
            reporter.post(update)
    until, step = time.monotonic() + seconds, 0
    while time.monotonic() < until:
        step += 1
        update = tracker.take(Progress(prompt_id=job.id, node="3", value=step, maximum=int(seconds * TICKS)))
        if update is not None:
            reporter.post(update)
        await asyncio.sleep(1 / TICKS)
    await reporters.stop(job.id)


async def _lag(found: list[float]) -> None:
    while True:
        began = time.perf_counter()
        await asyncio.sleep(LAG_PROBE_S)
        found.append((time.perf_counter() - began - LAG_PROBE_S) * 1000)


async def main() -> None:
    """Report, and say how the loop fared."""
    settings = load_settings(discord_api_url=sys.argv[1], discord_token=sys.argv[2])
    logs.configure("ERROR", "console", [])
    aim(settings)
    replies = json.loads(await asyncio.to_thread(sys.stdin.read))
    async with discord.Client(intents=discord.Intents.none()) as client:
        await login(client, settings.token())
        reporters, lags = Reporters(Courier(client), unseen), list[float]()
        probe = asyncio.create_task(_lag(lags), name="lag")
        jobs = [_job(number, reply) for number, reply in enumerate(replies)]
        await asyncio.gather(*(_tick(reporters, job, float(sys.argv[3])) for job in jobs))
        probe.cancel()
    print(json.dumps(lags))


if __name__ == "__main__":
    asyncio.run(main())


async def unseen(_job: Job, _preview: bytes) -> None:
    """Show no preview."""
