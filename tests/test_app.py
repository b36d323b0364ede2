"""The whole program at its edges: what the gateway says, what Discord refuses, what cannot be opened."""

import asyncio
from pathlib import Path

import pytest

from bot import app as easel
from bot.errors import SettingsError
from bot.sandbox.discord.faults import Fault
from bot.sandbox.discord.server import serving
from bot.sandbox.run import bot_running, running, sandbox_settings
from tests.conftest import FAST, eventually
from tests.person import Person


@pytest.mark.parametrize("code", [4004, 4014])
async def test_a_gateway_that_refuses_us_ends_the_program(code: int, tmp_path: Path) -> None:
    """Close codes after which trying again is no use become one readable line."""
    async with serving() as discord:
        discord.gateway.close_code = code
        async with easel.build(sandbox_settings(discord.url, "http://127.0.0.1:9", tmp_path)) as app:
            with pytest.raises(SettingsError, match=str(code)):
                await asyncio.wait_for(easel.run(app), 30)


async def test_a_gateway_in_trouble_is_tried_again(tmp_path: Path) -> None:
    """Another close code at the first connection is waited out."""
    async with serving() as discord:
        discord.gateway.close_code = 4000
        settings = sandbox_settings(discord.url, "http://127.0.0.1:9", tmp_path)
        async with easel.build(settings, ready_timeout_s=0.1) as app:
            task = asyncio.create_task(easel.run(app))
            await eventually(lambda: bool(discord.world.commands), "it did not log in")
            discord.gateway.close_code = None
            await eventually(lambda: discord.gateway.connected, "it did not come", 40)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def test_commands_that_discord_refuses_do_not_stop_the_bot(tmp_path: Path) -> None:
    """With a 400 for the commands the bot serves with those that Discord has, and tries again at the next start."""
    async with serving() as discord:
        discord.world.faults.append(Fault(pattern="PUT /applications", status=400, code=50035))
        settings = sandbox_settings(discord.url, "http://127.0.0.1:9", tmp_path)
        for synced in (False, True):
            async with easel.build(settings, ready_timeout_s=0.1) as app, bot_running(app):
                assert discord.gateway.connected
            assert bool(discord.world.commands) is synced


async def test_commands_are_handed_over_after_trouble() -> None:
    """A 503 for the commands is tried again, and then they are there."""
    async with running(pace=FAST) as sandbox:
        assert await sandbox.app.fleet_ready()
        await sandbox.app.notes.write(easel.COMMANDS_NOTE, "old")
        sandbox.discord.world.faults.append(Fault(pattern="PUT /applications", status=503, times=1))
        sandbox.discord.world.commands.clear()
        async with sandbox.restarted():
            await Person(sandbox, "max").picture(await Person(sandbox, "max").says("imagine", prompt="x"))


async def test_what_cannot_be_opened_is_a_line(tmp_path: Path) -> None:
    """A missing ca_file and a missing default template are told by their variable."""
    servers = f'[{{"name": "a", "url": "https://h", "ca_file": "{tmp_path}/none.pem"}}]'
    for wrong, words in (({"comfyui_servers": servers}, "ca_file"), ({"default_template": "none"}, "DEFAULT_TEMPLATE")):
        settings = easel.Settings(discord_token="x", data_dir=tmp_path, **wrong)  # pyright: ignore[reportArgumentType]
        with pytest.raises(SettingsError, match=words):
            async with easel.build(settings):
                pass


async def test_no_server_in_time(tmp_path: Path) -> None:
    """Waiting for a server ends without one."""
    async with easel.build(sandbox_settings("http://127.0.0.1:9", "http://127.0.0.1:9", tmp_path)) as app:
        assert not await app.fleet_ready(0.05)
