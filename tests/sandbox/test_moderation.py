"""What moderators do, played by people at the stand-in and understood by the real discord.py."""

import io
import json
from collections.abc import AsyncGenerator
from typing import Any

import discord
import pytest
from discord import app_commands
from PIL import Image

from bot.sandbox.discord.interactions import NotSent
from bot.sandbox.discord.server import Discord, serving
from tests.conftest import SHARED, eventually
from tests.person import Person, at_rest
from tests.sandbox.clerk import Clerk, clerk_at
from tests.sandbox.test_contracts import complaints


@pytest.fixture
async def world() -> AsyncGenerator[Discord]:
    """A stand-in alone, whose whole traffic has to fit Discord's OpenAPI file."""
    async with serving(enforce_limits=False) as standin:
        yield standin
        assert standin.world.unknown_routes == []
        if SHARED.joinpath("discord").exists():
            assert complaints(standin.world) == []


@pytest.fixture
async def clerk(world: Discord, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Clerk]:
    """A moderating bot on discord.py."""
    async with clerk_at(world, monkeypatch) as running:
        yield running


def png(colour: str = "red") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (8, 6), colour).save(out, "PNG")
    return out.getvalue()


async def test_people_channels_and_roles_are_options(world: Discord, clerk: Clerk) -> None:
    """Ids, mentions and names of each kind become members, channels, threads and roles of discord.py."""
    mina, max_ = Person(world, "mina"), Person(world, "max")
    review = world.world.channel_named("review")
    await mina.says("pick", user="max", channel="#review", role="@moderators", anyone=max_.person.id, thread="foxes")
    user, channel, role, anyone, thread = clerk.heard
    assert isinstance(user, discord.Member)
    assert (user.name, user.global_name, user.resolved_permissions and user.resolved_permissions.attach_files) == (
        "max", "Max", True,
    )  # fmt: skip
    assert isinstance(channel, discord.TextChannel)
    assert (channel.id, channel.name) == (int(review.id), "review")
    assert (role.id, role.permissions.manage_messages) == (int(world.world.mod_role), True)
    assert anyone == user
    assert isinstance(thread, app_commands.AppCommandThread)
    assert thread.parent == clerk.get_channel(int(world.world.channel_named("pictures").id))
    clerk.heard.clear()
    for text, role in ((f"<@&{world.world.mod_role}>", "everyone"), ("@easel", f"<@&{world.world.mod_role}>")):
        await mina.says("pick", user=f"<@!{max_.person.id}>", channel=f"<#{review.id}>", role=role, anyone=text)
    assert isinstance(clerk.heard[3], discord.Role)
    assert clerk.heard[2].is_default()
    assert clerk.heard[8].bot


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"user": "rival"}, "no person 'rival'"),
        ({"user": "nobody"}, "no person"),
        ({"channel": "review"}, "no channel"),
        ({"channel": "foxes"}, "no channel"),
        ({"role": "max"}, "no role"),
        ({"anyone": "pictures"}, "no person or role"),
        ({"user": ""}, "required"),
    ],
)
async def test_what_nobody_can_pick(world: Discord, clerk: Clerk, wrong: dict[str, str], words: str) -> None:
    """Strangers, hidden channels, threads where a channel is wanted and missing things are not sent."""
    given = {"user": "max", "channel": "pictures", "role": "moderators", "anyone": "max", **wrong}
    with pytest.raises(NotSent, match=words):
        await Person(world, "max").says("pick", **given)
    assert clerk.heard == []


