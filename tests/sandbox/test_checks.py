"""What Discord refuses of menus, dialogs, nested commands and components v2, the stand-in refuses, too."""

from collections.abc import AsyncGenerator
from typing import Any

import aiohttp
import pytest

from bot.sandbox.discord.checks import command_faults, message_faults, walked
from bot.sandbox.discord.components import Missing, completed
from bot.sandbox.discord.dialogs import dialog_faults, filled
from bot.sandbox.discord.interactions import NotSent
from bot.sandbox.discord.options import choice_faults
from bot.sandbox.discord.picks import Picks
from bot.sandbox.discord.server import serving
from tests.person import Person
from tests.sandbox.test_discord import Bot, button

V2 = 1 << 15
TEXT = {"type": 10, "content": "x"}
MENUS = [
    {"name": "Report picture", "type": 3, "name_localizations": {"ja": "画像を報告"}},
    {"name": "Report picture", "type": 2},
    {"name": "Secret", "type": 2, "default_member_permissions": 8192},
    {"name": "Adults only", "type": 3, "nsfw": True},
]
FIELD = {"type": 4, "custom_id": "w", "style": 1}
DIALOG = {"custom_id": "m", "title": "T", "components": [{"type": 18, "label": "L", "component": FIELD}]}


@pytest.fixture
async def bot() -> AsyncGenerator[Bot]:
    """A hand-held bot with menus."""
    async with serving(enforce_limits=False) as discord, aiohttp.ClientSession() as http:
        made = Bot(discord, http)
        status, kept = await made.call("PUT", f"/applications/{made.world.application_id}/commands", MENUS)
        assert status == 200
        assert len({one["id"] for one in kept}) == len(MENUS)
        yield made


def choices(count: int) -> list[dict[str, Any]]:
    return [{"label": f"Choice {n}", "value": str(n)} for n in range(count)]


def row(*items: dict[str, Any]) -> dict[str, Any]:
    return {"type": 1, "components": list(items)}


