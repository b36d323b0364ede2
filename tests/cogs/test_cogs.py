"""Commands and buttons in SimCord, an independent Discord: what they ask of their one service, and what they answer."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, cast

import discord
import pytest
import simcord

from bot.bot import EaselBot
from bot.errors import RequestError
from bot.model.job import Eta, JobState
from bot.model.request import Size
from bot.replies.cards import Card, Tone
from bot.replies.catalogue import CATALOGUES
from bot.replies.layout import layout_of
from bot.replies.press import Action, Press
from bot.sandbox.discord.checks import command_faults
from tests.cogs.doors import words
from tests.fakes import FakeJobs, fake_services

JOB = "0123456789abcdef"
COMMANDS = {"imagine", "queue", "cancel", "help", "server", "models", "settings", "words", "mod", "mydata"} | {
    "quota", "appeal", "privacy", "history", "gallery", "recipe", "stats",
}  # fmt: skip
MENUS = {"Report picture", "Member record", "Remix this", "Recipe"}


@dataclass
class Stage:
    env: simcord.Env
    jobs: FakeJobs
    bot: EaselBot
    guild: Any
    channel: Any
    member: Any

    def another(self, name: str, **permissions: bool) -> Any:
        """Return another member, with a role of these permissions."""
        roles = [self.guild.create_role(name, permissions=discord.Permissions(**permissions))] if permissions else []
        return self.guild.add_member(self.env.create_user(name), roles=roles)


@asynccontextmanager
async def made_bot() -> AsyncGenerator[EaselBot]:
    bot = EaselBot()
    async with fake_services(FakeJobs(), bot) as bot.services:
        yield bot


class SyncedBot(EaselBot):
    """SimCord wants commands synced by the bot itself; in production app.py does it."""

    async def setup_hook(self) -> None:
        await super().setup_hook()
        await self.tree.sync()


@pytest.fixture
async def simcord_bot() -> AsyncGenerator[EaselBot]:
    """The bot that SimCord's own fixture runs."""
    bot = SyncedBot()
    async with fake_services(FakeJobs(), bot) as bot.services:
        yield bot


@pytest.fixture
def stage(simcord_env: simcord.Env, simcord_bot: EaselBot) -> Stage:
    guild = simcord_env.create_guild()
    channel = guild.create_text_channel("pictures")
    member = guild.add_member(simcord_env.create_user("max"))
    return Stage(simcord_env, cast("FakeJobs", simcord_bot.services.jobs), simcord_bot, guild, channel, member)


async def test_imagine_acknowledges_and_submits(stage: Stage) -> None:
    """All options reach the request, and the address is that of the acknowledged reply."""
    result = await stage.member.slash(
        stage.channel, "imagine", prompt="a fox", template="sdxl", negative="dogs", seed=5, size="832x1216", count=2
    )

    assert result.deferred
    assert not result.ephemeral
    ((request, address),) = stage.jobs.submitted
    assert (request.prompt, request.template, request.negative) == ("a fox", "sdxl", "dogs")
    assert (request.seed, request.size, request.count) == (5, Size(width=832, height=1216), 2)
    assert (request.member_id, request.guild_id) == (stage.member.id, stage.guild.id)
    assert address.channel_id == stage.channel.id
    assert address.message_id is not None
    assert address.upload_limit >= 10 * 2**20
    assert address.token not in repr(address)


async def test_seeds_are_random_when_not_given(stage: Stage) -> None:
    """Two requests without a seed differ in it."""
    for _ in range(2):
        await stage.member.slash(stage.channel, "imagine", prompt="a fox")
    assert stage.jobs.submitted[0][0].seed != stage.jobs.submitted[1][0].seed


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"prompt": "x", "template": "nope **x**"}, "no template called nope \\*\\*x\\*\\*"),
        ({"prompt": "x", "size": "huge"}, "not a size"),
        ({"prompt": "x", "size": "9999x9999"}, "64 to 2048"),
        ({"prompt": "  \u3000 "}, "prompt is empty"),
    ],
)
async def test_wrong_options_are_told_in_the_reply(stage: Stage, options: dict[str, str], words: str) -> None:
    """Bad input gets words in place of the reply, and nothing is queued."""
    result = await stage.member.slash(stage.channel, "imagine", **options)

    assert words in result.response.content
    assert stage.jobs.submitted == []
    simcord.assert_error(stage.env, RequestError)


