"""A guild in which every button and command has something to work with."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

import sqlalchemy as sa

from bot.model.audit import Act, Entry
from bot.model.job import Job, JobState, ReplyAddress, Result
from bot.model.request import Request
from bot.model.verdict import HoldReason
from bot.moderation.sanctions import Order
from bot.store import cases
from bot.store.tables import drafts, favourites, jobs, results
from tests.cogs.doors import DONE, DRAFT, JOB
from tests.cogs.house import PICTURE, House

LONG = " and a very long tail of words" * 4
"""Behind a prompt: it is longer than what an option's value may have."""


@dataclass(frozen=True)
class Ids:
    """What a member's things are called: a job of each kind, and a draft."""

    live: str = JOB
    done: str = DONE
    held: str = "f" * 16
    private: str = "9" * 16
    """A job that is done, in a reply for its member alone."""
    draft: str = DRAFT

    @property
    def all(self) -> frozenset[str]:
        """All of them."""
        return frozenset((self.live, self.done, self.held, self.private, self.draft))

    @property
    def swapped(self) -> Mapping[str, str]:
        """What stands here for the usual ids of buttons and dialogs."""
        return {JOB: self.live, DONE: self.done, DRAFT: self.draft}


USUAL = Ids()


def request_of(house: House, member_id: int, prompt: str = "a fox", *, adult: bool = False) -> Request:
    """Return a request of a member in the guild's channel."""
    return Request(
        prompt=prompt, template="sd15", seed=7, member_id=member_id, guild_id=house.guild.id,
        channel_id=house.channel.id, negative=f"no {prompt}", adult=adult,
    )  # fmt: skip


def job_of(house: House, job_id: str, request: Request, state: JobState, *, private: bool = False) -> Job:
    """Return a job of a member in a guild; the guild's card shows the picture of one that is done for everybody."""
    shown = house.card.id if state is JobState.DONE and not private else 4
    address = ReplyAddress(
        application_id=1, channel_id=house.channel.id, message_id=shown, token=f"t{job_id}", expires_at=0,
        upload_limit=10**7, ephemeral=private,
    )  # fmt: skip
    hold = HoldReason.ALL if state is JobState.HELD else None
    return Job(id=job_id, request=request, address=address, state=state, attempt=0, created_at=time.time(), hold=hold)


async def furnish(
    house: House, member_id: int, prompt: str = "a fox", ids: Ids = USUAL, *, adult: bool = False, alone: bool = False
) -> None:
    """Give a member a job of each kind, likes, a draft, a case of each kind, a strike; and the guild its channels.

    `alone`: jobs, likes and draft, and no more.
    """
    bench, guild_id = house.bot.services.bench, house.guild.id
    request = request_of(house, member_id, prompt, adult=adult)
    states = {ids.live: JobState.RUNNING, ids.done: JobState.DONE, ids.held: JobState.HELD, ids.private: JobState.DONE}
    made = {one: job_of(house, one, request, state, private=one == ids.private) for one, state in states.items()}
    for job in made.values():
        await bench.jobs.add(job)
    await bench.jobs.add_results(ids.held, [Result(filename="held.png", data=PICTURE)])
    for job_id in (ids.done, ids.private):
        await bench.jobs.add_results(job_id, [Result(filename="made.png")])
    await _shelve(house, made[ids.done], ids, house.reporter.id)
    if alone:
        return
    await bench.jobs._database.write(lambda one: cases.open_held(one, made[ids.held], HoldReason.ALL))
    await bench.casework.report(made[ids.done], house.reporter.id, f"reported {prompt}")
    order = Order(guild_id=guild_id, member_id=member_id, by_id=house.reporter.id, reason=f"struck {prompt}")
    await bench.sanctions.strike(order)
    await bench.casework.appeal(guild_id, member_id, f"appealed {prompt}")
    for key in ("review_channel", "report_channel", "log_channel"):
        await decide(house, key, str(house.review.id))


async def _shelve(house: House, job: Job, ids: Ids, other_id: int) -> None:
    """Keep a small picture, how it was made, who likes it, and a draft."""
    request, now = job.request, time.time()
    recipe = {"models": ["sd15.safetensors"], "options": {"note": request.prompt}}
    likes = [
        {"job_id": job.id, "number": 1, "member_id": one, "guild_id": request.guild_id, "at": now}
        for one in (request.member_id, other_id)
    ]

    def change(connection: sa.Connection) -> None:
        made = jobs.c.id.in_((ids.done, ids.private))
        connection.execute(jobs.update().where(made).values(recipe=json.dumps(recipe)))
        connection.execute(results.update().where(results.c.job_id.in_((ids.done, ids.private))).values(thumb=PICTURE))
        connection.execute(favourites.insert(), likes)

    await house.bot.services.bench.jobs._database.write(change)
    await put_draft(house, ids.draft, request)


async def put_draft(house: House, draft_id: str, request: Request) -> None:
    """Keep a draft under an id of its own; one that was there before goes."""
    row = {
        "id": draft_id,
        "member_id": request.member_id,
        "guild_id": request.guild_id,
        "request": replace(request, negative=None).to_json(),
        "created_at": time.time(),
    }

    def change(connection: sa.Connection) -> None:
        connection.execute(drafts.delete().where(drafts.c.id == draft_id))
        connection.execute(drafts.insert(), row)

    await house.bot.services.bench.jobs._database.write(change)


async def decide(house: House, key: str, value: str) -> None:
    """Set a setting of a guild as it is stored."""
    entry = Entry(guild_id=house.guild.id, act=Act.SETTING, at=time.time())
    await house.bot.services.bench.guilds.set(house.guild.id, key, value, entry)
