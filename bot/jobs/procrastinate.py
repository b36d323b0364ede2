"""Many processes on one PostgreSQL: an elected leader, assignments in Procrastinate's queues, workers anywhere.

The jobs row is the truth and Procrastinate the carrier: an assignment is put into its server's queue in the transaction
that changes the row, and whoever takes it works what the row says. Lost carriers are found by looking at both.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any

import procrastinate
import psycopg
import sqlalchemy as sa
import structlog
from procrastinate.exceptions import ProcrastinateException
from procrastinate.jobs import DeleteJobCondition
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.jobs.board import NOTE, Place, places_in
from bot.jobs.crew import STOP_S, Means, desk_of, leader_of
from bot.jobs.fleet import Server
from bot.jobs.leader import Leader
from bot.jobs.worker import Hands, Worker
from bot.model.job import Job, JobState
from bot.store.database import KEEPALIVES, Along, Database, libpq_url
from bot.store.jobs import BELL
from bot.store.notes import NoteStore

log = structlog.get_logger()

POLL_S = 0.5
"""Bound on what a lost notification costs: Procrastinate may fall back to polling (facts, engine §6.1)."""
HEARTBEAT_S, STALE_S = 2.0, 10.0
"""A worker that was silent for `STALE_S` is dead; its jobs go to another one of the same server."""
AGAIN_S = 0.3
LOOK_S = 2.0
"""Seconds between two looks at what has changed: the bell is a hint that may get lost."""
LOOK_BACK_S = 60.0
"""Seconds that a look goes back, so that clocks need not agree to better than that."""
DELIVERING = 4
"""Jobs per server that may be delivered while others run."""
LEADER = 4_241_002
"""The advisory lock of who leads."""
KEEP_HOURS = 72
TASK = "easel.work"
HOUSEKEEPING = "easel"
"""The queue of what is done once for all servers."""
NAME_BYTES = 32
STANDING_S = 3.0
"""Seconds between a leader's signs of life; a session that gives none for `FROZEN_S` is ended by the database."""
FROZEN_S = 10

_TROUBLE = (SQLAlchemyError, psycopg.Error, ProcrastinateException, OSError)


def queue_of(server: str) -> str:
    """Return the name of a server's queue; a long name is told apart by its digest, for channels have 63 bytes."""
    if len(server.encode()) <= NAME_BYTES:
        return f"srv:{server}"
    return f"srv:#{hashlib.blake2b(server.encode(), digest_size=8).hexdigest()}"


