"""Moderation over real sockets: what is held is seen by moderators alone, the first decision counts, bans hold."""

import asyncio
from typing import Any

import pytest

from bot.model.case import CaseKind, Outcome
from bot.model.job import JobState
from bot.model.words import WordMode
from bot.moderation.images import CheckFailed
from bot.sandbox.discord.faults import Fault
from bot.sandbox.discord.world import Message
from bot.sandbox.run import Sandbox
from bot.store.audit import Wanted
from tests.conftest import eventually
from tests.guild import channel_of, decides, guild_of, lists
from tests.person import Person, custom_ids

HELD, REMOVED = "waiting for a moderator", "took this picture away"


@pytest.fixture
async def guarded(sandbox: Sandbox) -> Sandbox:
    """A guild that looks at every picture first, with channels for moderators."""
    await decides(
        sandbox,
        review_channel=channel_of(sandbox, "review"),
        report_channel=channel_of(sandbox, "reports"),
        log_channel=channel_of(sandbox, "reports"),
        review="all",
    )
    return sandbox


def posts(sandbox: Sandbox, channel: str) -> list[Message]:
    """Return what the bot has written into a channel, the oldest first."""
    own = channel_of(sandbox, channel)
    return [
        message
        for message in sandbox.discord.world.messages.values()
        if message.channel_id == own and not message.deleted and message.only_for is None
    ]


async def case_post(sandbox: Sandbox, channel: str = "review", count: int = 1) -> Message:
    await eventually(lambda: len(posts(sandbox, channel)) >= count, f"nothing came to #{channel}")
    return posts(sandbox, channel)[-1]


async def held(person: Person, **options: Any) -> Any:
    """Ask for a picture and wait until it is held."""
    sent = await person.says("imagine", **{"prompt": "a fox", **options})
    message = await person.until(lambda one: HELD in one.words, sent)
    assert message.attachments == []
    return sent


def direct_words(sandbox: Sandbox, name: str) -> str:
    """Return what the bot has written to somebody directly."""
    world = sandbox.discord.world
    channel = world.direct_channel(world.person_named(name)).id
    return "\n".join(one.words for one in world.messages.values() if one.channel_id == channel)


async def test_a_held_picture_is_shown_after_approval(guarded: Sandbox, max_: Person) -> None:
    """Nobody but moderators sees it before; the post is veiled and has the recipe; approved, it replaces the words."""
    sent = await held(max_, prompt="a fox in snow")
    post = await case_post(guarded)
    assert [one["filename"].startswith("SPOILER_") for one in post.attachments] == [True]
    assert "a fox in snow" in post.words
    assert [one["description"] for one in post.attachments] == ["a fox in snow"]
    mina = Person(guarded, "mina", "review")

    await mina.presses(post, "approve")

    message = await max_.picture(sent)
    assert not message.attachments[0]["filename"].startswith("SPOILER_")
    await eventually(lambda: "Let through" in posts(guarded, "review")[-1].words, "the post does not tell")
    assert posts(guarded, "review")[-1].components == []


@pytest.mark.parametrize(("button", "strikes"), [("reject", 0), ("rejectstrike", 1)])
async def test_a_rejected_picture_is_never_shown(guarded: Sandbox, max_: Person, button: str, strikes: int) -> None:
    """The member is told either way; with a strike they have one, and a direct message says so."""
    sent = await held(max_)
    await Person(guarded, "mina", "review").presses(await case_post(guarded), button)

    message = await max_.until(lambda one: "did not let it through" in one.words, sent)

    assert message.attachments == []
    member, guild = int(max_.person.id), guild_of(guarded)

    async def struck() -> bool:
        return await guarded.app.bench.sanctions.strikes(member, guild) == strikes

    await eventually(struck, "the strikes are not those")
    if strikes:
        await eventually(lambda: "You have a strike" in direct_words(guarded, "max"), "nobody told the member")
        said = lambda: any("strike" in one.words for one in posts(guarded, "reports"))  # noqa: E731 - said once
        await eventually(said, "the log says nothing")
    results = await guarded.app.bench.jobs.results(await job_id(guarded))
    assert [one.data for one in results] == [None]


async def job_id(sandbox: Sandbox) -> str:
    case, _ = await sandbox.app.bench.casework.case(guild_of(sandbox), 1)
    return case.job_id or ""


async def test_the_first_decision_counts(guarded: Sandbox, max_: Person) -> None:
    """Two moderators at once: one decision, and the other is told what it was."""
    sent = await held(max_)
    post = await case_post(guarded)
    mina, olive = Person(guarded, "mina", "review"), Person(guarded, "olive", "review")

    first, second = await asyncio.gather(mina.presses(post, "approve"), olive.presses(post, "reject"))

    await eventually(lambda: len(whispers(guarded, first)) + len(whispers(guarded, second)) == 2, "not both are told")
    told = [*whispers(guarded, first), *whispers(guarded, second)]
    assert sum("Somebody was faster" in words for words in told) == 1
    message = await max_.until(lambda one: HELD not in one.words, sent)
    assert bool(message.attachments) == ("✅" in message.words)


