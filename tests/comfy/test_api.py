"""The whole API: each call against the stand-in over a socket, and each answer as two versions recorded it."""

import json
from collections.abc import AsyncGenerator, Iterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from bot.comfy.client import ComfyClient
from bot.comfy.errors import Malformed, ServerFault
from bot.comfy.models import (
    Uploaded,
    UserFile,
    parse_features,
    parse_histories,
    parse_names,
    parse_node_list,
    parse_stored,
    parse_system_stats,
    parse_uploaded,
    parse_user_files,
)
from bot.sandbox.comfyui.server import Comfy, serving
from tests.comfy.test_client import clients, execution, graph
from tests.conftest import FAST, eventually, records, shared

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c4944415408d763f8cfc000000301010018dd8db0"
    "0000000049454e44ae426082"
)


@pytest.fixture
async def pair() -> AsyncGenerator[tuple[ComfyClient, Comfy]]:
    async with clients() as found:
        yield found


Pair = tuple[ComfyClient, Comfy]


async def test_the_machine(pair: Pair) -> None:
    """Version, devices, features, extensions, memory: read and asked for."""
    client, comfy = pair
    stats = await client.system_stats()
    assert stats.version == "0.33.0"
    assert stats.devices[0].memory_total == 8 * 2**30
    features = await client.features()
    assert features.preview_metadata
    assert features.upload_limit == 104857600
    assert await client.extensions() == ()
    await client.free()
    assert await client.remaining() == 0
    assert comfy.worker.running is None


async def test_nodes_and_models(pair: Pair) -> None:
    """One node class, model folders, files, metadata, embeddings; unknown ones are None, not faults."""
    client, _ = pair
    sampler = await client.node_class("KSampler")
    assert sampler is not None
    assert sampler.slot("LATENT") == 0
    assert sampler.inputs["steps"].default == 20
    assert await client.node_class("Magic") is None
    assert "loras" in await client.model_folders()
    assert await client.models("loras") == ("ink/brush.safetensors", "watercolour.safetensors")
    assert await client.models("cats") is None
    assert await client.embeddings() == ("easel-negative",)
    metadata = await client.model_metadata("checkpoints", "easel-sdxl.safetensors")
    assert metadata is not None
    assert metadata["modelspec.license"] == "MIT"
    assert await client.model_metadata("checkpoints", "../../etc/passwd.safetensors") is None
    assert "KSampler" in await client.object_info()


async def test_history_is_read_and_cut(pair: Pair) -> None:
    """All ends, some of them, one less, none."""
    client, _ = pair
    ids = []
    for seed in range(3):
        run, _events = execution(client, graph(seed=seed))
        await run.run()
        ids.append(run.prompt_id)
    assert list(await client.histories()) == ids
    assert list(await client.histories(most=1)) == ids[2:]
    assert list(await client.histories(most=1, offset=0)) == ids[:1]
    await client.delete_history(ids[1], "unknown")
    assert list(await client.histories()) == [ids[0], ids[2]]
    await client.clear_history()
    assert await client.histories() == {}


async def test_the_queue_is_cleared_and_one_is_stopped() -> None:
    """Clear takes what waits, interrupt what runs; cancel tells whether there was something to cancel."""
    async with serving(pace=FAST.__class__(step_s=0.1)) as (comfy, url), aiohttp.ClientSession() as session:
        client = ComfyClient(session, url)
        ids = [f"00000000-0000-4000-8000-00000000000{n}" for n in range(3)]
        for seed, prompt_id in enumerate(ids):
            await client.submit(graph(seed=seed, steps=500), prompt_id=prompt_id, client_id="x")
        await eventually(lambda: comfy.worker.running is not None, "nothing runs")
        assert await client.remaining() == 3
        await client.delete_queued(ids[1])
        assert (await client.queue()).pending == (ids[2],)
        await client.clear_queue()
        assert (await client.queue()).pending == ()
        assert await client.cancel_job("00000000-0000-4000-8000-00000000000f") is False
        await client.interrupt(ids[0])
        await eventually(lambda: comfy.worker.running is None, "it still runs")


async def test_uploads(pair: Pair) -> None:
    """The returned name counts: same bytes keep it, other bytes get another; a mask is put on its original."""
    client, comfy = pair
    first = await client.upload_image(PNG, "a b.png", subfolder="easel")
    assert first == Uploaded(name="a b.png", subfolder="easel", folder="input")
    assert first.value == "easel/a b.png"
    assert await client.upload_image(PNG, "a b.png", subfolder="easel") == first
    other = await client.upload_image(PNG + b"\0", "a b.png", subfolder="easel")
    assert other.name != first.name
    assert (await client.upload_image(PNG, "a b.png", subfolder="easel", overwrite=True)).name == first.name
    made = await client.upload_mask(PNG, "m.png", original=first, subfolder="easel")
    assert comfy.files.input_path(made.value) is not None
    assert (await client.upload_image(PNG, "t.png", folder="temp")).value == "t.png [temp]"
    with pytest.raises(ServerFault):
        await client.upload_image(PNG, "../x.png", subfolder="../..")


