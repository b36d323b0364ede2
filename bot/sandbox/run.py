"""`easel sandbox`: both stand-ins and the real bot in one process, over real sockets; the page, or one command."""

import asyncio
import webbrowser
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import aiohttp

from bot import app as easel
from bot.comfy.client import ComfyClient
from bot.comfy.errors import ComfyError
from bot.errors import SettingsError
from bot.sandbox.comfyui.server import Comfy
from bot.sandbox.comfyui.server import serving as serving_comfyui
from bot.sandbox.comfyui.worker import Pace
from bot.sandbox.discord.checks import walked
from bot.sandbox.discord.interactions import NotSent
from bot.sandbox.discord.records import words_of
from bot.sandbox.discord.server import Discord
from bot.sandbox.discord.server import serving as serving_discord
from bot.sandbox.discord.world import BOT_TOKEN
from bot.sandbox.wordsmith import serving as serving_wordsmith
from bot.settings import ComfyServer, Settings, load_settings

REAL_PACE = Pace(step_s=0.12, load=1.0)
READY_S = 20.0
ONCE_S = 1800.0


@dataclass(slots=True)
class Sandbox:
    """A running sandbox; `comfyui` is None when a real one is used."""

    discord: Discord
    comfyui: Comfy | None
    app: easel.App
    _bot: AsyncExitStack

    @asynccontextmanager
    async def stopped(self) -> AsyncGenerator[None]:
        """Stop the bot for good; the stand-ins and its data stay."""
        await self._bot.aclose()
        yield

    @asynccontextmanager
    async def restarted(self) -> AsyncGenerator[None]:
        """Stop the bot and start it anew on the same data; the new one lives as long as the block."""
        settings = self.app.settings
        await self._bot.aclose()
        async with AsyncExitStack() as stack:
            self.app = await _started(stack, settings, self.comfyui)
            yield


def sandbox_settings(discord_url: str, comfyui_url: str, data_dir: Path, **more: Any) -> Settings:
    """Return settings that reach the stand-ins and nothing else, whatever the environment says of Discord."""
    fixed: dict[str, Any] = {
        "discord_token": BOT_TOKEN,
        "discord_api_url": discord_url,
        "discord_gateway_url": None,
        "discord_proxy": None,
        "discord_shard_ids": None,
        "discord_shard_count": None,
        "comfyui_servers": (ComfyServer(name="sandbox", url=comfyui_url),),
        "database_url": None,
        "data_dir": data_dir,
        "http_port": None,
    }
    return load_settings(**{**fixed, **more})


@asynccontextmanager
async def running(
    *,
    port: int = 0,
    comfyui_url: str | None = None,
    comfyui_settings: str | None = None,
    pace: Pace = REAL_PACE,
    **settings: Any,
) -> AsyncGenerator[Sandbox]:
    """Start everything, yield when the bot is ready, stop everything.

    `comfyui_url` is a ComfyUI that must answer now, `comfyui_settings` one that may come and go.

    Raises:
        SettingsError: the given ComfyUI does not answer, or the bot does not get ready.
    """
    async with AsyncExitStack() as stack:
        data_dir = Path(stack.enter_context(TemporaryDirectory(prefix="easel-sandbox-")))
        comfyui: Comfy | None = None
        if comfyui_settings is not None:
            comfyui_url = comfyui_settings
        elif comfyui_url is None:
            comfyui, comfyui_url = await stack.enter_async_context(serving_comfyui(pace=pace))
        else:
            await _answers(comfyui_url)
        try:
            discord = await stack.enter_async_context(serving_discord(port))
        except OSError as taken:
            raise SettingsError(
                [f"--port: {port} cannot be used ({taken.strerror}); --port 0 takes a free one"]
            ) from taken
        if "prompt_helper_url" not in settings:
            helper = await stack.enter_async_context(serving_wordsmith())
            settings |= {"prompt_helper_url": helper, "prompt_helper_model": "stand-in", "prompt_helper_key": None}
        wanted = sandbox_settings(discord.url, comfyui_url, data_dir, **settings)
        bot = await stack.enter_async_context(AsyncExitStack())
        sandbox = Sandbox(discord, comfyui, await _started(bot, wanted, comfyui), bot)
        yield sandbox


