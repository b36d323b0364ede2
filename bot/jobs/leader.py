"""Who decides: one in all processes. Knows the waiting room and the servers' places, and brings the two together.

`learn` takes a job's present row and puts everything in its place; it may be told the same twice. What it is told by
the embedded store it is told at once, on a shared database the bell and a regular look at the rows tell it.
"""

import asyncio
import time
import uuid
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import structlog

from bot.jobs.admission import Admission
from bot.jobs.board import Board
from bot.jobs.dispatcher import Dispatcher
from bot.jobs.estimate import Estimator
from bot.jobs.fleet import Fleet
from bot.jobs.reporters import HASTY_S
from bot.jobs.scheduler import Assignment, Scheduler, Ticket
from bot.jobs.worker import Hands, Worker
from bot.model.job import ENDED, Failure, FailureCode, Job, JobState
from bot.moderation.casework import Casework
from bot.store.jobs import JobStore
from bot.workflow.load import models_of

log = structlog.get_logger()

STORE_PAUSE_S = 1.0
TELL_S = 1.0
"""Seconds between two rounds of telling places."""
TOLD_PLACES = 100
"""Places that are kept up to date in replies; who waits further back is told once, and by `/queue`."""
SWEEP_S = 2.0
UNTOLD_S = 15.0
"""Seconds after which an end that nobody has told is told by the leader."""
REMEMBERED = 2000
"""Runs that estimates are learned from at a start."""
_AT_A_TIME = 200
DELIVERIES = 64
"""Finished pictures that may be on their way to Discord, before no more are made."""
UNTAKEN_S = 30.0
"""Seconds that a job may lie in its server's queue before it is taken for one that nobody serves."""
_HOLDS_PLACE = (JobState.ASSIGNED, JobState.RUNNING)
_WORKED = (*_HOLDS_PLACE, JobState.DELIVERING)


Found = TypeVar("Found")


@dataclass(slots=True, kw_only=True)
class Parts:
    """What a leader works with."""

    store: JobStore
    fleet: Fleet
    admission: Admission
    scheduler: Scheduler
    estimator: Estimator
    worker: Worker
    hands: Hands
    dispatcher: Dispatcher
    casework: Casework
    jobs: dict[str, Job] = field(default_factory=dict[str, Job])
    """Live jobs, as last heard."""


