"""The client on real sockets: the stand-in where it does, a server of the test's own for what no ComfyUI should do."""

import asyncio
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from bot.comfy.client import ComfyClient
from bot.comfy.errors import (
    Interrupted,
    Malformed,
    NoPicture,
    PictureLost,
    Rejected,
    ServerFault,
    SocketLost,
    Stuck,
    TimedOut,
    Unreachable,
    Vanished,
)
from bot.comfy.events import ComfyEvent, Executing, Picture, Progress
from bot.comfy.execution import Execution
from bot.comfy.models import Finished, NotThere, Pending, Running
from bot.model.job import Result
from bot.sandbox.comfyui.server import Comfy, serving
from bot.sandbox.comfyui.worker import Pace
from tests.conftest import FAST, eventually
from tests.workflow.graphs import Tree, node, txt2img


@asynccontextmanager
async def clients(pace: Pace = FAST) -> AsyncGenerator[tuple[ComfyClient, Comfy]]:
    async with serving(pace=pace) as (comfy, url), aiohttp.ClientSession() as session:
        yield ComfyClient(session, url), comfy


@pytest.fixture
async def pair() -> AsyncGenerator[tuple[ComfyClient, Comfy]]:
    async with clients() as found:
        yield found


def graph(**inputs: Any) -> Tree:
    tree = txt2img()
    tree["4"]["inputs"]["ckpt_name"] = "easel-sd15.safetensors"
    tree["3"]["inputs"] |= {"steps": 4, **inputs}
    return tree


def execution(
    client: ComfyClient, tree: Tree, *, frames: frozenset[str] = frozenset(), **more: Any
) -> tuple[Execution, list[ComfyEvent]]:
    heard: list[ComfyEvent] = []
    run = Execution(
        client=client,
        graph=tree,
        prompt_id=str(uuid.uuid4()),
        frame_nodes=frames,
        on_event=heard.append,
        on_pending=lambda _ahead: None,
        **more,
    )
    return run, heard


async def test_a_prompt_from_socket_to_file(pair: tuple[ComfyClient, Comfy]) -> None:
    """A run tells its nodes, steps and previews, and ends with the file, which can be fetched."""
    client, _ = pair
    run, heard = execution(client, graph())
    outputs = await run.run()

    assert {event.node for event in heard if isinstance(event, Executing)} == set(graph())
    assert [event.value for event in heard if isinstance(event, Progress)] == [1, 2, 3, 4]
    assert len([event for event in heard if isinstance(event, Picture)]) == 4
    (file,) = outputs.files
    assert (await client.view(file))[:4] == b"\x89PNG"
    assert isinstance(await client.find(run.prompt_id), Finished)


async def test_every_request_has_a_client_id_of_its_own(pair: tuple[ComfyClient, Comfy]) -> None:
    """Two prompts are submitted under two client ids, and their sockets are closed afterwards."""
    client, comfy = pair
    for seed in (1, 2):
        await execution(client, graph(seed=seed))[0].run()
    ids = [entry["prompt"][3]["client_id"] for entry in comfy.worker.history.values()]
    assert len(set(ids)) == 2
    await eventually(lambda: not comfy.hub.sockets, "a socket was left open")


async def test_pictures_as_frames(pair: tuple[ComfyClient, Comfy]) -> None:
    """What SaveImageWebsocket sends is kept apart from previews."""
    client, _ = pair
    tree = graph()
    tree["9"] = node("SaveImageWebsocket", images=["8", 0])
    tree["5"]["inputs"]["batch_size"] = 2
    outputs = await execution(client, tree, frames=frozenset({"9"}))[0].run()
    assert outputs.files == ()
    assert [mime for mime, _ in outputs.frames] == ["image/png"] * 2