async def test_subcommands_of_two_levels(world: Discord, clerk: Clerk) -> None:
    """`/mod ban` and `/words block add` work by name, as a line in two languages, and while typing."""
    mina = Person(world, "mina")
    assert {"mod ban", "words block add"} <= mina.offered()
    assert "mod ban" not in Person(world, "max").offered()
    stranger = world.world.person_named("rival")
    reply = mina.reply(await mina.says("mod ban", member=stranger.id, reason="spam"))
    assert (reply.content, reply.only_for) == ("banned rival", mina.person.id)
    assert (type(clerk.heard[0]), clerk.heard[1]) == (discord.User, "spam")
    assert [one["value"] for one in await mina.types("words block add", "word", "x")] == ["xa", "xb"]
    assert clerk.heard[2] == "words block add"
    for line in ("/words block add word:one two", "/mod ban member:@max reason:x y"):
        command, options = world.people.read_line(line, mina.person, mina.channel)
        await world.people.acknowledged(await world.people.slash(mina.person, mina.channel, command, options))
    assert clerk.heard[3] == "one two"
    assert (clerk.heard[4].name, clerk.heard[5]) == ("max", "x y")
    japanese = world.world.person_named("haruka")
    japanese.permissions |= mina.person.permissions
    command, options = world.people.read_line("/管理 禁止 member:max", japanese, mina.channel)
    assert (command["path"], options) == (["mod", "ban"], {"member": "max"})


async def test_a_message_is_reported(world: Discord, clerk: Clerk) -> None:
    """A menu command gets the message with its files, which the bot can read; its dialog has fields of every kind."""
    max_, haruka = Person(world, "max"), Person(world, "haruka")
    message = max_.writes("look", max_.brings(png()))
    opened = await haruka.uses("画像を報告", message)
    heard = clerk.heard.pop()
    assert isinstance(heard, discord.Message)
    assert (heard.id, heard.content, heard.author.name) == (int(message.id), "look", "max")
    assert heard.guild == clerk.get_guild(int(world.world.guild_id))
    assert await heard.attachments[0].read() == png()
    assert haruka.dialog(opened)["title"] == "Report"
    sent = await haruka.fills(
        opened, {"Why": "blood", "kind": "Gore", "who": ["max"], "proof": [haruka.brings(b"proof", "proof.txt")]}
    )
    reply = await haruka.until(at_rest, sent)
    assert (reply.content, reply.only_for) == ("reported", haruka.person.id)
    why, kind, who, proof = clerk.heard
    assert (why, kind, [one.name for one in who]) == ("blood", ["g"], ["max"])
    assert await proof[0].read() == b"proof"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"kind": "g"}, "Why: this field is required"),
        ({"why": "x" * 21, "kind": "g"}, "0 to 20 characters"),
        ({"why": "x"}, "Kind: this field is required"),
        ({"why": "x", "kind": "?"}, "not one of the list"),
        ({"why": "x", "kind": "g", "who": ["max", "noa"]}, "0 to 1 are wanted|1 to 1 are wanted"),
        ({"why": "x", "kind": "g", "proof": "1"}, "no such file"),
        ({"why": "x", "kind": "g", "other": "1"}, "no field other"),
    ],
)
async def test_a_dialog_is_checked_before_it_is_sent(
    world: Discord, clerk: Clerk, fields: dict[str, Any], words: str
) -> None:
    """What Discord's client would not submit is not sent, and the person is told why."""
    max_ = Person(world, "max")
    opened = await max_.uses("Report picture", max_.writes("mine"))
    with pytest.raises(NotSent, match=words):
        await max_.fills(opened, fields)
    assert len(clerk.heard) == 1


async def test_a_person_has_a_record(world: Discord, clerk: Clerk) -> None:
    """A menu command on a person is offered to moderators only; a dialog of its card's button changes the card."""
    mina, max_ = Person(world, "mina"), Person(world, "max")
    assert max_.menus() == {"Report picture"}
    assert mina.menus() == {"Report picture", "Member record"}
    shown = await mina.uses("Member record", max_)
    assert isinstance(clerk.heard[0], discord.Member)
    assert clerk.heard.pop().joined_at is not None
    card = mina.reply(shown)
    assert (card.content, card.only_for, card.type) == ("record of max", mina.person.id, 23)
    with pytest.raises(NotSent, match="do not see"):
        await max_.presses(card, "note")
    changed = await mina.fills(await mina.presses(card, "note"), {"Note": "two lines\nof words"})
    assert mina.reply(changed) is card
    assert card.content == "record of max: two lines\nof words"
    chosen = await mina.chooses(card, "watcher", "max", "olive")
    await mina.until(lambda one: one.content == "watched", chosen)
    assert sorted(one.name for one in clerk.heard) == ["max", "olive"]


