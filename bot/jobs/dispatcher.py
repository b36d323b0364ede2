"""The embedded dispatcher: admits, orders, starts and cancels jobs on the bot's own event loop. No polling."""

import asyncio
import secrets
import time
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial

import structlog
from sqlalchemy.exc import SQLAlchemyError

from bot.comfy.errors import ComfyError
from bot.errors import RequestError, new_reference
from bot.jobs.admission import Admission
from bot.jobs.fleet import Fleet, Server
from bot.jobs.library import Library
from bot.jobs.reporters import Reporters
from bot.jobs.runner import JobRunner, Retry
from bot.jobs.scheduler import Assignment, Scheduler
from bot.model.job import WAITING, Failure, FailureCode, Job, JobState, ReplyAddress
from bot.model.request import Request, Standing
from bot.replies.cards import Card, CardMaker
from bot.replies.courier import Courier
from bot.store.jobs import JobStore
from bot.store.uploads import UploadStore
from bot.workflow.template import Template

log = structlog.get_logger()

STOP_S = 5.0
STORE_PAUSE_S = SERVER_PAUSE_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueView:
    """The queue as `/queue` shows it: counts, and one member's jobs with their place (None: running)."""

    running: int
    waiting: int
    up: int
    servers: int
    own: tuple[tuple[Job, int | None], ...]


