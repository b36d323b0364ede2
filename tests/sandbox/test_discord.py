"""The stand-in Discord enforces what Discord enforces, with Discord's codes."""

import asyncio
import json
from collections.abc import AsyncGenerator
from typing import Any

import aiohttp
import pytest

from bot.sandbox.discord.checks import command_faults, message_faults, pings
from bot.sandbox.discord.faults import Buckets
from bot.sandbox.discord.interactions import NotSent
from bot.sandbox.discord.server import Discord, serving
from bot.sandbox.discord.world import Interaction

COMMAND = {
    "name": "draw",
    "description": "d",
    "options": [
        {"name": "what", "description": "d", "type": 3, "required": True, "max_length": 5},
        {"name": "many", "description": "d", "type": 4, "min_value": 1, "max_value": 3},
        {"name": "how", "description": "d", "type": 3, "choices": [{"name": "Fine", "value": "f"}]},
        {"name": "yes", "description": "d", "type": 5},
        {"name": "file", "description": "d", "type": 11},
    ],
}


class Bot:
    """A hand-held bot: raw calls, so that every wrong one can be made."""

    def __init__(self, discord: Discord, http: aiohttp.ClientSession) -> None:
        self.discord, self.http, self.world = discord, http, discord.world
        self.max = self.world.person_named("max")
        self.channel = self.world.channel_named("pictures")

    async def call(self, method: str, path: str, body: Any = None, *, token: bool = True, **kw: Any) -> tuple[int, Any]:
        headers = {"Authorization": f"Bot {self.world.token}"} if token else {}
        async with self.http.request(
            method, f"{self.discord.url}/api/v10{path}", json=body, headers=headers, **kw
        ) as reply:
            text = await reply.text()
            return reply.status, json.loads(text) if text else None

    async def slash(self, **options: Any) -> Interaction:
        command = next(one for one in self.world.commands if one["name"] == "draw")
        return await self.discord.people.slash(self.max, self.channel, command, {"what": "x", **options})

    async def ack(self, one: Interaction, kind: int = 5, data: Any = None) -> tuple[int, Any]:
        body = {"type": kind} | ({"data": data} if data else {})
        return await self.call(
            "POST", f"/interactions/{one.id}/{one.token}/callback?with_response=1", body, token=False
        )

    def hook(self, one: Interaction, rest: str = "/messages/@original") -> str:
        return f"/webhooks/{self.world.application_id}/{one.token}{rest}"


@pytest.fixture
async def bot() -> AsyncGenerator[Bot]:
    async with serving(enforce_limits=False) as discord, aiohttp.ClientSession() as http:
        made = Bot(discord, http)
        status, _ = await made.call("PUT", f"/applications/{made.world.application_id}/commands", [COMMAND])
        assert status == 200
        yield made


async def test_deadlines_and_double_answers(bot: Bot) -> None:
    """10062 after 3 s and for a wrong token, 40060 the second time, 10015 before the first, 50027 after 15 minutes."""
    late = await bot.slash()
    bot.world.offset_s = 4
    assert (await bot.ack(late))[1]["code"] == 10062
    bot.world.offset_s = 0
    one = await bot.slash()
    assert (await bot.call("PATCH", bot.hook(one), {"content": "x"}))[1]["code"] == 10015
    assert (await bot.call("POST", f"/interactions/{one.id}/wrong/callback", {"type": 5}))[1]["code"] == 10062
    status, body = await bot.ack(one)
    assert status == 200
    assert body["interaction"]["response_message_id"] == one.original
    assert (await bot.ack(one))[1]["code"] == 40060
    assert (await bot.call("PATCH", bot.hook(one), {"content": "x"}))[0] == 200
    bot.world.offset_s = 15 * 60 + 1
    assert await bot.call("PATCH", bot.hook(one), {"content": "x"}) == (
        401,
        {"message": "Invalid Webhook Token", "code": 50027},
    )


async def test_the_bots_token_is_wanted(bot: Bot) -> None:
    """Without the token the bot's routes are 401; interaction routes need none."""
    assert (await bot.call("GET", "/users/@me", token=False))[0] == 401
    assert (await bot.call("GET", "/users/@me"))[0] == 200


async def test_messages_are_checked(bot: Bot) -> None:
    """Empty, too long and too large messages have Discord's codes; a missing one is 10008; rules of channels hold."""
    one = await bot.slash()
    await bot.ack(one)
    assert (await bot.call("PATCH", bot.hook(one), {"content": ""}))[1]["code"] == 50006
    status, body = await bot.call("PATCH", bot.hook(one), {"content": "x" * 2001})
    assert (status, body["code"]) == (400, 50035)
    assert body["errors"]["content"]["_errors"][0]["code"] == "BASE_TYPE_BAD_LENGTH"
    bot.world.upload_limit = 10
    form = aiohttp.FormData()
    form.add_field("payload_json", json.dumps({"content": "x", "attachments": [{"id": 0}]}))
    form.add_field("files[0]", b"y" * 11, filename="a.png")
    async with bot.http.patch(f"{bot.discord.url}/api/v10{bot.hook(one)}", data=form) as reply:
        assert (reply.status, (await reply.json())["code"]) == (413, 40005)
    assert (await bot.call("PATCH", bot.hook(one, "/messages/1"), {"content": "x"}))[1]["code"] == 10008
    assert (await bot.call("DELETE", bot.hook(one)))[0] == 204
    assert (await bot.call("GET", bot.hook(one)))[1]["code"] == 10008
    moderators = bot.world.channel_named("moderators").id
    assert (await bot.call("POST", f"/channels/{moderators}/messages", {"content": "x"}))[1]["code"] == 50001
    assert (await bot.call("POST", "/channels/1/messages", {"content": "x"}))[1]["code"] == 10003