async def test_a_bug_is_a_number_in_reply_and_log(
    stage: Stage, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """An unexpected fault shows a reference number and nothing of itself; the log has both."""
    stage.jobs.fault = RuntimeError("/srv/secret exploded")

    result = await stage.member.slash(stage.channel, "imagine", prompt="x")

    simcord.assert_error(stage.env, RuntimeError)
    assert "name this number" in result.response.content
    assert "secret" not in result.response.content
    number = result.response.content.split("`")[1]
    captured = capsys.readouterr()
    logged = caplog.text + captured.err + captured.out
    assert number in logged
    assert "exploded" in logged


async def test_autocomplete_offers_what_works(stage: Stage) -> None:
    """Every template is offered; typing narrows; sizes may be one's own."""
    offered = await stage.member.autocomplete(stage.channel, "imagine", "template", "")
    assert {choice["value"] for choice in offered} == {
        "flux",
        "sd15",
        "sdxl",
        "socket",
        "upscale",
        "img2img",
        "inpaint",
    }
    assert [one["value"] for one in await stage.member.autocomplete(stage.channel, "imagine", "template", "SDX")] == [
        "sdxl"
    ]
    assert [one["value"] for one in await stage.member.autocomplete(stage.channel, "imagine", "size", "700x700")] == [
        "704x704"
    ]
    assert await stage.member.autocomplete(stage.channel, "imagine", "size", "nonsense") == []


async def test_moderators_see_everyones_requests_with_times(stage: Stage) -> None:
    """Who may manage messages reads everybody's requests here, whose they are, places and times; others do not."""
    other = stage.another("other")
    for number in range(40):
        stage.jobs.put(f"{number:016x}", other.id, stage.guild.id)
    stage.jobs.eta = Eta(low_s=50, high_s=130)
    moderator = stage.another("mina", manage_messages=True)
    seen = (await moderator.slash(stage.channel, "queue")).response.content
    assert f"1. place · ready in 50 s to 2 min 0 s · picture {0:016x} · <@{other.id}>" in seen
    assert "… and 30 more" in seen
    assert len(seen) <= 2000
    assert "picture" not in (await stage.member.slash(stage.channel, "queue")).response.content


async def test_queue_and_help_are_private(stage: Stage) -> None:
    """Both answer only the asker; help names what can be used now."""
    stage.jobs.put(JOB, stage.member.id, stage.guild.id)
    stage.jobs.put("b" * 16, stage.member.id, stage.guild.id, state=JobState.RUNNING)
    queue = await stage.member.slash(stage.channel, "queue")
    assert queue.ephemeral
    assert f"1. place · picture {JOB}" in queue.response.content
    assert "running · picture bb" in queue.response.content
    guide = await stage.member.slash(stage.channel, "help")
    assert guide.ephemeral
    assert "SDXL" in words(guide)
    assert "/imagine" in words(guide)
    stage.jobs.library.by_name = {}
    assert "no template ready" in words(await stage.member.slash(stage.channel, "help"))


async def test_cancel_takes_only_own_jobs(stage: Stage) -> None:
    """The newest own job is taken, a named one if it is one's own, another member's never."""
    assert "nothing waiting" in (await stage.member.slash(stage.channel, "cancel")).response.content
    stage.jobs.put(JOB, stage.member.id, stage.guild.id)
    stage.jobs.put("c" * 16, 999, stage.guild.id)
    stage.jobs.put("d" * 16, stage.member.id, 888)
    foreign = await stage.member.slash(stage.channel, "cancel", request="c" * 16)
    elsewhere = await stage.member.slash(stage.channel, "cancel", request="d" * 16)
    assert "isn't yours" in foreign.response.content
    assert "isn't yours" in elsewhere.response.content
    assert stage.jobs.cancelled == []
    assert "Cancelled" in (await stage.member.slash(stage.channel, "cancel")).response.content
    stage.jobs.too_late = True
    assert "Too late" in (await stage.member.slash(stage.channel, "cancel", request=JOB)).response.content
    assert stage.jobs.cancelled == [JOB, JOB]
    offered = await stage.member.autocomplete(stage.channel, "cancel", "request", "picture")
    assert [choice["value"] for choice in offered] == [JOB]


async def card(stage: Stage, *actions: Action) -> discord.Message:
    """Post a card with buttons, as a delivery would."""
    channel = stage.bot.get_channel(stage.channel.id)
    assert isinstance(channel, discord.TextChannel)
    row = tuple(Press(action=one, job_id=JOB, label=one.capitalize()) for one in actions)
    return await channel.send(view=layout_of(Card(tone=Tone.DONE, text="a card", rows=(row,))))


async def test_again_is_the_pressers_request(stage: Stage) -> None:
    """Again submits the same words with another seed, as the presser's, in a new reply."""
    stage.jobs.put(JOB, 999, stage.guild.id)
    message = await card(stage, Action.AGAIN)

    result = await stage.member.click(message, label="Again")

    assert result.deferred
    ((request, address),) = stage.jobs.submitted
    assert request.prompt == f"picture {JOB}"
    assert request.member_id == stage.member.id
    assert request.seed != 7
    assert address.message_id != message.id


@pytest.mark.parametrize("action", [Action.DELETE, Action.CANCEL])
async def test_who_may_press(stage: Stage, action: Action) -> None:
    """A stranger is refused in private; somebody who may manage messages is not; nor is the requester."""
    stage.jobs.put(JOB, stage.member.id, stage.guild.id)
    moderator = stage.another("mina", manage_messages=True, view_channel=True)
    stranger = stage.another("noa")
    for person, may in ((stranger, False), (moderator, True), (stage.member, True)):
        message = await card(stage, action)
        result = await person.click(message, label=action.capitalize())
        words = [followup.content for followup in result.followups]
        assert bool(words) is not may
        if words:
            assert "Only the person who asked" in words[0]
            assert result.followups[0].ephemeral
    assert len(stage.jobs.cancelled) == (2 if action is Action.CANCEL else 0)


async def test_a_button_without_its_record_says_so(stage: Stage) -> None:
    """Unknown jobs, and jobs of another guild, are answered with words."""
    message = await card(stage, Action.DELETE, Action.AGAIN)
    result = await stage.member.click(message, label="Delete")
    assert "no longer have the record" in result.followups[0].content
    stage.jobs.put(JOB, stage.member.id, 888)
    again = await stage.member.click(message, label="Again")
    assert "no longer have the record" in again.response.content
    stage.jobs.too_late = True
    stage.jobs.put(JOB, stage.member.id, stage.guild.id)
    late = await stage.member.click(await card(stage, Action.CANCEL), label="Cancel")
    assert "Too late" in late.followups[0].content


async def test_commands_as_discord_gets_them() -> None:
    """The payload is within Discord's rules, in English and Japanese, guild-only, and its hash is stable."""
    async with made_bot() as bot:
        await bot.setup_hook()
        await bot.setup_hook()
        translator = bot.tree.translator
        assert translator is not None
        payload = [await command.get_translated_payload(bot.tree, translator) for command in bot.tree.get_commands()]

        assert command_faults(payload) == []
        templates = {"flux", "sd15", "sdxl", "socket", "upscale", "img2img", "inpaint"}
        assert {one["name"] for one in payload if one["type"] == 1} == COMMANDS | templates
        assert {one["name"] for one in payload if one["type"] != 1} == MENUS
        for command in payload:
            assert command["contexts"] == [0]
            assert command["integration_types"] == [0]
            for thing in (command, *command.get("options", [])):
                named = thing["name"] not in templates  # a template's command is called as its owner says
                assert set(thing["name_localizations"]) == ({"ja"} if named else set())
                assert set(thing.get("description_localizations", {})) <= {"ja"}
        assert CATALOGUES["ja"]["commands.imagine.name"] in {one["name_localizations"].get("ja") for one in payload}
        for name, permission in {
            "mod": 1 << 13,
            "words": 1 << 13,
            "settings": 1 << 5,
            "Member record": 1 << 13,
        }.items():
            found = next(one for one in payload if one["name"] == name)
            assert int(found["default_member_permissions"]) == permission
        assert await bot.payload_hash() == await bot.payload_hash()
        await bot.close()


def test_the_client_asks_for_little() -> None:
    """Intent guilds only, no mentions allowed, no messages kept."""
    bot = EaselBot()
    assert bot.intents == discord.Intents(guilds=True)
    assert bot.allowed_mentions is not None
    assert bot.allowed_mentions.to_dict() == {"parse": []}
