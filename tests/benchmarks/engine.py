"""`python -m tests.benchmarks.engine …`: one measurement of queue and store in a process of its own; prints JSON.

load: requests come at a rate; latency = the request is handed to the desk → the row says running. room: many wait.
"""

import argparse
import asyncio
import json
import resource
import statistics
import sys
import time
from pathlib import Path
from typing import Any

from bot import logs
from bot.jobs.crew import Crew
from bot.jobs.procrastinate import SharedCrew
from bot.store.database import open_database
from tests.benchmarks.crew import FakeWork, embedded, means_for, request

MEMBERS = 100
SLEEP_S = 0.2


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
    async with embedded(url, servers=4, slots=16, seconds=SLEEP_S) as (crew, work):
        await _offer(crew, work, 20, 20)
        work.done = 0
        return await _offer(crew, work, jobs, rate)


async def shared_load(url: str, jobs: int, rate: float) -> dict[str, float]:
    """Measure desk and leader in this process and a worker in another one, with Procrastinate between them."""
    async with open_database(url) as database, means_for(database, servers=4, slots=16) as means:
        crew, work = SharedCrew(means, url, database), FakeWork(means.store, SLEEP_S)
        task = asyncio.create_task(crew.run(work=False), name="crew")
        other = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.benchmarks.engine", "worker", url,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        if other.stdin is None or other.stdout is None:
            raise RuntimeError
        heard = asyncio.create_task(_hear(other.stdout, work), name="heard")
        await asyncio.sleep(4)
        try:
            await _offer(crew, work, 20, 20)
            work.done = 0
            return await _offer(crew, work, jobs, rate)
        finally:
            other.stdin.close()
            await other.wait()
            for one in (task, heard):
                one.cancel()
            await asyncio.gather(task, heard, return_exceptions=True)


async def _hear(lines: asyncio.StreamReader, work: FakeWork) -> None:
    """Take note of what the other process began and ended."""
    async for line in lines:
        said = json.loads(line)
        if said["what"] == "began":
            work.began[said["job"]] = said["at"]
        else:
            work.done += 1


async def worker(url: str) -> None:
    """Work until standard input is closed, and say what began and ended."""
    async with open_database(url) as database, means_for(database, servers=4, slots=16) as means:
        crew, work = SharedCrew(means, url, database), FakeWork(means.store, SLEEP_S, say=_say)
        work.worker = crew.worker
        crew.worker.work = work
        task = asyncio.create_task(crew.run(lead=False), name="crew")
        await asyncio.to_thread(sys.stdin.read)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _say(what: str, job_id: str) -> None:
    print(json.dumps({"what": what, "job": job_id, "at": time.time()}), flush=True)


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
    parser.add_argument("what", choices=["load", "shared", "room", "worker"])
    parser.add_argument("url")
    parser.add_argument("--jobs", type=int, default=2000)
    parser.add_argument("--rate", type=float, default=200)
    args = parser.parse_args()
    logs.configure("WARNING", "console", [])
    measures = {"load": lambda: load(args.url, args.jobs, args.rate),
               "shared": lambda: shared_load(args.url, args.jobs, args.rate),
               "room": lambda: room(args.url, args.jobs)}  # fmt: skip
    if args.what == "worker":
        asyncio.run(worker(args.url))
        return
    measure = measures[args.what]
    print(json.dumps(asyncio.run(measure())))


if __name__ == "__main__":
    main()
