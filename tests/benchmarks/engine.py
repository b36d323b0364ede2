"""`python -m tests.benchmarks.engine …`: one measurement of queue and store in a process of its own; prints JSON.

load: requests come at a rate; latency = the request is handed to the desk → the row says running. room: many wait.
"""

import argparse
import asyncio
import json
import resource
import statistics
import time
from pathlib import Path
from typing import Any

from bot import logs
from bot.jobs.crew import Crew
from bot.store.database import open_database
from tests.benchmarks.crew import FakeWork, embedded, means_for, request

MEMBERS = 100


async def _offer(crew: Any, work: FakeWork, jobs: int, rate: float) -> dict[str, float]:
    """Hand over requests at a rate, wait until all are done, and return the figures."""
    asked: dict[str, float] = {}
    tasks: list[asyncio.Task[None]] = []

    async def one(number: int) -> None:
        now = time.time()
        job = await crew.desk.submit(*request(number, MEMBERS))
        asked[job.id] = now

    cpu, began = _cpu_s(), time.time()
    for number in range(jobs):
        await asyncio.sleep(max(0.0, began + number / rate - time.time()))
        tasks.append(asyncio.create_task(one(number)))
    await asyncio.gather(*tasks)
    while work.done < jobs:
        await asyncio.sleep(0.01)
    waits = sorted((work.began[job_id] - at) * 1000 for job_id, at in asked.items())
    return {
        "p50": statistics.median(waits),
        "p99": waits[int(0.99 * (len(waits) - 1))],
        "cpu_ms": (_cpu_s() - cpu) * 1000 / jobs,
        "rate": jobs / (time.time() - began),
        "rss_mib": _rss_mib(),
    }


async def load(url: str, jobs: int, rate: float) -> dict[str, float]:
    """Measure an embedded crew under load."""
    async with embedded(url, servers=4, slots=16, seconds=0.2) as (crew, work):
        await _offer(crew, work, 20, 20)
        work.done = 0
        return await _offer(crew, work, jobs, rate)


async def shared_load(url: str, jobs: int, rate: float) -> dict[str, float]:
    """Measure leader, Procrastinate and workers in one process on PostgreSQL."""
    from bot.jobs.procrastinate import SharedCrew  # noqa: PLC0415 - needs the extra

    async with open_database(url) as database, means_for(database, servers=4, slots=16) as means:
        crew, work = SharedCrew(means, url, database), FakeWork(means.store, 0.2)
        work.worker = crew.worker
        crew.worker.work = work
        task = asyncio.create_task(crew.run(), name="crew")
        await asyncio.sleep(2)
        try:
            await _offer(crew, work, 20, 20)
            work.done = 0
            return await _offer(crew, work, jobs, rate)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def room(url: str, jobs: int) -> dict[str, float]:
    """Measure memory, `/queue` and a restart with many jobs waiting for a server that is busy."""
    async with embedded(url, servers=1, slots=1, seconds=3600) as (crew, _):
        for start in range(0, jobs, 500):
            await asyncio.gather(*(crew.desk.submit(*request(n, MEMBERS)) for n in range(start, start + 500)))
        await asyncio.sleep(3)
        views: list[float] = []
        for number in range(30):
            began = time.perf_counter()
            await crew.desk.view(1000 + number, 1)
            views.append((time.perf_counter() - began) * 1000)
        rss = _rss_mib()
    async with open_database(url) as database, means_for(database, servers=1, slots=1) as means:
        again = Crew(means)
        began = time.perf_counter()
        await again.leader.recover()
        restart = time.perf_counter() - began
    return {"rss_mib": rss, "view_ms": statistics.median(views), "view_max_ms": max(views), "restart_s": restart}


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _rss_mib() -> float:
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * resource.getpagesize() / 2**20


def main() -> None:
    """Measure what the arguments say."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.engine", description=__doc__)
    parser.add_argument("what", choices=["load", "shared", "room"])
    parser.add_argument("url")
    parser.add_argument("--jobs", type=int, default=2000)
    parser.add_argument("--rate", type=float, default=200)
    args = parser.parse_args()
    logs.configure("WARNING", "console", [])
    measure = {"load": lambda: load(args.url, args.jobs, args.rate),
               "shared": lambda: shared_load(args.url, args.jobs, args.rate),
               "room": lambda: room(args.url, args.jobs)}[args.what]  # fmt: skip
    print(json.dumps(asyncio.run(measure())))


if __name__ == "__main__":
    main()