async def _started(stack: AsyncExitStack, settings: Settings, comfyui: Comfy | None) -> easel.App:
    app = await stack.enter_async_context(easel.build(settings, ready_timeout_s=0.1))
    if comfyui is not None:
        comfyui.wanted = app.library.model_files
    await stack.enter_async_context(bot_running(app))
    return app


def _ender(user: "asyncio.Task[Any]") -> "Callable[[asyncio.Task[None]], object]":
    return lambda _task: user.cancel()


@asynccontextmanager
async def bot_running(app: easel.App) -> AsyncGenerator[None]:
    """Run a built bot in a task, from the moment it is ready to the end of the block.

    Raises:
        SettingsError: it did not get ready in time.
    """
    ready = asyncio.Event()
    task = asyncio.create_task(easel.run(app, ready=ready.set), name="easel")
    waiting = asyncio.create_task(ready.wait(), name="easel-ready")
    user = asyncio.current_task()
    try:
        await asyncio.wait({task, waiting}, timeout=READY_S, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            await task
        if not ready.is_set():
            raise SettingsError(["the bot did not get ready in time"])
        if user is not None:
            task.add_done_callback(ends := _ender(user))  # a bot that ends by itself ends what is built on it
            yield
            task.remove_done_callback(ends)
    finally:
        waiting.cancel()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _answers(url: str) -> None:
    async with aiohttp.ClientSession() as session:
        try:
            ComfyServer(name="sandbox", url=url)
            await ComfyClient(session, url.rstrip("/")).queue()
        except ValueError as fault:
            raise SettingsError(["--comfyui: an address is wanted, such as http://127.0.0.1:8188"]) from fault
        except ComfyError as fault:
            raise SettingsError(
                [f"--comfyui: no ComfyUI answers at {url} ({fault.facts.get('reason', fault)})"]
            ) from fault


async def serve(*, port: int, comfyui_url: str | None, browser: bool, say: Callable[[str], None]) -> None:
    """Run the sandbox with its page until interrupted."""
    async with running(port=port, comfyui_url=comfyui_url) as sandbox:
        say(f"The sandbox is open at {sandbox.discord.url} (Ctrl+C ends it).")
        if browser:
            await asyncio.to_thread(webbrowser.open, sandbox.discord.url)
        await asyncio.Event().wait()


async def once(line: str, save: Path | None, *, comfyui_url: str | None, say: Callable[[str], None]) -> bool:
    """Send one slash command as a member, say what they see, save the first attachment; True if all went well."""
    async with running(comfyui_url=comfyui_url) as sandbox:
        world, people = sandbox.discord.world, sandbox.discord.people
        person, channel = world.person_named("max"), world.channel_named("pictures")
        await sandbox.app.fleet_ready()
        seen: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        world.listeners.append(lambda event, data, _only: seen.put_nowait({"event": event, **data}))
        try:
            command, options = people.read_line(line, person, channel)
            await people.slash(person, channel, command, options)
            async with asyncio.timeout(ONCE_S):
                message = await _last_word(seen, say)
        except (NotSent, TimeoutError) as fault:
            say(str(fault) or "It took too long.")
            return False
        attachments = message.get("attachments") or []
        if save is not None:
            if attachments:
                await asyncio.to_thread(save.write_bytes, world.files[attachments[0]["id"]][1])
            of = f" (the first of {len(attachments)})" if len(attachments) > 1 else ""
            say(f"Saved {save}{of}." if attachments else "There is no picture to save.")
        private = bool(message.get("flags", 0) & 64)
        return bool(attachments) or (private and save is None)


async def _last_word(seen: "asyncio.Queue[dict[str, Any]]", say: Callable[[str], None]) -> dict[str, Any]:
    """Say each new line that the member sees, until the reply is at rest: no Cancel button, not thinking."""
    said: set[str] = set()
    while True:
        news = await seen.get()
        if news["event"] == "INTERACTION_FAILED":
            say(news["words"])
            return {}
        message = news.get("message")
        if message is None or message["flags"] & 128:
            continue
        for row in words_of(message["content"], message["components"]).splitlines():
            if row not in said:
                said.add(row)
                say(row)
        buttons = [str(item.get("custom_id")) for item in walked(message["components"])]
        if not any(custom_id.startswith("easel:cancel") for custom_id in buttons):
            return message
