"""The stand-in's HTTP face; answers, status codes and shapes as recorded from the real server (facts §2 to §4)."""

import asyncio
import time
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from bot.sandbox.comfyui.files import Files
from bot.sandbox.comfyui.hub import FEATURES, Hub
from bot.sandbox.comfyui.jobs_api import JobsApi
from bot.sandbox.comfyui.nodes import METADATA, MODELS, Wanted, with_models
from bot.sandbox.comfyui.people import People
from bot.sandbox.comfyui.userdata import UserData
from bot.sandbox.comfyui.validation import Invalid, Validation, fault
from bot.sandbox.comfyui.worker import Item, Pace, Worker

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_UPLOAD_LIMIT = 104857600
_SECRETS = ("auth_token_comfy_org", "api_key_comfy_org")
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_VERSION = "0.33.0"


class Comfy:
    """A stand-in server: state, and the handlers on it. `faults` are one-shot mishaps that tests and people ask for."""

    def __init__(self, root: Path, pace: Pace) -> None:
        self.hub = Hub()
        self.files = Files(root)
        self.worker = Worker(self.hub, self.files, pace)
        self._people = People()
        self.user_data = UserData(root / "user")
        self._counter = 0
        self.wanted: Callable[[], Wanted] = tuple
        """Model files that people's workflows name; the sandbox has them all."""
        self.refuse_prompts: list[int] = []
        """Status codes for the next POSTs to /prompt."""
        self.lose_answers = 0
        """How many of the next POSTs to /prompt are taken, and then answered by a broken connection."""
        self.refuse_info = 0
        """How many of the next GETs of /object_info are answered with a 503."""
        self.refuse_views: list[int] = []
        """Status codes for the next GETs of /view."""

    async def post_prompt(self, request: web.Request) -> web.Response:
        """POST /prompt."""
        body = await request.json()
        if self.refuse_prompts:
            return web.Response(status=self.refuse_prompts.pop(0), text="asked to fail")
        number = float(body["number"]) if "number" in body else self._counter
        if isinstance(body, dict) and "number" not in body and body.get("front"):
            number = -self._counter
        if not isinstance(body, dict) or "number" not in body:
            self._counter += 1
        try:
            answer = web.json_response(self._queued(body, number))
        except Invalid as refusal:
            return web.json_response(refusal.body, status=400)
        if self.lose_answers > 0 and request.transport is not None:
            self.lose_answers -= 1
            request.transport.abort()
        return answer

    def _queued(self, body: Any, number: float) -> dict[str, Any]:
        if "prompt" not in body:
            raise Invalid(fault("no_prompt", "No prompt provided", "No prompt provided"))
        prompt_id = _prompt_id(body.get("prompt_id"))
        validation = Validation(body["prompt"], self.files.has_input, with_models(self.wanted()))
        outputs, node_errors = validation.run(body.get("partial_execution_targets"))
        extra = dict(body.get("extra_data") or {})
        if "client_id" in body:
            extra["client_id"] = body["client_id"]
        for secret in _SECRETS:
            extra.pop(secret, None)
        extra["create_time"] = int(time.time() * 1000)
        self.worker.enqueue(Item(number, prompt_id, body["prompt"], extra, outputs))
        return {"prompt_id": prompt_id, "number": number, "node_errors": node_errors}

    async def get_prompt(self, _request: web.Request) -> web.Response:
        """GET /prompt."""
        return web.json_response({"exec_info": {"queue_remaining": self.hub.queue_remaining}})

    async def get_queue(self, _request: web.Request) -> web.Response:
        """GET /queue; pending items in heap order."""
        running = self.worker.running
        body = {
            "queue_running": [running.listed()] if running else [],
            "queue_pending": [item.listed() for item in self.worker.pending],
        }
        return web.json_response(body)

    async def post_queue(self, request: web.Request) -> web.Response:
        """POST /queue."""
        body = await request.json()
        if body.get("clear"):
            self.worker.delete([item.prompt_id for item in self.worker.pending])
        self.worker.delete(body.get("delete") or [])
        return web.Response()

    async def interrupt(self, request: web.Request) -> web.Response:
        """POST /interrupt; garbage counts as {} and that is global."""
        try:
            body = await request.json()
        except ValueError:
            body = {}
        prompt_id, running = body.get("prompt_id"), self.worker.running
        if running and prompt_id in (None, running.prompt_id):
            self.worker.interrupt = True
        return web.Response()

    async def free(self, request: web.Request) -> web.Response:
        """POST /free."""
        body = await request.json()
        if body.get("free_memory"):
            self.worker.free()
        return web.Response()

    async def get_history(self, request: web.Request) -> web.Response:
        """GET /history."""
        entries = list(self.worker.history.items())
        maximum = int(request.query.get("max_items", -1))
        offset = int(request.query.get("offset", -1))
        if "max_items" in request.query and offset < 0:
            entries = entries[-maximum:] if maximum > 0 else []
        elif offset >= 0:
            entries = entries[offset:] if maximum < 0 else entries[offset : offset + maximum]
        return web.json_response(dict(entries))

    async def get_history_one(self, request: web.Request) -> web.Response:
        """GET /history/{id}; an unknown id is {} with 200."""
        prompt_id = request.match_info["prompt_id"]
        entry = self.worker.history.get(prompt_id)
        return web.json_response({prompt_id: entry} if entry else {})

    async def post_history(self, request: web.Request) -> web.Response:
        """POST /history."""
        body = await request.json()
        if body.get("clear"):
            self.worker.history.clear()
        for prompt_id in body.get("delete") or []:
            self.worker.history.pop(prompt_id, None)
        return web.Response()

    async def object_info(self, request: web.Request) -> web.Response:
        """GET /object_info and /object_info/{class}."""
        name = request.match_info.get("name")
        if self.refuse_info > 0:
            self.refuse_info -= 1
            return web.Response(status=503)
        info = with_models(self.wanted())
        if name is None:
            return web.json_response(info)
        return web.json_response({name: info[name]} if name in info else {})

    async def models(self, request: web.Request) -> web.Response:
        """GET /models and /models/{folder}."""
        folder = request.match_info.get("folder")
        if folder is None:
            return web.json_response(list(MODELS))
        return web.json_response(MODELS[folder]) if folder in MODELS else web.Response(status=404)

    async def embeddings(self, _request: web.Request) -> web.Response:
        """GET /embeddings."""
        return web.json_response([name.rsplit(".", 1)[0] for name in MODELS["embeddings"]])

    async def system_stats(self, _request: web.Request) -> web.Response:
        """GET /system_stats."""
        return web.json_response(_STATS)

    async def model_metadata(self, request: web.Request) -> web.Response:
        """GET /view_metadata/{folder}: what the stand-in's checkpoints say of themselves."""
        found = METADATA.get((request.match_info["folder"], request.query.get("filename", "")))
        return web.json_response(found) if found else web.Response(status=404)

    async def view(self, request: web.Request) -> web.StreamResponse:
        """GET /view."""
        if self.refuse_views:
            return web.Response(status=self.refuse_views.pop(0), text="asked to fail")
        return await self.files.view(request)

    def routes(self) -> list[tuple[str, str, Handler]]:
        """Return method, path and handler of every route that also exists below /api."""
        return [
            ("GET", "/ws", self.hub.serve),
            ("GET", "/prompt", self.get_prompt),
            ("POST", "/prompt", self.post_prompt),
            ("GET", "/queue", self.get_queue),
            ("POST", "/queue", self.post_queue),
            ("POST", "/interrupt", self.interrupt),
            ("POST", "/free", self.free),
            ("GET", "/history", self.get_history),
            ("POST", "/history", self.post_history),
            ("GET", "/history/{prompt_id}", self.get_history_one),
            ("GET", "/object_info", self.object_info),
            ("GET", "/object_info/{name}", self.object_info),
            ("GET", "/models", self.models),
            ("GET", "/models/{folder}", self.models),
            ("GET", "/embeddings", self.embeddings),
            ("GET", "/system_stats", self.system_stats),
            ("GET", "/features", _answer(FEATURES)),
            ("GET", "/extensions", _answer([])),
            *self._people.routes(),
            *self.user_data.routes(),
            ("GET", "/view_metadata/{folder}", self.model_metadata),
            ("POST", "/upload/image", self.files.upload),
            ("POST", "/upload/mask", self.files.upload_mask),
            ("GET", "/view", self.view),
        ]