class Leader:
    """Orders, assigns, and sees to it that nothing is left lying."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self.fleet, self.estimator = parts.fleet, parts.estimator
        self.board = Board(parts.scheduler, parts.estimator, parts.fleet, parts.jobs)
        self._wake, self._news = asyncio.Event(), asyncio.Event()
        self._far: set[str] = set()
        """Jobs that were told their place."""
        self._able: dict[str, tuple[int, dict[str, bool]]] = {}
        self._over: dict[str, None] = {}
        """Jobs that ended lately: what is heard of them afterwards is older."""
        self._fit_for = -1
        """The fleet's version for which the waiting jobs were looked at."""
        self._errands: set[asyncio.Task[None]] = set()

    def wake(self) -> None:
        """Look again: something may have changed."""
        self._wake.set()
        self._news.set()

    # What is known

    def learn(self, job: Job) -> None:
        """Take a job's present row; what is older than what is known is left."""
        parts = self._parts
        known = parts.jobs.get(job.id)
        older = (known is not None and known.attempt > job.attempt) or job.id in self._over
        if older and job.state not in ENDED:  # an end is final, whichever attempt it was seen in
            return
        if job.run_s and job.server and known is not None and known.run_s is None:
            parts.estimator.learn(job.request.template, job.server, job.claim.cost, job.run_s)
        if job.state in ENDED:
            self._ended(job, known)
            return
        if job.state is JobState.DELIVERING and known is not None and known.state is JobState.HELD:
            self._errand(parts.dispatcher.again(job), job)  # a moderator let it through
        parts.jobs[job.id] = job
        if job.state is JobState.QUEUED:
            parts.fleet.leave(job.id)
            parts.scheduler.add(self._ticket(job))
        elif job.state in _HOLDS_PLACE and job.server is not None and job.server in parts.fleet.servers:
            ticket = self._ticket(job)
            parts.scheduler.started(ticket)
            parts.fleet.ride(job.server, job.id, ticket.models, job.expected_s)
        else:
            self._free(job.id)
        self.wake()

    def hear(self, job_id: str, state: JobState, attempt: int) -> bool:
        """Take what the bell says of a job; False if its row must be read to know more."""
        known = self._parts.jobs.get(job_id)
        if known is None or known.attempt != attempt:
            return known is None and state in ENDED
        if known.state is state:
            return True
        if state in (JobState.RUNNING, JobState.DONE):
            self.learn(replace(known, state=state))
            return True
        return False

    def _ended(self, job: Job, known: Job | None) -> None:
        unused = 0.0
        unheard_of = job.id not in self._over
        self._over[job.id] = None
        if len(self._over) > REMEMBERED:
            del self._over[next(iter(self._over))]
        if job.state is JobState.CANCELLED and known is not None and known.state in _WORKED:
            unused = self._unused(known)
            self._errand(self._call_off(known), known)
        elif job.state is JobState.CANCELLED and (known is not None or unheard_of):
            self._parts.hands.begin(job)
        elif job.state is JobState.REFUSED and known is not None and known.state is JobState.HELD:
            self._parts.hands.begin(job)  # a moderator has turned it down
        self._parts.jobs.pop(job.id, None)
        self._free(job.id, unused=unused)
        self.wake()

    def _unused(self, job: Job) -> float:
        """Return the share of its run that a job on a server has left, as far as anybody knows."""
        server = self._parts.fleet.servers.get(job.server or "")
        ride = server.busy.get(job.id) if server else None
        if ride is None or job.state is JobState.ASSIGNED:
            return 1.0
        return max(0.0, min(1.0, 1.0 - (asyncio.get_running_loop().time() - ride.since) / max(ride.expected_s, 0.1)))

    def _free(self, job_id: str, *, unused: float = 0.0) -> None:
        self._able.pop(job_id, None)
        self._parts.scheduler.gone(job_id, unused=unused)
        self._parts.fleet.leave(job_id)

    def _ticket(self, job: Job) -> Ticket:
        template = self._parts.admission.known(job.request.template)
        return Ticket(
            job_id=job.id,
            member_id=job.request.member_id,
            guild_id=job.request.guild_id,
            claim=job.claim,
            models=models_of(template, job.request) if template else frozenset(),
        )

    # What is done about it

    async def run(self) -> None:
        """Take up what an earlier process left, then lead until cancelled."""
        self._parts.fleet.on_change.append(self.wake)
        self._parts.fleet.on_lost.append(self._server_lost)
        try:
            while not await self._patiently(self.recover):
                pass
            async with asyncio.TaskGroup() as group:
                group.create_task(self._rounds(), name="leader-rounds")
                group.create_task(self._tell_places(), name="leader-places")
                group.create_task(self._sweeps(), name="leader-sweeps")
        finally:
            for task in list(self._errands):
                task.cancel()
            await asyncio.gather(*self._errands, return_exceptions=True)
            self._parts.fleet.on_change.remove(self.wake)
            self._parts.fleet.on_lost.remove(self._server_lost)

    async def recover(self) -> bool:
        """Learn of everything that lives, and see to what nobody works; True, for it is done."""
        parts = self._parts
        for job in await parts.store.measured(REMEMBERED):
            parts.estimator.learn(job.request.template, job.server or "", job.claim.cost, job.run_s or 0.0)
        for job in await parts.store.live():
            self.learn(job)
        await self._see_to_unworked(suspects=None)
        for job in await parts.store.untold():
            parts.hands.begin(job)
        self.wake()
        return True

    async def _rounds(self) -> None:
        """Give free places to waiting jobs whenever something changes."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            await self._patiently(self._round)

    async def _round(self) -> None:
        await self._drop_unfit()
        parts = self._parts
        if sum(job.state is JobState.DELIVERING for job in parts.jobs.values()) >= DELIVERIES:
            return  # Discord is out of reach: more pictures would only pile up
        planned = parts.scheduler.plan(parts.fleet.seats(), self._can_run)
        outcomes = await asyncio.gather(*(self._assign(choice) for choice in planned), return_exceptions=True)
        for choice, outcome in zip(planned, outcomes, strict=True):
            if isinstance(outcome, BaseException):
                log.error("leader.not_assigned", job=choice.job_id, server=choice.server, exc_info=outcome)
                if (job := parts.jobs.get(choice.job_id)) is not None:
                    self.learn(job)  # back to the room
        if any(isinstance(outcome, BaseException) for outcome in outcomes):
            await asyncio.sleep(STORE_PAUSE_S)

    async def _assign(self, choice: Assignment) -> None:
        parts = self._parts
        job = parts.jobs.get(choice.job_id)
        if job is None:
            return  # it was cancelled since it was planned
        guess = parts.estimator.expect(job.request.template, choice.server, job.claim.cost)
        assigned = replace(
            job,
            state=JobState.ASSIGNED,
            attempt=job.attempt + 1,
            server=choice.server,
            prompt_id=str(uuid.uuid4()),
            expected_s=guess.mean if guess else None,
        )
        along = parts.dispatcher.along(assigned)
        if along is not None:  # another process goes on telling; ours must not speak after it
            await parts.worker.reporters.stop(job.id, HASTY_S)
        won = await parts.store.assign(
            job.id,
            job.attempt,
            server=choice.server,
            prompt_id=assigned.prompt_id or "",
            expected_s=assigned.expected_s,
            along=along,
        )
        if won and job.id in parts.jobs:
            self.learn(assigned)
            parts.dispatcher.committed(assigned)
        else:  # cancelled meanwhile, or another leader was faster
            parts.jobs.pop(job.id, None)
            self._free(job.id)

    def _can_run(self, job_id: str, server: str) -> bool:
        """Tell whether a server can run a job; asked again and again, and answered anew when the servers changed."""
        version, known = self._able.get(job_id, (-1, {}))
        if version != self._parts.fleet.version:
            known = {}
            self._able[job_id] = (self._parts.fleet.version, known)
        if server not in known:
            known[server] = self._parts.admission.can_run(self._parts.jobs[job_id].request, server)
        return known[server]

    async def _drop_unfit(self) -> None:
        """Jobs that no server can run any more do not wait for ever; looked at whenever what servers can do changes."""
        parts = self._parts
        servers = parts.fleet.servers.values()
        if self._fit_for == parts.fleet.version or not all(server.node_list for server in servers):
            return  # one that was not read yet may be the one that can
        self._fit_for = parts.fleet.version
        unfit = parts.admission.unfit_templates()
        for number, job_id in enumerate(list(parts.scheduler), 1):
            job = parts.jobs.get(job_id)
            if job is None or job_id not in parts.scheduler:
                continue
            nowhere = not any(self._can_run(job_id, server.name) for server in servers)
            if nowhere or job.request.template in unfit:
                parts.scheduler.gone(job_id)
                self._errand(self._give_up_unfit(job), job)
            if number % _AT_A_TIME == 0:
                await asyncio.sleep(0)

    async def _give_up_unfit(self, job: Job) -> None:
        try:
            await self._parts.worker.give_up(job, Failure(code=FailureCode.TEMPLATE_UNFIT))
        except Exception:
            if job.id in self._parts.jobs:
                self.learn(job)  # it goes on waiting, until it can be told
                self._fit_for = -1
            raise

    async def _tell_places(self) -> None:
        """Keep the first places up to date in their replies, and tell those further back once."""
        while True:
            await self._news.wait()
            self._news.clear()
            parts = self._parts
            speak, reachable = parts.worker.reporters, parts.fleet.up > 0
            for job_id, place in self.board.first(TOLD_PLACES).items():
                job = parts.jobs[job_id]
                speak.tell_place(job, parts.worker.cards(job), place.place, place.eta, reachable=reachable)
            told = {job_id for job_id in self._far if job_id in parts.jobs}
            for job_id, place in self.board.of([one for one in parts.scheduler if one not in told]).items():
                job = parts.jobs[job_id]
                speak.tell_once(job, parts.worker.cards(job), place.place, place.eta, reachable=reachable)
                told.add(job_id)
            self._far = told
            await asyncio.sleep(TELL_S)

    # What must not be left lying

    async def _sweeps(self) -> None:
        suspects: set[tuple[str, int]] = set()
        told_at = time.time()
        while True:
            await asyncio.sleep(SWEEP_S)
            suspects = await self._patiently(lambda: self._see_to_unworked(suspects)) or set()  # noqa: B023 - awaited
            if time.time() - told_at > UNTOLD_S:
                told_at = time.time()
                await self._patiently(self._tell_untold)

    async def _see_to_unworked(self, suspects: set[tuple[str, int]] | None) -> set[tuple[str, int]]:
        """Hand over again what was found unworked twice (at a start, once); return what was found now."""
        parts = self._parts
        for job in [job for job in parts.jobs.values() if job.state in _HOLDS_PLACE]:
            if job.server is None or job.server not in parts.fleet.servers:  # taken out of the settings
                await self._move(job)
            elif job.state is JobState.ASSIGNED and parts.fleet.age(job.server, job.id) > UNTAKEN_S:
                log.warning("job.untaken", job=job.id, server=job.server)
                parts.fleet.rest(job.server, 2 * UNTAKEN_S)
                await self._move(job)
        worked = [job for job in parts.jobs.values() if job.state in _WORKED]
        found: set[tuple[str, int]] = set()
        for job in await parts.dispatcher.unworked(worked) if worked else []:
            key = (job.id, job.attempt)
            found.add(key)
            if suspects is not None and key not in suspects:
                continue
            if job.server in parts.fleet.servers:
                await parts.dispatcher.again(job)
            else:
                parts.hands.begin(job)
        return found

    async def _tell_untold(self) -> None:
        await self._parts.casework.post_unposted()
        for job in await self._parts.store.untold(before=time.time() - UNTOLD_S):
            self._parts.hands.begin(job)

    def _server_lost(self, name: str) -> None:
        """What is on a server that works no more goes to others; where there is none, it waits for its return."""
        parts = self._parts
        for job in list(parts.jobs.values()):
            if job.server == name and job.state in _HOLDS_PLACE:
                others = [one.name for one in parts.fleet.servers.values() if one.up and one.name != name]
                wedged = parts.fleet.servers[name].wedged
                if wedged or any(self._can_run(job.id, other) for other in others):
                    log.warning("job.moved", job=job.id, server=name)
                    self._errand(self._move(job), job)

    async def _move(self, job: Job) -> None:
        """Take a job off its server, and back into the queue."""
        parts = self._parts
        now = parts.jobs.get(job.id, job)
        for state in _HOLDS_PLACE:  # it may have begun to run since we heard of it
            if await parts.store.move(now.id, now.attempt, state, JobState.QUEUED):
                await parts.dispatcher.stop_work(now)
                self.learn(replace(now, state=JobState.QUEUED, server=None, prompt_id=None))
                return

    async def _call_off(self, job: Job) -> None:
        if not await self._parts.dispatcher.stop_work(job):
            self._parts.hands.begin(replace(job, state=JobState.CANCELLED))

    def _errand(self, work: Coroutine[Any, Any, None], job: Job) -> None:
        task = asyncio.create_task(work, name=f"errand-{job.id}")
        self._errands.add(task)
        task.add_done_callback(self._errand_done)

    def _errand_done(self, task: asyncio.Task[None]) -> None:
        self._errands.discard(task)
        if not task.cancelled() and (fault := task.exception()) is not None:
            log.error("leader.errand_failed", task=task.get_name(), exc_info=fault)

    async def _patiently(self, work: Callable[[], Coroutine[Any, Any, Found]]) -> Found | None:
        """A fault, such as one of the store, costs a round, not the process."""
        try:
            return await work()
        except Exception:  # logged in full: what one round trips over must not end all others
            log.exception("leader.fault")
            await asyncio.sleep(STORE_PAUSE_S)
            self.wake()
            return None
