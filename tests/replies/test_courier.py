"""Last cards arrive, once: by the token, by the bot's own, as a new message, or directly."""

import time
from dataclasses import replace

import pytest

from bot.delivery.package import Attachment
from bot.model.job import Job, JobState, ReplyAddress
from bot.model.request import Request
from bot.replies.cards import Card, Tone
from bot.replies.courier import Courier, ReplyGone
from bot.replies.press import Action, Press
from bot.sandbox.discord.faults import Fault
from bot.sandbox.discord.world import Message
from bot.sandbox.run import Sandbox
from tests.person import Person, at_rest

ID = "ab" * 8
PICTURE = Attachment(filename="easel-abababab.png", data=b"\x89PNG", alt="a fox")
ROW = tuple(Press(action=action, job_id=ID, label=action) for action in (Action.AGAIN, Action.DELETE))
CARD = Card(tone=Tone.DONE, text="Done <@1>", files=(PICTURE,), rows=(ROW,))


async def address_of(sandbox: Sandbox, person: Person) -> tuple[Job, Message]:
    """Return a job that answers a real reply of the stand-in, and that reply."""
    sent = await person.says("help")
    message = await person.until(at_rest, sent)
    message.only_for, message.content = None, "thinking"
    address = ReplyAddress(
        application_id=int(sandbox.discord.world.application_id),
        channel_id=int(message.channel_id),
        message_id=int(message.id),
        token=sent.token,
        expires_at=time.time() + 900,
        upload_limit=10**7,
    )
    request = Request(
        prompt="a fox", template="sd15", seed=1, member_id=int(person.person.id), guild_id=1, channel_id=1
    )
    job = Job(id=ID, request=request, address=address, state=JobState.DELIVERING, attempt=1, created_at=time.time())
    return job, message


class Noted:
    """Remembers what was noted."""

    def __init__(self) -> None:
        self.posted: list[int] = []

    async def __call__(self, _job_id: str, message_id: int) -> None:
        self.posted.append(message_id)


def others(sandbox: Sandbox, message: Message) -> list[Message]:
    return [one for one in sandbox.discord.world.messages.values() if one.id != message.id and one.attachments]


async def test_while_the_token_lives_the_reply_is_edited(sandbox: Sandbox, max_: Person) -> None:
    """The known message shows the card; nothing is posted."""
    job, message = await address_of(sandbox, max_)
    await Courier(sandbox.app.bot).deliver(job, CARD, noted := Noted())
    assert message.words == "Done <@1>"
    assert (noted.posted, others(sandbox, message)) == ([], [])


@pytest.mark.parametrize("how", ["expired", "refused"])
async def test_without_the_token_the_bot_edits(how: str, sandbox: Sandbox, max_: Person) -> None:
    """From minute 14 on, or when Discord refuses the token before, the bot's own token edits the same message."""
    job, message = await address_of(sandbox, max_)
    if how == "expired":
        job = replace(job, address=replace(job.address, expires_at=time.time() + 30))
    else:
        sandbox.discord.world.faults.append(Fault(pattern="PATCH /webhooks", status=401, code=50027))
    await Courier(sandbox.app.bot).deliver(job, CARD, noted := Noted())
    assert message.words == "Done <@1>"
    assert noted.posted == []
    assert any(call.method == "PATCH" and "/channels/" in call.path for call in sandbox.discord.world.calls)


@pytest.mark.parametrize("code", [50001, 50013, 30046])
async def test_what_cannot_be_edited_is_posted_without_a_ping(code: int, sandbox: Sandbox, max_: Person) -> None:
    """Where the bot may not edit, a new message in the channel shows the card, mentions nobody, and is noted."""
    job, message = await address_of(sandbox, max_)
    job = replace(job, address=replace(job.address, expires_at=0))
    status = 429 if code == 30046 else 403
    sandbox.discord.world.faults.append(
        Fault(pattern="PATCH /channels", status=400 if status == 429 else 403, code=code)
    )
    await Courier(sandbox.app.bot).deliver(job, CARD, noted := Noted())
    (posted,) = others(sandbox, message)
    assert (posted.channel_id, posted.pings, posted.nonce) == (message.channel_id, [], ID)
    assert noted.posted == [int(posted.id)]