def _prompt_id(given: Any) -> str:
    if given is None:
        return str(uuid.uuid4())
    try:
        canonical = str(uuid.UUID(given)) == given
    except (ValueError, AttributeError, TypeError):
        canonical = False
    if not canonical:
        raise Invalid(fault("invalid_prompt_id", "prompt_id must be a valid UUID", "prompt_id must be a valid UUID"))
    return given


def _answer(body: Any) -> Handler:
    async def handler(_request: web.Request) -> web.Response:
        return web.json_response(body)

    return handler


_STATS: dict[str, Any] = {
    "system": {
        "os": "linux",
        "ram_total": 16 * 2**30,
        "ram_free": 8 * 2**30,
        "comfyui_version": _VERSION,
        "required_frontend_version": "1.0.0",
        "installed_templates_version": "0",
        "required_templates_version": "0",
        "comfy_package_versions": [],
        "python_version": "3.11",
        "pytorch_version": "none: pictures are drawn by Pillow",
        "embedded_python": False,
        "deploy_environment": "local",
        "argv": ["easel-sandbox"],
    },
    "devices": [
        {
            "name": "pencil",
            "type": "cpu",
            "index": None,
            "vram_total": 8 * 2**30,
            "vram_free": 8 * 2**30,
            "torch_vram_total": 0,
            "torch_vram_free": 0,
        }
    ],
}