def whispers(sandbox: Sandbox, interaction: Any) -> list[str]:
    """Return what only the person of an interaction sees in answer to it."""
    world = sandbox.discord.world
    return [
        one.words
        for one in world.messages.values()
        if one.only_for == interaction.person.id and (one.interaction or {}).get("id") == interaction.id
    ]


async def test_held_pictures_outlive_a_restart_and_the_token(guarded: Sandbox, max_: Person) -> None:
    """After a restart, and after the interaction's token has expired, an approval still delivers."""
    sent = await held(max_)
    post = await case_post(guarded)
    async with guarded.restarted():
        guarded.discord.world.offset_s = 16 * 60.0
        await Person(guarded, "mina", "review").presses(post, "approve")
        await max_.picture(sent)


async def test_a_case_that_could_not_be_posted_is_posted_later(guarded: Sandbox, max_: Person) -> None:
    """Where the review channel cannot be written to, the case waits in `/mod review` and can be decided there."""
    channel = channel_of(guarded, "review")
    guarded.discord.world.faults.append(
        Fault(pattern=rf"POST /channels/{channel}/messages", status=403, code=50013, times=99)
    )
    sent = await held(max_)
    mina = Person(guarded, "mina")
    listed = await mina.until(lambda one: "**1**" in one.words, await mina.says("mod review"))
    assert "held picture" in listed.words
    shown = await mina.until(lambda one: bool(one.components), await mina.says("mod case", case="1"))
    assert shown.attachments

    await mina.presses(shown, "approve")

    await max_.picture(sent)


async def test_a_member_may_call_a_held_picture_off(guarded: Sandbox, max_: Person) -> None:
    """Cancelled while it waits, the case closes by itself and a late approval shows nothing."""
    sent = await held(max_)
    post = await case_post(guarded)
    await max_.presses(max_.reply(sent), "cancel")
    await max_.until(lambda one: "Cancelled" in one.words, sent)

    late = await Person(guarded, "mina", "review").presses(post, "approve")

    await eventually(lambda: "ended by itself" in "".join(whispers(guarded, late)), "nobody tells")
    assert max_.reply(sent).attachments == []


async def test_nothing_of_a_held_picture_is_seen_before(slow_sandbox: Sandbox) -> None:
    """No preview of a picture that will be held is ever shown, whatever the server sends."""
    await decides(slow_sandbox, review_channel=channel_of(slow_sandbox, "review"), review="all")
    max_ = Person(slow_sandbox, "max")
    files: list[int] = []
    slow_sandbox.discord.world.listeners.append(
        lambda _event, data, _only: (
            files.append(len(data.get("message", {}).get("attachments", [])))
            if data.get("message", {}).get("channel_id") == max_.channel.id
            else None
        )
    )
    await held(max_)
    assert max(files) == 0


async def test_words_are_refused_held_or_struck(guarded: Sandbox, max_: Person) -> None:
    """An entry's mode decides; the refusal names the kind of rule and never the word."""
    await decides(guarded, review="off")
    await lists(guarded, "dragon", reason="mythology")
    await lists(guarded, "gryphon", mode=WordMode.HOLD)
    await lists(guarded, "basilisk", mode=WordMode.STRIKE)
    refused = await max_.until(lambda one: not one.loading, await max_.says("imagine", prompt="a d.r.a.g.o.n"))
    assert "mythology" in refused.words
    assert "dragon" not in refused.words
    await held(max_, prompt="a gryphon")
    struck = await max_.until(lambda one: not one.loading, await max_.says("imagine", prompt="a b\u0430silisk"))
    assert "you have a strike" in struck.words
    assert await guarded.app.bench.sanctions.strikes(int(max_.person.id), guild_of(guarded)) == 1
    assert len(guarded.comfyui.worker.history) == 1  # pyright: ignore[reportOptionalMemberAccess]


