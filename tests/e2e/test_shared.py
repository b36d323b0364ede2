"""Several processes on one PostgreSQL: a leader, workers, and everything as with one."""

from collections.abc import AsyncGenerator

import pytest

from bot.jobs.procrastinate import queue_of
from bot.sandbox.comfyui.worker import Pace
from bot.sandbox.run import Sandbox, running
from bot.store.database import open_database
from bot.store.jobs import JobStore
from tests.conftest import FAST, eventually
from tests.faults.world import scene
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
        return await shared.app.bench.jobs.live() == []

    await eventually(closed, "rows stay open")


async def test_cancel_reaches_the_worker(postgres_url: str) -> None:
    """Cancel of a running job ends it on its server and says so, and the next one gets its place."""
    async with running(pace=Pace(step_s=0.3), database_url=postgres_url) as shared:
        person = Person(shared, "max")
        sent = await person.says("imagine", prompt="a red fox")
        message = await person.until(lambda message: "step" in message.words, sent)
        await person.presses(message, "cancel")
        assert "Cancelled" in (await person.until(at_rest, sent)).words
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


async def test_cut_connections_heal(shared: Sandbox, postgres_url: str) -> None:
    """With every connection to PostgreSQL cut, leader, listeners and workers come back, and requests are served.

    Guards the cure for Procrastinate's listener (facts, engine §6.1): the worker must return, to be started anew.
    """
    person = Person(shared, "max")
    await person.picture(await person.says("imagine", prompt="before"))
    async with open_database(postgres_url) as other:
        await other.write(
            lambda one: one.exec_driver_sql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            ).all()
        )
    sent = [await person.says("imagine", prompt=f"after {number}") for number in range(3)]
    for one in sent:
        await person.picture(one)


async def test_a_worker_elsewhere_does_it(postgres_url: str) -> None:
    """A gateway without workers, and `easel worker` as a process: the worker makes and shows the picture."""
    async with scene(database_url=postgres_url) as world:
        await world.start("gateway", "run", "--gateway-only")
        await world.ready()
        await world.start("worker", "worker", "--server", "m0")
        await world.ask(3)
        await world.settle(60)
        tally = world.tally("worker")
    assert tally.is_clean, tally
    assert tally.jobs == 3


async def test_a_shard_serves_its_guilds_only(postgres_url: str) -> None:
    """Two gateways of two shards on one database: the one whose shard has the guild answers, the other does not."""
    async with scene(database_url=postgres_url) as world:
        ours = (int(world.discord.world.guild_id) >> 22) % 2
        for number in (ours, 1 - ours):
            shard = {"DISCORD_SHARD_IDS": str(number), "DISCORD_SHARD_COUNT": "2"}
            await world.start(f"gateway-{number}", "run", **shard)
        gateway = world.discord.gateway
        await eventually(
            lambda: {one.shard for one in gateway.sessions.values()} == {(0, 2), (1, 2)}, "not both are here", 60
        )
        await world.ready()
        await world.ask(3)
        await world.settle(60)
        tally = world.tally("shards")
        answered = [call for call in world.discord.world.calls if "/interactions/" in call.path]
    assert tally.is_clean, tally
    assert [call.status for call in answered] == [200] * 3


async def test_odd_words_on_the_bell_harm_nobody(shared: Sandbox, postgres_url: str) -> None:
    """What is no job of ours, or of a state that a newer version may know, is passed over by the leader."""
    async with open_database(postgres_url) as other:
        for word in ("hello", "a:b:c:d:e", "x:dancing:1", "suspect:p:0:nobody", f"{'0' * 16}:queued:1"):
            await JobStore(other).announce(word)
    person = Person(shared, "max")
    await person.picture(await person.says("imagine", prompt="after"))


def test_queues_of_long_names_fit_into_a_channel() -> None:
    """PostgreSQL's channels have 63 bytes, of which Procrastinate takes 23: long names are told apart by a digest."""
    names = [
        "gpu",
        "x" * 32,
        "x" * 60,
        "x" * 59 + "y",
        "ü" * 60,
        "ec2-12-34-56-78.eu-west-1.compute.amazonaws.com:8188",
    ]
    queues = [queue_of(name) for name in names]
    assert len(set(queues)) == len(names)
    assert all(len(f"procrastinate_queue_v1#{queue}".encode()) <= 63 for queue in queues)