class Dispatcher:
    """Everything between a command and a runner. `run` must be running for anything to happen."""

    def __init__(
        self,
        store: JobStore,
        uploads: UploadStore,
        fleet: Fleet,
        courier: Courier,
        library: Library,
        default: str | None,
    ) -> None:
        self._store, self._fleet = store, fleet
        self._library = library
        self._admission = Admission(library, fleet, uploads, default)
        self.template = self._admission.template
        self._runner = JobRunner(store, uploads, courier)
        self._scheduler = Scheduler()
        self._jobs: dict[str, Job] = {}
        self._arriving: Counter[int] = Counter()
        self._reporters = Reporters(courier)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._wake = asyncio.Event()
        self._stopping = False
        fleet.on_change.append(self._wake.set)
        library.on_change.append(self._wake.set)

    # What members do

    def usable(self) -> list[Template]:
        """Return the templates that can be used now, in order of name."""
        return self._library.usable()

    async def submit(self, request: Request, address: ReplyAddress, standing: Standing) -> Job:
        """Store a request and queue it; the row is committed before this returns.

        Raises:
            RequestError: it cannot be done, this member may not, or has too many waiting.
        """
        self.welcome(self.template(request.template), request.member_id, standing)
        template = await self._admission.admit(request, standing)
        if not self.has_room(request.member_id):
            raise RequestError("refused.too_many_waiting", limit=self._scheduler.waiting_limit)
        job = Job(
            id=secrets.token_hex(8),
            request=replace(request, template=template.name),
            address=address,
            state=JobState.QUEUED,
            attempt=0,
            created_at=time.time(),
        )
        self._arriving[request.member_id] += 1  # the cap counts requests that come at once
        try:
            await self._store.add(job)
        finally:
            self._arriving[request.member_id] -= 1
        self._enqueue(job)  # only now: a job without a row could not be assigned
        log.info("job.queued", job=job.id, template=template.name)
        self._wake.set()
        return job

    def welcome(self, template: Template, member_id: int, standing: Standing) -> None:
        """Refuse who may not ask for a template, or has too many waiting, before any file of theirs is fetched.

        Raises:
            RequestError: so, or we are stopping.
        """
        if self._stopping:
            raise RequestError("refused.stopping")
        self._admission.welcome(template, standing)
        if not self.has_room(member_id):
            raise RequestError("refused.too_many_waiting", limit=self._scheduler.waiting_limit)

    def has_room(self, member_id: int) -> bool:
        """Tell whether a member may have one more waiting."""
        return self._scheduler.waiting_of(member_id) + self._arriving[member_id] < self._scheduler.waiting_limit

    async def find(self, job_id: str) -> Job | None:
        """Return a job, ended or not."""
        return await self._store.get(job_id)

    async def cancel(self, job_id: str) -> bool:
        """Cancel a job, waiting or running, and show that in its reply; False if it was too late."""
        if not await self._store.end(job_id, JobState.CANCELLED):
            return False
        job = await self._store.get(job_id)
        if job is None:
            return False
        task = self._tasks.get(job_id)
        if task is None:
            self._forget(job_id)
        else:
            task.cancel()
            await asyncio.wait({task})
        await self._reporters.stop(job_id)
        if job.prompt_id and job.server in self._fleet.servers:
            await self._interrupt(job)
        await self._runner.deliver(job, cards := self._cards(job), cards.cancelled())
        return True

    async def _interrupt(self, job: Job) -> None:
        server = self._fleet.servers[job.server or ""]
        try:
            await server.client.cancel(job.prompt_id or "")
        except ComfyError as fault:  # the job is cancelled all the same
            log.warning("job.interrupt_failed", job=job.id, server=server.name, fault=str(fault))

    async def own_live(self, member_id: int, guild_id: int | None) -> list[Job]:
        """Return a member's jobs in a guild that can still be cancelled, oldest first."""
        return await self._store.newest_of(member_id, {*WAITING, JobState.RUNNING}, guild_id)

    async def view(self, member_id: int, guild_id: int | None) -> QueueView:
        """Return the queue as one member may see it."""
        order = {job_id: place for place, job_id in enumerate(self._scheduler.order(), 1)}
        own = await self.own_live(member_id, guild_id)
        return QueueView(
            running=self._scheduler.running,
            waiting=len(order),
            up=self._fleet.up,
            servers=len(self._fleet.servers),
            own=tuple((job, order.get(job.id)) for job in own),
        )

    # What goes on by itself

    async def run(self) -> None:
        """Recover what an earlier process left, then give free slots to waiting jobs whenever something changes."""
        try:
            await self._recover()
            while True:
                await self._wake.wait()
                self._wake.clear()
                await self._advance()
        finally:
            await self._stop()

    async def _advance(self) -> None:
        """One round; a fault of the store costs this round, not the process."""
        try:
            self._drop_unfit()
            await self._assign()
            waiting = [self._jobs[job_id] for job_id in self._scheduler.order() if job_id in self._jobs]
            places = ((job, self._cards(job)) for job in waiting)
            self._reporters.tell_places(places, reachable=self._fleet.up > 0)
        except SQLAlchemyError:
            log.exception("dispatcher.store_fault")
            await asyncio.sleep(STORE_PAUSE_S)
            self._wake.set()

    async def _recover(self) -> None:
        for job in await self._store.live():
            if job.id in self._jobs:
                continue  # came in while we were starting
            server = self._fleet.servers.get(job.server or "")
            if job.state is JobState.DELIVERING:
                self._begin(job, partial(self._redeliver, job, server))
            elif job.state is JobState.QUEUED:
                self._enqueue(job)
            elif job.state is JobState.HELD:
                continue  # it waits for a moderator, not for us
            elif server is None:
                await self._requeue(job)
            else:
                self._scheduler.started(job.id, job.request.member_id)
                server.busy.add(job.id)
                resumed = await self._resumed(job)
                self._begin(resumed, partial(self._resume, resumed, server))
        for job in await self._store.untold():
            self._begin(job, partial(self._tell_again, job))
        self._wake.set()

    async def _resumed(self, job: Job) -> Job:
        """An assigned job may or may not have been sent: look for it on its server, as for a running one."""
        if job.state is JobState.ASSIGNED:
            await self._store.move(job.id, job.attempt, JobState.ASSIGNED, JobState.RUNNING)
        return replace(job, state=JobState.RUNNING)

    async def _requeue(self, job: Job) -> None:
        if await self._store.move(job.id, job.attempt, job.state, JobState.QUEUED):
            self._enqueue(replace(job, state=JobState.QUEUED, server=None, prompt_id=None))

    async def _assign(self) -> None:
        planned = self._scheduler.plan(self._fleet.free(), self._can_run)
        try:
            while planned:
                await self._assign_one(planned[0])
                planned.pop(0)
        finally:  # what could not be written goes back to the room
            for choice in planned:
                if (job := self._jobs.get(choice.job_id)) is not None:
                    self._release(job.id)
                    self._enqueue(job)

    async def _assign_one(self, choice: Assignment) -> None:
        job = self._jobs.get(choice.job_id)
        if job is None:
            return  # cancelled while an earlier one was written
        prompt_id = str(uuid.uuid4())
        self._fleet.servers[choice.server].busy.add(job.id)
        if await self._store.assign(job.id, job.attempt, server=choice.server, prompt_id=prompt_id):
            self._start(job, choice, prompt_id)
        else:
            self._forget(job.id)

    def _start(self, job: Job, choice: Assignment, prompt_id: str) -> None:
        assigned = replace(
            job, state=JobState.ASSIGNED, attempt=job.attempt + 1, server=choice.server, prompt_id=prompt_id
        )
        self._begin(assigned, partial(self._work, assigned, choice.server))

    def _begin(self, job: Job, work: Callable[[], Awaitable[None]]) -> None:
        self._jobs[job.id] = job
        task = asyncio.create_task(self._guarded(job, work), name=f"job-{job.id}")
        self._tasks[job.id] = task
        task.add_done_callback(lambda done: self._ended(job.id, done))

    def _ended(self, job_id: str, task: asyncio.Task[None]) -> None:
        """Whatever ended a job's task, even before its first step, its slot is free now."""
        if self._tasks.get(job_id) is task:
            del self._tasks[job_id]
            self._forget(job_id)
        if not task.cancelled() and (fault := task.exception()) is not None:
            log.error("job.left_to_the_next_start", job=job_id, exc_info=fault)
        self._wake.set()

    async def _guarded(self, job: Job, work: Callable[[], Awaitable[None]]) -> None:
        """Run a job's work; a bug in it has a number in log and reply."""
        try:
            await work()
        except Exception:  # a bug: the member gets a number, the log gets everything
            reference = new_reference()
            log.exception("job.bug", job=job.id, reference=reference)
            await self._give_up(job, Failure(code=FailureCode.BUG, facts={"reference": reference}))

    async def _work(self, job: Job, server_name: str) -> None:
        """Run one job, free its slot, deliver."""
        server = self._fleet.servers[server_name]
        template = self._library.by_name.get(job.request.template)
        if template is None:
            facts = {"template": job.request.template}
            await self._give_up(job, Failure(code=FailureCode.TEMPLATE_GONE, facts=facts))
            return
        try:
            card = await self._runner.run(job, template, server, self._reporters.of(job, self._cards(job)))
        except Retry as retry:
            if retry.server_fault:
                self._fleet.doubt(server_name)
            self._forget(job.id)
            await self._requeue(replace(job, state=JobState.RUNNING))
            self._tasks.pop(job.id, None)
            return
        self._release(job.id)
        await self._last_word(job, card)

    async def _resume(self, job: Job, server: Server) -> None:
        """Follow a job that an earlier process began, as soon as its server's node list tells what the graph was."""
        while not server.node_list:  # noqa: ASYNC110 - many jobs wait, one event serves only one
            await asyncio.sleep(SERVER_PAUSE_S)
        await self._work(job, server.name)

    async def _redeliver(self, job: Job, server: Server | None) -> None:
        """Show again what an earlier process had made and not surely shown: the same edit of the same message."""
        while server is not None and not server.up:  # noqa: ASYNC110 - many jobs wait, one event serves only one
            await asyncio.sleep(SERVER_PAUSE_S)  # the files are there; their server will be, too
        template = self._library.by_name.get(job.request.template)
        metadata = template is not None and template.manifest.metadata
        await self._last_word(job, await self._runner.remade(job, self._cards(job), server, metadata=metadata))

    async def _tell_again(self, job: Job) -> None:
        """Show the end of a job that an earlier process had decided and not surely shown."""
        cards = self._cards(job)
        ended = cards.cancelled() if job.failure is None else cards.failed(job.failure)
        await self._last_word(job, ended)

    async def _last_word(self, job: Job, card: Card | None) -> None:
        await self._reporters.stop(job.id)
        if card is not None:
            await self._runner.deliver(job, self._cards(job), card)

    async def _give_up(self, job: Job, failure: Failure) -> None:
        if await self._store.end(job.id, JobState.FAILED, failure):
            await self._last_word(job, self._cards(job).failed(failure))

    def _can_run(self, job_id: str, server: str) -> bool:
        return self._admission.can_run(self._jobs[job_id].request, server)

    def _enqueue(self, job: Job) -> None:
        self._jobs[job.id] = job
        template = self._admission.known(job.request.template)
        self._scheduler.add(job.id, job.request.member_id, template.manifest.cost if template else 1.0)

    def _forget(self, job_id: str) -> None:
        self._jobs.pop(job_id, None)
        self._release(job_id)

    def _release(self, job_id: str) -> None:
        """Free the slot: while a picture is delivered, its server works for others."""
        self._scheduler.gone(job_id)
        for server in self._fleet.servers.values():
            server.busy.discard(job_id)
        self._wake.set()

    def _cards(self, job: Job) -> CardMaker:
        template = self._library.by_name.get(job.request.template)
        title = template.title_in(job.address.locale) if template else job.request.template
        return CardMaker(request=job.request, title=title, locale=job.address.locale)

    def _drop_unfit(self) -> None:
        """A job that no server can run any more does not wait for ever."""
        for job_id in self._scheduler.order():
            job = self._jobs.get(job_id)
            if job is not None and self._admission.unfit(job.request):
                self._forget(job_id)
                failure = Failure(code=FailureCode.TEMPLATE_UNFIT)
                self._begin(job, partial(self._give_up, job, failure))

    async def _stop(self) -> None:
        """Take no new work, stop telling, wait a little for deliveries, leave the rest to the next start."""
        self._stopping = True
        await self._reporters.stop_all()
        telling = {task for job_id, task in self._tasks.items() if job_id in self._runner.delivering}
        if telling:
            await asyncio.wait(telling, timeout=STOP_S)
        left = set(self._tasks.values())
        for task in left:
            task.cancel()
        if left:
            _, stubborn = await asyncio.wait(left, timeout=STOP_S)
            for task in stubborn:
                log.warning("dispatcher.task_left", task=task.get_name())
