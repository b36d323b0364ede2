"""Stand-ins that outlive everything, real processes of Easel between them, and the count of what came of it."""

import asyncio
import os
import re
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import sqlalchemy as sa

from bot.sandbox.comfyui.server import Comfy
from bot.sandbox.comfyui.server import serving as serving_comfyui
from bot.sandbox.comfyui.worker import Item, Pace
from bot.sandbox.discord.checks import walked
from bot.sandbox.discord.server import Discord
from bot.sandbox.discord.server import serving as serving_discord
from bot.sandbox.discord.world import Interaction
from bot.store.database import open_database
from bot.store.tables import jobs

PROJECT = Path(__file__).parents[2]
READY_S, STOP_S = 60.0, 15.0
_JOB = re.compile(r"([0-9a-f]{16})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What came of a scenario's jobs. All but `jobs` and `submits` should be none."""

    name: str
    jobs: int
    lost: int
    failed: int
    submitted_twice: int
    delivered_twice: int
    submits: int
    kills: int
    seconds: float

    @property
    def is_clean(self) -> bool:
        """Whether nothing was lost or doubled."""
        return not (self.lost or self.failed or self.submitted_twice or self.delivered_twice)


@dataclass(slots=True)
class Machine:
    """A ComfyUI stand-in that can be stopped and started at its port; its files stay."""

    name: str
    root: Path
    pace: Pace
    port: int = 0
    submits: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """(prompt id, job id) of every prompt that was taken, over all its lives."""
    comfy: Comfy | None = None
    lives: int = 0
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def start(self) -> None:
        """Come up, without memory of what was before."""
        self.comfy, url = await self._stack.enter_async_context(
            serving_comfyui(self.port, pace=self.pace, root=self.root)
        )
        self.port = int(url.rsplit(":", 1)[1])
        self.lives += 1
        worker = self.comfy.worker
        enqueue = worker.enqueue

        def noted(item: Item) -> None:
            found = _JOB.search(str(item.graph))
            self.submits.append((item.prompt_id, found[1] if found else "?"))
            enqueue(item)

        worker.enqueue = noted  # the stand-in's own door, watched

    async def stop(self) -> None:
        """Go down as a killed server does."""
        if self.comfy is not None:
            await self.comfy.hub.cut()
        await self._stack.aclose()
        self._stack, self.comfy = AsyncExitStack(), None


class World:
    """Everything of one scenario."""

    def __init__(self, discord: Discord, machines: list[Machine], data: Path, database_url: str | None) -> None:
        self.discord, self.machines, self.data, self.database_url = discord, machines, data, database_url
        self.processes: dict[str, asyncio.subprocess.Process] = {}
        self.kills = 0
        self.sent: list[Interaction] = []
        self._began = time.monotonic()
        self.log = (data / "easel.log").open("ab")

    def environment(self, **more: str) -> dict[str, str]:
        """Return what a process of ours is told."""
        servers = ",".join(f'{{"name": "{one.name}", "url": "http://127.0.0.1:{one.port}"}}' for one in self.machines)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("DISCORD_", "COMFYUI_"))}
        return {
            **kept,
            "DISCORD_TOKEN": self.discord.world.token,
            "DISCORD_API_URL": self.discord.url,
            "COMFYUI_SERVERS": f"[{servers}]",
            "DATA_DIR": str(self.data),
            "TEMPLATES_DIR": str(PROJECT / "templates"),
            "DEFAULT_TEMPLATE": "sd15",
            "LOG_LEVEL": "INFO",
            "MEMBER_WAITING": "1000",
            **({"DATABASE_URL": self.database_url} if self.database_url else {}),
            **more,
        }

    async def start(self, name: str, *command: str, **more: str) -> None:
        """Start a process of Easel."""
        self.processes[name] = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.faults.launch", *command,
            cwd=PROJECT, env=self.environment(**more), stdout=self.log, stderr=self.log,
        )  # fmt: skip

    async def ready(self) -> None:
        """Wait until Discord has a connected bot with commands."""
        async with asyncio.timeout(READY_S):
            while not self.discord.gateway.connected or not self.discord.world.commands:
                await asyncio.sleep(0.02)

    async def gone(self, name: str, within_s: float = READY_S) -> None:
        """Wait until a process has ended by itself."""
        async with asyncio.timeout(within_s):
            await self.processes.pop(name).wait()

    async def kill(self, name: str, number: int = signal.SIGKILL) -> None:
        """Send a process a signal; a deadly one is waited for."""
        process = self.processes[name]
        process.send_signal(number)
        self.kills += 1
        if number in (signal.SIGKILL, signal.SIGTERM):
            await process.wait()
            del self.processes[name]

    async def ask(self, count: int, members: Sequence[str] = ("max", "haruka", "mina", "olive", "noa")) -> None:
        """Send requests, as members in turn."""
        people, world = self.discord.people, self.discord.world
        channel = world.channel_named("pictures")
        command = next(one for one in world.commands if one["name"] == "imagine")
        for number in range(count):
            person = world.person_named(members[number % len(members)])
            interaction = await people.slash(person, channel, command, {"prompt": f"picture {len(self.sent)}"})
            if await people.acknowledged(interaction):
                self.sent.append(interaction)  # one whose command was lost in a kill was never promised anything

    def _shown(self, interaction: Interaction) -> list[Any]:
        """Return the messages that show an interaction's picture."""
        world = self.discord.world
        original = world.messages.get(interaction.original or "")
        job = self._job_of(original) if original else None
        posted = [one for one in world.messages.values() if one.nonce is not None and one.nonce == job]
        return [one for one in (original, *posted) if one is not None and _has_picture(one)]

    @staticmethod
    def _job_of(message: Any) -> str | None:
        found = _JOB.search(str([item.get("custom_id") for item in walked(message.components)]))
        return found[1] if found else None

    def _at_rest(self, interaction: Interaction) -> bool:
        message = self.discord.world.messages.get(interaction.original or "")
        return message is not None and (bool(self._shown(interaction)) or "⚠️" in message.words)

    async def settle(self, within_s: float) -> None:
        """Wait until every request that was written down shows its end, or the time is over.

        A request whose process was killed between its acknowledgement and its row was never promised anything.
        """
        until = time.monotonic() + within_s
        while time.monotonic() < until and not all(self._at_rest(one) for one in self.sent):
            await asyncio.sleep(0.25)
            open_ = {str(one.original) for one in self.sent if not self._at_rest(one)}
            if self.processes and not open_ & await self._written():
                break
        await asyncio.sleep(0.5)  # what would come twice comes now
        written = await self._written()
        self.sent = [one for one in self.sent if str(one.original) in written or self._at_rest(one)]

    async def _written(self) -> set[str]:
        """Return the messages for which there is a row."""
        url = self.database_url or f"sqlite:///{self.data / 'easel.sqlite3'}"
        async with open_database(url) as database:
            rows = await database.read(lambda one: one.execute(sa.select(jobs.c.message_id)).all())
            return {str(row.message_id) for row in rows}

    def tally(self, name: str, *, resubmits: bool = False) -> Tally:
        """Count. `resubmits`: a server lost its memory, so that a job may be submitted once more."""
        shown = [len(self._shown(one)) for one in self.sent]
        rested = [self._at_rest(one) for one in self.sent]
        submits = [pair for machine in self.machines for pair in machine.submits]
        ids = Counter(prompt_id for prompt_id, _ in submits)
        by_job = Counter(job for _, job in submits)
        twice = sum(count > 1 for count in ids.values()) if resubmits else sum(count > 1 for count in by_job.values())
        return Tally(
            name=name,
            jobs=len(self.sent),
            lost=sum(not rest for rest in rested),
            failed=sum(rest and not pictures for rest, pictures in zip(rested, shown, strict=True)),
            submitted_twice=twice,
            delivered_twice=sum(count > 1 for count in shown),
            submits=len(submits),
            kills=self.kills,
            seconds=time.monotonic() - self._began,
        )


