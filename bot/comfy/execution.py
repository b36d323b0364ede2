"""One prompt on one server, from the socket to the files, whatever breaks in between.

The end is `executing {node: null}` of our prompt id, confirmed in the history (facts G1). A socket that breaks or
falls silent is not the end: the queue and the history are asked, and a new socket with a new id is opened. Such a
socket hears only `status`, because the events go to the id that submitted (facts G7), so the history is polled.
"""

import asyncio
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import structlog

from bot.comfy.client import ComfyClient, EventStream
from bot.comfy.errors import (
    ComfyError,
    Malformed,
    NoPicture,
    PictureLost,
    ServerFault,
    SocketLost,
    Stuck,
    TimedOut,
    Unreachable,
    Vanished,
)
from bot.comfy.events import (
    ComfyEvent,
    Executing,
    ExecutionError,
    ExecutionInterrupted,
    ExecutionSuccess,
    LegacyPicture,
    Picture,
    Status,
)
from bot.comfy.models import Finished, HistoryEntry, NotThere, Pending, Running
from bot.model.job import Result

log = structlog.get_logger()

SILENCE_S = 15.0
"""Silence on our own socket after which the queue is asked. Loading and decoding are silent for minutes (facts G16)."""
DETACHED_S = 1.0
"""Seconds between questions while the events go nowhere."""
AFTER_END_S = 2.0
"""Seconds that `executing null` may lag behind an end that was told otherwise."""
STUCK_S = 600.0
"""Silence of a running prompt on a socket that heard it before, after which its server is taken for dead."""
LIMIT_S = 1800.0
"""Seconds a prompt may run on the server before it is stopped."""
RECONNECT_S = 60.0
"""Seconds a server may be away before its prompts are given up there."""
LOOK_FIRST_S = 5.0
"""Seconds after which we look before we submit: a process that was frozen meanwhile may have been replaced."""
FORGOTTEN_S = 1.0
"""A prompt that is found nowhere is looked for once more after this: its POST may still be on the way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """What a prompt made: files on the server, and pictures that came as frames (mime type, bytes)."""

    files: tuple[Result, ...]
    frames: tuple[tuple[str, bytes], ...]
    texts: tuple[str, ...] = ()
    """What it said, where that is all it made, or where it was asked for."""


@dataclass(slots=True, kw_only=True)
class Execution:
    """Run `graph` as `prompt_id`; every event of it goes to `on_event`, which must not block.

    `frame_nodes` are the output nodes that send their pictures over the socket instead of writing files.
    """

    client: ComfyClient
    graph: Mapping[str, Any]
    prompt_id: str
    frame_nodes: frozenset[str]
    pnginfo: Mapping[str, Any] | None = None
    """Text chunks for the PNGs that the server saves."""
    wanted: tuple[str, ...] | None = None
    """The nodes whose files count; None: all that saved something."""
    limit_s: float = LIMIT_S
    on_event: Callable[[ComfyEvent], None]
    on_pending: Callable[[int], None]
    ours_since: float = field(default_factory=lambda: asyncio.get_running_loop().time())
    """When (by the loop's clock) it became ours to submit."""
    _node: str | None = None
    _detached: bool = False
    _limit: asyncio.Timeout | None = None
    _silent_s: float = 0.0
    _frames: list[tuple[str, bytes]] = field(default_factory=list[tuple[str, bytes]])

    async def run(self, *, resumed: bool = False) -> Outputs:
        """Submit, follow to the end, and return what was made.

        `resumed`: an earlier process may have submitted it; it is looked for, and submitted only if it is nowhere.

        Raises:
            Rejected, ExecutionFailed, Interrupted, Vanished, PictureLost, NoPicture, TimedOut, Stuck: as they say.
            Unreachable: the server was away for longer than a minute.
        """
        try:
            async with asyncio.timeout(None) as self._limit:
                entry = await self._until_over(resumed=resumed)
        except TimeoutError as late:
            with suppress(ComfyError):
                await self.client.cancel(self.prompt_id)
            raise TimedOut("the prompt ran too long", minutes=max(1, round(self.limit_s / 60))) from late
        return self._outputs(entry)

    def _begun(self) -> None:
        """Start the clock: waiting behind others on the server does not count."""
        if self._limit is not None and self._limit.when() is None:
            self._limit.reschedule(asyncio.get_running_loop().time() + self.limit_s)

    async def _until_over(self, *, resumed: bool) -> HistoryEntry:
        """Open sockets, each with an id of its own, until one of them has seen the prompt's end."""
        away_since: float | None = None
        submitted = False
        while True:
            try:
                async with self.client.events(client_id := uuid.uuid4().hex) as stream:
                    away_since = None
                    look = resumed or asyncio.get_running_loop().time() - self.ours_since > LOOK_FIRST_S
                    submitted = submitted or (look and not isinstance(await self._find(), NotThere))
                    if not submitted:
                        surely = await self._submit(client_id)
                        submitted = True
                        return await self._follow(stream, SILENCE_S if surely else DETACHED_S)
                    self._detached = True
                    return await self._reconciled() or await self._follow(stream, DETACHED_S)
            except (SocketLost, Unreachable, ServerFault, Malformed) as fault:
                if not submitted and not resumed:
                    raise
                now = asyncio.get_running_loop().time()
                away_since = away_since or now
                log.info("comfy.socket_lost", prompt_id=self.prompt_id, fault=str(fault))
                if now - away_since > RECONNECT_S:
                    raise Unreachable("the server stayed away", reason="stayed away") from fault
                await asyncio.sleep(DETACHED_S)

    async def _submit(self, client_id: str) -> bool:
        """POST the prompt; False if the answer was lost: then it may have been taken, and is looked for (facts G19)."""
        try:
            await self.client.submit(self.graph, prompt_id=self.prompt_id, client_id=client_id, pnginfo=self.pnginfo)
        except Unreachable as fault:
            if isinstance(fault.__cause__, aiohttp.ClientConnectorError):
                raise  # nothing was sent
            log.info("comfy.answer_lost", prompt_id=self.prompt_id, fault=str(fault))
            return False
        except ServerFault:
            if isinstance(await self._find(), NotThere):
                raise
            return False  # a 500, and queued all the same (facts G2)
        return True

    async def _follow(self, stream: EventStream, silence_s: float) -> HistoryEntry:
        """Read events until the prompt is over; ask the server whenever it is silent."""
        wait_s = silence_s
        while True:
            event = await stream.next(wait_s)
            if not isinstance(event, Status):  # which tells of others only
                self._silent_s = 0.0 if event is not None else self._silent_s + wait_s
            match event:
                case None:
                    if entry := await self._reconciled():
                        return entry
                case Status():
                    await self._tell_place()
                case Executing(node=None, prompt_id=self.prompt_id):
                    return await self._confirmed()
                case ExecutionSuccess(prompt_id=self.prompt_id) | ExecutionInterrupted(prompt_id=self.prompt_id):
                    wait_s = AFTER_END_S
                    self.on_event(event)
                case ExecutionError(prompt_id=self.prompt_id, terminal=True) as fault:
                    wait_s = AFTER_END_S
                    log.info("comfy.node_failed", prompt_id=self.prompt_id, node=fault.node_type, kind=fault.kind)
                case _:
                    self._take(event, stream)

    def _take(self, event: ComfyEvent, stream: EventStream) -> None:
        """Keep finished pictures, pass on all that is ours, drop the rest."""
        match event:
            case Picture(prompt_id=self.prompt_id, node_id=node) if node in self.frame_nodes:
                self._frames.append((event.mime, event.data))
            case LegacyPicture() if stream.preview_metadata:
                return  # type 1 of a job without client_id reaches everybody (facts G8)
            case LegacyPicture() if self._node in self.frame_nodes:
                self._frames.append((event.mime, event.data))
            case Executing(prompt_id=self.prompt_id, node=node):
                self._node = node
                self._begun()
                self.on_event(event)
            case _ if getattr(event, "prompt_id", self.prompt_id) == self.prompt_id:
                self.on_event(event)
            case _:
                return

    async def _tell_place(self) -> None:
        """A status is only a count (facts G22): while we wait on the server, ask for our place."""
        if self._node is None:
            queue = await self.client.queue()
            if self.prompt_id in queue.pending:
                self.on_pending(len(queue.running) + queue.pending.index(self.prompt_id))

    async def _reconciled(self) -> HistoryEntry | None:
        """Return the entry if the prompt is over, None if it goes on.

        Raises:
            Vanished: the server does not know it, twice.
        """
        match await self._find():
            case Finished(entry=entry):
                return entry
            case Pending(ahead=ahead):
                self.on_pending(ahead)
                return None
            case Running():
                self._begun()
                if self._silent_s >= max(STUCK_S, self.limit_s - LIMIT_S) and not self._detached:
                    raise Stuck("running, and silent", minutes=round(self._silent_s / 60))
                return None
            case NotThere():
                raise Vanished("the server does not know the prompt")

    async def _find(self) -> Finished | Pending | Running | NotThere:
        found = await self.client.find(self.prompt_id)
        if isinstance(found, NotThere):
            await asyncio.sleep(FORGOTTEN_S)
            found = await self.client.find(self.prompt_id)
        return found

    async def _confirmed(self) -> HistoryEntry:
        """The end was told, so the history has it; ask again should the server be slow to write it."""
        if entry := await self.client.history(self.prompt_id):
            return entry
        await asyncio.sleep(FORGOTTEN_S)
        return await self._reconciled() or await self._confirmed()

    def _outputs(self, entry: HistoryEntry) -> Outputs:
        if entry.fault is not None:
            raise entry.fault
        wanted = self.wanted
        files = [file for node, listed in entry.files.items() if wanted is None or node in wanted for file in listed]
        said = [text for node, listed in entry.texts.items() if wanted is None or node in wanted for text in listed]
        saved = [file for file in files if file.kind == "output"] or files
        if self.frame_nodes and not saved and (self._detached or not self._frames):
            raise PictureLost("pictures went out while nobody listened")
        if not saved and not self._frames and not said:
            raise NoPicture("no file was made")
        alone = wanted is not None or not (saved or self._frames)
        return Outputs(files=tuple(saved), frames=tuple(self._frames), texts=tuple(said) if alone else ())
