"""One process, three faces on one port: REST and gateway for the bot, files for both, page and control for people."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web

from bot.sandbox.discord.control import Control, same_site
from bot.sandbox.discord.faults import Buckets, json_answer, refusal
from bot.sandbox.discord.gateway import Gateway
from bot.sandbox.discord.interactions import People
from bot.sandbox.discord.posting import BODY, FILES, Refused
from bot.sandbox.discord.rest import Rest
from bot.sandbox.discord.world import Call, World

PAGE = Path(__file__).parents[1] / "page"
API = "/api/v10"
_TYPES = {
    ".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".webp": "image/webp", ".gif": "image/gif",
    ".mp4": "video/mp4", ".webm": "video/webm",
}  # fmt: skip
_PAGE_TYPES = {"index.html": "text/html", "page.js": "text/javascript", "cards.js": "text/javascript",
               "command.js": "text/javascript", "focus.js": "text/javascript", "live.js": "text/javascript",
               "menus.js": "text/javascript", "dialog.js": "text/javascript",
               "page.css": "text/css"}  # fmt: skip
_NO_TOKEN = ("/webhooks/", "/interactions/")


@dataclass(slots=True)
class Discord:
    """A running stand-in."""

    world: World
    gateway: Gateway
    people: People
    buckets: Buckets
    url: str = ""


def _bucket(request: web.Request) -> str:
    info = request.match_info
    major = info.get("webhook_token") or info.get("interaction_token") or info.get("channel_id") or ""
    resource = request.match_info.route.resource
    kind = "webhook" if "webhook_token" in info else (resource.canonical if resource else "")
    return f"{request.method if kind != 'webhook' else ''}{kind}:{major}"


def _middleware(discord: Discord) -> Any:
    """Log every call, let faults happen, check the token, count the limits."""
    world = discord.world

    @web.middleware
    async def middleware(request: web.Request, handler: Any) -> web.StreamResponse:
        resource = request.match_info.route.resource
        route = resource.canonical.removeprefix(API) if resource else ""
        call = f"{request.method} {request.path.removeprefix(API)}"
        if not request.path.startswith(API):
            return await handler(request)
        files = request.content_type.startswith("multipart/")
        fault = next((one for one in world.faults if one.matches(call, files=files)), None)
        if fault is not None:
            fault.times -= 1
            await asyncio.sleep(fault.delay_s)
        answer = await _answer(request, handler, discord, fault)
        record = Call(method=request.method, route=route, path=request.path, status=answer.status, at=time.time())
        record.body, record.files = request.get(BODY), request.get(FILES, 0)
        record.answer = answer.text if isinstance(answer, web.Response) else None
        world.calls.append(record)
        return answer

    return middleware


async def _answer(request: web.Request, handler: Any, discord: Discord, fault: Any) -> web.StreamResponse:
    if fault is not None and not fault.after:
        if fault.drop and request.transport is not None:
            request.transport.abort()
        if fault.status is not None:
            return refusal(fault.status, fault.code, "asked to fail")
    path = request.path.removeprefix(API)
    if not path.startswith(_NO_TOKEN) and request.headers.get("Authorization") != f"Bot {discord.world.token}":
        return refusal(401, 0, "401: Unauthorized")
    headers, wait_s = discord.buckets.take(_bucket(request))
    if wait_s is not None:
        body = {"message": "You are being rate limited.", "retry_after": wait_s, "global": False}
        answer = json_answer(body, 429)
        answer.headers.update(headers | {"Retry-After": f"{wait_s:.3f}", "X-RateLimit-Scope": "user"})
        return answer
    try:
        answer = await handler(request)
    except Refused as refused:
        answer = refused.answer
    answer.headers.update(headers)
    if fault is not None and fault.after:
        if fault.drop and request.transport is not None:
            request.transport.abort()
        if fault.status is not None:
            return refusal(fault.status, fault.code, "asked to fail")
    return answer


def build_app(discord: Discord) -> web.Application:
    """Return the application."""
    world = discord.world
    app = web.Application(middlewares=[_middleware(discord)], client_max_size=64 * 2**20)
    for method, path, handler in Rest(world, discord.people).routes():
        app.router.add_route(method, API + path, handler)

    async def root(request: web.Request) -> web.StreamResponse:
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await discord.gateway.serve(request)
        return await same_site(request, _page("index.html"))

    async def unknown(request: web.Request) -> web.Response:
        world.unknown_routes.append(f"{request.method} {request.path}")
        return refusal(404, 0, "404: Not Found")

    async def attachment(request: web.Request) -> web.Response:
        return _attachment(world, request)

    app.router.add_get("/", root)
    app.router.add_get("/attachments/{channel}/{file}/{name}", attachment)
    for name in _PAGE_TYPES:
        app.router.add_get(f"/{name}", _page(name))
    app.router.add_get("/favicon.ico", _nothing)
    app.add_subapp("/_ctl", Control(world, discord.gateway, discord.people).app())
    app.router.add_route("*", "/{rest:.*}", unknown)
    return app


async def _nothing(_request: web.Request) -> web.Response:
    return web.Response(status=204)


def _page(name: str) -> Any:
    async def handler(_request: web.Request) -> web.Response:
        text = (PAGE / name).read_text(encoding="utf-8")
        own = ("script-src", "style-src", "img-src", "media-src", "connect-src")
        policy = "; ".join(["default-src 'none'", *(f"{what} 'self'" for what in own)])
        headers = {"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
        return web.Response(text=text, content_type=_PAGE_TYPES[name], charset="utf-8", headers=headers)

    return handler


def _attachment(world: World, request: web.Request) -> web.Response:
    found = world.files.get(request.match_info["file"])
    if found is None:
        return web.Response(status=404)
    name, data = found
    kind = _TYPES.get(Path(name).suffix.lower(), "application/octet-stream")
    headers = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox; default-src 'none'"}
    return web.Response(body=data, content_type=kind, headers=headers)


@asynccontextmanager
async def serving(port: int = 0, *, enforce_limits: bool = True) -> AsyncGenerator[Discord]:
    """Run a stand-in on loopback."""
    world = World()
    gateway = Gateway(world)
    discord = Discord(world, gateway, People(world, gateway), Buckets(enforce_limits))
    runner = web.AppRunner(build_app(discord), shutdown_timeout=0.5, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port)
    await site.start()
    bound: int = runner.addresses[0][1]
    discord.url = world.base_url = f"http://127.0.0.1:{bound}"
    try:
        yield discord
    finally:
        await discord.people.close()
        await runner.cleanup()