async def test_a_reported_picture_is_removed(guarded: Sandbox, max_: Person) -> None:
    """By button and by menu, a report is one case with the veiled picture; removed, its buttons do nothing more."""
    await decides(guarded, review="off")
    sent = await max_.says("imagine", prompt="a fox")
    message = await max_.picture(sent)
    haruka, noa = Person(guarded, "haruka"), Person(guarded, "noa")
    opened = await haruka.presses(message, "report")
    thanks = await haruka.fills(opened, {"reason": "not nice @everyone <@&1>"})
    await haruka.until(lambda one: "ありがとう" in one.words, thanks)
    again = await noa.fills(await noa.uses("Report picture", message), {})
    await noa.until(lambda one: "Thank you" in one.words, again)
    await eventually(lambda: "(2)" in posts(guarded, "reports")[0].words, "the second report does not join")
    case = posts(guarded, "reports")[0]
    assert case.attachments[0]["filename"].startswith("SPOILER_")
    assert "not nice" in case.words
    assert case.pings == []
    assert len(posts(guarded, "reports")) == 1

    await Person(guarded, "mina", "reports").presses(case, "remove")

    gone = await max_.until(lambda one: REMOVED in one.words, sent)
    assert (gone.attachments, custom_ids(gone)) == ([], [])
    assert await guarded.app.bench.sanctions.strikes(int(max_.person.id), guild_of(guarded)) == 0


async def test_a_ban_blocks_and_cancels(slow_sandbox: Sandbox) -> None:
    """A banned member's waiting jobs end, commands and buttons refuse them, also after a restart; unbanned, they go."""
    max_, mina = Person(slow_sandbox, "max"), Person(slow_sandbox, "mina")
    running, waiting = [await max_.says("imagine", prompt=f"fox {number}") for number in range(2)]
    for one in (running, waiting):
        await max_.until(lambda message: not message.loading, one)
    banned = await mina.says("mod ban", member="max", reason="enough", duration="2h")
    await mina.until(lambda one: "kept out" in one.words, banned)
    for one in (running, waiting):
        await max_.until(lambda message: "Cancelled" in message.words, one)
    async with slow_sandbox.restarted():
        refused = await max_.says("imagine", prompt="fox")
        await max_.until(lambda message: "You cannot use me here" in message.words, refused)
        pressed = await max_.presses(max_.reply(waiting), "again")
        await max_.until(lambda message: "You cannot use me here" in message.words, pressed)
        appealed = await max_.says("appeal", text="I am sorry")
        await max_.until(lambda message: "case 1" in message.words, appealed)
        await eventually(lambda: "You cannot use me" in direct_words(slow_sandbox, "max"), "nobody told the member")
        settled = await mina.until(lambda one: bool(one.components), await mina.says("mod case", case="1"))
        await mina.presses(settled, "grant")
        await eventually(lambda: "granted" in direct_words(slow_sandbox, "max"), "the appeal is not answered")
        await max_.picture(await max_.says("imagine", prompt="fox"))
        count, fault = await slow_sandbox.app.bench.audit.verify(guild_of(slow_sandbox))
        assert (count > 5, fault) == (True, None)


async def test_one_guilds_ban_is_its_own(sandbox: Sandbox) -> None:
    """Banned in one guild, a member of two goes on in the other; the owner's ban is everywhere."""
    mina, here, there = Person(sandbox, "mina"), Person(sandbox, "max"), Person(sandbox, "max", "garden")
    await mina.until(lambda one: "kept out" in one.words, await mina.says("mod ban", member="max", reason="x"))
    await there.picture(await there.says("imagine", prompt="fox"))
    refused = await here.says("imagine", prompt="fox")
    await here.until(lambda one: "cannot use me" in one.words, refused)


async def test_a_check_that_fails_shows_nothing(sandbox: Sandbox, max_: Person) -> None:
    """A picture that cannot be judged is not shown, and the member is told that it was not their fault."""

    class Broken:
        async def score(self, picture: bytes) -> float:
            raise CheckFailed(f"{len(picture)} bytes are too much")

    sandbox.app.bench.gate._check = Broken()
    sent = await max_.says("imagine", prompt="fox")
    message = await max_.until(lambda one: "could not be checked" in one.words, sent)
    assert message.attachments == []


@pytest.mark.parametrize(("score", "shown"), [(0.1, "plain"), (0.6, "veiled"), (0.75, "held"), (0.9, "blocked")])
async def test_scores_decide(sandbox: Sandbox, max_: Person, score: float, shown: str) -> None:
    """Each threshold of a guild has its outcome: plain, veiled, held, blocked."""

    class Sure:
        async def score(self, picture: bytes) -> float:
            return score if picture else 0.0

    sandbox.app.bench.gate._check = Sure()
    await decides(sandbox, picture_hold="0.7")
    sent = await max_.says("imagine", prompt="fox")
    match shown:
        case "held":
            await max_.until(lambda one: HELD in one.words, sent)
        case "blocked":
            message = await max_.until(lambda one: "do not allow what came out" in one.words, sent)
            assert message.attachments == []
        case _:
            message = await max_.picture(sent)
            assert message.attachments[0]["filename"].startswith("SPOILER_") == (shown == "veiled")


