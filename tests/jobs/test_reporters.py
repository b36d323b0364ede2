"""Who speaks of a job, and for how long."""

import time
from dataclasses import dataclass, field
from typing import cast

from bot.jobs.reporters import Reporters
from bot.model.job import Job, JobState, ReplyAddress, Sampling
from bot.model.request import Request
from bot.replies.cards import Card, CardMaker
from bot.replies.courier import Courier
from tests.conftest import eventually


@dataclass
class Heard:
    """A courier that remembers."""

    cards: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])

    async def edit(self, job_id: str, _address: ReplyAddress, card: Card) -> None:
        self.cards.append((job_id, card.words))


def a_job(job_id: str) -> tuple[Job, CardMaker]:
    request = Request(prompt="p", template="t", seed=1, member_id=1, guild_id=1, channel_id=1)
    address = ReplyAddress(
        application_id=1, channel_id=1, message_id=1, token="t", expires_at=time.time() + 9, upload_limit=1
    )
    job = Job(id=job_id, request=request, address=address, state=JobState.QUEUED, attempt=0, created_at=0)
    return job, CardMaker(request=request, title="T", locale="en-US")


async def test_who_waits_far_back_is_told_once_and_forgotten() -> None:
    """A hundred jobs far back: each is told its place once, and nothing is kept running for them."""
    heard = Heard()
    reporters = Reporters(cast("Courier", heard), unseen)
    for number in range(100):
        job, cards = a_job(f"{number}")
        reporters.tell_once(job, cards, 200 + number, None, reachable=True)
        reporters.tell_once(job, cards, 200 + number, None, reachable=True)
    await eventually(lambda: len(heard.cards) == 100, "not all were told")
    await eventually(lambda: not reporters._by_job, "something is kept")
    assert "place 200" in heard.cards[0][1]


async def test_behind_the_fence_nothing_is_said() -> None:
    """A process whose job was given to another says nothing more of it, whatever it still hears."""
    heard, ours = Heard(), True

    async def fence(_job: Job) -> bool:
        return ours

    reporters = Reporters(cast("Courier", heard), unseen, fence)
    job, cards = a_job("a")
    reporter = reporters.of(job, cards)
    reporter._gap_s = 0
    reporter.post(Sampling(node="K", step=1, steps=9, elapsed_s=1))
    await eventually(lambda: len(heard.cards) == 1, "it was not told")
    ours = False
    reporter.post(Sampling(node="K", step=2, steps=9, elapsed_s=2))
    await eventually(lambda: reporter._task is not None and reporter._task.done(), "it goes on")
    assert len(heard.cards) == 1
    await reporters.stop_all()


async def unseen(_job: Job, _preview: bytes) -> None:
    """Show no preview."""
