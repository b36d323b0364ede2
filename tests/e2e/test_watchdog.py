"""The watchdog: whatever dies meanwhile, nobody is left at "thinking…"."""

import asyncio
from collections import Counter
from collections.abc import Awaitable
from contextlib import AsyncExitStack

import pytest

from bot.sandbox.comfyui.server import Comfy
from bot.sandbox.comfyui.server import serving as serving_comfyui
from bot.sandbox.comfyui.worker import Pace
from bot.sandbox.discord.faults import Fault
from bot.sandbox.discord.world import Interaction, Message, World
from bot.sandbox.run import Sandbox, running
from tests.conftest import eventually
from tests.person import Person, at_rest
from tests.test_cli import free_port

MEMBERS = ("max", "haruka", "noa")
PACE = Pace(step_s=0.01)
SETTLED_S = 120.0


async def flurry(people: list[Person], card: Message) -> None:
    """Let everybody do everything at once; what the bot does not acknowledge in time it owes nothing for."""

    async def remixed(person: Person) -> Interaction:
        asked = await person.presses(card, "remix")
        return await person.fills(asked, {"prompt": "a blue fox", "settings": "size: 64x64"})

    def of(person: Person) -> list[Awaitable[Interaction]]:
        return [
            person.says("imagine", prompt="a red fox", size="64x64"),
            person.presses(card, "subtle"),
            remixed(person),
            person.says("history"),
            person.presses(card, "recipe"),
            person.says("queue"),
        ]

    await asyncio.gather(*(one for person in people for one in of(person)), return_exceptions=True)


def promised(world: World) -> list[Message]:
    """Return the replies of all interactions that were acknowledged with a reply of their own."""
    found = [one.original for one in world.interactions.values() if one.acked and one.original is not None]
    return [world.messages[one] for one in found]


def owed(world: World) -> list[str]:
    """Return the replies that still think, say nothing, or are not at rest."""
    asked = {one.original: one for one in world.interactions.values()}
    kept = [one for one in promised(world) if not at_rest(one) or not (one.words or one.attachments)]
    return [f"{asked[one.id].payload}: {'thinking' if one.loading else one.words}" for one in kept]


class Machine:
    """A ComfyUI that goes and comes back at its port, without its memory."""

    def __init__(self) -> None:
        self.port = free_port()
        self._life = AsyncExitStack()
        self.comfy: Comfy | None = None

    async def up(self) -> None:
        """Come up."""
        self.comfy, _ = await self._life.enter_async_context(serving_comfyui(self.port, pace=PACE))

    async def cut(self) -> None:
        """Lose every socket."""
        if self.comfy is not None:
            await self.comfy.hub.cut()

    async def down(self) -> None:
        """Go down as a killed server does."""
        await self.cut()
        await self._life.aclose()
        self._life = AsyncExitStack()


async def _busy(world: World, before: int, count: int) -> None:
    """Wait until so many more replies were promised."""
    await eventually(lambda: len(promised(world)) >= before + count, "nothing is acknowledged")


async def _killings(sandbox: Sandbox, machine: Machine, people: list[Person], card: Message) -> None:
    """Kill one thing after another in the middle of a flurry, and the bot last."""
    world = sandbox.discord.world
    async with asyncio.TaskGroup() as group:
        before = len(promised(world))
        group.create_task(flurry(people, card))
        await _busy(world, before, 6)
        await machine.cut()
        await _busy(world, before, 12)
        await machine.down()
        group.create_task(flurry(people, card))
        await _busy(world, before, 24)
        await machine.up()
        world.faults.append(Fault(pattern="PATCH /webhooks", status=500, times=25))
        group.create_task(flurry(people, card))
        await _busy(world, before, 36)
    world.faults.append(Fault(pattern="PATCH /webhooks", status=500, times=10_000))
    before = len(promised(world))
    last = asyncio.create_task(flurry(people, card))
    await _busy(world, before, 12)
    async with sandbox.restarted():
        world.faults.clear()
        await last
        await flurry(people, card)
        try:
            await eventually(lambda: not owed(world), "", SETTLED_S)
        except (AssertionError, TimeoutError):
            pytest.fail(f"left alone: {owed(world)}")


@pytest.mark.timeout(300)
async def test_nobody_is_left_at_thinking() -> None:
    """Through cut sockets, a ComfyUI that dies, a Discord of 500s and a restart, every promised reply has its end."""
    machine = Machine()
    await machine.up()
    async with running(pace=PACE, comfyui_settings=f"http://127.0.0.1:{machine.port}") as sandbox:
        assert await sandbox.app.fleet_ready()
        people = [Person(sandbox, name) for name in MEMBERS]
        card = await people[0].picture(await people[0].says("imagine", prompt="a red fox", size="64x64"))
        await _killings(sandbox, machine, people, card)
        replies = promised(sandbox.discord.world)
        kinds = Counter(one.type for one in replies)
        assert kinds[20] >= 3 * len(MEMBERS)  # commands
        assert kinds[19] >= 3 * len(MEMBERS)  # buttons and dialogs
        assert sum(bool(one.attachments) for one in replies) >= 6 * len(MEMBERS)
        assert any("restarted" in one.words or "再起動" in one.words for one in replies)
    await machine.down()


async def test_a_dialog_that_a_stop_cuts_off_is_answered(sandbox: Sandbox, max_: Person) -> None:
    """The library swallows the end of a dialog's task; it is owed an answer all the same, by the next process."""
    card = await max_.picture(await max_.says("imagine", prompt="a red fox", size="64x64"))
    asked = await max_.presses(card, "remix")
    sandbox.discord.world.faults.append(Fault(pattern="PATCH /webhooks", status=500, times=1000))
    sent = await max_.fills(asked, {"prompt": "a blue fox", "settings": "sede: 5"})
    async with sandbox.restarted():
        sandbox.discord.world.faults.clear()
        assert "restarted" in (await max_.until(lambda one: not one.loading, sent)).words