def _has_picture(message: Any) -> bool:
    return any(one["filename"].startswith("easel-") for one in message.attachments) and not message.deleted


@asynccontextmanager
async def scene(
    *, machines: int = 1, pace: Pace | None = None, database_url: str | None = None, limits: bool = False
) -> AsyncGenerator[World]:
    """Set the stage: stand-ins up, no process of ours yet; at the end all of them are killed."""
    async with AsyncExitStack() as stack:
        data = Path(stack.enter_context(TemporaryDirectory(prefix="easel-faults-", ignore_cleanup_errors=True)))
        discord = await stack.enter_async_context(serving_discord(enforce_limits=limits))
        made = [Machine(f"m{n}", data / f"m{n}", pace or Pace(step_s=0.01)) for n in range(machines)]
        for machine in made:
            machine.root.mkdir()
            await machine.start()
            stack.push_async_callback(machine.stop)
        world = World(discord, made, data, database_url)
        try:
            yield world
        finally:
            died = [name for name, process in world.processes.items() if process.returncode is not None]
            for name, process in list(world.processes.items()):
                if process.returncode is None:
                    process.send_signal(signal.SIGCONT)
                    await world.kill(name)
            world.log.close()
        if died:
            words = (data / "easel.log").read_text(encoding="utf-8", errors="replace")
            raise AssertionError(f"{', '.join(died)} ended unasked:\n{words[-4000:]}")
