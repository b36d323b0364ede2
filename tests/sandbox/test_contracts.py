"""The stand-ins against judges that are not ours: the recorded ComfyUI contract, Discord's OpenAPI file."""

import asyncio
import importlib.util
import json
import sys
from typing import Any

import pytest

from bot.sandbox.comfyui.server import serving
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


def _validator() -> Any:
    path = shared("discord", "specval.py")
    spec = importlib.util.spec_from_file_location("specval", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module, module.Validator(str(path.with_name("openapi.json")))


async def test_traffic_against_discords_own_description(sandbox: Sandbox) -> None:
    """Each request of the real client and each answer of the stand-in fits Discord's OpenAPI file."""
    module, validator = _validator()
    await _play(sandbox)
    calls = sandbox.discord.world.calls
    errors: list[str] = []
    for call in calls:
        path = call.route.replace("{application_id}", "{application_id}")
        if call.body is not None and call.body != {}:
            body, _ = module.tolerate(call.method, path, call.body)
            errors += [
                f"Q {call.method} {path}: {one}" for one in validator.request(call.method, path, body, closed=True)
            ]
        answer = json.loads(call.answer) if call.answer else None
        errors += [
            f"A {call.method} {path} {call.status}: {one}"
            for one in validator.response(call.method, path, call.status, answer)
        ]
    for message in sandbox.discord.world.messages.values():
        errors += [f"M: {one}" for one in validator.schema("MessageResponse", message.json())]
    assert errors == []
    assert len({(call.method, call.route) for call in calls}) >= 9
    assert sandbox.discord.world.unknown_routes == []


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
