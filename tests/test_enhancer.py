"""The prompt helper: answers are one clean line, failures one of two kinds, and the key stays secret."""

import asyncio
import json
import traceback
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from bot.enhancer import Enhancer, EnhancerAway, EnhancerError, EnhancerFault

KEY = "sk-helpersecret"
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


def chat(content: object) -> str:
    return json.dumps({"choices": [{"message": {"role": "assistant", "content": content}}]})


def says(text: str, status: int = 200, **headers: str) -> Answer:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(text=text, status=status, headers=headers)

    return answer


async def sleeps(_: web.Request) -> web.Response:
    await asyncio.sleep(5)
    return web.Response(text=chat("late"))


async def hangs_up(request: web.Request) -> web.Response:
    assert request.transport is not None
    request.transport.close()
    return web.Response()


async def speaks_no_http(request: web.Request) -> web.Response:
    assert request.transport is not None
    request.transport.write(b"SSH-2.0-OpenSSH_9.6\r\n")
    request.transport.close()
    return web.Response()


class Helper:
    """A real server that gives its answers one after another, the last one for ever."""

    def __init__(self, base: str = "") -> None:
        self.base = base
        self.answers: list[Answer] = []
        self.got: list[tuple[str, str | None, dict[str, Any]]] = []

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.got.append((request.path, request.headers.get("Authorization"), await request.json()))
        return await (self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])(request)


@pytest.fixture
async def helper() -> AsyncGenerator[Helper]:
    handler = Helper()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    handler.base = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    yield handler
    await runner.cleanup()


@pytest.fixture
async def session() -> AsyncGenerator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def fault_of(enhancer: Enhancer) -> EnhancerError:
    with pytest.raises(EnhancerError) as caught:
        await enhancer.improved("a cat")
    return caught.value


async def test_a_good_answer(helper: Helper, session: aiohttp.ClientSession) -> None:
    """The member's words go out as data of their own beside our task, with the key as Bearer; the answer comes back."""
    helper.answers = [says(chat("A cat on a red roof at dusk, soft light"))]
    enhancer = Enhancer(session, helper.base + "/", "llama3.2", KEY)
    assert await enhancer.improved("猫 <lora:ink:0.8>") == "A cat on a red roof at dusk, soft light"
    ((path, key, asked),) = helper.got
    assert (path, key) == ("/v1/chat/completions", f"Bearer {KEY}")
    task, words = asked.pop("messages")
    assert (task["role"], words) == ("system", {"role": "user", "content": "猫 <lora:ink:0.8>"})
    assert "猫" not in task["content"]
    assert asked == {"model": "llama3.2", "temperature": 0.7, "max_tokens": 400, "stream": False}
    assert KEY not in repr(enhancer)


async def test_without_a_key_none_is_sent(helper: Helper, session: aiohttp.ClientSession) -> None:
    """A helper that wants no key gets no Authorization."""
    helper.answers = [says(chat("x"))]
    await Enhancer(session, helper.base, "m").improved("a cat")
    assert helper.got[0][1] is None


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("  a cat\n\n  on a\troof \r\n", "a cat on a roof"),
        ('"a cat"', "a cat"),
        ("“a cat”", "a cat"),
        ("\u2018a cat\u2019", "a cat"),
        ("「屋根の上の猫」", "屋根の上の猫"),
        ('"a cat" and "a dog"', '"a cat" and "a dog"'),
        ('a cat\'s "hat"', 'a cat\'s "hat"'),
        ("```\na cat\n```", "a cat"),
        ("```text\na cat,\non a roof\n```", "a cat, on a roof"),
        ("```a cat```", "a cat"),
        ('```\n"a cat"\n```', "a cat"),
        ("<think>The user wants\na cat.</think>\n\na cat", "a cat"),
        ("<THINK></THINK><think>b</think>a cat", "a cat"),
        ("The user wants a cat.\n</think>\na cat", "a cat"),
        ("a cat <think>and now", "a cat"),
        ("a\x00 \x1b[31mcat\u202e\u200b\ud800", "a [31mcat"),
        ("👩‍🚀 <lora:ink:0.8> (cat:1.2)", "👩‍🚀 <lora:ink:0.8> (cat:1.2)"),
        ("x" * 5000, "x" * 1500),
        ("x" * 1499 + " y", "x" * 1499),
        ('"', '"'),
    ],
    ids=range(20),
)
async def test_answers_are_cleaned(answer: str, words: str, helper: Helper, session: aiohttp.ClientSession) -> None:
    """Thoughts, a fence and quotes around, line breaks and control characters go; the prompt is cut at its limit."""
    helper.answers = [says(chat(answer))]
    assert await Enhancer(session, helper.base, "m").improved("a cat") == words


