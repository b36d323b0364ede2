"""A stand-in for a language model: one OpenAI-compatible address that makes ideas longer, the same way every time."""

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from aiohttp import web

_MORE = "in soft morning light, fine detail, calm background, gentle colours, wide view"
_BODY = 100_000


async def _complete(request: web.Request) -> web.Response:
    """Answer as `POST /v1/chat/completions` does."""
    body = json.loads(await request.content.read(_BODY))
    idea = next((one["content"] for one in reversed(body["messages"]) if one["role"] == "user"), "")
    message = {"role": "assistant", "content": f"{idea}, {_MORE}"}
    choices = [{"index": 0, "finish_reason": "stop", "message": message}]
    return web.json_response({"object": "chat.completion", "model": body.get("model", ""), "choices": choices})


@asynccontextmanager
async def serving() -> AsyncGenerator[str]:
    """Serve on a free port; yield the base address."""
    app = web.Application()
    app.router.add_post("/v1/chat/completions", _complete)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}/v1"
    finally:
        await runner.cleanup()
