"""One progress reporter a job, from its first place in the queue to its last card, so that its edits keep one pace."""

import asyncio
from collections.abc import Awaitable, Callable

from sqlalchemy.exc import SQLAlchemyError

from bot.model.job import Eta, Job, Waiting
from bot.replies.cards import Card, CardMaker
from bot.replies.courier import Courier, ReplyGone, Undelivered
from bot.replies.progress import LAST_EDIT_S, ProgressReporter

Fence = Callable[[Job], Awaitable[bool]]
"""Tells whether a job may still be spoken of from here."""

Preview = Callable[[Job, bytes], Awaitable[bytes | None]]
"""Returns what may be shown of a job's preview, or None."""

HASTY_S = 1.5
"""Seconds that a stop of everything, or a handover, waits for an edit."""
FAR_AT_ONCE = 8
"""Edits on their way for jobs that wait far back."""


class Reporters:
    """The reporters of all live jobs; each is a task of its own, started here and stopped here.

    With a `fence` every edit asks it first: where several processes work, one that slept must not speak over another.
    """

    def __init__(self, courier: Courier, preview: Preview, fence: Fence | None = None) -> None:
        self._courier, self._preview, self._fence = courier, preview, fence
        self.fenced = fence is not None
        self._far = asyncio.Semaphore(FAR_AT_ONCE)
        self._by_job: dict[str, ProgressReporter] = {}

    def of(self, job: Job, cards: CardMaker) -> ProgressReporter:
        """Return a job's reporter, started if it is new."""
        if job.id not in self._by_job:
            reporter = ProgressReporter(
                cards, lambda card: self._edit(job, card), lambda preview: self._preview(job, preview)
            )
            reporter.start(f"progress-{job.id}")
            self._by_job[job.id] = reporter
        self._by_job[job.id].keep()
        return self._by_job[job.id]

    async def _edit(self, job: Job, card: Card) -> None:
        try:
            ours = self._fence is None or await self._fence(job)
        except SQLAlchemyError as fault:
            raise Undelivered("whether it is ours cannot be told now", reason=type(fault).__name__) from fault
        if not ours:
            raise ReplyGone("another process has this job now")
        await self._courier.edit(job.id, job.address, card)

    def tell_once(self, job: Job, cards: CardMaker, place: int, eta: Eta | None, *, reachable: bool) -> None:
        """Show a job that waits far back its place as it is now; nothing is kept of it afterwards."""
        if job.id in self._by_job:
            return

        async def send(card: Card) -> None:
            async with self._far:
                await self._edit(job, card)

        reporter = ProgressReporter(cards, send, once=True)
        self._by_job[job.id] = reporter
        reporter.post(Waiting(place=place, reachable=reachable, eta=eta))
        reporter.start(f"place-{job.id}", lambda: self._ended(job.id, reporter))

    def _ended(self, job_id: str, reporter: ProgressReporter) -> None:
        if self._by_job.get(job_id) is reporter:
            del self._by_job[job_id]

    def tell_place(self, job: Job, cards: CardMaker, place: int, eta: Eta | None, *, reachable: bool) -> None:
        """Show a waiting job its place, the first one 1; `reachable` tells whether any server answers."""
        self.of(job, cards).post(Waiting(place=place, reachable=reachable, eta=eta))

    async def stop(self, job_id: str, wait_s: float = LAST_EDIT_S) -> None:
        """Stop a job's reporter, if it has one: what is shown next is its last word."""
        if (known := self._by_job.pop(job_id, None)) is not None:
            await known.stop(wait_s)

    async def stop_all(self) -> None:
        """Stop every reporter."""
        await asyncio.gather(*(self.stop(job_id, HASTY_S) for job_id in list(self._by_job)))
