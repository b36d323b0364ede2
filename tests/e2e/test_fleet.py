"""Several servers: jobs go on when one dies, and nothing waits for one that works no more."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack

import pytest

from bot.sandbox.comfyui.server import Comfy
from bot.sandbox.comfyui.server import serving as serving_comfyui
from bot.sandbox.comfyui.worker import Pace
from bot.sandbox.run import Sandbox, running
from bot.settings import ComfyServer
from tests.conftest import eventually
from tests.person import Person, at_rest

SLOW = Pace(step_s=0.1)


@pytest.fixture
async def pair(monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[tuple[Sandbox, dict[str, Comfy], AsyncExitStack]]:
    """Two servers and a bot; the stack closes the first one."""
    monkeypatch.setattr("bot.jobs.fleet.PROBE_S", 0.3)
    monkeypatch.setattr("bot.jobs.fleet.WARY_S", 0.1)
    monkeypatch.setattr("bot.jobs.fleet.GRACE_S", 0.5)
    monkeypatch.setattr("bot.jobs.watchdog.IDLE_S", 0.5)
    async with AsyncExitStack() as stack, AsyncExitStack() as first:
        one, url_one = await first.enter_async_context(serving_comfyui(pace=SLOW))
        two, url_two = await stack.enter_async_context(serving_comfyui(pace=SLOW))
        servers = (ComfyServer(name="one", url=url_one), ComfyServer(name="two", url=url_two))
        world = await stack.enter_async_context(running(comfyui_settings=url_one, comfyui_servers=servers))
        wanted = world.app.library.model_files
        one.wanted = two.wanted = wanted
        world.app.fleet.read_again()
        await eventually(lambda: world.app.fleet.up == 2 and world.app.fleet.is_read, "not both are up")
        yield world, {"one": one, "two": two}, first


async def test_both_servers_work_at_the_same_time(pair: tuple[Sandbox, dict[str, Comfy], AsyncExitStack]) -> None:
    """Two members' requests run on two servers at once, not one after the other."""
    sandbox, comfies, _ = pair
    people = [Person(sandbox, name) for name in ("max", "noa")]
    sent = [await person.says("imagine", prompt="x") for person in people]
    await eventually(lambda: all(comfy.worker.running for comfy in comfies.values()), "one of them idles")
    for person, one in zip(people, sent, strict=True):
        await person.picture(one)


async def test_a_wedged_server_loses_its_jobs_to_the_other(
    pair: tuple[Sandbox, dict[str, Comfy], AsyncExitStack], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its worker is dead while its HTTP face lives: what waits there runs elsewhere, and the owner can see why."""
    sandbox, comfies, _ = pair
    worker = comfies["one"].worker
    monkeypatch.setattr(worker, "_news", asyncio.Event())  # nothing wakes it any more
    person = Person(sandbox, "max")
    sent = [await person.says("imagine", prompt=f"{number}") for number in range(3)]
    for one in sent:
        await person.picture(one)
    assert sandbox.app.fleet.servers["one"].wedged
    assert worker.history == {}
    owner = Person(sandbox, "olive")
    status = await owner.until(at_rest, await owner.says("server status"))
    assert "works no more" in status.words


async def test_a_server_that_stays_away_loses_its_jobs(
    pair: tuple[Sandbox, dict[str, Comfy], AsyncExitStack],
) -> None:
    """A server that dies with jobs on it: they are made by the other one, each shown once."""
    sandbox, comfies, first = pair
    people = [Person(sandbox, name) for name in ("max", "noa", "haruka", "mina")]
    sent = [await person.says("imagine", prompt="x") for person in people]
    await eventually(lambda: comfies["one"].worker.running is not None, "the first one idles")
    await comfies["one"].hub.cut()
    await first.aclose()
    for person, one in zip(people, sent, strict=True):
        await person.picture(one)