@pytest.mark.parametrize(
    "passing", [says("{}", 500), says("", 503), says("busy", 429), hangs_up], ids=["500", "503", "429", "hangs up"]
)
async def test_what_passes_is_tried_once_more(passing: Answer, helper: Helper, session: aiohttp.ClientSession) -> None:
    """After a 5xx, a 429 or a lost connection a good answer counts; two of them in a row are a helper that is away."""
    helper.answers = [passing, says(chat("a cat"))]
    enhancer = Enhancer(session, helper.base, "m", KEY)
    assert await enhancer.improved("a cat") == "a cat"
    helper.answers, helper.got = [passing], []
    assert isinstance(await fault_of(enhancer), EnhancerAway)
    assert len(helper.got) == 2


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (says(f"wrong key {KEY}", 401), "answered 401"),
        (says("no such model", 404), "answered 404"),
        (says("", 307, Location="/v1/elsewhere"), "answered 307"),
        (says("<html>"), "an answer that is no JSON"),
        (says("[" * 100_000), "an answer that is no JSON"),
        (says(""), "an answer that is no JSON"),
        (says(chat("x" * 300_000)), "far too long an answer"),
        (says(chat("")), "an empty answer"),
        (says(chat(" \n\x00 ")), "an empty answer"),
        (says(chat("<think>and think and th")), "an empty answer"),
        (says(chat(None)), "an empty answer"),
        (says(chat([{"text": "x"}])), "an empty answer"),
        (says("[]"), "an empty answer"),
        (says('{"choices": [7]}'), "an empty answer"),
        (says('{"choices": []}'), "an empty answer"),
    ],
    ids=range(15),
)
async def test_what_cannot_be_used_is_a_fault(
    answer: Answer, reason: str, helper: Helper, session: aiohttp.ClientSession
) -> None:
    """A refusal, a way elsewhere, no JSON, far too much and nothing at all are faults with a reason, asked for once."""
    helper.answers = [answer]
    fault = await fault_of(Enhancer(session, helper.base, "m", KEY))
    assert isinstance(fault, EnhancerFault)
    assert fault.facts == {"reason": reason}
    assert len(helper.got) == 1


async def test_a_slow_helper_is_away(helper: Helper, session: aiohttp.ClientSession) -> None:
    """What takes longer than the limit in all is not waited for, nor asked for again."""
    helper.answers = [sleeps]
    fault = await fault_of(Enhancer(session, helper.base, "m", limit_s=0.1))
    assert isinstance(fault, EnhancerAway)
    assert fault.facts == {"reason": "did not answer in time"}
    assert len(helper.got) == 1


async def test_nobody_listens(session: aiohttp.ClientSession, unused_port: int) -> None:
    """A helper that is not running is away."""
    fault = await fault_of(Enhancer(session, f"http://127.0.0.1:{unused_port}/v1", "m"))
    assert isinstance(fault, EnhancerAway)


@pytest.mark.parametrize(
    "answer",
    [says(KEY, 401), says(KEY, 500), says(KEY), says(chat("")), hangs_up, speaks_no_http, sleeps],
    ids=["401", "500", "no JSON", "empty", "hangs up", "no HTTP", "sleeps"],
)
async def test_the_key_is_in_no_fault(answer: Answer, helper: Helper, session: aiohttp.ClientSession) -> None:
    """Whatever breaks, the key is in neither the fault's words, repr and facts, nor its traceback."""
    helper.answers = [answer]
    fault = await fault_of(Enhancer(session, helper.base, "m", KEY, limit_s=1.0))
    told = [str(fault), repr(fault), repr(fault.facts), repr(fault.__cause__), *traceback.format_exception(fault)]
    assert KEY not in " ".join(told)


@pytest.fixture
async def unused_port() -> int:
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    return port
