"""A guild in which every button and command has something to work with."""

import time
from collections.abc import Sequence

from bot.model.audit import Act, Entry
from bot.model.job import Job, JobState, ReplyAddress, Result
from bot.model.request import Request
from bot.model.verdict import HoldReason
from bot.moderation.sanctions import Order
from bot.store import cases
from tests.cogs.doors import DONE, JOB, PICTURE, House

HELD = "f" * 16


def job_of(house: House, job_id: str, member_id: int, state: JobState, prompt: str = "a fox") -> Job:
    """Return a job of a member in a guild, whose picture the guild's card shows."""
    request = Request(
        prompt=prompt, template="sd15", seed=7, member_id=member_id, guild_id=house.guild.id,
        channel_id=house.channel.id,
    )  # fmt: skip
    shown = house.card.id if state is JobState.DONE else 4
    address = ReplyAddress(
        application_id=1, channel_id=house.channel.id, message_id=shown, token="t", expires_at=0, upload_limit=1
    )
    hold = HoldReason.ALL if state is JobState.HELD else None
    return Job(id=job_id, request=request, address=address, state=state, attempt=0, created_at=time.time(), hold=hold)


async def furnish(house: House, member_id: int, prompt: str = "a fox", ids: Sequence[str] = (JOB, DONE, HELD)) -> None:
    """Give a member a running, a done and a held job, a case of each kind, a strike; and the guild its channels."""
    bench, guild_id = house.bot.services.bench, house.guild.id
    by_state = dict(zip((JobState.RUNNING, JobState.DONE, JobState.HELD), ids, strict=True))
    jobs = {state: job_of(house, job_id, member_id, state, prompt) for state, job_id in by_state.items()}
    for job in jobs.values():
        await bench.jobs.add(job)
    await bench.jobs.add_results(ids[2], [Result(filename="held.png", data=PICTURE)])
    held = jobs[JobState.HELD]
    await bench.jobs._database.write(lambda one: cases.open_held(one, held, HoldReason.ALL))
    await bench.casework.report(jobs[JobState.DONE], house.reporter.id, f"reported {prompt}")
    order = Order(guild_id=guild_id, member_id=member_id, by_id=house.reporter.id, reason=f"struck {prompt}")
    await bench.sanctions.strike(order)
    await bench.casework.appeal(guild_id, member_id, f"appealed {prompt}")
    for key in ("review_channel", "report_channel", "log_channel"):
        await decide(house, key, str(house.review.id))


async def decide(house: House, key: str, value: str) -> None:
    """Set a setting of a guild as it is stored."""
    entry = Entry(guild_id=house.guild.id, act=Act.SETTING, at=time.time())
    await house.bot.services.bench.guilds.set(house.guild.id, key, value, entry)