async def test_settings_and_users(pair: Pair) -> None:
    """Settings are read, written and merged; a single user has every name."""
    client, _ = pair
    await client.write_setting("Easel.A", {"x": [1]})
    await client.write_settings({"Easel.B": "two"})
    assert await client.setting("Easel.A") == {"x": [1]}
    assert await client.setting("Easel.none") is None
    assert await client.settings() == {"Easel.A": {"x": [1]}, "Easel.B": "two"}
    assert await client.users() == {}
    assert await client.add_user("default") is None


async def test_user_files(pair: Pair) -> None:
    """Files of the editor are listed, written, read, moved and deleted; what is not there is None or False."""
    client, _ = pair
    assert await client.user_files() == ()
    stored = await client.write_user_file("workflows/sub dir/ä.json", b"{}")
    assert stored is not None
    assert stored.path == "workflows/sub dir/ä.json"
    assert await client.write_user_file("workflows/sub dir/ä.json", b"[]", overwrite=False) is None
    assert [one.path for one in await client.user_files()] == ["sub dir/ä.json"]
    assert await client.read_user_file("workflows/sub dir/ä.json") == b"{}"
    assert await client.read_user_file("workflows/none.json") is None
    moved = await client.move_user_file("workflows/sub dir/ä.json", "workflows/b.json")
    assert moved is not None
    assert await client.move_user_file("workflows/none.json", "workflows/c.json") is None
    assert await client.delete_user_file("workflows/b.json")
    assert not await client.delete_user_file("workflows/b.json")
    with pytest.raises(ServerFault) as caught:
        await client.read_user_file("../../secret")
    assert caught.value.facts["status"] == "403"


async def test_an_upload_without_a_name_is_malformed() -> None:
    """A server that does not name the file is no ComfyUI."""

    async def odd(_request: web.Request) -> web.Response:
        return web.json_response({"ok": True})

    app = web.Application()
    app.router.add_post("/upload/image", odd)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        async with aiohttp.ClientSession() as session:
            with pytest.raises(Malformed):
                await ComfyClient(session, f"http://127.0.0.1:{runner.addresses[0][1]}").upload_image(PNG, "a.png")
    finally:
        await runner.cleanup()


def recorded(*names: str) -> Iterator[dict[str, Any]]:
    for name in names:
        yield from (one for one in records(shared("comfyui", "recordings", f"{name}.jsonl")) if one["kind"] == "http")


@pytest.mark.parametrize("folder", ["", "v0.3.64/"])
def test_answers_of_two_versions(folder: str) -> None:
    """What 0.33.0 and 0.3.64 answered is read without loss."""
    seen: set[str] = set()
    for one in recorded(f"{folder}http_01_info", f"{folder}http_05_upload_view"):
        path, body = one["path"].removeprefix("/api").partition("?")[0], one.get("json")
        if one.get("status") != 200 or body is None:
            continue
        if path == "/system_stats":
            stats = parse_system_stats(body)
            assert stats.version == body["system"]["comfyui_version"]
            assert stats.devices[0].memory_total == body["devices"][0]["vram_total"]
            seen.add("stats")
        elif path == "/features":
            assert parse_features(body).preview_metadata
            seen.add("features")
        elif path.startswith("/object_info/"):
            assert {name for name in parse_node_list(body)} == set(body)  # noqa: C416 - the keys, as they are
            seen.add("node")
        elif path in ("/embeddings", "/models", "/extensions") or path.startswith("/models/"):
            assert list(parse_names(body)) == body
            seen.add("names")
        elif path == "/history":
            assert list(parse_histories(body)) == list(body)
            seen.add("history")
        elif path.startswith("/upload/"):
            made = parse_uploaded(body)
            assert made is not None
            assert (made.name, made.subfolder) == (body["name"], body["subfolder"])
            seen.add("upload")
    assert {"stats", "features", "node", "names", "upload"} <= seen


def test_recorded_user_data() -> None:
    """Listings of user data with and without details."""
    listings = (one for one in recorded("http_04_users_settings_userdata") if one["path"].startswith("/userdata?"))
    bodies = {one["path"]: one["json"] for one in listings if one.get("json") is not None}
    full = parse_user_files(bodies["/userdata?dir=workflows&recurse=true&full_info=true"])
    assert [one.path for one in full] == ["a.json", "sub/b.json"]
    assert full[0].size == 14
    bare = parse_user_files(bodies["/userdata?dir=workflows&recurse=true"])
    assert bare == tuple(UserFile(path=path, size=0, modified=0.0) for path in ("a.json", "sub/b.json"))


ODD: list[object] = [None, [], {}, "x", 5, {"system": 3, "devices": [1, None]}, {"name": 5}, [None, {"path": 1}]]


@pytest.mark.parametrize("body", ODD)
def test_odd_answers_are_no_crash(body: object) -> None:
    """Wrong shapes become empty values."""
    assert parse_system_stats(body).version == ""
    assert parse_features(body).upload_limit is None
    assert parse_uploaded(body) is None
    assert parse_stored(body) is None
    assert parse_user_files(json.loads(json.dumps(body))) == ()
    assert parse_histories(body) == {}