class Carrier:
    """Procrastinate, as we use it; also the dispatcher of a leader. `work` is called with every job taken here."""

    def __init__(self, url: str, database: Database, work: Callable[[str, int], Awaitable[None]]) -> None:
        connector = procrastinate.PsycopgConnector(
            conninfo=libpq_url(url), kwargs=dict(KEEPALIVES), min_size=1, max_size=8
        )
        self._database = database
        self.app = procrastinate.App(connector=connector)
        self._task: Any = self.app.task(name=TASK)(work)
        # At least one periodic task must exist, or the worker's monitor of its own listener ends at once.
        self.app.periodic(cron="0 4 * * *")(
            self.app.task(name="easel.purge", queue=HOUSEKEEPING, queueing_lock="purge")(self._purge)
        )

    async def _purge(self, timestamp: int) -> None:
        del timestamp
        await self.app.job_manager.delete_old_jobs(nb_hours=KEEP_HOURS, include_failed=True, include_cancelled=True)

    async def serve(self, server: Server) -> None:
        """Take jobs from a server's queue until cancelled, as soon as that server was reached from here.

        The worker returns when its listener dies; then it is started anew.
        """
        while not server.node_list:  # noqa: ASYNC110 - a server that this process does not reach is others' to serve
            await asyncio.sleep(POLL_S)
        while True:
            try:
                await self.app.run_worker_async(
                    queues=[queue_of(server.name), HOUSEKEEPING],
                    name=f"easel-{server.name}",
                    concurrency=2 * server.slots + DELIVERING,
                    fetch_job_polling_interval=POLL_S,
                    abort_job_polling_interval=POLL_S,
                    update_heartbeat_interval=HEARTBEAT_S,
                    stalled_worker_timeout=STALE_S,
                    shutdown_graceful_timeout=STOP_S,
                    delete_jobs=DeleteJobCondition.ALWAYS,
                    install_signal_handlers=False,
                )
                log.warning("worker.restarted", server=server.name)
            except _TROUBLE as fault:
                log.warning("worker.database_away", server=server.name, fault=type(fault).__name__)
            await asyncio.sleep(AGAIN_S)

    # The dispatcher's port

    def along(self, job: Job) -> Along:
        """Put a job into its server's queue, in the transaction that assigns it."""

        async def defer(connection: AsyncConnection) -> None:
            raw = await connection.get_raw_connection()
            queue = self._task.configure(
                queue=queue_of(job.server or ""),
                lock=f"{job.id}:{job.attempt}",  # carried twice, it is still worked once at a time
                connection=raw.driver_connection,
            )
            await queue.defer_async(job_id=job.id, attempt=job.attempt)

        return defer

    def committed(self, job: Job) -> None:
        """Nothing: whoever serves the queue has been told by the transaction."""

    async def again(self, job: Job) -> None:
        """Put a job into its server's queue once more."""
        log.info("job.carried_again", job=job.id, attempt=job.attempt)
        await self._database.write(lambda _connection: True, self.along(job))

    async def stop_work(self, job: Job) -> bool:
        """Take a job out of its queue, or have its worker end it; False if no worker had it."""
        doing = False
        for carried in await self._carried():
            if carried.job_id == job.id and carried.attempt == str(job.attempt):
                await self.app.job_manager.cancel_job_by_id_async(carried.id, abort=True)
                doing = doing or carried.status == "doing"
        return doing

    async def unworked(self, jobs: Sequence[Job]) -> list[Job]:
        """Return those that are in no queue and with no worker."""
        carried = {(one.job_id, one.attempt) for one in await self._carried()}
        return [job for job in jobs if (job.id, str(job.attempt)) not in carried]

    async def _carried(self) -> Sequence[Any]:
        query = sa.text(
            "SELECT id, status::text AS status, args->>'job_id' AS job_id, args->>'attempt' AS attempt "
            "FROM procrastinate_jobs WHERE status IN ('todo', 'doing') AND task_name = :task"
        )

        return await self._database.read(lambda connection: connection.execute(query, {"task": TASK}).all())

    async def revive(self) -> None:
        """Give the jobs of dead workers to others (stalled jobs are detected, not retried, by Procrastinate itself)."""
        for stalled in await self.app.job_manager.get_stalled_jobs(seconds_since_heartbeat=STALE_S):
            log.warning("job.worker_lost", job=stalled.task_kwargs.get("job_id"))
            await self.app.job_manager.retry_job(stalled)


