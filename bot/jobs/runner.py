"""One job on one server: build, submit, follow, fetch, deliver. ComfyError ends here and becomes a Failure."""

import time
from collections.abc import Sequence

import structlog

from bot.comfy.errors import (
    ComfyError,
    ExecutionFailed,
    Interrupted,
    NoPicture,
    OutOfMemory,
    PictureLost,
    Rejected,
    SocketLost,
    TimedOut,
    Unreachable,
    Vanished,
)
from bot.comfy.execution import LIMIT_S, Execution, Outputs
from bot.delivery.package import pack
from bot.errors import EaselError, RequestError, new_reference
from bot.jobs.fleet import Server
from bot.jobs.inputs import place_files
from bot.jobs.updates import Tracker
from bot.model.job import Failure, FailureCode, Job, JobState, Result
from bot.model.jsontree import JsonObject
from bot.replies.cards import Card, CardMaker
from bot.replies.courier import Courier, CourierError, FileRefused, ReplyGone, Undelivered
from bot.replies.progress import ProgressReporter
from bot.replies.safe import alt_text
from bot.store.jobs import JobStore
from bot.store.uploads import UploadStore
from bot.workflow.build import build, frame_nodes
from bot.workflow.graph import Graph
from bot.workflow.recipe import METADATA_KEY, recipe
from bot.workflow.template import Template

log = structlog.get_logger()

ATTEMPTS = 3
"""How often a job is begun, before what the server lost or left is told as a failure."""
FRAME, TEXT = "socket", "text"
_RETRIED = (Unreachable, SocketLost, Vanished, PictureLost)
_CODES: tuple[tuple[type[EaselError], FailureCode], ...] = (
    (OutOfMemory, FailureCode.OUT_OF_MEMORY),
    (ExecutionFailed, FailureCode.NODE_FAILED),
    (Interrupted, FailureCode.INTERRUPTED),
    (Rejected, FailureCode.REJECTED),
    (Unreachable, FailureCode.UNREACHABLE),
    (SocketLost, FailureCode.UNREACHABLE),
    (Vanished, FailureCode.VANISHED),
    (PictureLost, FailureCode.PICTURE_LOST),
    (NoPicture, FailureCode.NO_PICTURE),
    (TimedOut, FailureCode.TIMED_OUT),
    (RequestError, FailureCode.TEMPLATE_UNFIT),
)


def failure_of(fault: EaselError) -> Failure:
    """Return the failure that a fault means for a job."""
    code = next((code for kind, code in _CODES if isinstance(fault, kind)), FailureCode.SERVER_FAULT)
    return Failure(code=code, facts=fault.facts)


class Retry(EaselError):
    """The job should go back to the queue; `server_fault` tells whether its server is in doubt."""

    def __init__(self, *, server_fault: bool) -> None:
        super().__init__("again")
        self.server_fault = server_fault