async def test_a_card_of_components_v2(world: Discord, clerk: Clerk) -> None:
    """Containers, sections and galleries are kept complete, with the veiled file in the place of its reference."""
    path = io.BytesIO(png())
    clerk.heard.append(path)
    max_ = Person(world, "max")
    message = max_.reply(await max_.says("sort"))
    container = message.components[0]
    gallery = container["components"][2]["items"][0]
    assert gallery["spoiler"] is True
    assert gallery["media"]["url"] == message.attachments[0]["url"]
    assert message.attachments[0]["filename"] == "SPOILER_a.png"
    opened = await Person(world, "noa").uses("Report picture", message)
    assert opened.payload["resolved"]["messages"][message.id]["components"] == message.components
    assert clerk.heard[0].components[0].children[0].content == "whole"


async def test_threads_have_their_channels_age(world: Discord, clerk: Clerk) -> None:
    """Threads are in GUILD_CREATE below their channel, and what is said in one reaches the bot as from there."""
    for name, restricted in (("foxes", False), ("foxes-18", True)):
        noa = Person(world, "noa", name)
        await noa.uses("Report picture", noa.writes("hello"))
        thread = clerk.heard.pop().channel
        assert isinstance(thread, discord.Thread)
        assert thread.parent is not None
        assert (thread.name, thread.is_nsfw(), thread.parent.is_nsfw()) == (name, restricted, restricted)


async def test_private_channels(world: Discord, clerk: Clerk) -> None:
    """Review and reports are for moderators and the bot, moderators' for moderators only, by both sides' reckoning."""
    guild = clerk.get_guild(int(world.world.guild_id))
    assert guild is not None
    everyone, mod = guild.default_role, guild.get_role(int(world.world.mod_role))
    assert mod is not None
    for name, bot_sees in (("review", True), ("reports", True), ("moderators", False)):
        known = world.world.channel_named(name)
        seeing = [one.name for one in world.world.people.values() if world.world.sees(one, known)]
        assert seeing == ["mina", "olive"]
        channel = guild.get_channel(int(known.id))
        assert isinstance(channel, discord.TextChannel)
        assert channel.permissions_for(guild.me).view_channel is bot_sees
        assert channel.permissions_for(mod).view_channel
        assert not channel.permissions_for(everyone).view_channel
        if bot_sees:
            sent = await channel.send("a card")
            assert (await channel.fetch_message(sent.id)).content == "a card"
        else:
            with pytest.raises(discord.Forbidden):
                await channel.send("psst")


async def test_how_old_accounts_are(world: Discord, clerk: Clerk) -> None:
    """Everybody's account is years old but the newcomer's, of an hour ago, who joined minutes ago."""
    mina = Person(world, "mina")
    for name in ("max", "noa"):
        await mina.uses("Member record", Person(world, name))
    (old, new), now = clerk.heard, discord.utils.utcnow()
    assert (now - old.created_at).days > 365
    assert (now - old.joined_at).days > 365
    assert 3500 < (now - new.created_at).total_seconds() < 3800
    assert (now - new.joined_at).total_seconds() < 900
    assert len({int(one) for one in world.world.people}) == len(world.world.people)