async def test_quotas_count_and_are_given_back(slow_sandbox: Sandbox) -> None:
    """A member's quota refuses the next request; what is cancelled before it began is given back."""
    await decides(slow_sandbox, member_quota="2")
    max_ = Person(slow_sandbox, "max")
    sent = [await max_.says("imagine", prompt=f"fox {number}") for number in range(2)]
    for one in sent:
        await max_.until(lambda message: bool(message.components), one)
    refused = await max_.says("imagine", prompt="one more")
    await max_.until(lambda one: "more than what you may spend" in one.words, refused)
    told = await max_.until(lambda one: "Left: 0.0 of 2" in one.words, await max_.says("quota"))
    assert "Spent" in told.words
    await max_.presses(max_.reply(sent[1]), "cancel")
    await max_.until(lambda one: "Cancelled" in one.words, sent[1])
    await max_.until(lambda one: "place" in one.words or "step" in one.words, await max_.says("imagine", prompt="z"))


async def test_private_and_metadata(sandbox: Sandbox, max_: Person) -> None:
    """A private result is the member's alone; without metadata the delivered file says nothing of the prompt."""
    await decides(sandbox, metadata="off")
    sent = await max_.says("imagine", prompt="a secret fox", private="true")
    message = await max_.picture(sent)
    assert message.only_for == max_.person.id
    assert b"secret" not in sandbox.discord.world.files[message.attachments[0]["id"]][1]


async def test_my_data(guarded: Sandbox, max_: Person) -> None:
    """A member gets all that is kept as a file, and erases it; the trail still verifies, and knows them no more."""
    await decides(guarded, review="off")
    await max_.picture(await max_.says("imagine", prompt="a telltale fox"))
    exported = await max_.says("mydata export")
    message = await max_.until(lambda one: bool(one.attachments), exported)
    data = guarded.discord.world.files[message.attachments[0]["id"]][1]
    assert b"a telltale fox" in data
    erased = await max_.says("mydata erase", sure="true")
    await max_.until(lambda one: "Erased" in one.words, erased)
    assert b"telltale" not in str(await guarded.app.bench.memory.export(int(max_.person.id), 1)).encode()
    links = await guarded.app.bench.audit.find(Wanted(guild_id=guild_of(guarded)))
    assert "telltale" not in str(links)
    assert (await guarded.app.bench.audit.verify(guild_of(guarded)))[1] is None


async def test_outcomes_are_kept(guarded: Sandbox, max_: Person) -> None:
    """What was decided is in the case, the record and the trail."""
    await held(max_)
    await Person(guarded, "mina", "review").presses(await case_post(guarded), "approve")
    guild = guild_of(guarded)

    async def settled() -> bool:
        case, job = await guarded.app.bench.casework.case(guild, 1)
        return case.outcome is Outcome.APPROVED and job is not None and job.state is JobState.DONE

    await eventually(settled, "the case stays open")
    acts = [link.act for link in await guarded.app.bench.audit.find(Wanted(guild_id=guild))]
    assert {"generation.asked", "generation.held", "case.approved"} <= set(acts)
    record = await guarded.app.bench.sanctions.record(int(max_.person.id), guild)
    assert [case.kind for case in record.cases] == [CaseKind.HELD]


async def test_no_request_slips_in_beside_a_ban(slow_sandbox: Sandbox) -> None:
    """Requests that are being judged while a ban comes are refused or cancelled; none of them makes a picture."""
    max_, mina = Person(slow_sandbox, "max"), Person(slow_sandbox, "mina")
    sent = [await max_.says("imagine", prompt=f"fox {number}") for number in range(3)]
    banned = await mina.says("mod ban", member="max", reason="enough")
    await mina.until(lambda one: "kept out" in one.words, banned)
    for one in sent:
        await max_.until(lambda message: "Cancelled" in message.words or "cannot use" in message.words, one)


async def test_logs_hold_no_prompt(sandbox: Sandbox, max_: Person, capsys: pytest.CaptureFixture[str]) -> None:
    """What is asked for is in no line of the log, refused or made."""
    await lists(sandbox, "unspeakable")
    refused = await max_.says("imagine", prompt="an unspeakable unheardof thing")
    await max_.until(lambda one: "rules do not allow" in one.words, refused)
    await max_.picture(await max_.says("imagine", prompt="an unheardof harbour"))
    said: list[str] = []

    def done() -> bool:
        said.extend(capsys.readouterr())
        return "job.done" in "".join(said)

    await eventually(done, "the log does not tell of the end")
    assert "unheardof" not in "".join(said)


async def test_nobody_judges_themselves(guarded: Sandbox) -> None:
    """A moderator's own held picture waits for another one."""
    mina = Person(guarded, "mina")
    sent = await held(mina)
    own = await Person(guarded, "mina", "review").presses(await case_post(guarded), "approve")
    await eventually(lambda: "about yourself" in "".join(whispers(guarded, own)), "nobody tells")
    assert mina.reply(sent).attachments == []
    await Person(guarded, "olive", "review").presses(await case_post(guarded), "approve")
    await mina.picture(sent)