async def test_ephemeral_replies_are_not_in_the_channel(bot: Bot) -> None:
    """The channel's routes do not know an ephemeral reply; what the bot posts there can be edited and removed."""
    one = await bot.slash()
    await bot.ack(one, 4, {"content": "psst", "flags": 64})
    path = f"/channels/{one.channel_id}/messages"
    assert (await bot.call("GET", f"{path}/{one.original}"))[1]["code"] == 10008
    _, message = await bot.call("POST", path, {"content": "hello"})
    assert (await bot.call("PATCH", f"{path}/{message['id']}", {"content": "hi"}))[1]["content"] == "hi"
    assert (await bot.call("GET", f"{path}/{message['id']}"))[1]["edited_timestamp"]
    assert (await bot.call("DELETE", f"{path}/{message['id']}"))[0] == 204
    _, further = await bot.call("POST", bot.hook(one, ""), {"content": "more", "flags": 64})
    assert further["flags"] & 64
    own = await bot.discord.people.slash(bot.max, bot.channel, bot.world.commands[0], {"what": "y"})
    assert (await bot.ack(own, 6))[1]["code"] == 50035


async def test_unknown_routes_are_loud(bot: Bot) -> None:
    """A route the stand-in does not have is 404 and is counted."""
    assert (await bot.call("GET", "/voice/regions"))[0] == 404
    assert bot.world.unknown_routes == ["GET /api/v10/voice/regions"]


async def test_rate_limits_come_with_via() -> None:
    """The sixth call of a token within two seconds is a 429 with Via, Retry-After and the bucket's headers."""
    async with serving() as discord, aiohttp.ClientSession() as http:
        bot = Bot(discord, http)
        for _ in range(5):
            await bot.call("GET", "/webhooks/1/x/messages/@original")
        async with http.get(f"{discord.url}/api/v10/webhooks/1/x/messages/@original") as reply:
            assert reply.status == 429
            assert reply.headers["Via"]
            assert reply.headers["X-RateLimit-Remaining"] == "0"
            assert float(reply.headers["Retry-After"]) <= 2
            assert (await reply.json())["retry_after"] <= 2
    free = Buckets(enforced=False)
    assert all(free.take("b")[1] is None for _ in range(20))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"what": ""}, "required"),
        ({"what": "123456"}, "characters"),
        ({"many": "7"}, "from 1 to 3"),
        ({"many": "x"}, "number"),
        ({"how": "coarse"}, "one of the list"),
        ({"file": "1"}, "no such file"),
        ({"other": "1"}, "no option"),
    ],
)
async def test_the_client_checks_options(bot: Bot, options: dict[str, str], words: str) -> None:
    """What Discord's own client would not send is not sent, and the person is told why."""
    with pytest.raises(NotSent, match=words):
        await bot.slash(**options)


async def test_options_have_their_types(bot: Bot) -> None:
    """Numbers, truth, choices and files reach the bot typed, with files resolved."""
    bot.world.files["77"] = ("cat.png", b"png")
    one = await bot.slash(many="2", how="Fine", yes="true", file="77")
    values = {option["name"]: option["value"] for option in one.payload["options"]}
    assert values == {"what": "x", "many": 2, "how": "f", "yes": True, "file": "77"}
    assert one.payload["resolved"]["attachments"]["77"]["filename"] == "cat.png"
    read = bot.discord.people.read_line("/draw what:a b many:2", bot.max, bot.channel)
    assert read[1] == {"what": "a b", "many": "2"}
    for line in ("draw", "", "/nothing x", "/draw hello"):
        with pytest.raises(NotSent):
            bot.discord.people.read_line(line, bot.max, bot.channel)


