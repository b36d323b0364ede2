"""The room, put together: a desk for members, a leader who decides, a worker, and how the two reach each other.

Embedded, all of them are one process's. What a shared database needs besides stands in `procrastinate.py`.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from bot.jobs.admission import Admission
from bot.jobs.board import Place
from bot.jobs.desk import Desk, Places
from bot.jobs.dispatcher import Dispatcher, LocalDispatcher
from bot.jobs.estimate import Estimator
from bot.jobs.fleet import Fleet
from bot.jobs.leader import Leader, Parts
from bot.jobs.library import Library
from bot.jobs.runner import OnStep
from bot.jobs.scheduler import Limits, Scheduler
from bot.jobs.worker import Hands, Worker
from bot.moderation.casework import Casework
from bot.moderation.sanctions import Sanctions
from bot.replies.courier import Courier
from bot.store.guilds import GuildStore
from bot.store.jobs import JobStore
from bot.store.uploads import UploadStore

STOP_S = 1.5
"""Seconds that a stop waits for last words, and then for the rest to let go."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What every crew works with."""

    store: JobStore
    uploads: UploadStore
    fleet: Fleet
    library: Library
    admission: Admission
    courier: Courier
    sanctions: Sanctions
    casework: Casework
    guilds: GuildStore
    limits: Limits
    shares: Mapping[int, float]


def leader_of(means: Means, worker: Worker, hands: Hands, dispatcher: Dispatcher) -> Leader:
    """Return a leader who knows nothing yet."""
    return Leader(
        Parts(
            store=means.store,
            fleet=means.fleet,
            admission=means.admission,
            scheduler=Scheduler(means.limits, means.shares),
            estimator=Estimator(),
            worker=worker,
            hands=hands,
            dispatcher=dispatcher,
            casework=means.casework,
        )
    )


def desk_of(means: Means, places: Places, on_step: OnStep = lambda _job: None) -> Desk:
    """Return a desk."""
    return Desk(
        means.store,
        means.admission,
        means.library,
        means.fleet,
        means.casework.gate,
        means.guilds,
        means.limits,
        places,
        on_step,
    )


class Crew:
    """An embedded crew. Nothing happens until it runs."""

    def __init__(self, means: Means) -> None:
        self.worker = Worker(means.store, means.uploads, means.fleet, means.library, means.courier, means.casework)
        self.hands = hands = Hands(self.worker.work)
        self.leader = leader_of(means, self.worker, hands, LocalDispatcher(hands))
        self.worker.on_step = self.leader.learn
        means.library.on_change.append(self.leader.wake)
        self.desk = desk_of(means, self._places, self.leader.learn)
        means.casework.on_step = means.sanctions.on_step = self.leader.learn

    async def _places(self, job_ids: Collection[str]) -> Mapping[str, Place]:
        return self.leader.board.of(job_ids)

    async def run(self, *, lead: bool = True, work: bool = True) -> None:
        """Lead and work until cancelled; then take nothing new, stop telling, wait a little for last words."""
        if not (lead and work):
            raise ValueError("an embedded crew does both")
        try:
            await self.leader.run()
        finally:
            self.desk.closed = True
            await self.worker.reporters.stop_all()
            await self.hands.stop(self.worker.delivering, STOP_S)