async def test_rules_of_automod(world: Discord, clerk: Clerk) -> None:
    """A bot that may manage the guild reads its rules; one that may not is refused with 50013."""
    guild = clerk.get_guild(int(world.world.guild_id))
    assert guild is not None
    assert guild.me.guild_permissions.manage_guild
    words, lists = await guild.fetch_automod_rules()
    assert words.trigger.keyword_filter == ["badword", "*wildcard*"]
    assert words.trigger.allow_list
    assert lists.trigger.presets is not None
    neighbours = clerk.get_guild(int(world.world.guild_named("Neighbours").id))
    assert neighbours is not None
    assert await neighbours.fetch_automod_rules() == []
    world.world.bot.permissions &= ~type(world.world.bot.permissions).MANAGE_GUILD
    with pytest.raises(discord.Forbidden) as refused:
        await guild.fetch_automod_rules()
    assert refused.value.code == 50013


async def test_closed_direct_messages(world: Discord, clerk: Clerk) -> None:
    """Who takes no direct messages is not written to, with 50007; a button in an open one has no guild."""
    await Person(world, "mina").uses("Member record", Person(world, "max"))
    max_ = clerk.heard.pop()
    sent = await max_.send("hello", view=discord.ui.View().add_item(discord.ui.Button(label="Ask", custom_id="ask")))
    clicked: list[discord.Interaction[Any]] = []

    async def hear(interaction: discord.Interaction[Any]) -> None:
        clicked.append(interaction)
        await interaction.response.send_message("yes")

    clerk.on_interaction = hear  # pyright: ignore[reportAttributeAccessIssue]
    direct = world.world.direct_channel(world.world.person_named("max"))
    person = Person(world, "max", direct.name)
    answer = await person.presses(world.world.messages[str(sent.id)], "ask")
    await eventually(lambda: len(clicked) == 1, "not clicked")
    assert (clicked[0].guild_id, clicked[0].user.name, person.reply(answer).content) == (None, "max", "yes")
    assert person.offered() == person.menus() == set()
    world.world.closed_direct.add(str(max_.id))
    with pytest.raises(discord.Forbidden) as refused:
        await max_.send("hello?")
    assert refused.value.code == 50007


async def test_the_neighbours(world: Discord, clerk: Clerk) -> None:
    """A second guild has its own people, channels and roles; who is in both is an ordinary member in both."""
    home, there = clerk.guilds
    assert (home.id, there.name) == (int(world.world.guild_id), "Neighbours")
    regent = Person(world, "regent", "garden")
    assert {"mod ban", "words block add"} <= regent.offered()
    await regent.uses("Member record", Person(world, "max"))
    member = clerk.heard.pop()
    assert (member.guild, member.name) == (there, "max")
    opened = await Person(world, "max", "garden").uses("Report picture", regent.writes("hello"))
    assert clerk.heard.pop().guild == there
    metadata = json.dumps((await Person(world, "max", "garden").fills(opened, {"why": "x", "kind": "g"})).payload)
    assert world.world.guild_id not in metadata
    seeing = [one.name for one in world.world.people.values() if world.world.sees(one, regent.channel)]
    assert seeing == ["max", "rival", "regent"]
    private = world.world.channel_named("garden-review")
    assert [one.name for one in world.world.people.values() if world.world.sees(one, private)] == ["regent"]
    for name in ("rival", "regent"):
        assert Person(world, name, "pictures").offered() == set()
    assert Person(world, "mina", "garden").offered() == set()


async def test_who_and_what_can_be_fetched(world: Discord, clerk: Clerk) -> None:
    """Users, members and channels are fetched by id, each with Discord's code where there is none."""
    home, there = clerk.guilds
    max_, rival = (int(world.world.person_named(name).id) for name in ("max", "rival"))
    assert (await clerk.fetch_user(rival)).name == "rival"
    assert (await home.fetch_member(max_)).id == (await there.fetch_member(max_)).id
    for name in ("pictures", "foxes", world.world.direct_channel(world.world.person_named("max")).name):
        found = world.world.channel_named(name)
        assert (await clerk.fetch_channel(int(found.id))).id == int(found.id)
    for fetched, code in ((home.fetch_member(rival), 10007), (clerk.fetch_user(1), 10013)):
        with pytest.raises(discord.NotFound) as missing:
            await fetched
        assert missing.value.code == code