async def test_dialogs_and_updates(bot: Bot) -> None:
    """A dialog is shown to its person alone and its fields come back; a click may change its own message."""
    told: list[Any] = []
    bot.world.listeners.append(lambda event, data, only: told.append((event, data, only)))
    one = await bot.slash()
    rows = [{"type": 18, "label": "Words", "component": {"type": 4, "custom_id": "w", "style": 1}}]
    old_rows = [{"type": 1, "components": [{"type": 4, "custom_id": "v", "style": 1, "label": "L"}]}]
    assert (await bot.ack(one, 9, {"custom_id": "m", "title": "T", "components": rows + old_rows}))[0] == 200
    assert [only for event, _, only in told if event == "MODAL"] == [bot.max.id]
    sent = await bot.discord.people.submit(one, {"w": "hello", "v": "old"})
    assert sent.payload["components"][0]["component"]["value"] == "hello"
    assert sent.payload["components"][1]["components"][0]["value"] == "old"
    button = [{"type": 1, "components": [{"type": 2, "style": 1, "label": "B", "custom_id": "b"}]}]
    await bot.ack(sent, 4, {"content": "card", "components": button})
    assert sent.original is not None
    message = bot.world.messages[sent.original]
    click = await bot.discord.people.click(bot.max, message, "b", [])
    await bot.ack(click, 7, {"content": "changed"})
    assert message.content == "changed"
    with pytest.raises(NotSent):
        await bot.discord.people.click(bot.max, message, "c", [])


async def test_nobody_answers(bot: Bot, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an acknowledgement the person is told after the deadline, and autocomplete gives nothing."""
    monkeypatch.setattr("bot.sandbox.discord.interactions.ACK_S", 0.05)
    failed = asyncio.Event()
    bot.world.listeners.append(lambda event, _data, _only: failed.set() if event == "INTERACTION_FAILED" else None)
    await bot.slash()
    await asyncio.wait_for(failed.wait(), 5)
    assert await bot.discord.people.complete(bot.max, bot.channel, bot.world.commands[0], {}, "what") == []


def test_whom_a_text_pings() -> None:
    """Pings follow allowed_mentions; without them an interaction's message pings users, a channel's everybody."""
    text = "@everyone <@123>"
    assert pings(text, {"parse": []}, webhook=True) == []
    assert pings(text, None, webhook=True) == ["123"]
    assert pings(text, None, webhook=False) == ["everyone", "123"]
    assert pings(text, {"parse": [], "users": ["123"]}, webhook=True) == ["123"]


def button(**more: Any) -> dict[str, Any]:
    return {"type": 2, "style": 1, "label": "x", "custom_id": "a", **more}


@pytest.mark.parametrize(
    "body",
    [
        {"components": [{"type": 1, "components": [button() for _ in range(2)]}]},
        {"components": [{"type": 1, "components": [button(custom_id=str(n)) for n in range(6)]}]},
        {"components": [{"type": 1, "components": []}]},
        {"components": [{"type": 2}]},
        {"components": [{"type": 1, "components": [button(custom_id=f"{row}")]} for row in range(6)]},
        {"components": [{"type": 1, "components": [button(label="x" * 81)]}]},
        {"components": [{"type": 1, "components": [button(label="")]}]},
        {"components": [{"type": 1, "components": [button(custom_id=None)]}]},
        {"components": [{"type": 1, "components": [button(custom_id="x" * 101)]}]},
        {"components": [{"type": 1, "components": [{"type": 3, "custom_id": "s", "options": [{}] * 26}]}]},
        {"content": "x", "flags": 1 << 15},
        {"embeds": [{"description": "x" * 4097}]},
        {"embeds": [{"description": "x" * 4000}, {"description": "x" * 4000}]},
        {"embeds": [{}] * 11},
        {"attachments": [{"id": n} for n in range(11)]},
        {"attachments": [{"id": 0, "description": "x" * 1025}]},
    ],
)
def test_what_a_message_may_not_have(body: dict[str, Any]) -> None:
    """Each of Discord's limits on content, components, embeds and attachments is a fault."""
    assert message_faults(body, [])


@pytest.mark.parametrize(
    "change",
    [
        {"name": "Draw"},
        {"name": "two words"},
        {"name": "x" * 33},
        {"name_localizations": {"ja": "大 きい"}},
        {"description": ""},
        {"description": "x" * 101},
        {"description_localizations": {"ja": "x" * 101}},
        {"options": [{"name": f"o{n}", "description": "d", "type": 3} for n in range(26)]},
        {
            "options": [
                {"name": "a", "description": "d", "type": 3},
                {"name": "b", "description": "d", "type": 3, "required": True},
            ]
        },
        {"options": [{"name": "a", "description": "d", "type": 3, "choices": [{"name": "x", "value": "x"}] * 26}]},
        {
            "options": [
                {
                    "name": "a",
                    "description": "d",
                    "type": 3,
                    "autocomplete": True,
                    "choices": [{"name": "x", "value": "x"}],
                }
            ]
        },
        {
            "options": [
                {
                    "name": f"o{n}",
                    "description": "d" * 100,
                    "type": 3,
                    "choices": [{"name": "x" * 99, "value": str(m)} for m in range(9)],
                }
                for n in range(9)
            ]
        },
    ],
)
def test_what_a_command_may_not_have(change: dict[str, Any]) -> None:
    """Each of Discord's limits on commands is a fault, and two commands of one name are one too."""
    assert command_faults([{"name": "draw", "description": "d", **change}])
    assert command_faults([{"name": "draw", "description": "d"}] * 2)
    assert not command_faults([COMMAND])
