"""Fakes at the port: the dispatcher as cogs see it."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import cast

import aiohttp

from bot.assembly import make_services
from bot.bot import EaselBot
from bot.enhancer import Enhancer
from bot.errors import RequestError
from bot.jobs.admission import Admission
from bot.jobs.board import Place
from bot.jobs.desk import Desk, QueueEntry, QueueView
from bot.jobs.fleet import Fleet, make_server
from bot.jobs.inputs import Intake
from bot.jobs.library import Library
from bot.jobs.machines import Machines
from bot.jobs.scheduler import Limits
from bot.model.job import Allowance, Eta, Job, JobState, ReplyAddress
from bot.model.request import Request, Standing
from bot.model.upload import Upload
from bot.moderation.bench import make_bench
from bot.replies.courier import Courier
from bot.services import Services
from bot.settings import ComfyServer
from bot.store.database import open_database
from bot.workflow.build import check_request
from bot.workflow.options import Kind
from bot.workflow.template import Template
from tests.conftest import PROJECT


class FakeJobs:
    """Keeps what cogs ask for; `fault` is raised by the next submit."""

    def __init__(self) -> None:
        self.library = Library(PROJECT / "templates", Fleet([]))
        self.library.load()
        self.standings: list[Standing] = []
        self.submitted: list[tuple[Request, ReplyAddress]] = []
        self.jobs: dict[str, Job] = {}
        self.cancelled: list[str] = []
        self.too_late = False
        self.fault: Exception | None = None
        self.eta: Eta | None = None
        self.on_submit: list[Callable[[Job], None]] = []

    def usable(self, _guild_id: int | None = None) -> list[Template]:
        return self.library.usable()

    def template(self, name: str | None, _guild_id: int | None = None) -> Template:
        found = self.library.by_name.get(name or "sd15")
        if found is None:
            raise RequestError("refused.unknown_template", template=name)
        return found

    async def submit(self, request: Request, address: ReplyAddress, standing: Standing) -> None:
        if self.fault is not None:
            raise self.fault
        check_request(self.template(request.template), request)
        self.standings.append(standing)
        self.submitted.append((request, address))

    async def welcome(self, template: Template, member_id: int, guild_id: int | None, standing: Standing) -> None:
        """Everybody is."""

    async def shown_in(self, message_id: int, guild_id: int) -> Job | None:
        shown = (job for job in self.jobs.values() if job.address.message_id == message_id)
        return next((job for job in shown if job.request.guild_id == guild_id), None)

    async def allowance(self, _member_id: int, _guild_id: int, _standing: Standing) -> Allowance:
        return Allowance(spent=1.5, limit=10, guild_spent=2, guild_limit=None, window_s=86400)

    async def find(self, job_id: str) -> Job | None:
        return self.jobs.get(job_id)

    async def cancel(self, job_id: str) -> bool:
        self.cancelled.append(job_id)
        return not self.too_late

    async def own_live(self, member_id: int, guild_id: int | None) -> list[Job]:
        mine = (member_id, guild_id)
        return [job for job in self.jobs.values() if (job.request.member_id, job.request.guild_id) == mine]

    async def view(self, member_id: int, guild_id: int | None, *, everyone: bool = False) -> QueueView:
        own = tuple(self._entry(job) for job in await self.own_live(member_id, guild_id))
        mine = {entry.job.id for entry in own}
        others = tuple(self._entry(job) for job in self.jobs.values() if job.id not in mine) if everyone else ()
        return QueueView(running=1, waiting=len(own), up=1, servers=2, own=own, others=others)

    def _entry(self, job: Job) -> QueueEntry:
        return QueueEntry(job=job, place=None if job.state is JobState.RUNNING else 1, eta=self.eta)

    def put(self, job_id: str, member_id: int, guild_id: int | None, **more: object) -> Job:
        """Keep a job of a member."""
        request = Request(
            prompt=f"picture {job_id}", template="sd15", seed=7, member_id=member_id, guild_id=guild_id, channel_id=3
        )
        address = ReplyAddress(application_id=1, channel_id=3, message_id=4, token="t", expires_at=0, upload_limit=1)
        job = Job(id=job_id, request=request, address=address, state=JobState.QUEUED, attempt=0, created_at=0)
        self.jobs[job_id] = replace(job, **more)  # pyright: ignore[reportArgumentType]
        return self.jobs[job_id]


class FakeIntake:
    """Takes every file in unseen."""

    def __init__(self) -> None:
        self.taken: list[tuple[Kind, bytes]] = []

    async def take(self, _member_id: int, kind: Kind, _size: int, read: Callable[[], Awaitable[bytes]]) -> Upload:
        data = await read()
        self.taken.append((kind, data))
        return Upload(id=f"upload-{len(self.taken)}", ending="png", data=data)


class FakeEnhancer:
    """Makes every prompt richer by the same words."""

    def __init__(self) -> None:
        self.adds = "in golden light"

    async def improved(self, prompt: str) -> str:
        return f"{prompt}, {self.adds}"


@asynccontextmanager
async def fake_services(jobs: FakeJobs, bot: EaselBot) -> AsyncGenerator[Services]:
    """Services as cogs see them: no queue behind them, but the real moderation on a database in memory."""
    async with open_database("sqlite://") as database:
        bench = make_bench(database, Courier(bot), None, 90)
        made = make_services(cast("Desk", jobs), jobs.library, bench, database, Courier(bot))
        yield replace(made, intake=cast("Intake", FakeIntake()))
        await bench.notices.close()


@asynccontextmanager
async def desk_services(bot: EaselBot) -> AsyncGenerator[Services]:
    """Services with the real desk, intake and moderation, a helper, a database in memory; the only server is away."""
    library = Library(PROJECT / "templates", Fleet([]))
    library.load()
    async with open_database("sqlite://") as database, aiohttp.ClientSession() as session:
        machines = Machines(Fleet([make_server(session, ComfyServer(name="m0", url="http://127.0.0.1:9"))]))
        bench = make_bench(database, Courier(bot), None, 90)
        admission = Admission(library, library.fleet, bench.uploads)
        desk = Desk(bench.jobs, admission, library, library.fleet, bench.gate, bench.guilds, Limits(), _no_places)
        helper = cast("Enhancer", FakeEnhancer())
        yield replace(make_services(desk, library, bench, database, Courier(bot), helper), machines=machines)
        await bench.notices.close()


async def _no_places(_job_ids: Collection[str]) -> Mapping[str, Place]:
    return {}
