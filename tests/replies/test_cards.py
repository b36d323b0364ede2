"""Cards: what a reply shows for each state."""

import asyncio
import io
from dataclasses import replace

import pytest
from PIL import Image

from bot.delivery.package import Attachment, Parcel
from bot.model.job import Failure, FailureCode, JobUpdate, Loading, Preparing, Sampling, Saving, Waiting, Working
from bot.model.request import Request, Size
from bot.replies.cards import Card, CardMaker
from bot.replies.courier import ReplyGone, Undelivered
from bot.replies.press import Action, Offer
from bot.replies.progress import ProgressReporter

REQUEST = Request(
    prompt="a fox",
    template="t",
    seed=5,
    member_id=1,
    guild_id=2,
    channel_id=3,
    negative="dogs",
    size=Size(width=64, height=96),
)
CARDS = CardMaker(request=REQUEST, title="SD *1.5*", locale="en-US")


@pytest.mark.parametrize(
    ("update", "words"),
    [
        (Waiting(place=3), "place 3"),
        (Waiting(place=1, reachable=False), "No picture machine answers"),
        (Preparing(), "Your turn"),
        (Preparing(ahead=2), "2 other pictures"),
        (Loading(node="x", elapsed_s=4), "Loading the model · 4 s"),
        (Working(node="VAE *Decode*", elapsed_s=75), "VAE \\*Decode\\* · 1 min 15 s"),
        (Sampling(node="K", step=9, steps=20, elapsed_s=3, eta_s=4), "45 % · step 9 of 20"),
        (Sampling(node="K", step=1, steps=20, elapsed_s=3), "3 s so far"),
        (Saving(elapsed_s=1), "Finishing"),
    ],
)
def test_each_update_has_its_line(update: JobUpdate, words: str) -> None:
    """Every state of a job is told in words, below the prompt, with a Cancel button."""
    card = CARDS.running(update)

    assert words in card.words
    assert card.note == "-# SD \\*1.5\\* · seed `5` · 64x96"
    assert "\n> a fox" in card.text
    assert "dogs" in card.words
    assert [press.action for press in card.presses] == [Action.CANCEL]


def test_the_bar_never_overflows() -> None:
    """A node that counts past its maximum shows a full bar."""
    assert "100 %" in CARDS.running(Sampling(node="K", step=9, steps=4, elapsed_s=1)).words


def test_last_cards() -> None:
    """Done, failed and cancelled each say so; what was shrunk or left out is said openly."""
    file = Attachment(filename="a.webp", data=b"", alt="a fox", shrunk=True)
    done = CARDS.done(Parcel(files=(file,), left_out=2), 61)
    assert "Done in 1 min 1 s" in done.words
    assert "Made smaller" in done.words
    assert "2 more files" in done.words
    assert done.files == (file,)
    failed = CARDS.failed(Failure(code=FailureCode.TIMED_OUT, facts={"minutes": "30"}))
    assert "30 minutes" in failed.words
    assert failed.files == ()
    assert "Cancelled" in CARDS.cancelled().words


def test_the_longest_card_fits_a_message() -> None:
    """With the longest prompt, negative and title, all of it to be escaped, a card stays under 2,000 characters."""
    longest = Request(
        prompt="*" * 1500, negative="_" * 1500, template="t", seed=2**53 - 1, member_id=1, guild_id=2, channel_id=3
    )
    cards = CardMaker(request=longest, title="|" * 80, locale="en-US")
    for card in (
        cards.running(Sampling(node="`" * 200, step=1, steps=2, elapsed_s=1e5, eta_s=1e5)),
        cards.failed(Failure(code=FailureCode.REJECTED, facts={"node": "*" * 900, "input": "*" * 900})),
    ):
        assert len(card.words) <= 2000


class Sent:
    """Takes cards; can be made to fail or to wait."""

    def __init__(self) -> None:
        self.cards: list[Card] = []
        self.fault: Exception | None = None
        self.came = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self, card: Card) -> None:
        self.cards.append(card)
        self.came.set()
        await self.gate.wait()
        if self.fault:
            raise self.fault