async def test_a_post_whose_answer_is_lost_is_there_once(sandbox: Sandbox, max_: Person) -> None:
    """Tried again, it is found; begun again by a process that knows nothing of it, too; noted, it is left alone."""
    job, message = await address_of(sandbox, max_)
    job = replace(job, address=replace(job.address, message_id=None))
    lost = Fault(pattern="POST /channels", drop=True, status=500, after=True)
    sandbox.discord.world.faults.append(lost)
    courier, noted = Courier(sandbox.app.bot), Noted()
    await courier.deliver(job, CARD, noted)
    await courier.deliver(job, CARD, noted)
    (posted,) = others(sandbox, message)
    assert set(noted.posted) == {int(posted.id)}
    calls = len(sandbox.discord.world.calls)
    await courier.deliver(replace(job, posted_id=int(posted.id)), CARD, noted)
    assert len(sandbox.discord.world.calls) == calls


async def test_long_after_the_nonce_the_look_finds_it(sandbox: Sandbox, max_: Person) -> None:
    """Discord forgets nonces after minutes: a post that was not noted is found by looking, and not made again."""
    job, message = await address_of(sandbox, max_)
    job = replace(job, address=replace(job.address, message_id=None))
    courier, noted = Courier(sandbox.app.bot), Noted()
    await courier.deliver(job, CARD, noted)
    (posted,) = others(sandbox, message)
    posted.nonce = None
    await courier.deliver(job, CARD, noted)
    assert others(sandbox, message) == [posted]
    assert set(noted.posted) == {int(posted.id)}


async def test_where_history_is_closed_the_nonce_does_it(sandbox: Sandbox, max_: Person) -> None:
    """A bot that may not read the channel's history posts with the same nonce, and Discord keeps one message."""
    job, message = await address_of(sandbox, max_)
    job = replace(job, address=replace(job.address, message_id=None))
    sandbox.discord.world.faults.append(Fault(pattern="GET /channels", status=403, code=50001, times=2))
    courier, noted = Courier(sandbox.app.bot), Noted()
    await courier.deliver(job, CARD, noted)
    await courier.deliver(job, CARD, noted)
    assert len(others(sandbox, message)) == 1


async def test_what_only_the_member_may_see_goes_to_them(sandbox: Sandbox, max_: Person) -> None:
    """An ephemeral reply whose token is dead, and one in a channel closed to the bot, become direct messages."""
    job, message = await address_of(sandbox, max_)
    job = replace(job, address=replace(job.address, expires_at=0, ephemeral=True))
    await Courier(sandbox.app.bot).deliver(job, CARD, noted := Noted())
    (posted,) = others(sandbox, message)
    assert sandbox.discord.world.channels[posted.channel_id].recipient == max_.person.id
    assert noted.posted == [int(posted.id)]
    posted.attachments = []
    sandbox.discord.world.faults.append(Fault(pattern=f"GET /channels/{message.channel_id}", status=403, code=50001))
    sandbox.discord.world.faults.append(Fault(pattern=f"POST /channels/{message.channel_id}", status=403, code=50001))
    open_ = replace(job, id="cd" * 8, address=replace(job.address, ephemeral=False, message_id=None))
    await Courier(sandbox.app.bot).deliver(open_, CARD, noted)
    (second,) = others(sandbox, message)
    assert second.channel_id == posted.channel_id


async def test_a_deleted_reply_is_not_posted_anew(sandbox: Sandbox, max_: Person) -> None:
    """Whoever removed the reply meant it: with or without the token, nothing comes in its place."""
    job, message = await address_of(sandbox, max_)
    message.deleted = True
    for expires_at in (time.time() + 900, 0.0):
        gone = replace(job, address=replace(job.address, expires_at=expires_at))
        with pytest.raises(ReplyGone):
            await Courier(sandbox.app.bot).deliver(gone, CARD, Noted())
    assert others(sandbox, message) == []


async def test_a_member_out_of_reach_ends_it(sandbox: Sandbox, max_: Person) -> None:
    """Who takes no direct messages cannot be told; the delivery ends, and does not go on for ever."""
    job, _ = await address_of(sandbox, max_)
    job = replace(job, address=replace(job.address, expires_at=0, ephemeral=True))
    sandbox.discord.world.faults.append(Fault(pattern="POST /channels", status=403, code=50007))
    with pytest.raises(ReplyGone):
        await Courier(sandbox.app.bot).deliver(job, CARD, Noted())
