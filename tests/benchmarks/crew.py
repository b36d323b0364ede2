"""A crew without Discord and ComfyUI: real store, leader, scheduler, dispatcher; a job is a sleep in five slices."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import cast

import aiohttp

from bot.comfy.models import parse_node_list
from bot.jobs.admission import Admission
from bot.jobs.crew import Crew, Means
from bot.jobs.fleet import Fleet, make_server
from bot.jobs.library import Library
from bot.jobs.scheduler import Limits
from bot.jobs.worker import Worker
from bot.model.job import Job, JobState, ReplyAddress, Result
from bot.model.request import Request, Standing
from bot.moderation.bench import make_bench
from bot.replies.cards import Card
from bot.replies.courier import Courier
from bot.sandbox.comfyui.nodes import with_models
from bot.settings import ComfyServer
from bot.store.database import Database, open_database
from bot.store.jobs import JobStore

TEMPLATES = Path(__file__).parents[2] / "templates"
SLICES = 5


class MuteCourier:
    """Takes cards and carries them nowhere."""

    async def edit(self, _job_id: str, _address: ReplyAddress, _card: Card) -> None:
        """Take a card."""

    async def deliver(self, _job: Job, _card: Card, _note: object) -> None:
        """Take a card."""


class FakeWork:
    """Takes a job through its steps as the runner does, with a sleep for the picture; notes when each began."""

    def __init__(
        self, store: JobStore, seconds: float, say: Callable[[str, str], None] = lambda _what, _job: None
    ) -> None:
        self._store, self._seconds, self._say = store, seconds, say
        self.began: dict[str, float] = {}
        self.done = 0
        self.worker: Worker | None = None

    async def __call__(self, job: Job, *, taken: bool = False) -> None:
        """Work a job."""
        worker = self.worker
        if worker is None or job.state is not JobState.ASSIGNED:
            return
        if not taken:
            await self._store.move(job.id, job.attempt, JobState.ASSIGNED, JobState.RUNNING)
        self.began[job.id] = time.time()
        self._say("began", job.id)
        for _ in range(SLICES):
            await asyncio.sleep(self._seconds / SLICES)
        result = Result(filename=f"{job.id}.png")
        await self._store.made(job, [result], self._seconds, {"seed": 1})
        worker.on_step(_with(job, JobState.DELIVERING, self._seconds))
        await worker.reporters.stop(job.id)
        await self._store.delivered(job.id, job.attempt)
        worker.on_step(_with(job, JobState.DONE, self._seconds))
        self.done += 1
        self._say("done", job.id)


def _with(job: Job, state: JobState, run_s: float) -> Job:
    return Job(
        id=job.id,
        request=job.request,
        address=job.address,
        state=state,
        attempt=job.attempt,
        created_at=job.created_at,
        server=job.server,
        claim=job.claim,
        run_s=run_s,
    )


@asynccontextmanager
async def means_for(database: Database, *, servers: int, slots: int, waiting: int = 10**6) -> AsyncGenerator[Means]:
    """Yield what a crew works with; every server is there, and asked nothing."""
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession())
        made = [
            make_server(session, ComfyServer(name=f"s{n}", url="http://127.0.0.1:9", slots=min(16, slots)))
            for n in range(servers)
        ]
        fleet = Fleet(made)
        library = Library(TEMPLATES, fleet)
        library.load()
        node_list = parse_node_list(with_models(library.model_files()))
        for server in made:
            server.node_list, server.up, server.slots = node_list, True, slots
        for listener in fleet.on_change:
            listener()
        courier = cast("Courier", MuteCourier())
        bench = make_bench(database, courier, None, 0)
        yield Means(
            store=bench.jobs,
            uploads=bench.uploads,
            fleet=fleet,
            library=library,
            admission=Admission(library, fleet, bench.uploads),
            courier=courier,
            sanctions=bench.sanctions,
            casework=bench.casework,
            guilds=bench.guilds,
            limits=Limits(waiting=waiting, running=10**6, guild_waiting=10**6),
            shares={},
        )


def request(number: int, members: int) -> tuple[Request, ReplyAddress, Standing]:
    """Return the request of a member, as a desk takes it."""
    asked = Request(
        prompt=f"picture {number}",
        template="sd15",
        seed=number,
        member_id=1000 + number % members,
        guild_id=1,
        channel_id=3,
    )
    address = ReplyAddress(
        application_id=1, channel_id=3, message_id=4, token="t" * 200, expires_at=time.time() + 900, upload_limit=10**7
    )
    return asked, address, Standing()


@asynccontextmanager
async def embedded(url: str, *, servers: int, slots: int, seconds: float) -> AsyncGenerator[tuple[Crew, FakeWork]]:
    """Yield a running embedded crew."""
    async with open_database(url) as database, means_for(database, servers=servers, slots=slots) as means:
        crew, work = Crew(means), FakeWork(means.store, seconds)
        work.worker = crew.worker
        crew.hands.work = work
        task = asyncio.create_task(crew.run(), name="crew")
        await asyncio.sleep(0)
        try:
            yield crew, work
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
