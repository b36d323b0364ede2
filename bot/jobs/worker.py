"""Takes an assigned job from wherever it stands to its last card. Safe to begin again at any time, in any process."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace

import structlog
from sqlalchemy.exc import SQLAlchemyError

from bot.comfy.errors import ComfyError
from bot.errors import new_reference
from bot.jobs.fleet import Fleet, Server
from bot.jobs.library import Library
from bot.jobs.reporters import Fence, Reporters
from bot.jobs.runner import Held, JobRunner, OnStep, Retry
from bot.model.job import Failure, FailureCode, Job, JobState
from bot.moderation.casework import Casework
from bot.replies.cards import Card, CardMaker
from bot.replies.courier import Courier
from bot.store.jobs import JobStore
from bot.store.uploads import UploadStore

log = structlog.get_logger()

SERVER_PAUSE_S = 1.0
REDELIVERIES = 60
"""Times that a server is waited for which has a finished picture, before it is made again."""
ROW_S = 2.0
INTERRUPT_S = 60.0
"""Seconds in which an interrupt should take effect: at the next step, or when a model is loaded."""
STOP_AT_SERVER_S = 5.0
"""Seconds that a server is given to stop a prompt that nobody wants any more."""


class Worker:
    """Works jobs of any state. `on_step` hears of every step after it was committed; for `fence` see `Reporters`."""

    def __init__(
        self,
        store: JobStore,
        uploads: UploadStore,
        fleet: Fleet,
        library: Library,
        courier: Courier,
        casework: Casework,
        fence: Fence | None = None,
    ) -> None:
        self._store, self._fleet, self._library, self._casework = store, fleet, library, casework
        self.on_step: OnStep = lambda _job: None
        self.reporters = Reporters(courier, casework.gate.preview, fence)
        self._runner = JobRunner(store, uploads, courier, casework.gate, self._stepped, self._overdue)

    def _stepped(self, job: Job) -> None:
        self.on_step(job)

    def _overdue(self, server: str, prompt_id: str) -> None:
        self._fleet.suspect(server, prompt_id, patience_s=INTERRUPT_S)

    @property
    def delivering(self) -> set[str]:
        """Jobs whose last card is on its way: a stop waits for them."""
        return self._runner.delivering

    async def work(self, job: Job, *, taken: bool = False) -> None:
        """Do what a job's state asks for, to the end. A bug in it has a number in log and reply.

        `taken`: the row of this assigned job says running already, because it has just become ours.

        Cancelled, it looks at the row: what a member called off is stopped on its server and told, what was given to
        another attempt is only stopped, and at a mere shutdown everything goes on without us.
        """
        try:
            await self._work(job, taken=taken)
        except asyncio.CancelledError:
            row = await self._row_now(job)
            if row is not None and row.state is JobState.CANCELLED:
                await self._called_off(job)
            elif row is not None and (row.state is JobState.QUEUED or row.attempt != job.attempt):
                await self._stop_on_server(job)
            else:
                raise
        except SQLAlchemyError:
            raise  # the store's trouble, not the job's: the leader's sweep hands it over again
        except Exception:  # a bug: the member gets a number, the log gets everything
            reference = new_reference()
            log.exception("job.bug", job=job.id, reference=reference)
            await self.give_up(job, Failure(code=FailureCode.BUG, facts={"reference": reference}))

    async def _row_now(self, job: Job) -> Job | None:
        """Return the row, if the database answers soon; a stop does not wait for one that is away."""
        try:
            async with asyncio.timeout(ROW_S):
                return await self._store.get(job.id)
        except (TimeoutError, SQLAlchemyError, OSError):
            return None

    async def _work(self, job: Job, *, taken: bool) -> None:
        match job.state:
            case JobState.ASSIGNED | JobState.RUNNING:
                await self._run(job, taken=taken)
            case JobState.DELIVERING:
                await self._redeliver(job)
            case JobState.CANCELLED:
                await asyncio.gather(self._stop_on_server(job), self._tell(job))
            case JobState.FAILED | JobState.REFUSED:
                await self._tell(job)
            case JobState.HELD:
                await self._show_held(job)
            case JobState.DONE if job.removed:
                await self._casework.take_away(job)
            case _:
                return

    async def _run(self, job: Job, *, taken: bool) -> None:
        server = self._fleet.servers.get(job.server or "")
        if server is None:
            await self._back(replace(job, state=JobState.RUNNING) if taken else job)
            return
        while not server.node_list:  # noqa: ASYNC110 - many jobs wait, one event serves only one
            await asyncio.sleep(SERVER_PAUSE_S)
        template = self._library.by_name.get(job.request.template)
        if template is None:
            facts = {"template": job.request.template}
            await self.give_up(job, Failure(code=FailureCode.TEMPLATE_GONE, facts=facts))
            return
        cards = self.cards(job)
        reporter = self.reporters.of(job, cards)
        try:
            card = await self._runner.run(job, template, server, cards, reporter, taken=taken)
        except Retry as retry:
            if retry.server_fault:
                self._fleet.doubt(server.name)
            if retry.stuck:
                self._fleet.suspect(server.name, job.prompt_id or "", patience_s=0.0)
            await self._back(replace(job, state=JobState.RUNNING))
        except Held as held:
            await self._show_held(held.job)
        else:
            await self._last_word(job, card)

    async def _show_held(self, job: Job) -> None:
        """Tell the member that a moderator looks first, and show the moderators what there is to decide."""
        await self.reporters.stop(job.id)
        await self._runner.deliver(job, self.cards(job), self.cards(job).held())
        await self._casework.post_held(job)

    async def _back(self, job: Job) -> None:
        """Back into the queue, for another attempt."""
        if self.reporters.fenced:
            await self.reporters.stop(job.id)  # whoever has it next speaks of it
        if await self._store.move(job.id, job.attempt, job.state, JobState.QUEUED):
            self._stepped(replace(job, state=JobState.QUEUED, server=None, prompt_id=None))

    async def _redeliver(self, job: Job) -> None:
        """Show again what an earlier process had made and not surely shown: the same edit of the same message."""
        server: Server | None = self._fleet.servers.get(job.server or "")
        for _ in range(REDELIVERIES):
            if server is None or server.up or await self._runner.has_all(job):
                break
            await asyncio.sleep(SERVER_PAUSE_S)  # the files are there; their server will be, too
        try:
            card = await self._runner.remade(job, self.cards(job), server)
        except Retry:
            await self._back(job)
            return
        await self._last_word(job, card)

    async def _tell(self, job: Job) -> None:
        """Show how a job ended, where that was decided and not surely shown."""
        cards = self.cards(job)
        await self._last_word(job, cards.cancelled() if job.failure is None else cards.failed(job.failure))

    async def _last_word(self, job: Job, card: Card | None) -> None:
        await self.reporters.stop(job.id)
        if card is not None:
            await self._runner.deliver(job, self.cards(job), card)

    async def give_up(self, job: Job, failure: Failure) -> None:
        """End a job in words."""
        if await self._store.end(job.id, JobState.FAILED, failure, attempt=job.attempt):
            ended = replace(job, state=JobState.FAILED, failure=failure)
            self._stepped(ended)
            await self._tell(ended)

    async def _called_off(self, job: Job) -> None:
        """A member wants it no more: stop exactly this prompt, charge what it used, and say so."""
        began = self._runner.began.get(job.id)
        if began is not None:
            share = min(1.0, (time.time() - began) / job.expected_s) if job.expected_s else 1.0
            await self._store.note_spent(job.id, share * job.claim.cost)
        await asyncio.gather(self._stop_on_server(job), self._tell(replace(job, state=JobState.CANCELLED)))

    async def _stop_on_server(self, job: Job) -> None:
        server = self._fleet.servers.get(job.server or "")
        if server is None or job.prompt_id is None:
            return
        self._fleet.suspect(server.name, job.prompt_id, patience_s=INTERRUPT_S)
        try:
            async with asyncio.timeout(STOP_AT_SERVER_S):
                await server.client.cancel(job.prompt_id)
        except (ComfyError, TimeoutError) as fault:  # the job is over all the same
            log.warning("job.interrupt_failed", job=job.id, server=server.name, fault=str(fault))

    def cards(self, job: Job) -> CardMaker:
        """Return the maker of a job's cards."""
        template = self._library.by_name.get(job.request.template)
        title = template.title_in(job.address.locale) if template else job.request.template
        metadata = template is not None and template.manifest.metadata
        return CardMaker(
            request=job.request,
            title=title,
            locale=job.address.locale,
            job_id=job.id,
            private=job.address.ephemeral,
            offers=self._library.offers(job.address.locale, self._casework.templates_of(job.request.guild_id)),
            metadata=metadata,
        )


