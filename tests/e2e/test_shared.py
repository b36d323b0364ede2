"""Several processes on one PostgreSQL: a leader, workers, and everything as with one."""

from collections.abc import AsyncGenerator

import pytest

from bot.sandbox.comfyui.worker import Pace
from bot.sandbox.run import Sandbox, running
from tests.conftest import FAST, eventually
from tests.person import Person, at_rest


@pytest.fixture
async def shared(postgres_url: str) -> AsyncGenerator[Sandbox]:
    """The sandbox on PostgreSQL."""
    async with running(pace=FAST, database_url=postgres_url) as world:
        assert await world.app.fleet_ready()
        yield world


async def test_a_picture_by_way_of_the_queue(shared: Sandbox) -> None:
    """A request goes through the leader, Procrastinate and a worker, and its picture arrives; the row is closed."""
    person = Person(shared, "max")
    sent = [await person.says("imagine", prompt=f"{number}") for number in range(5)]
    for one in sent:
        await person.picture(one)

    async def closed() -> bool:
        return await shared.app.store.live() == []

    await eventually(closed, "rows stay open")


async def test_cancel_reaches_the_worker(postgres_url: str) -> None:
    """Cancel of a running job ends it on its server and says so, and the next one gets its place."""
    async with running(pace=Pace(step_s=0.3), database_url=postgres_url) as shared:
        person = Person(shared, "max")
        sent = await person.says("imagine", prompt="a red fox")
        message = await person.until(lambda message: "step" in message.content, sent)
        await person.presses(message, "cancel")
        assert "Cancelled" in (await person.until(at_rest, sent)).content
        assert shared.comfyui is not None
        worker = shared.comfyui.worker
        await eventually(lambda: worker.running is None, "it goes on on the server")
        assert [entry["status"]["status_str"] for entry in worker.history.values()] == ["error"]


async def test_a_restart_takes_everything_up(postgres_url: str) -> None:
    """Jobs that wait and run when the only process stops are finished by the next one, each submitted once."""
    async with running(pace=Pace(step_s=0.05), database_url=postgres_url) as shared:
        person = Person(shared, "max")
        sent = [await person.says("imagine", prompt=f"{number}") for number in range(4)]
        assert shared.comfyui is not None
        worker = shared.comfyui.worker
        await eventually(lambda: worker.running is not None, "nothing runs")
        async with shared.restarted():
            for one in sent:
                await person.picture(one)
            assert len(shared.comfyui.worker.history) == 4