@web.middleware
async def _same_origin(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse browsers of other sites, as the real server does on a loopback host."""
    if request.headers.get("Sec-Fetch-Site") == "cross-site":
        return web.Response(status=403)
    origin, host = urlsplit(request.headers.get("Origin", "")), request.headers.get("Host", "")
    if origin.netloc and host.rsplit(":", 1)[0].strip("[]") in _LOOPBACK and origin.netloc.lower() != host.lower():
        return web.Response(status=403)
    return await handler(request)


def build_app(comfy: Comfy, empty: Path) -> web.Application:
    """Return the application; `empty` is an empty folder, whose static route shapes the 404s as the real one's do."""
    app = web.Application(middlewares=[_same_origin], client_max_size=_UPLOAD_LIMIT)
    jobs = JobsApi(comfy.worker)
    for prefix in ("", "/api"):
        for method, path, handler in comfy.routes():
            app.router.add_route(method, prefix + path, handler)
            if method == "GET" and path != "/ws":
                app.router.add_route("HEAD", prefix + path, handler)
    for method, path, handler in jobs.routes():
        app.router.add_route(method, path, handler)
    app.router.add_static("/", empty)
    return app


@asynccontextmanager
async def serving(
    port: int = 0, *, pace: Pace | None = None, root: Path | None = None
) -> AsyncGenerator[tuple[Comfy, str]]:
    """Run a stand-in on loopback; yield it and its URL. Without `root`, its files vanish at the end."""
    with TemporaryDirectory(prefix="easel-comfyui-") as scratch:
        empty = Path(scratch) / "web"
        empty.mkdir()
        comfy = Comfy(root or Path(scratch) / "base", pace or Pace())
        runner = web.AppRunner(build_app(comfy, empty), shutdown_timeout=0.5, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", port)
        await site.start()
        bound: int = runner.addresses[0][1]
        tasks = [
            asyncio.create_task(comfy.hub.publish(), name="standin-comfyui-publisher"),
            asyncio.create_task(comfy.worker.run(), name="standin-comfyui-worker"),
        ]
        try:
            yield comfy, f"http://127.0.0.1:{bound}"
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await runner.cleanup()