class Hands:
    """The tasks of one process: one for each job and attempt that is worked here."""

    def __init__(self, work: Callable[[Job], Awaitable[None]]) -> None:
        self.work = work
        self._tasks: dict[tuple[str, int], asyncio.Task[None]] = {}

    def begin(self, job: Job) -> None:
        """Work a job in a task of its own, unless that is done already."""
        key = (job.id, job.attempt)
        if key in self._tasks:
            return
        task = asyncio.create_task(self._begun(job), name=f"job-{job.id}")
        self._tasks[key] = task
        task.add_done_callback(lambda done: self._ended(key, done))

    async def _begun(self, job: Job) -> None:
        await self.work(job)

    def _ended(self, key: tuple[str, int], task: asyncio.Task[None]) -> None:
        if self._tasks.get(key) is task:
            del self._tasks[key]
        if not task.cancelled() and (fault := task.exception()) is not None:
            log.error("job.left_lying", job=key[0], exc_info=fault)  # the leader's sweep finds it

    def has(self, job: Job) -> bool:
        """Tell whether this attempt is being worked."""
        return (job.id, job.attempt) in self._tasks

    async def end(self, job: Job) -> bool:
        """Cancel a job's task and wait until it is over; False if there was none."""
        task = self._tasks.get((job.id, job.attempt))
        if task is None:
            return False
        task.cancel()
        await asyncio.wait({task})
        return True

    async def stop(self, delivering: set[str], wait_s: float) -> None:
        """Wait a little for last words that are on their way, leave the rest to the next start."""
        telling = {task for (job_id, _), task in self._tasks.items() if job_id in delivering}
        if telling:
            await asyncio.wait(telling, timeout=wait_s)
        left = set(self._tasks.values())
        for task in left:
            task.cancel()
        if left:
            with suppress(asyncio.CancelledError):
                _, stubborn = await asyncio.wait(left, timeout=wait_s)
                for task in stubborn:
                    log.warning("jobs.task_left", task=task.get_name())
