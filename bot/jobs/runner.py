"""One job on one server: build, submit, follow, fetch, deliver. ComfyError ends here and becomes a Failure."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import assert_never

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
    Stuck,
    TimedOut,
    Unreachable,
    Vanished,
)
from bot.comfy.events import ComfyEvent, Executing, ExecutionStart
from bot.comfy.execution import LIMIT_S, Execution, Outputs
from bot.delivery.package import pack, stem_of
from bot.errors import EaselError, RequestError, new_reference
from bot.jobs.fleet import Server
from bot.jobs.inputs import place_files
from bot.jobs.updates import Tracker
from bot.model.job import Failure, FailureCode, Job, JobState, Result
from bot.model.jsontree import JsonObject
from bot.model.verdict import Allow, Hold, Refuse
from bot.moderation.policy import Gate
from bot.replies.cards import Card, CardMaker
from bot.replies.courier import Courier, CourierError, FileRefused, ReplyGone, Undelivered
from bot.replies.progress import ProgressReporter
from bot.replies.safe import alt_text
from bot.store.jobs import JobStore
from bot.store.uploads import UploadStore
from bot.workflow.build import build, frame_nodes
from bot.workflow.recipe import METADATA_KEY, recipe
from bot.workflow.template import Template

log = structlog.get_logger()

ATTEMPTS = 3
"""How often a job is begun, before what the server lost or left is told as a failure."""
FRAME, TEXT = "socket", "text"
_RETRIED = (Unreachable, SocketLost, Vanished, PictureLost, Stuck)
_CODES: tuple[tuple[type[EaselError], FailureCode], ...] = (
    (OutOfMemory, FailureCode.OUT_OF_MEMORY),
    (ExecutionFailed, FailureCode.NODE_FAILED),
    (Interrupted, FailureCode.INTERRUPTED),
    (Rejected, FailureCode.REJECTED),
    (Unreachable, FailureCode.UNREACHABLE),
    (SocketLost, FailureCode.UNREACHABLE),
    (Stuck, FailureCode.TIMED_OUT),
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
    """The job should go back to the queue; `server_fault`: its server is in doubt, `stuck`: it works no more."""

    def __init__(self, *, server_fault: bool, stuck: bool) -> None:
        super().__init__("again")
        self.server_fault, self.stuck = server_fault, stuck


class Held(EaselError):
    """What a job made waits for a moderator."""

    def __init__(self, job: Job) -> None:
        super().__init__("held")
        self.job = job


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """How something was made: its recipe, the seconds it ran, and when it was begun."""

    recipe: JsonObject
    run_s: float | None
    began: float


OnStep = Callable[[Job], None]
"""Hears of every step that a job took, after it was committed."""


class JobRunner:
    """Runs jobs."""

    def __init__(
        self,
        store: JobStore,
        uploads: UploadStore,
        courier: Courier,
        gate: Gate,
        on_step: OnStep,
        overdue: Callable[[str, str], None],
    ) -> None:
        """`overdue` hears of (server, prompt id) that ran too long and was told to end."""
        self._store, self._uploads, self._courier, self._gate = store, uploads, courier, gate
        self._on_step = on_step
        self._overdue = overdue
        self.delivering: set[str] = set()
        """Jobs whose last card is on its way: a stop waits for them."""
        self.began: dict[str, float] = {}
        """When (by the wall clock) the servers began to execute jobs that run now."""

    async def run(
        self,
        job: Job,
        template: Template,
        server: Server,
        cards: CardMaker,
        reporter: ProgressReporter,
        *,
        taken: bool = False,
    ) -> Card | None:
        """Take an assigned or running job to its last card; None if the job was taken from us meanwhile.

        `taken`: it is assigned, and its row says running already.

        Raises:
            Retry: the job was lost by its server and is worth another attempt; it still is `running`.
            Held: what it made waits for a moderator, and nobody has been told yet.
        """
        try:
            return await self._make(job, template, server, cards, reporter, taken=taken)
        except ComfyError as fault:
            log.warning("job.fault", job=job.id, server=server.name, fault=str(fault), attempt=job.attempt)
            if isinstance(fault, _RETRIED) and job.attempt < ATTEMPTS:
                raise Retry(
                    server_fault=isinstance(fault, Unreachable | SocketLost), stuck=isinstance(fault, Stuck)
                ) from fault
            if isinstance(fault, TimedOut):
                self._overdue(server.name, _prompt_id(job))
            return await self._fail(job, cards, failure_of(fault))
        except RequestError as fault:
            return await self._fail(job, cards, failure_of(fault))
        finally:
            self.began.pop(job.id, None)

    async def _make(
        self, job: Job, template: Template, server: Server, cards: CardMaker, reporter: ProgressReporter, *, taken: bool
    ) -> Card | None:
        """Run the prompt; return the last card, or None if the job was taken from us."""
        began = time.time()
        resumed = job.state is JobState.RUNNING
        mine = resumed or taken
        if not mine and not await self._store.move(job.id, job.attempt, JobState.ASSIGNED, JobState.RUNNING):
            return None
        self._on_step(replace(job, state=JobState.RUNNING))
        if not resumed and isinstance(verdict := await self._gate.begins(job), Refuse):
            return await self._refused_by_gate(job, cards, verdict)
        files = await place_files(server.client, template, job.request, self._uploads)
        graph = build(template, job.request, server.node_list, job_id=job.id, files=files)
        made_by = recipe(template, job.request, graph)
        tracker = Tracker(graph, time.time, began)
        reporter.post(tracker.pending(0))

        def on_event(event: ComfyEvent) -> None:
            if isinstance(event, ExecutionStart | Executing):
                self.began.setdefault(job.id, time.time())
            if (update := tracker.take(event)) is not None:
                reporter.post(update)

        execution = Execution(
            client=server.client,
            graph=graph.to_api(),
            prompt_id=_prompt_id(job),
            pnginfo={METADATA_KEY: made_by} if template.manifest.metadata else None,
            frame_nodes=frame_nodes(graph, template.roles.outputs),
            wanted=template.manifest.outputs,
            limit_s=template.manifest.time_limit or LIMIT_S,
            on_event=on_event,
            on_pending=lambda ahead: reporter.post(tracker.pending(ahead)),
        )
        outputs = await execution.run(resumed=resumed)
        ran_s = time.time() - self.began[job.id] if job.id in self.began else None
        reporter.post(tracker.saving())
        results = _results(outputs)
        made = [await self._fetched(server, result) for result in results]
        return await self._judged(job, cards, results, made, Run(recipe=made_by, run_s=ran_s, began=began))

    async def _judged(
        self, job: Job, cards: CardMaker, results: Sequence[Result], made: Sequence[tuple[str, bytes]], run: Run
    ) -> Card | None:
        """Take what was made through the gate, and on to where its verdict says."""
        verdict = await self._gate.finished(job, made, _texts(results))
        match verdict:
            case Refuse():
                return await self._refused_by_gate(job, cards, verdict)
            case Hold(reason=reason, spoiler=spoiler):
                kept = [replace(one, data=data) for one, (_, data) in zip(results, made, strict=True)]
                if await self._store.made(job, kept, run.run_s, run.recipe, spoiler=spoiler, held=reason):
                    held = replace(job, state=JobState.HELD, run_s=run.run_s, hold=reason, spoiler=spoiler)
                    self._on_step(held)
                    raise Held(held)
                return None
            case Allow(spoiler=spoiler):
                if not await self._store.made(job, results, run.run_s, run.recipe, spoiler=spoiler):
                    return None
                made_now = replace(job, state=JobState.DELIVERING, run_s=run.run_s, spoiler=spoiler)
                self._on_step(made_now)
                return await self._packed(made_now, cards, made, time.time() - run.began)
            case _:
                assert_never(verdict)

    async def _refused_by_gate(self, job: Job, cards: CardMaker, verdict: Refuse) -> Card | None:
        """End a job that broke a rule, or that could not be judged: the second is nobody's fault, and costs nothing."""
        if verdict.key == "failure.blocked":
            return await self._fail(job, cards, Failure(code=FailureCode.BLOCKED), JobState.REFUSED)
        return await self._fail(job, cards, Failure(code=FailureCode.UNJUDGED))

    async def _packed(
        self, job: Job, cards: CardMaker, made: Sequence[tuple[str, bytes]], elapsed_s: float
    ) -> Card | None:
        limit, alt = job.address.upload_limit, alt_text(job.request.prompt or cards.title)
        metadata = cards.metadata and await self._gate.keeps_metadata(job)
        parcel = await pack(
            made, stem=stem_of(job.id), alt=alt, upload_limit=limit, metadata=metadata, spoiler=job.spoiler
        )
        if not parcel.files:
            large = any(len(data) > limit for _, data in made)
            code = FailureCode.TOO_LARGE if large else FailureCode.PICTURE_LOST
            return await self._fail(job, cards, Failure(code=code))
        return cards.done(parcel, elapsed_s)

    async def remade(self, job: Job, cards: CardMaker, server: Server | None) -> Card | None:
        """Return the last card of what an earlier process had made, or a moderator has let through.

        Raises:
            Retry: it cannot be fetched any more, and is worth making again.
        """
        results = await self._store.results(job.id)
        try:
            if not results:
                raise PictureLost("nothing is known of what was made")
            made = [await self._fetched(server, result) for result in results]
            return await self._packed(job, cards, made, job.run_s or time.time() - job.created_at)
        except ComfyError as fault:
            if isinstance(fault, _RETRIED) and job.attempt < ATTEMPTS:
                raise Retry(server_fault=False, stuck=False) from fault
            return await self._fail(job, cards, failure_of(fault))

    async def has_all(self, job: Job) -> bool:
        """Tell whether what a job made is kept here, to its last byte."""
        results = await self._store.results(job.id)
        return bool(results) and all(result.data is not None for result in results)

    @staticmethod
    async def _fetched(server: Server | None, result: Result) -> tuple[str, bytes]:
        """Return name and bytes of a result; raises PictureLost if it lies on a server that is gone."""
        if result.data is not None:
            return result.filename, result.data
        if server is None or result.kind in (FRAME, TEXT):
            raise PictureLost("what went over a socket, or lies on a server that is gone, cannot be fetched")
        return result.filename, await server.client.view(result)

    async def _fail(
        self, job: Job, cards: CardMaker, failure: Failure, state: JobState = JobState.FAILED
    ) -> Card | None:
        if not await self._store.end(job.id, state, failure, attempt=job.attempt):
            return None
        self._on_step(replace(job, state=state, failure=failure))
        log.info("job.failed", job=job.id, code=failure.code, facts=dict(failure.facts))
        return cards.failed(failure)

    async def deliver(self, job: Job, cards: CardMaker, card: Card) -> None:
        """Show the last card of a job, as long as it takes, and close its row; interrupted, the next start does it."""
        self.delivering.add(job.id)
        try:
            await self._courier.deliver(job, card, self._store.note_posted)
        except ReplyGone as gone:
            log.warning("job.reply_gone", job=job.id, reason=str(gone))
        except Undelivered as fault:
            log.error("job.undelivered", job=job.id, fault=str(fault))  # noqa: TRY400 - the fault is told, not a bug
            return
        except CourierError as refused:
            await self._refused(job, cards, refused)
        finally:
            self.delivering.discard(job.id)
        thumbs = {file.number: file.thumb for file in card.files if file.number and file.thumb}
        if await self._store.delivered(job.id, job.attempt, thumbs):
            self._on_step(replace(job, state=JobState.DONE))
            log.info("job.done", job=job.id)
        else:
            await self._store.tell(job.id)

    async def _refused(self, job: Job, cards: CardMaker, refused: CourierError) -> None:
        """Discord takes the words even where it does not take the files."""
        reference = new_reference()
        log.error("job.card_refused", job=job.id, reference=reference, fault=str(refused))
        too_large = isinstance(refused, FileRefused)
        failure = Failure(code=FailureCode.TOO_LARGE if too_large else FailureCode.BUG, facts={"reference": reference})
        if (card := await self._fail(job, cards, failure)) is None:
            return
        try:
            await self._courier.deliver(job, card, self._store.note_posted)
        except CourierError as fault:
            log.error("job.undelivered", job=job.id, fault=str(fault))  # noqa: TRY400 - as above


def _texts(results: Sequence[Result]) -> list[str]:
    return [one.data.decode(errors="replace") for one in results if one.kind == TEXT and one.data is not None]


def _prompt_id(job: Job) -> str:
    if job.prompt_id is None:
        raise ValueError("an assigned job has a prompt id")
    return job.prompt_id


def _results(outputs: Outputs) -> list[Result]:
    """Return what was made; what came over the socket, and cannot be fetched again, with its bytes."""
    frames = [
        Result(filename=f"frame.{mime.partition('/')[2]}", kind=FRAME, data=data) for mime, data in outputs.frames
    ]
    texts = [Result(filename=f"{TEXT}.txt", kind=TEXT, data=words.encode()) for words in outputs.texts]
    return [*outputs.files, *frames, *texts]
