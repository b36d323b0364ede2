"""Finished files, fetched again: from the server that made them, else from the message that shows them."""

import asyncio
from collections.abc import Sequence
from typing import Protocol

import structlog

from bot.comfy.errors import ComfyError
from bot.delivery.intake import check_size
from bot.delivery.package import stem_of
from bot.errors import RequestError
from bot.jobs.fleet import Fleet
from bot.jobs.runner import FRAME, TEXT
from bot.model.job import Job, JobState, Result
from bot.model.request import Asker
from bot.replies.courier import Courier
from bot.store.jobs import JobStore

log = structlog.get_logger()

FETCHES = 3
"""Finished files on their way at once: each is held in memory, and may have many megabytes."""


class Attached(Protocol):
    """A file of a message, as Discord's library has it."""

    @property
    def filename(self) -> str:
        """Its name."""
        ...

    @property
    def size(self) -> int:
        """Bytes."""
        ...

    async def read(self) -> bytes:
        """Fetch it."""
        ...


def check_here(job: Job | None, asker: Asker) -> Job:
    """Return a job of the guild where a member is; raises RequestError if there is none, or it is another's alone."""
    if job is None or job.request.guild_id != asker.guild_id:
        raise RequestError("refused.gone")
    if job.address.ephemeral and job.request.member_id != asker.member_id:
        raise RequestError("refused.gone")
    return job


def check_open(job: Job | None, asker: Asker) -> Job:
    """Return a job that a member may hear of, and go on with, where they are.

    Raises:
        RequestError: as `check_here`; or it was deleted or taken away, or was asked for among adults, and this is
            elsewhere.
    """
    job = check_here(job, asker)
    if job.deleted:
        raise RequestError("refused.gone")
    if job.removed:
        raise RequestError("refused.removed")
    if job.request.adult and not asker.adult:
        raise RequestError("refused.adult_elsewhere")
    return job


def check_there(job: Job | None, asker: Asker) -> Job:
    """Return a finished job whose pictures a member may see where they are.

    Raises:
        RequestError: as `check_open`; or it is not finished.
    """
    job = check_open(job, asker)
    if job.state is not JobState.DONE:
        raise RequestError("refused.not_finished")
    return job


class Pictures:
    """Fetches what jobs made."""

    def __init__(self, store: JobStore, fleet: Fleet, courier: Courier) -> None:
        self._store, self._fleet, self._courier = store, fleet, courier
        self._at_once = asyncio.Semaphore(FETCHES)

    async def fetch(self, job: Job, number: int, shown: Sequence[Attached] = ()) -> tuple[str, bytes]:
        """Return name and bytes of one file of a job, the first one 1; `shown` are those of its message, if at hand.

        Raises:
            RequestError: it cannot be had any more, or is too large.
        """
        results = await self._store.results(job.id)
        if not 1 <= number <= len(results):
            raise RequestError("refused.picture_gone")
        result = results[number - 1]
        async with self._at_once:
            found = await self._at_server(job, result) or await self._in_message(job, number, shown)
        if found is None:
            raise RequestError("refused.picture_gone")
        check_size(len(found[1]))
        return found

    async def _at_server(self, job: Job, result: Result) -> tuple[str, bytes] | None:
        server = self._fleet.servers.get(job.server or "")
        if server is None or not server.up or result.kind in (FRAME, TEXT):
            return None
        try:
            return result.filename, await server.client.view(result)
        except ComfyError as fault:
            log.info("picture.not_at_server", job=job.id, server=server.name, fault=str(fault))
            return None

    async def _in_message(self, job: Job, number: int, shown: Sequence[Attached]) -> tuple[str, bytes] | None:
        wanted = f"{stem_of(job.id)}-{number}."
        for file in shown:
            if file.filename.removeprefix("SPOILER_").startswith(wanted):
                check_size(file.size)
                return file.filename, await file.read()
        if job.address.ephemeral:
            return None
        kept = await self._courier.pictures(job, wanted)
        return next(((file.filename, file.data) for file in kept if file.filename.startswith(wanted)), None)
