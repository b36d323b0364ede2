"""Progress edits: one latest-wins task per job, paced; whoever posts never waits."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

import structlog

from bot.delivery.package import Attachment
from bot.delivery.transcode import small_preview
from bot.model.job import JobUpdate, Preparing, Sampling, Waiting, Working
from bot.replies.cards import Card, CardMaker
from bot.replies.catalogue import text
from bot.replies.courier import CourierError, ReplyGone
from bot.replies.safe import alt_text

log = structlog.get_logger()

EDIT_GAP_S = 1.5
"""Least seconds between two edits of one reply (DESIGN §4.11)."""
HOLD_S = 0.6
"""Seconds that a first edit waits for the machine to begin, which it does within a moment if nothing is before it."""
PREVIEW_GAP_S = 3.0
LAST_EDIT_S = 8.0
"""Seconds that the last word waits for an edit that is on its way: one that is given up may yet be carried out."""

Send = Callable[[Card], Awaitable[None]]
Judge = Callable[[bytes], Awaitable[bytes | None]]
"""Returns what may be shown of a preview, or None."""


async def nothing(_preview: bytes) -> bytes | None:
    """Show no preview: nobody has judged it."""
    return None


class ProgressReporter:
    """Shows the latest update of one job, from a task of its own: the only thing here that talks to Discord."""

    def __init__(
        self,
        cards: CardMaker,
        send: Send,
        judge: Judge = nothing,
        *,
        gap_s: float = EDIT_GAP_S,
        once: bool = False,
    ) -> None:
        self._cards, self._send, self._judge, self._gap_s, self._once = cards, send, judge, gap_s, once
        self._latest: JobUpdate | None = None
        self._preview: bytes | None = None
        self._shown: Attachment | None = None
        self._preview_at = float("-inf")
        self._news, self._at_work = asyncio.Event(), asyncio.Event()
        self._sending = self._closed = False
        self._task: asyncio.Task[None] | None = None

    def start(self, name: str, on_end: Callable[[], None] = lambda: None) -> None:
        """Begin to show updates, in a task of this name; with `once` it ends after the first."""
        self._task = asyncio.create_task(self._run(), name=name)
        self._task.add_done_callback(lambda _task: on_end())

    def post(self, update: JobUpdate) -> None:
        """Take an update; never blocks, and a newer one replaces an older one that was not yet shown."""
        self._latest = update
        if isinstance(update, Waiting | Preparing):
            self._at_work.clear()
        else:
            self._at_work.set()
        if isinstance(update, Sampling | Working) and update.preview is not None:
            self._preview = update.preview
        self._news.set()

    def keep(self) -> None:
        """Go on after the first update, if that is not over yet."""
        self._once = False

    async def stop(self, wait_s: float = LAST_EDIT_S) -> None:
        """End the task. An edit on its way is waited for, so that it cannot overtake the one that comes after."""
        self._closed = True
        if self._task is None:
            return
        if self._sending:
            await asyncio.wait({self._task}, timeout=wait_s)
        self._task.cancel()
        await asyncio.wait({self._task})

    async def _run(self) -> None:
        """Show updates until stopped; a reply that is gone ends it, a fault on the way does not."""
        shown: Card | None = None
        while not self._closed:
            await self._news.wait()
            self._news.clear()
            if shown is None:
                await self._settled()
            if self._latest is None:
                continue
            card = self._cards.running(self._latest, await self._due_preview())
            if card == shown:
                continue
            self._sending = True
            try:
                await self._send(card)
                shown = card
            except ReplyGone:
                log.info("progress.reply_gone")
                return
            except CourierError as fault:
                log.info("progress.edit_failed", fault=str(fault))
            finally:
                self._sending = False
            if self._once:
                return
            if not self._closed:
                await asyncio.sleep(self._gap_s)

    async def _settled(self) -> None:
        """Let the first edit wait a moment for a sign of work: it would hold up the next one for the whole pause."""
        if self._latest == Preparing():
            with suppress(TimeoutError):
                async with asyncio.timeout(min(HOLD_S, self._gap_s)):
                    await self._at_work.wait()

    async def _due_preview(self) -> Attachment | None:
        """Return the preview to show, which goes with every edit: the one before, unless a newer one is due."""
        now = time.monotonic()
        data, self._preview = self._preview, None
        if data is None or now - self._preview_at < PREVIEW_GAP_S:
            return self._shown
        judged = await self._judge(data)
        made = await asyncio.to_thread(small_preview, judged) if judged is not None else None
        if made is None:
            return self._shown
        self._preview_at = now
        alt = text("card.preview_alt", self._cards.locale, prompt=self._cards.request.prompt or self._cards.title)
        self._shown = Attachment(filename=f"preview.{made[1]}", data=made[0], alt=alt_text(alt))
        return self._shown