async def test_legacy_servers_frames(pair: tuple[ComfyClient, Comfy], monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that knows no metadata sends type 1: the running node tells finished pictures from previews."""
    client, comfy = pair
    monkeypatch.setattr("bot.sandbox.comfyui.hub.FEATURES", {})
    monkeypatch.setattr(comfy.hub, "with_metadata", NeverFull())
    tree = graph()
    tree["9"] = node("SaveImageWebsocket", images=["8", 0])
    run, heard = execution(client, tree, frames=frozenset({"9"}))
    outputs = await run.run()
    assert [mime for mime, _ in outputs.frames] == ["image/png"]
    assert len([event for event in heard if type(event).__name__ == "LegacyPicture"]) == 4


class NeverFull(set[str]):
    def add(self, element: str, /) -> None:
        del element


async def test_refusals_carry_the_node(pair: tuple[ComfyClient, Comfy]) -> None:
    """400 with node_errors, an unknown class, and 200 with node_errors are all Rejected, with what is to blame."""
    client, comfy = pair
    with pytest.raises(Rejected) as wrong_value:
        await execution(client, graph(scheduler="nope"))[0].run()
    assert wrong_value.value.facts["node"] == "KSampler"
    assert wrong_value.value.facts["input"] == "scheduler"
    with pytest.raises(Rejected) as unknown:
        await execution(client, {"1": node("NoSuchNode")})[0].run()
    assert unknown.value.facts["node"] == "NoSuchNode"
    partly = graph() | {"10": node("SaveImage", images=["8", 0])}
    with pytest.raises(Rejected):
        await execution(client, partly)[0].run()
    await eventually(lambda: comfy.worker.running is None and not comfy.worker.pending, "the valid half went on")


async def test_a_text_500(pair: tuple[ComfyClient, Comfy]) -> None:
    """A 500 is the server's fault, and its status is a fact."""
    client, comfy = pair
    comfy.refuse_prompts = [500]
    with pytest.raises(ServerFault) as fault:
        await execution(client, graph())[0].run()
    assert fault.value.facts["status"] == "500"


async def test_nobody_there() -> None:
    """A refused connection is Unreachable for every verb."""
    async with aiohttp.ClientSession() as session:
        client = ComfyClient(session, "http://127.0.0.1:9")
        for attempt in (
            client.queue(),
            client.node_list(),
            client.view(Result(filename="x")),
            execution(client, {})[0].run(),
        ):
            with pytest.raises(Unreachable):
                await attempt


async def test_an_interrupt_is_told_apart() -> None:
    """A prompt interrupted by somebody else ends as Interrupted."""
    async with clients(Pace(step_s=0.05)) as (client, _):
        run, heard = execution(client, graph(steps=500))
        task = asyncio.create_task(run.run())
        await eventually(lambda: any(isinstance(event, Progress) for event in heard), "no step")
        assert isinstance(await client.find(run.prompt_id), Running)
        await client.cancel(run.prompt_id)
        with pytest.raises(Interrupted):
            await task


async def test_a_waiting_prompt_tells_its_place_and_can_vanish() -> None:
    """Behind another prompt the place is told; deleted from the queue it is Vanished."""
    async with clients(Pace(step_s=0.05)) as (client, comfy):
        first = asyncio.create_task(execution(client, graph(steps=500))[0].run())
        await eventually(lambda: comfy.worker.running is not None, "nothing runs")
        places: list[int] = []
        second, _ = execution(client, graph(seed=2))
        second.on_pending = places.append
        waiting = asyncio.create_task(second.run())
        await eventually(lambda: places == [1] or len(places) > 1, "no place was told")
        assert await client.find(second.prompt_id) == Pending(ahead=1)
        comfy.worker.delete([second.prompt_id])
        await comfy.hub.cut()
        with pytest.raises(Vanished):
            await waiting
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        assert isinstance(await client.find(str(uuid.uuid4())), NotThere)


async def test_frames_lost_with_their_socket() -> None:
    """When the socket breaks, pictures that only went over it are PictureLost, not silently fewer."""
    async with clients(Pace(step_s=0.05)) as (client, comfy):
        tree = graph(steps=20)
        tree["9"] = node("SaveImageWebsocket", images=["8", 0])
        run, heard = execution(client, tree, frames=frozenset({"9"}))
        task = asyncio.create_task(run.run())
        await eventually(lambda: any(isinstance(event, Progress) for event in heard), "no step")
        await comfy.hub.cut()
        with pytest.raises(PictureLost):
            await task


async def test_the_limit_stops_the_prompt() -> None:
    """A prompt past its limit is stopped on the server."""
    async with clients(Pace(step_s=0.05)) as (client, comfy):
        with pytest.raises(TimedOut):
            await execution(client, graph(steps=5000), limit_s=0.3)[0].run()
        await eventually(lambda: comfy.worker.running is None, "it still runs")


async def test_without_a_file_there_is_no_picture(
    pair: tuple[ComfyClient, Comfy], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A prompt that ends well without any file is NoPicture."""
    client, _ = pair

    async def nothing(_context: object, inputs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any] | None]:
        return (inputs["images"],), {"said": ["done"]}

    monkeypatch.setitem(__import__("bot.sandbox.comfyui.engine", fromlist=["RUNS"]).RUNS, "SaveImage", nothing)
    with pytest.raises(NoPicture):
        await execution(client, graph())[0].run()


async def test_a_silent_socket_is_reconciled(monkeypatch: pytest.MonkeyPatch, pair: tuple[ComfyClient, Comfy]) -> None:
    """A socket that has gone deaf while the prompt ends is no hang: the history is asked."""
    monkeypatch.setattr("bot.comfy.execution.SILENCE_S", 0.2)
    client, comfy = pair
    deafened = comfy.hub.tell
    monkeypatch.setattr(
        comfy.hub, "tell", lambda kind, data, sid=None: deafened(kind, data, sid) if kind == "status" else None
    )
    assert len((await execution(client, graph())[0].run()).files) == 1


async def test_a_resumed_prompt_is_not_sent_again(pair: tuple[ComfyClient, Comfy]) -> None:
    """After a restart of ours a known prompt is followed to its files without a second POST."""
    client, comfy = pair
    run, _ = execution(client, graph())
    await run.run()
    again, _ = execution(client, graph())
    again.prompt_id = run.prompt_id
    assert len((await again.run(resumed=True)).files) == 1
    assert len(comfy.worker.history) == 1


async def test_a_resumed_prompt_that_never_arrived_is_sent(
    pair: tuple[ComfyClient, Comfy], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a restart of ours a prompt that the server knows nowhere is submitted, under the id that was stored."""
    monkeypatch.setattr("bot.comfy.execution.FORGOTTEN_S", 0.01)
    client, comfy = pair
    run, _ = execution(client, graph())
    assert len((await run.run(resumed=True)).files) == 1
    assert list(comfy.worker.history) == [run.prompt_id]


async def test_a_prompt_that_runs_in_silence_is_given_up(
    pair: tuple[ComfyClient, Comfy], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A running prompt of which nothing is heard for very long means that its server's worker is dead."""
    monkeypatch.setattr("bot.comfy.execution.SILENCE_S", 0.05)
    monkeypatch.setattr("bot.comfy.execution.STUCK_S", 0.2)
    client, comfy = pair

    async def for_ever(_job: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr("bot.sandbox.comfyui.worker.Job.run", for_ever)
    with pytest.raises(Stuck):
        await execution(client, graph())[0].run()
    assert comfy.worker.running is not None


# What no ComfyUI should do: a server of the test's own.

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def odd_server(**routes: Handler) -> AsyncGenerator[ComfyClient]:
    app = web.Application()
    for name, handler in routes.items():
        app.router.add_route("*", f"/{name.replace('__', '/')}", handler)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    async with aiohttp.ClientSession() as session:
        yield ComfyClient(session, f"http://127.0.0.1:{runner.addresses[0][1]}", headers={"Authorization": "Bearer x"})
    await runner.cleanup()


async def test_something_else_at_the_address() -> None:
    """Answers that ComfyUI never gives are Malformed or a server's fault, and our headers go along, Origin does not."""
    seen: list[Any] = []

    async def page(request: web.Request) -> web.Response:
        seen.append(request.headers)
        return web.Response(text="<html>hello</html>", content_type="text/html")

    async def login(_request: web.Request) -> web.Response:
        return web.Response(status=401)

    async with odd_server(queue=page, object_info=login) as client:
        with pytest.raises(Malformed):
            await client.queue()
        with pytest.raises(ServerFault):
            await client.node_list()
        with pytest.raises(ServerFault):
            async with client.events("x"):
                pass
    assert seen[0]["Authorization"] == "Bearer x"
    assert "Origin" not in seen[0]


async def test_our_headers_do_not_follow_a_redirect() -> None:
    """A server that sends us elsewhere is at fault: what it points to hears nothing, least of all our headers."""
    seen: list[str] = []

    async def elsewhere(request: web.Request) -> web.Response:
        seen.append(request.path)
        return web.json_response({})

    async def away(_request: web.Request) -> web.Response:
        return web.Response(status=307, headers={"Location": "/object_info"})

    async with odd_server(queue=away, object_info=elsewhere) as client:
        with pytest.raises(ServerFault):
            await client.queue()
    assert seen == []


async def test_a_foreign_prompt_id_in_the_answer() -> None:
    """A server that answers with another prompt id than ours is Malformed."""

    async def prompt(_request: web.Request) -> web.Response:
        return web.json_response({"prompt_id": "other", "number": 1, "node_errors": {}})

    async with odd_server(prompt=prompt) as client:
        with pytest.raises(Malformed):
            await client.submit({}, prompt_id="mine", client_id="c")


async def test_cancel_on_older_servers() -> None:
    """Without the jobs API a waiting prompt is deleted, and only a running one of ours is interrupted, by id."""
    posts: list[tuple[str, Any]] = []
    running = "mine"

    async def queue(request: web.Request) -> web.Response:
        if request.method == "POST":
            posts.append(("queue", await request.json()))
            return web.Response()
        return web.json_response({"queue_running": [[1, running, {}, {}, []]], "queue_pending": []})

    async def interrupt(request: web.Request) -> web.Response:
        posts.append(("interrupt", await request.json()))
        return web.Response()

    async with odd_server(queue=queue, interrupt=interrupt) as client:
        await client.cancel("mine")
        await client.cancel("foreign")
    assert posts == [
        ("queue", {"delete": ["mine"]}),
        ("interrupt", {"prompt_id": "mine"}),
        ("queue", {"delete": ["foreign"]}),
    ]


async def test_a_socket_that_never_speaks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A socket without a first status is given up, and one that is closed at once, too."""
    monkeypatch.setattr("bot.comfy.client.FIRST_STATUS_S", 0.2)

    async def mute(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for _ in socket:
            pass
        return socket

    async def closed(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.close()
        return socket

    for handler in (mute, closed):
        async with odd_server(ws=handler) as client:
            with pytest.raises(SocketLost):
                async with client.events("x"):
                    pass
