"""The people's side over HTTP, as the page uses it."""

import json
from typing import Any

import aiohttp
import pytest

from bot.sandbox.run import Sandbox
from tests.person import Person, at_rest, custom_ids


class Page:
    """The page's calls."""

    def __init__(self, sandbox: Sandbox, http: aiohttp.ClientSession, name: str) -> None:
        self.world, self.url, self.http = sandbox.discord.world, sandbox.discord.url, http
        self.person = self.world.person_named(name)
        self.channel = self.world.channel_named("pictures")

    async def call(self, path: str, **body: Any) -> tuple[int, Any]:
        who = {"person": self.person.id, "channel": self.channel.id}
        async with self.http.post(f"{self.url}/_ctl/{path}", json={**who, **body}) as reply:
            return reply.status, await reply.json()


async def test_the_page_can_do_all_that_people_do(sandbox: Sandbox) -> None:
    """Lines, options, choices, clicks, talk and files go through, and mistakes come back in words."""
    async with aiohttp.ClientSession() as http:
        page = Page(sandbox, http, "haruka")
        status, sent = await page.call("slash", line="/画像生成 プロンプト:a fox シード:5")
        assert (status, sent["acknowledged"]) == (200, True)
        person = Person(sandbox, "haruka")
        interaction = page.world.interactions[sent["interaction"]]
        message = await person.picture(interaction)
        assert "seed `5`" in message.words  # everybody sees it, in the guild's language
        status, _ = await page.call("slash", command="queue")
        assert status == 200
        _, found = await page.call("complete", command="imagine", focused="template", options={"template": "flu"})
        assert [one["value"] for one in found["choices"]] == ["flux"]
        delete = next(one for one in custom_ids(message) if ":delete:" in one)
        assert (await page.call("click", message=message.id, custom_id=delete))[0] == 200
        assert (await page.call("say", content="hello"))[0] == 200
        form = aiohttp.FormData()
        form.add_field("file", b"png", filename="../x y.png")
        async with http.post(f"{page.url}/_ctl/upload", data=form) as reply:
            kept = await reply.json()
        assert page.world.files[kept["id"]] == (kept["name"], b"png")
        assert "/" not in kept["name"].replace(".._", "")
        async with http.get(f"{page.url}/attachments/0/{kept['id']}/{kept['name']}") as reply:
            assert reply.headers["X-Content-Type-Options"] == "nosniff"
        async with http.get(f"{page.url}/attachments/0/1/x.png") as reply:
            assert reply.status == 404


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        ("slash", {"command": "nothing"}, "not offered"),
        ("slash", {"line": "/imagine"}, "required"),
        ("slash", {"person": "1", "line": "/help"}, "no such person"),
        ("click", {"message": "1", "custom_id": "x"}, "do not see"),
        ("menu", {"command": "1", "target": "1"}, "not offered"),
        ("submit", {"interaction": "1"}, "not yours"),
        ("say", {"content": "  "}, "nothing to say"),
    ],
)
async def test_mistakes_come_back_in_words(sandbox: Sandbox, path: str, body: dict[str, Any], words: str) -> None:
    """Each call that makes no sense is a 400 with words."""
    async with aiohttp.ClientSession() as http:
        status, answer = await Page(sandbox, http, "max").call(path, **body)
    assert status == 400
    assert words in answer["words"]


async def test_private_words_reach_one_person(sandbox: Sandbox) -> None:
    """An ephemeral reply is in the stream and the snapshot of its person only; a moderators' channel likewise."""
    async with aiohttp.ClientSession() as http:
        own, other = Page(sandbox, http, "max"), Page(sandbox, http, "noa")
        moderators = own.world.channel_named("moderators").id
        person = Person(sandbox, "max")
        async with http.ws_connect(f"{own.url}/_ctl/events?person={other.person.id}") as stream:
            snapshot = await stream.receive_json()
            assert moderators not in [one["id"] for one in snapshot["channels"]]
            await person.until(at_rest, await person.says("help"))
            mina = Page(sandbox, http, "mina")
            assert (await mina.call("say", channel=moderators, content="psst"))[0] == 200
            await own.call("say", content="hello")
            heard = await stream.receive_json()
            assert heard["message"]["content"] == "hello"
        async with http.ws_connect(f"{own.url}/_ctl/events?person={own.person.id}") as stream:
            mine = json.dumps(await stream.receive_json())
        async with http.ws_connect(f"{own.url}/_ctl/events?person={other.person.id}") as stream:
            theirs = json.dumps(await stream.receive_json())
    assert "own machines" in mine
    assert "own machines" not in theirs
    assert "psst" not in mine + theirs


async def test_other_sites_stay_out(sandbox: Sandbox) -> None:
    """A page of another site in the same browser cannot use the control side or read the page."""
    async with aiohttp.ClientSession() as http:
        for headers in ({"Origin": "https://evil.example"}, {"Host": "evil.example"}):
            for path in ("/_ctl/say", "/"):
                method = http.post if path != "/" else http.get
                async with method(f"{sandbox.discord.url}{path}", headers=headers) as reply:
                    assert reply.status == 403