def select(options: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return {"type": 3, "custom_id": "s", "options": options, **more}


def gallery(count: int, **more: Any) -> dict[str, Any]:
    return {"type": 12, "items": [{"media": {"url": "attachment://a.png"}, **more}] * count}


def field(**more: Any) -> dict[str, Any]:
    return {"type": 18, "label": "L", "component": {**FIELD, **more}}


@pytest.mark.parametrize(
    "change",
    [
        {"title": "x" * 46},
        {"title": None},
        {"custom_id": ""},
        {"components": []},
        {"components": [field(custom_id=str(n)) for n in range(6)]},
        {"components": [field(), field()]},
        {"components": [field(custom_id="x" * 101)]},
        {"components": [field(type=3, disabled=True)]},
        {"components": [field(type=2)]},
        {"components": [field() | {"label": "x" * 46}]},
        {"components": [field() | {"description": "x" * 101}]},
        {"components": [{"type": 1, "components": [FIELD]}]},
        {"components": [{"type": 1, "components": [{**FIELD, "label": "L"}, {**FIELD, "label": "M"}]}]},
        {"components": [{"type": 1, "components": [{"type": 3, "custom_id": "s"}]}]},
        {"components": [{"type": 10, "content": ""}]},
        {"components": [{"type": 17}]},
        {"components": [{"type": 18, "label": None, "component": FIELD}]},
        {"components": [field(value="x" * 11, max_length=10)]},
        {"components": [field(max_length=4001)]},
        {"components": [field(placeholder="x" * 101)]},
        {"components": [field(type=3, options=[])]},
        {"components": [field(type=3, options=choices(26))]},
        {"components": [field(type=3, options=choices(2) * 2)]},
        {"components": [field(type=19, max_values=11)]},
        {"components": [field(type=21, options=choices(1))]},
        {"components": [field(type=22, options=choices(11))]},
    ],
)
def test_what_a_dialog_may_not_have(change: dict[str, Any]) -> None:
    """Each of Discord's limits on dialogs is a fault; text, labels and classic rows are fine."""
    assert dialog_faults({**DIALOG, **change})
    classic = {"type": 1, "components": [{**FIELD, "custom_id": "v", "label": "L"}]}
    assert not dialog_faults({**DIALOG, "components": [TEXT, field(), classic]})
    kinds: list[dict[str, Any]] = [
        {"type": 3, "options": choices(25)},
        {"type": 19, "min_values": 0, "max_values": 1, "required": False},
        {"type": 21, "options": choices(2)},
        {"type": 22, "options": choices(10)},
        {"type": 23, "default": True},
    ]
    rows = [field(**kind, custom_id=str(at)) for at, kind in enumerate(kinds)]
    assert not dialog_faults({**DIALOG, "components": rows})


@pytest.mark.parametrize(
    "command",
    [
        {"name": "", "type": 3},
        {"name": "x" * 33, "type": 2},
        {"name": "x", "type": 2, "name_localizations": {"ja": "x" * 33}},
        {"name": "x", "type": 3, "description": "words"},
        {"name": "x", "type": 3, "options": [{"name": "a", "description": "d", "type": 3}]},
    ],
)
def test_what_a_menu_may_not_have(command: dict[str, Any]) -> None:
    """Menu commands have a name and nothing else, fifteen of each kind, and may share names across kinds."""
    assert command_faults([command])
    assert command_faults([{"name": f"m{n}", "type": 3} for n in range(16)])
    assert not command_faults(MENUS)


def test_how_deep_commands_go() -> None:
    """Options of subcommands are checked as well; a group in a group is refused."""

    def nested(kinds: list[int], **leaf: Any) -> list[dict[str, Any]]:
        inside = {"name": "leaf", "description": "d", **leaf}
        for kind in reversed(kinds):
            inside = {"name": "sub", "description": "d", "type": kind, "options": [inside]}
        return [{"name": "mod", "description": "d", "options": [inside]}]

    assert not command_faults(nested([2, 1], type=6))
    assert command_faults(nested([2, 1], type=6, name="Not A Name"))
    assert command_faults(nested([2, 2, 1], type=6))
    assert command_faults(nested([2, 1, 1], type=6))


@pytest.mark.parametrize(
    "components",
    [
        [{"type": 99}],
        [{"type": 10, "content": ""}],
        [TEXT] * 41,
        [{"type": 9, "components": [TEXT]}],
        [{"type": 9, "components": [TEXT], "accessory": button(label="")}],
        [{"type": 12, "items": []}],
        [{"type": 17, "components": [{"type": 1, "components": []}]}],
        [{"type": 17, "components": [{"type": 1, "components": [button()]}]}, {"type": 1, "components": [button()]}],
        [{"type": 17, "components": [{"type": 17, "components": [TEXT]}]}],
        [{"type": 17, "components": []}],
        [{"type": 9, "components": [TEXT] * 4, "accessory": button()}],
        [{"type": 9, "components": [row(button())], "accessory": button(custom_id="b")}],
        [{"type": 9, "components": [TEXT], "accessory": TEXT}],
        [{"type": 9, "components": [TEXT], "accessory": {"type": 11, "media": {}}}],
        [{"type": 11, "media": {"url": "attachment://a.png"}}],
        [{"type": 10, "content": "x" * 4001}],
        [{"type": 10, "content": "x" * 2001}, {"type": 17, "components": [{"type": 10, "content": "x" * 2000}]}],
        [gallery(11)],
        [gallery(1, description="x" * 1025)],
        [gallery(1, media={})],
        [{"type": 13, "file": {"url": "https://elsewhere/b.png"}}],
        [row(button(label="x" * 81))],
        [row(button(custom_id="x" * 101))],
        [row(*(button(custom_id=str(n)) for n in range(6)))],
        [row(button(), select(choices(1)))],
        [row(FIELD)],
        [row(select([]))],
        [row(select(choices(26)))],
        [row(select(choices(2) * 2))],
        [row(select([{"label": "", "value": "1"}]))],
        [row(select([{"label": "x" * 101, "value": "1"}]))],
        [row(select(choices(2), placeholder="x" * 151))],
        [row(select(choices(2), min_values=2))],
        [row(select([one | {"default": True} for one in choices(2)]))],
        [*[{"type": 17, "components": [row(button(custom_id=str(n))), TEXT]} for n in range(10)], TEXT],
    ],
)
def test_what_a_layout_may_not_have(components: list[dict[str, Any]]) -> None:
    """Each of Discord's limits on components v2 is a fault."""
    assert message_faults({"flags": V2, "components": components}, [])


def test_what_a_layout_may_just_have() -> None:
    """Right at the limits nothing is a fault: forty components in all, 4000 letters, ten pictures, 25 choices."""
    picture = {"type": 11, "media": {"url": "attachment://a.png"}, "description": "x" * 1024}
    layout: list[dict[str, Any]] = [
        {"type": 17, "components": [{"type": 10, "content": "x" * 3967}, gallery(10, description="x" * 1024)]},
        {"type": 9, "components": [TEXT] * 3, "accessory": picture},
        row(*(button(custom_id=f"b{n}", label="x" * 80) for n in range(5))),
        row(select(choices(25), min_values=0, max_values=25, placeholder="x" * 150)),
        {"type": 13, "file": {"url": "attachment://a.bin"}},
        {"type": 14},
        *[TEXT] * 22,
    ]
    assert sum(1 for _ in walked(layout)) == 40
    assert not message_faults({"flags": V2, "components": layout}, [])
    assert not message_faults({"flags": V2, "components": layout, "content": None, "embeds": []}, [])


@pytest.mark.parametrize(
    "legacy", [{"content": "x"}, {"embeds": [{"title": "x"}]}, {"poll": {"answers": []}}, {"sticker_ids": ["1"]}]
)
async def test_once_a_layout_always_a_layout(bot: Bot, legacy: dict[str, Any]) -> None:
    """Content and its like are refused beside a layout; what was there before must go by name, and never comes back."""
    path, layout = f"/channels/{bot.channel.id}/messages", {"flags": V2, "components": [TEXT]}
    assert (await bot.call("POST", path, {**layout, **legacy}))[1]["code"] == 50035
    _, posted = await bot.call("POST", path, {"content": "old", "embeds": [{"title": "old"}]})
    mine = f"{path}/{posted['id']}"
    assert (await bot.call("PATCH", mine, layout))[1]["code"] == 50035
    assert (await bot.call("PATCH", mine, {**layout, "content": None}))[1]["code"] == 50035
    status, now = await bot.call("PATCH", mine, {**layout, "content": None, "embeds": []})
    assert (status, now["content"], now["embeds"], now["flags"] & V2) == (200, "", [], V2)
    assert (await bot.call("PATCH", mine, {"flags": 0, "content": None}))[1]["flags"] & V2
    assert (await bot.call("PATCH", mine, {"flags": 0, **legacy}))[1]["code"] == 50035


async def test_files_that_a_layout_names(bot: Bot) -> None:
    """A layout shows files that its message has; one that names another is refused, and so is what weighs too much."""
    path = f"/channels/{bot.channel.id}/messages"
    status, body = await bot.call("POST", path, {"flags": V2, "components": [gallery(1)]})
    assert (status, body["code"]) == (400, 50035)
    assert "REFERENCED_ATTACHMENT_NOT_FOUND" in str(body["errors"])
    body = {"flags": V2, "components": [{"type": 10, "content": "狐" * 3386}]}
    assert (await bot.call("POST", path, body))[0] == 200
    body = {"flags": V2, "components": [{"type": 10, "content": "狐" * 3387}]}
    assert (await bot.call("POST", path, body))[0] == 500


async def test_only_what_is_offered_is_chosen(bot: Bot) -> None:
    """A select sends one of its own values; others, too many and none are not sent."""
    path = f"/channels/{bot.channel.id}/messages"
    _, posted = await bot.call("POST", path, {"flags": V2, "components": [row(select(choices(3), max_values=2))]})
    message, people = bot.world.messages[posted["id"]], bot.discord.people
    for values in (["9"], ["0", "1", "2"], []):
        with pytest.raises(NotSent):
            await people.click(bot.max, message, "s", values)
    sent = await people.click(bot.max, message, "s", ["0", "Choice 2"])
    assert sent.payload["values"] == ["0", "2"]


def test_a_layout_is_completed() -> None:
    """Components get ids, defaults and their files; a file that the message lacks is missing."""
    kept = {"id": "7", "filename": "a.png", "url": "http://x/a.png", "size": 3, "width": 2, "height": 1}
    media = {"url": "attachment://a.png"}
    layout: list[dict[str, Any]] = [
        {"type": 13, "file": media},
        {"type": 14},
        {"type": 17, "components": [TEXT]},
        {"type": 9, "components": [TEXT], "accessory": {"type": 11, "media": {"url": "http://x/a.png"}}},
        {"type": 12, "items": [{"media": {"url": "https://elsewhere/b.png"}}]},
        {"type": 1, "components": [{"type": 5, "custom_id": "u"}, {"type": 2, "style": 1, "label": None}]},
    ]
    file, line, box, section, gallery, row = completed(layout, [kept])
    assert (file["name"], file["size"], file["file"]["attachment_id"], file["spoiler"]) == ("a.png", 3, "7", False)
    assert (line["divider"], line["spacing"], box["accent_color"]) == (True, 1, None)
    assert section["accessory"]["media"]["width"] == 2
    assert gallery["items"][0] == {
        "media": {"id": "1", "url": "https://elsewhere/b.png", "proxy_url": "https://elsewhere/b.png"},
        "description": None,
        "spoiler": False,
    }
    assert [one["id"] for one in (*row["components"], row)] == [10, 11, 9]
    assert row["components"][0]["max_values"] == 1
    with pytest.raises(Missing):
        completed(layout, [])


async def test_menus_are_offered_by_rights_and_place(bot: Bot) -> None:
    """Permissions and age restrictions hide menus as they hide slash commands; each is for its own kind of target."""
    max_, mina = Person(bot.discord, "max"), Person(bot.discord, "mina")
    assert max_.menus() == {"Report picture"}
    assert mina.menus() == {"Report picture", "Secret"}
    assert Person(bot.discord, "max", "foxes-18").menus() == {"Report picture", "Adults only"}
    message, people = max_.writes("hello"), bot.discord.people
    of_message, of_user = people.menus_for(max_.person, max_.channel)
    assert (of_message["type"], of_user["type"], of_message["description"]) == (3, 2, "")
    for command, target in ((of_user, message), (of_message, mina.person)):
        with pytest.raises(NotSent, match="does not offer"):
            await people.menu(max_.person, max_.channel, command, target)
    elsewhere = bot.world.channel_named("foxes")
    with pytest.raises(NotSent, match="does not offer"):
        await people.menu(max_.person, elsewhere, of_message, message)
    stranger = bot.world.person_named("rival")
    sent = await people.menu(max_.person, max_.channel, of_user, stranger)
    assert set(sent.payload["resolved"]) == {"users"}
    sent = await people.menu(max_.person, max_.channel, of_user, bot.world.bot)
    assert sent.payload["resolved"]["users"][bot.world.bot.id]["bot"] is True
    assert set(sent.payload["resolved"]["members"][bot.world.bot.id]) & {"user", "deaf", "mute"} == set()
    assert "permissions" in sent.payload["resolved"]["members"][bot.world.bot.id]


async def test_what_may_answer_what(bot: Bot) -> None:
    """A dialog opens no dialog, nothing is updated where nothing was clicked, and wrong dialogs are refused."""
    max_, people = Person(bot.discord, "max"), bot.discord.people
    command = people.menus_for(max_.person, max_.channel)[0]
    one = await people.menu(max_.person, max_.channel, command, max_.writes("hello"))
    with pytest.raises(NotSent, match="No dialog"):
        await people.submit(one, {})
    for kind, data in ((6, None), (7, {"content": "x"}), (8, {"choices": []}), (9, {**DIALOG, "title": ""})):
        status, body = await bot.ack(one, kind, data)
        assert (status, body["code"]) == (400, 50035)
    assert (await bot.ack(one, 9, DIALOG))[0] == 200
    sent = await people.submit(one, {"L": "words"})
    assert sent.payload["components"][0]["component"]["value"] == "words"
    assert (await bot.ack(sent, 9, DIALOG))[1]["code"] == 50035
    assert (await bot.ack(sent, 7, {"content": "x"}))[1]["code"] == 50035
    assert (await bot.ack(sent, 4, {"content": "done"}))[0] == 200
    assert bot.world.messages[str(sent.original)].type == 23


@pytest.mark.parametrize(
    "offered",
    [
        [{"name": "x", "value": "x"}] * 26,
        [{"name": "", "value": "x"}],
        [{"name": "x" * 101, "value": "x"}],
        [{"name": "x", "value": ""}],
        [{"name": "x", "value": "x" * 101}],
    ],
)
def test_what_autocomplete_may_not_offer(offered: list[dict[str, Any]]) -> None:
    """At most 25 choices, with names and texts of 1 to 100 characters."""
    assert choice_faults({"choices": offered})
    assert not choice_faults({"choices": [{"name": "x" * 100, "value": "x" * 100}, {"name": "n", "value": 5}]})
    assert not choice_faults({})


async def test_a_card_in_the_channel_is_changed_by_its_button(bot: Bot) -> None:
    """A message that the bot posted by itself is @original of a click on it, of a dialog below, and stays a source."""
    review = bot.world.channel_named("review")
    row = [{"type": 1, "components": [button(custom_id="take")]}]
    _, posted = await bot.call("POST", f"/channels/{review.id}/messages", {"content": "card", "components": row})
    message, mina = bot.world.messages[posted["id"]], Person(bot.discord, "mina", "review")
    click = await bot.discord.people.click(mina.person, message, "take", [])
    await bot.ack(click, 6)
    assert (await bot.call("PATCH", bot.hook(click), {"content": "taken"}))[1]["content"] == "taken"
    asked = await bot.discord.people.click(mina.person, message, "take", [])
    await bot.ack(asked, 9, DIALOG)
    sent = await mina._people.submit(asked, {"w": "x"})
    assert sent.source is message
    await bot.ack(sent, 7, {"content": "noted", "components": []})
    assert (message.content, message.components) == ("noted", [])
    with pytest.raises(NotSent, match="do not see"):
        await bot.discord.people.click(bot.max, message, "take", [])


async def test_other_peoples_messages(bot: Bot) -> None:
    """The bot removes what others said only with MANAGE_MESSAGES, and never changes it."""
    message = Person(bot.discord, "max").writes("rude")
    path = f"/channels/{message.channel_id}/messages/{message.id}"
    assert (await bot.call("DELETE", path))[1]["code"] == 50013
    bot.world.bot.permissions |= type(bot.world.bot.permissions).MANAGE_MESSAGES
    assert (await bot.call("PATCH", path, {"content": "kind"}))[1]["code"] == 50005
    assert (await bot.call("DELETE", path))[0] == 204
    assert message.deleted
    assert not bot.world.sees(bot.world.bot, bot.world.channel_named("moderators"))
    assert (await bot.call("GET", "/guilds/1/auto-moderation/rules"))[1]["code"] == 10004


async def test_fields_of_boxes_and_defaults(bot: Bot) -> None:
    """Radio buttons, boxes and what a dialog has filled in before are sent as Discord's client sends them."""
    options = [{"label": "One", "value": "1", "default": True}, {"label": "Two", "value": "2"}]
    rows = [
        field(value="before"),
        {"type": 18, "label": "R", "component": {"type": 21, "custom_id": "r", "options": options}},
        {"type": 18, "label": "B", "component": {"type": 22, "custom_id": "b", "options": options}},
        {"type": 18, "label": "C", "component": {"type": 23, "custom_id": "c", "default": True}},
        {
            "type": 18,
            "label": "U",
            "component": {"type": 5, "custom_id": "u", "default_values": [{"id": bot.max.id, "type": "user"}]},
        },
        TEXT,
    ]
    picks = Picks(bot.world, bot.max, bot.channel)
    sent = [row.get("component", {}) for row in filled({**DIALOG, "components": rows}, {"b": ["One", "2"]}, picks)]
    assert [one.get("value", one.get("values")) for one in sent] == [
        "before",
        "1",
        ["1", "2"],
        True,
        [bot.max.id],
        None,
    ]
    assert picks.data()["resolved"]["members"][bot.max.id]["roles"] == []
    sent = filled({**DIALOG, "components": rows}, {"w": "x", "R": "Two", "c": "false"}, picks)
    assert [row["component"]["value"] for row in (sent[0], sent[1], sent[3])] == ["x", "2", False]
    with pytest.raises(NotSent, match="required"):
        filled({**DIALOG, "components": rows}, {"r": ""}, picks)
