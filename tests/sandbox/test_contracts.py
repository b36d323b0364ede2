"""The stand-ins against judges that are not ours: the recorded ComfyUI contract, Discord's OpenAPI file."""

import asyncio
import importlib.util
import json
import sys
from functools import cache
from typing import Any

import pytest

from bot.sandbox.comfyui.server import serving
from bot.sandbox.discord.world import Call, World
from bot.sandbox.run import Sandbox
from tests.conftest import FAST, eventually, shared
from tests.person import Person, at_rest


@pytest.mark.timeout(300)
async def test_the_comfyui_contract() -> None:
    """The stand-in answers every check as a real ComfyUI 0.33.0 does."""
    check = shared("comfyui", "contract", "check.py")
    async with serving(pace=FAST) as (_, url):
        process = await asyncio.create_subprocess_exec(
            sys.executable, str(check), "--base", url, "--json", "--timeout", "60", stdout=asyncio.subprocess.PIPE
        )
        out, _ = await process.communicate()
    report = json.loads(out)
    failed = {one["name"]: one["why"] for one in report["checks"] if not one["ok"]}
    assert failed == {}
    assert report["passed"] == 111


@cache
def _validator() -> Any:
    path = shared("discord", "specval.py")
    spec = importlib.util.spec_from_file_location("specval", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module, module.Validator(str(path.with_name("openapi.json")))


def _tolerated(module: Any, call: Call) -> Any:
    """Return a request without what discord.py sends, Discord takes and its file does not know."""
    body, _ = module.tolerate(call.method, call.route, call.body)
    if call.route.endswith("/callback") and body.get("type") == 7:
        body["data"].pop("tts", None)  # as in every PATCH
    if call.route == "/users/@me/channels":
        body["recipient_id"] = str(body["recipient_id"])  # an id as a number
    return body


def complaints(world: World) -> list[str]:
    """Return where a world's traffic and its messages do not fit Discord's OpenAPI file."""
    module, validator = _validator()
    errors: list[str] = []
    for call in world.calls:
        path = call.route
        if call.body is not None and call.body != {}:
            body = _tolerated(module, call)
            errors += [
                f"Q {call.method} {path}: {one}" for one in validator.request(call.method, path, body, closed=True)
            ]
        answer = json.loads(call.answer) if call.answer else None
        errors += [
            f"A {call.method} {path} {call.status}: {one}"
            for one in validator.response(call.method, path, call.status, answer)
        ]
    for message in world.messages.values():
        errors += [f"M: {one}" for one in validator.schema("MessageResponse", message.json())]
    for channel in world.channels.values():
        schema = {0: "GuildChannelResponse", 1: "PrivateChannelResponse", 11: "ThreadResponse"}[channel.json()["type"]]
        errors += [f"C: {one}" for one in validator.schema(schema, channel.json())]
    for guild in world.guilds.values():
        for role in guild.roles(world.bot):
            errors += [f"R: {one}" for one in validator.schema("GuildRoleResponse", role)]
        for person in world.members(guild):
            errors += [f"P: {one}" for one in validator.schema("GuildMemberResponse", guild.member(person))]
    return errors


async def test_traffic_against_discords_own_description(sandbox: Sandbox) -> None:
    """Each request of the real client and each answer of the stand-in fits Discord's OpenAPI file."""
    await _play(sandbox)
    world = sandbox.discord.world
    assert complaints(world) == []
    assert len({(call.method, call.route) for call in world.calls}) >= 9
    assert world.unknown_routes == []


async def _play(sandbox: Sandbox) -> None:
    """Let the bot make every kind of call it makes."""
    person, stranger = Person(sandbox, "max"), Person(sandbox, "noa")
    assert await person.types("imagine", "template", "s")
    message = await person.picture(await person.says("imagine", prompt="a red fox", count="2"))
    await person.until(at_rest, await person.says("queue"))
    await person.until(at_rest, await person.says("help"))
    await stranger.presses(message, "delete")
    again = await person.presses(message, "again")
    sandbox.discord.world.offset_s = 16 * 60
    second = await person.picture(again)
    sandbox.discord.world.offset_s = 0
    await person.presses(message, "delete")
    await eventually(lambda: message.deleted, "not deleted")
    assert second.attachments