class JobRunner:
    """Runs jobs."""

    def __init__(self, store: JobStore, uploads: UploadStore, courier: Courier) -> None:
        self._store, self._uploads, self._courier = store, uploads, courier
        self.delivering: set[str] = set()
        """Jobs whose last card is on its way: a stop waits for them."""

    async def run(self, job: Job, template: Template, server: Server, reporter: ProgressReporter) -> Card | None:
        """Take an assigned or running job to its last card; None if the job was taken from us meanwhile.

        Raises:
            Retry: the job was lost by its server and is worth another attempt; it still is `running`.
        """
        cards = CardMaker(request=job.request, title=template.title, locale=job.address.locale)
        try:
            return await self._make(job, template, server, cards, reporter)
        except ComfyError as fault:
            log.warning("job.fault", job=job.id, server=server.name, fault=str(fault), attempt=job.attempt)
            if isinstance(fault, _RETRIED) and job.attempt < ATTEMPTS:
                raise Retry(server_fault=isinstance(fault, Unreachable | SocketLost)) from fault
            return await self._fail(job, cards, failure_of(fault))
        except RequestError as fault:
            return await self._fail(job, cards, failure_of(fault))

    async def _make(
        self, job: Job, template: Template, server: Server, cards: CardMaker, reporter: ProgressReporter
    ) -> Card | None:
        """Run the prompt; return the last card, or None if the job was taken from us."""
        began = time.time()
        resumed = job.state is JobState.RUNNING
        if not resumed and not await self._store.move(job.id, job.attempt, JobState.ASSIGNED, JobState.RUNNING):
            return None
        files = dict.fromkeys(job.request.files, "sent before")
        if not resumed:
            files = await place_files(server.client, template, job.request, self._uploads)
        graph = build(template, job.request, server.node_list, job_id=job.id, files=files)
        made_by = recipe(template, job.request, graph)
        if not resumed:
            await self._store.note_recipe(job.id, made_by)
        tracker = Tracker(graph, time.time, began)
        reporter.post(tracker.pending(0))
        outputs = await self._execution(job, template, server, graph, made_by, reporter, tracker).run(submitted=resumed)
        reporter.post(tracker.saving())
        made = await self._fetch(server, outputs.files)
        made += [(f"frame.{mime.partition('/')[2]}", data) for mime, data in outputs.frames]
        made += [(f"{TEXT}.txt", words.encode()) for words in outputs.texts]
        await self._store.add_results(job.id, _records(outputs))
        if not await self._store.move(job.id, job.attempt, JobState.RUNNING, JobState.DELIVERING):
            return None
        return await self._packed(job, cards, made, time.time() - began, metadata=template.manifest.metadata)

    async def _packed(
        self, job: Job, cards: CardMaker, made: Sequence[tuple[str, bytes]], elapsed_s: float, *, metadata: bool
    ) -> Card | None:
        limit, alt = job.address.upload_limit, alt_text(job.request.prompt or cards.title)
        parcel = await pack(made, stem=f"easel-{job.id[:8]}", alt=alt, upload_limit=limit, metadata=metadata)
        if not parcel.files:
            large = any(len(data) > limit for _, data in made)
            code = FailureCode.TOO_LARGE if large else FailureCode.PICTURE_LOST
            return await self._fail(job, cards, Failure(code=code))
        return cards.done(parcel, elapsed_s)

    async def remade(self, job: Job, cards: CardMaker, server: Server | None, *, metadata: bool) -> Card | None:
        """Return the last card of what an earlier process had made and not surely shown."""
        results = await self._store.results(job.id)
        try:
            if server is None or not results or any(result.kind in (FRAME, TEXT) for result in results):
                raise PictureLost("what was sent as frames, or lies on a server that is gone, cannot be fetched again")
            made = await self._fetch(server, results)
            return await self._packed(job, cards, made, time.time() - job.created_at, metadata=metadata)
        except ComfyError as fault:
            return await self._fail(job, cards, failure_of(fault))

    def _execution(
        self,
        job: Job,
        template: Template,
        server: Server,
        graph: Graph,
        made_by: JsonObject,
        reporter: ProgressReporter,
        tracker: Tracker,
    ) -> Execution:
        if job.prompt_id is None:
            raise ValueError("an assigned job has a prompt id")
        return Execution(
            client=server.client,
            graph=graph.to_api(),
            prompt_id=job.prompt_id,
            pnginfo={METADATA_KEY: made_by} if template.manifest.metadata else None,
            frame_nodes=frame_nodes(graph, template.roles.outputs),
            wanted=template.manifest.outputs,
            limit_s=template.manifest.time_limit or LIMIT_S,
            on_event=lambda event: reporter.post(update) if (update := tracker.take(event)) else None,
            on_pending=lambda ahead: reporter.post(tracker.pending(ahead)),
        )

    async def _fetch(self, server: Server, files: Sequence[Result]) -> list[tuple[str, bytes]]:
        return [(file.filename, await server.client.view(file)) for file in files]

    async def _fail(self, job: Job, cards: CardMaker, failure: Failure) -> Card | None:
        if not await self._store.end(job.id, JobState.FAILED, failure):
            return None
        log.info("job.failed", job=job.id, code=failure.code, facts=dict(failure.facts))
        return cards.failed(failure)

    async def deliver(self, job: Job, cards: CardMaker, card: Card) -> None:
        """Show the last card of a job, as long as it takes, and close its row; interrupted, the next start does it."""
        self.delivering.add(job.id)
        try:
            await self._courier.edit(job.id, job.address, card, attempts=None)
        except ReplyGone as gone:
            log.warning("job.reply_gone", job=job.id, reason=str(gone))
        except Undelivered as fault:
            log.error("job.undelivered", job=job.id, fault=str(fault))  # noqa: TRY400 - the fault is told, not a bug
            return
        except CourierError as refused:
            await self._refused(job, cards, refused)
        finally:
            self.delivering.discard(job.id)
        await self._store.tell(job.id)
        if await self._store.move(job.id, job.attempt, JobState.DELIVERING, JobState.DONE):
            log.info("job.done", job=job.id)

    async def _refused(self, job: Job, cards: CardMaker, refused: CourierError) -> None:
        """Discord takes the words even where it does not take the files."""
        reference = new_reference()
        log.error("job.card_refused", job=job.id, reference=reference, fault=str(refused))
        too_large = isinstance(refused, FileRefused)
        failure = Failure(code=FailureCode.TOO_LARGE if too_large else FailureCode.BUG, facts={"reference": reference})
        if (card := await self._fail(job, cards, failure)) is None:
            return
        try:
            await self._courier.edit(job.id, job.address, card)
        except CourierError as fault:
            log.error("job.undelivered", job=job.id, fault=str(fault))  # noqa: TRY400 - as above


def _records(outputs: Outputs) -> Sequence[Result]:
    frames = [Result(filename=f"frame-{number}", kind=FRAME) for number, _ in enumerate(outputs.frames, 1)]
    texts = [Result(filename=f"text-{number}", kind=TEXT) for number, _ in enumerate(outputs.texts, 1)]
    return [*outputs.files, *frames, *texts]