async def next_card(sent: Sent) -> Card:
    await asyncio.wait_for(sent.came.wait(), 5)
    sent.came.clear()
    return sent.cards[-1]


async def test_posting_never_waits_and_the_latest_wins() -> None:
    """A thousand updates while Discord is slow cost the poster nothing and become one edit."""
    sent = Sent()
    sent.gate.clear()
    reporter = ProgressReporter(CARDS, sent, as_it_is, gap_s=0)
    reporter.start("test")
    reporter.post(Waiting(place=1000))
    await next_card(sent)
    for place in range(999, 0, -1):
        reporter.post(Waiting(place=place))
    sent.gate.set()
    assert "place 1 " in (await next_card(sent)).words
    await reporter.stop()
    assert len(sent.cards) == 2


async def test_the_first_edit_waits_for_the_machine_to_begin() -> None:
    """Begun within a moment, the first edit shows the work and not that it is about to begin; else it says that."""
    for begins in (True, False):
        sent = Sent()
        reporter = ProgressReporter(CARDS, sent, as_it_is, gap_s=0.05)
        reporter.start("test")
        reporter.post(Preparing())
        await asyncio.sleep(0)
        if begins:
            reporter.post(Loading(node="x", elapsed_s=0))
        words = (await next_card(sent)).words
        assert ("Loading" in words, "Your turn" in words) == (begins, not begins)
        await reporter.stop()


async def test_stop_waits_for_an_edit_on_its_way() -> None:
    """The edit that was begun is finished before the last word may go out, so that it cannot overtake it."""
    sent = Sent()
    sent.gate.clear()
    reporter = ProgressReporter(CARDS, sent, as_it_is, gap_s=0)
    reporter.start("test")
    reporter.post(Waiting(place=1))
    await next_card(sent)
    stopping = asyncio.create_task(reporter.stop())
    await asyncio.sleep(0)
    assert not stopping.done()
    sent.gate.set()
    await asyncio.wait_for(stopping, 5)


async def test_a_gone_reply_ends_the_reporter_and_trouble_does_not() -> None:
    """After a fault of the network the next update is tried; after a deleted reply nothing is."""
    sent = Sent()
    sent.fault = Undelivered("away")
    reporter = ProgressReporter(CARDS, sent, as_it_is, gap_s=0)
    reporter.start("test")
    reporter.post(Waiting(place=2))
    await next_card(sent)
    sent.fault = ReplyGone("deleted")
    reporter.post(Waiting(place=1))
    await next_card(sent)
    reporter.post(Waiting(place=3))
    await asyncio.sleep(0.01)
    assert len(sent.cards) == 2
    await reporter.stop()


async def test_previews_are_few_and_checked() -> None:
    """A preview goes along at most every 3 s, and only if its bytes are a picture of bounded size."""
    sent = Sent()
    reporter = ProgressReporter(CARDS, sent, as_it_is, gap_s=0)
    reporter.start("test")
    for step, data in enumerate((b"no picture", PNG, PNG), 1):
        reporter.post(Sampling(node="K", step=step, steps=9, elapsed_s=step, preview=data))
        await next_card(sent)
    await reporter.stop()
    assert [len(card.files) for card in sent.cards] == [0, 1, 1]  # the second one is due later, the first one stays
    assert sent.cards[1].files[0].alt == "Unfinished preview: a fox"


def _png() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (8, 8)).save(out, "PNG")
    return out.getvalue()


PNG = _png()


async def as_it_is(preview: bytes) -> bytes | None:
    return preview


def test_many_follow_ups_leave_room_for_the_end() -> None:
    """However many follow-ups an owner offers, Delete and Report stay within Discord's five rows."""
    offers = tuple(Offer(name=f"f{number}", title=f"F{number}") for number in range(30))
    file = Attachment(filename="easel-1.png", data=b"", alt="", number=1)
    card = replace(CARDS, job_id="0" * 16, offers=offers).done(Parcel(files=(file,)), 1.0)
    assert len(card.rows) == 5
    assert {Action.DELETE, Action.REPORT} <= {press.action for press in card.presses}
