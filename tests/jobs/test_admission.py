"""What the gate gets to see of a request."""

import aiohttp
import pytest

from bot.comfy.models import parse_node_list
from bot.errors import RequestError
from bot.jobs.admission import Admission
from bot.jobs.fleet import Fleet, make_server
from bot.jobs.library import Library
from bot.model.request import Request
from bot.settings import ComfyServer
from bot.store.database import open_database
from bot.store.uploads import UploadStore
from tests.conftest import PROJECT


async def test_a_file_that_is_gone_is_no_file_unseen() -> None:
    """A request whose upload is not kept any more is refused, not judged without it."""
    library = Library(PROJECT / "templates", Fleet([]))
    library.load()
    request = Request(
        prompt="a fox", template="sd15", seed=1, member_id=1, guild_id=1, channel_id=1, files={"image": "gone"}
    )
    async with open_database("sqlite://") as database:
        admission = Admission(library, library.fleet, UploadStore(database))
        with pytest.raises(RequestError) as refused:
            await admission.ask(library.by_name["img2img"], request)
    assert refused.value.key == "refused.file_gone"


async def test_a_tag_is_seen_as_what_it_means_on_each_server() -> None:
    """Where a tag means another file on each server the gate sees all, and both prompts without their tags."""
    files = ["sweet/brush.safetensors", "gory/brush.safetensors"]
    library = Library(PROJECT / "templates", Fleet([]))
    library.load()
    request = Request(
        prompt="re<lora:brush:1>d", negative="bl<lora:brush:1>ue", template="sd15", seed=1, member_id=1, guild_id=1,
        channel_id=1,
    )  # fmt: skip
    async with aiohttp.ClientSession() as session, open_database("sqlite://") as database:
        fleet = Fleet([make_server(session, ComfyServer(name=one, url="http://127.0.0.1:9")) for one in ("m0", "m1")])
        for server, file in zip(fleet.servers.values(), files, strict=True):
            about = {"input": {"required": {"lora_name": [[file]]}}, "output": ["MODEL", "CLIP"]}
            server.node_list = parse_node_list({"LoraLoader": about})
        admission = Admission(library, fleet, UploadStore(database))
        ask = await admission.ask(library.by_name["sd15"], request)

    assert {*files, "red", request.prompt} <= set(ask.texts)
    assert set(ask.negatives) == {"blue", request.negative}
