"""How an assigned job comes to whoever works it. Embedded: a task on this process's loop; nothing polls."""

from collections.abc import Sequence
from typing import Protocol

from bot.jobs.worker import Hands
from bot.model.job import Job
from bot.store.database import Along


class Dispatcher(Protocol):
    """The port. A job that is dispatched twice is worked once: the row decides."""

    def along(self, job: Job) -> Along | None:
        """Return what goes into the transaction that assigns a job, or None."""
        ...

    def committed(self, job: Job) -> None:
        """The assignment was committed."""
        ...

    async def again(self, job: Job) -> None:
        """Hand over a job that is assigned or further, and that nobody works."""
        ...

    async def stop_work(self, job: Job) -> bool:
        """End the work on a job, wherever it is done; False if nobody works it."""
        ...

    async def unworked(self, jobs: Sequence[Job]) -> list[Job]:
        """Return those of these jobs that nobody works."""
        ...


class LocalDispatcher:
    """Works jobs here."""

    def __init__(self, hands: Hands) -> None:
        self._hands = hands

    def along(self, job: Job) -> Along | None:
        """Nothing: a task needs no transaction."""
        del job

    def committed(self, job: Job) -> None:
        """Begin."""
        self._hands.begin(job)

    async def again(self, job: Job) -> None:
        """Begin."""
        self._hands.begin(job)

    async def stop_work(self, job: Job) -> bool:
        """Cancel the task."""
        return await self._hands.end(job)

    async def unworked(self, jobs: Sequence[Job]) -> list[Job]:
        """Return those without a task."""
        return [job for job in jobs if not self._hands.has(job)]