class SharedCrew:
    """The crew of one process among several: a desk always, a leader when elected, workers for servers in reach."""

    def __init__(self, means: Means, url: str, database: Database) -> None:
        self._means, self._url = means, url
        self._notes = NoteStore(database)
        self.worker = Worker(
            means.store,
            means.uploads,
            means.fleet,
            means.library,
            means.courier,
            means.casework,
            fence=self._is_still_ours,
        )
        self._hands = Hands(self.worker.work)
        self._carrier = Carrier(url, database, self._work)
        self._leader: Leader | None = None
        self._words: set[asyncio.Task[None]] = set()
        means.fleet.on_suspect.append(self._pass_on)
        self.desk = desk_of(means, self._places, self._heard)
        means.casework.on_step = means.sanctions.on_step = self._heard

    async def run(self, *, lead: bool = True, work: bool = True) -> None:
        """Lead if elected, work the queues of servers in reach (or leave one of the two), until cancelled."""
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._stop)
            await self._opened(stack)
            async with asyncio.TaskGroup() as group:
                for server in self._means.fleet.servers.values() if work else ():
                    group.create_task(self._carrier.serve(server), name=f"worker-{server.name}")
                if lead:
                    group.create_task(self._stand(), name="leader")

    async def _opened(self, stack: AsyncExitStack) -> None:
        while True:
            try:
                await stack.enter_async_context(self._carrier.app.open_async())
            except _TROUBLE as fault:
                log.warning("worker.database_away", fault=type(fault).__name__)
                await asyncio.sleep(AGAIN_S)
            else:
                return

    async def _stop(self) -> None:
        self.desk.closed = True
        await self.worker.reporters.stop_all()
        await self._hands.stop(self.worker.delivering, STOP_S)
        for task in list(self._words):
            task.cancel()
        await asyncio.gather(*self._words, return_exceptions=True)

    # Working

    async def _work(self, job_id: str, attempt: int) -> None:
        """Work what the row says, if this attempt is still the one."""
        taken = await self._means.store.take(job_id, attempt)
        job = taken or await self._means.store.get(job_id)
        if job is not None and job.attempt == attempt:
            await self.worker.work(job, taken=taken is not None)

    async def _is_still_ours(self, job: Job) -> bool:
        """Tell whether a job may still be spoken of from here: a process that slept may have been given up."""
        row = await self._means.store.get(job.id)
        if row is None:
            return False
        return row.state is JobState.QUEUED or (row.attempt == job.attempt and row.state in _SPOKEN_OF)

    # Leading

    async def _stand(self) -> None:
        """Be elected, lead until the lock's connection is lost, stand again."""
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(
                    libpq_url(self._url), autocommit=True, **KEEPALIVES
                ) as lock:
                    await lock.execute("SELECT pg_advisory_lock(%s)", (LEADER,))
                    await self._bound(lock)
                    log.info("leader.elected")
                    await self._lead(lock)
            except* _TROUBLE as lost:
                log.warning("leader.deposed", fault=type(lost.exceptions[0]).__name__)
            except* Exception:  # a bug must not take the process with it: somebody leads again
                log.exception("leader.bug")
            await asyncio.sleep(AGAIN_S)

    @staticmethod
    async def _bound(lock: psycopg.AsyncConnection[Any]) -> None:
        """Let the database end our session, and with it our lead, should this process freeze."""
        try:
            await lock.execute("SELECT set_config('idle_session_timeout', %s, false)", (f"{FROZEN_S}s",))
        except psycopg.errors.UndefinedObject:
            log.info("leader.unbound")  # before PostgreSQL 14 only a lost connection ends it

    async def _lead(self, lock: psycopg.AsyncConnection[Any]) -> None:
        means = self._means
        leader = leader_of(means, self.worker, self._hands, self._carrier)
        means.library.on_change.append(leader.wake)
        self._leader, self.worker.on_step = leader, leader.learn
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(leader.run(), name="leader-run")
                group.create_task(self._listen(lock, leader), name="leader-bell")
                group.create_task(self._look(leader), name="leader-look")
        finally:
            self._leader, self.worker.on_step = None, lambda _job: None
            means.library.on_change.remove(leader.wake)

    async def _listen(self, lock: psycopg.AsyncConnection[Any], leader: Leader) -> None:
        """Learn of each job for which the bell rings. That this connection lives is also what makes us the leader."""
        await lock.execute(f"LISTEN {BELL}")
        while True:
            async for ring in lock.notifies(timeout=STANDING_S):
                await self._heard_bell(leader, ring.payload)
            await lock.execute("SELECT 1")

    async def _heard_bell(self, leader: Leader, payload: str) -> None:
        match payload.split(":"):
            case [job_id, state, attempt] if state in _STATES and attempt.isdecimal():
                await self._take_news(leader, job_id, JobState(state), int(attempt))
            case ["suspect", prompt_id, patience, *server] if patience.isdecimal():
                self._means.fleet.hear_suspicion(":".join(server), prompt_id, float(patience))
            case _:
                log.warning("leader.odd_bell", payload=payload[:80])

    async def _take_news(self, leader: Leader, job_id: str, state: JobState, attempt: int) -> None:
        """Read a row only where what is heard does not say all."""
        if not leader.hear(job_id, state, attempt):
            job = await self._means.store.get(job_id)
            if job is not None:
                leader.learn(job)

    def _pass_on(self, server: str, prompt_id: str, patience_s: float) -> None:
        """Tell the leader, in whichever process it is, what we suspect a server of."""
        word = self._means.store.announce(f"suspect:{prompt_id}:{round(patience_s)}:{server}")
        task = asyncio.create_task(word, name="suspicion")
        self._words.add(task)
        task.add_done_callback(self._words.discard)

    async def _look(self, leader: Leader) -> None:
        """Look at everything that has changed lately, see to dead workers, and tell the others the order."""
        told = (-1, -1)
        while True:
            await asyncio.sleep(LOOK_S)
            for job_id, state, attempt in await self._means.store.changed_within(LOOK_BACK_S):
                await self._take_news(leader, job_id, state, attempt)
            await self._carrier.revive()
            if (now := leader.board.version) != told:
                await self._notes.write(NOTE, leader.board.to_text())
                told = now

    # What the desk needs

    async def _places(self, job_ids: Collection[str]) -> Mapping[str, Place]:
        if self._leader is not None:
            return self._leader.board.of(job_ids)
        return places_in(await self._notes.read(NOTE), job_ids)

    def _heard(self, job: Job) -> None:
        """The leader hears the bell; if that is us, why wait."""
        if self._leader is not None:
            self._leader.learn(job)


_STATES = frozenset(state.value for state in JobState)
_SPOKEN_OF = (JobState.ASSIGNED, JobState.RUNNING)
