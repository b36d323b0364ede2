"""The whole API of one ComfyUI server, typed: shapes as recorded from 0.33.0 and 0.3.64 (shared facts, ComfyUI §3, §4).

Verbs without a result answer with an empty body. Unknown things answer 200 with an empty object (facts G25).
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Literal
from urllib.parse import quote

import aiohttp
import stamina

from bot.comfy.errors import Malformed, PictureLost, Rejected, ServerFault, SocketLost, Unreachable
from bot.comfy.events import Status
from bot.comfy.models import (
    Features,
    Finished,
    HistoryEntry,
    NodeClass,
    NodeList,
    NotThere,
    Pending,
    QueueState,
    Running,
    StoredFile,
    Submission,
    SystemStats,
    Uploaded,
    UserFile,
    Whereabouts,
    parse_features,
    parse_histories,
    parse_history,
    parse_names,
    parse_node_errors,
    parse_node_list,
    parse_queue,
    parse_refusal,
    parse_stored,
    parse_system_stats,
    parse_uploaded,
    parse_user_files,
)
from bot.comfy.transport import FILE_TIMEOUT, EventStream, Transport, refuse, translated
from bot.model.job import Result
from bot.model.jsontree import JsonObject, number, obj, text

VIEW_ATTEMPTS = 6

FIRST_STATUS_S = 15.0
PING_S = 20.0
"""The server never pings (facts G11): without ours a half-open socket is never noticed."""

_FLAGS = {"type": "feature_flags", "data": {"supports_preview_metadata": True}}

Folder = Literal["input", "temp", "output"]


def _worth_asking_again(fault: Exception) -> bool:
    """A file that is not there (4xx) will not come; everything else may."""
    return isinstance(fault, Unreachable) or (isinstance(fault, ServerFault) and fault.facts["status"].startswith("5"))


class ComfyClient(Transport):
    """A typed client. Every method raises Unreachable, ServerFault or Malformed; what else, its docstring says."""

    # GET /ws

    @asynccontextmanager
    async def events(self, client_id: str) -> AsyncGenerator[EventStream]:
        """Open the socket of a client id, send our flags, and yield it after its first `status`.

        Use a fresh id each time: a second socket with the same id makes one of the two deaf (facts G5, G6).

        Raises:
            SocketLost: it closed before the first status.
        """
        async with translated():
            socket = await self.session.ws_connect(
                f"{self.url}/ws",
                params={"clientId": client_id},
                headers=self.headers,
                ssl=self.tls,
                heartbeat=PING_S,
                max_msg_size=0,  # aiohttp's own limit of 4 MiB closes on a large picture (facts G12)
            )
        stream = EventStream(socket)
        try:
            await self._greet(stream, socket)
            yield stream
        finally:
            await stream.close()

    @staticmethod
    async def _greet(stream: EventStream, socket: aiohttp.ClientWebSocketResponse) -> None:
        """Send our flags, which count only as the first message, and wait for the first status."""
        try:
            async with translated():
                await socket.send_json(_FLAGS)
            async with asyncio.timeout(FIRST_STATUS_S):
                while not isinstance(await stream.next(FIRST_STATUS_S), Status):
                    pass
        except TimeoutError as silence:
            raise SocketLost("no status on a new socket", reason="silent") from silence

    # Prompts

    async def submit(
        self, graph: Mapping[str, Any], *, prompt_id: str, client_id: str, pnginfo: Mapping[str, Any] | None = None
    ) -> Submission:
        """POST /prompt with ids of our own; never `number` (facts G2). Previews are asked for (facts G28).

        `pnginfo` becomes text chunks of the PNGs that the server saves, by name.

        Raises:
            Rejected: refused, or taken in part only; a part that was taken is deleted again.
        """
        extra: JsonObject = {"preview_method": "auto"}
        extra |= {"extra_pnginfo": dict(pnginfo)} if pnginfo else {}
        body = {"prompt": graph, "prompt_id": prompt_id, "client_id": client_id, "extra_data": extra}
        status, reply = await self.call("POST", "/prompt", json=body, accept=(200, 400))
        if status == 400:
            raise Rejected(*parse_refusal(reply))
        taken = obj(reply)
        if text(taken.get("prompt_id")) != prompt_id:
            raise Malformed("POST /prompt answered with another prompt_id", what="prompt_id")
        if nodes := parse_node_errors(taken.get("node_errors")):
            await self.cancel(prompt_id)
            raise Rejected("prompt_outputs_failed_validation", "some outputs are not valid", nodes)
        return Submission(prompt_id=prompt_id, number=float(taken.get("number") or 0))

    async def remaining(self) -> int:
        """GET /prompt: how many prompts wait or run."""
        return int(number(obj(obj(await self.get("/prompt")).get("exec_info")).get("queue_remaining")) or 0)

    async def queue(self) -> QueueState:
        """GET /queue."""
        return parse_queue(await self.get("/queue"))

    async def clear_queue(self) -> None:
        """POST /queue {clear}: take every waiting prompt off, of whoever; what runs goes on."""
        await self.call("POST", "/queue", json={"clear": True})

    async def delete_queued(self, *prompt_ids: str) -> None:
        """POST /queue {delete}: take waiting prompts off; unknown ids are left alone."""
        await self.call("POST", "/queue", json={"delete": list(prompt_ids)})

    async def history(self, prompt_id: str) -> HistoryEntry | None:
        """GET /history/{id}; None while it is not over, and for ever when it is unknown."""
        return parse_history(await self.get(f"/history/{quote(prompt_id, safe='')}"), prompt_id)

    async def histories(self, *, most: int = 100, offset: int | None = None) -> dict[str, HistoryEntry]:
        """GET /history: the last `most` prompts that ended, oldest first; with `offset`, counted from the oldest."""
        params = {"max_items": str(most)} | ({} if offset is None else {"offset": str(offset)})
        return parse_histories(await self.get("/history", **params))

    async def clear_history(self) -> None:
        """POST /history {clear}."""
        await self.call("POST", "/history", json={"clear": True})

    async def delete_history(self, *prompt_ids: str) -> None:
        """POST /history {delete}; unknown ids are left alone."""
        await self.call("POST", "/history", json={"delete": list(prompt_ids)})

    async def find(self, prompt_id: str) -> Whereabouts:
        """Tell where a prompt stands. The queue is asked first, so that one that ends meanwhile is not missed."""
        queue = await self.queue()
        if prompt_id in queue.running:
            return Running()
        if prompt_id in queue.pending:
            return Pending(ahead=len(queue.running) + queue.pending.index(prompt_id))
        entry = await self.history(prompt_id)
        return Finished(entry=entry) if entry else NotThere()

    async def interrupt(self, prompt_id: str) -> None:
        """POST /interrupt for one prompt; servers before 0.3.57 ignore the id and stop whatever runs (facts G17)."""
        await self.call("POST", "/interrupt", json={"prompt_id": prompt_id})

    async def cancel_job(self, prompt_id: str) -> bool | None:
        """POST /api/jobs/{id}/cancel: atomic; False if it is over or unknown, None where the server is before 0.25."""
        path = f"/api/jobs/{quote(prompt_id, safe='')}/cancel"
        status, body = await self.call("POST", path, json={}, accept=(200, 404, 405))
        return obj(body).get("cancelled") is True if status == 200 else None

    async def cancel(self, prompt_id: str) -> None:
        """Stop exactly this prompt, waiting or running; unknown ones are left alone.

        Where the atomic call is missing: delete, and then interrupt by id, and only while it runs.
        """
        if await self.cancel_job(prompt_id) is not None:
            return
        await self.delete_queued(prompt_id)
        if prompt_id in (await self.queue()).running:
            await self.interrupt(prompt_id)

    # The machine

    async def system_stats(self) -> SystemStats:
        """GET /system_stats: version, devices, memory in bytes."""
        return parse_system_stats(await self.get("/system_stats"))

    async def features(self) -> Features:
        """GET /features; servers before 0.3.44 have none."""
        status, body = await self.call("GET", "/features", accept=(200, 404))
        return parse_features(body if status == 200 else None)

    async def free(self, *, unload_models: bool = True, free_memory: bool = True) -> None:
        """POST /free: acted on when nothing runs; `free_memory` also drops the cache of node results."""
        await self.call("POST", "/free", json={"unload_models": unload_models, "free_memory": free_memory})

    async def extensions(self) -> tuple[str, ...]:
        """GET /extensions: paths of the editor's scripts, which tell the custom node packs."""
        return parse_names(await self.get("/extensions"))

    # Nodes and models

    async def node_list(self) -> NodeList:
        """GET /object_info: some MB, and 0.2 s of the server's time; ask seldom."""
        return parse_node_list(await self.get("/object_info"))

    async def object_info(self) -> JsonObject:
        """GET /object_info as the server gave it, for converters."""
        return obj(await self.get("/object_info"))

    async def node_class(self, class_type: str) -> NodeClass | None:
        """GET /object_info/{class}: reads model folders anew; None if there is no such class."""
        found = parse_node_list(await self.get(f"/object_info/{quote(class_type, safe='')}"))
        return found.get(class_type)

    async def embeddings(self) -> tuple[str, ...]:
        """GET /embeddings: names without folder ending."""
        return parse_names(await self.get("/embeddings"))

    async def model_folders(self) -> tuple[str, ...]:
        """GET /models."""
        return parse_names(await self.get("/models"))

    async def models(self, folder: str) -> tuple[str, ...] | None:
        """GET /models/{folder}: file names with subfolder; None if there is no such folder (facts §3)."""
        status, body = await self.call("GET", f"/models/{quote(folder, safe='')}", accept=(200, 404))
        return parse_names(body) if status == 200 else None

    async def model_metadata(self, folder: str, filename: str) -> dict[str, str] | None:
        """GET /view_metadata/{folder}: what a safetensors file says of itself; None if there is none, or no file."""
        status, body = await self.call(
            "GET", f"/view_metadata/{quote(folder, safe='')}", params={"filename": filename}, accept=(200, 404)
        )
        return {name: str(value) for name, value in obj(body).items()} if status == 200 else None

    # Files

    async def view(self, file: Result) -> bytes:
        """GET /view: the bytes of an output file. A server in trouble is asked several times: the picture is there.

        Raises:
            PictureLost: the file is gone.
        """
        params = {"filename": file.filename, "subfolder": file.subfolder, "type": file.kind}
        async for attempt in stamina.retry_context(
            on=_worth_asking_again, attempts=VIEW_ATTEMPTS, timeout=None, wait_initial=0.3, wait_max=8
        ):
            with attempt:
                async with translated(), self.request("GET", "/view", params=params, timeout=FILE_TIMEOUT) as reply:
                    if reply.status == 404:
                        raise PictureLost("the server has the file no more")
                    await refuse(reply, "/view", (200,))
                    return await reply.read()
        raise AssertionError("a retry ends by a return or an error")

    async def upload_image(
        self, data: bytes, filename: str, *, folder: Folder = "input", subfolder: str = "", overwrite: bool = False
    ) -> Uploaded:
        """POST /upload/image. Use the name that comes back: another file of that name makes the server rename (G26)."""
        return await self._upload("/upload/image", _form(data, filename, folder, subfolder, overwrite=overwrite))

    async def upload_mask(
        self, data: bytes, filename: str, *, original: Uploaded, folder: Folder = "input", subfolder: str = ""
    ) -> Uploaded:
        """POST /upload/mask: a copy of `original` with the alpha of `data`, which has the same size in pixels.

        Raises:
            ServerFault: the sizes differ. A missing original is not told: nothing is written (facts §3).
        """
        form = _form(data, filename, folder, subfolder, overwrite=True)  # a name of ours: a retry must not be renamed
        reference = {"filename": original.name, "subfolder": original.subfolder, "type": original.folder}
        form.add_field("original_ref", json.dumps(reference))
        return await self._upload("/upload/mask", form)

    async def _upload(self, path: str, form: aiohttp.FormData) -> Uploaded:
        _, body = await self.call("POST", path, data=form)
        if (made := parse_uploaded(body)) is None:
            raise Malformed(f"{path} did not name the file", what=path)
        return made

    # Settings and people

    async def settings(self) -> JsonObject:
        """GET /settings of the editor."""
        return obj(await self.get("/settings"))

    async def setting(self, name: str) -> Any:
        """GET /settings/{name}; None when unset."""
        return await self.get(f"/settings/{quote(name, safe='')}")

    async def write_setting(self, name: str, value: Any) -> None:
        """POST /settings/{name}."""
        await self.call("POST", f"/settings/{quote(name, safe='')}", data=json.dumps(value).encode())

    async def write_settings(self, values: Mapping[str, Any]) -> None:
        """POST /settings: merge."""
        await self.call("POST", "/settings", json=dict(values))

    async def users(self) -> dict[str, str]:
        """GET /users: names by id; a single-user server has none to tell. This is no authentication (facts §2)."""
        return {user: str(name) for user, name in obj(obj(await self.get("/users")).get("users")).items()}

    async def add_user(self, name: str) -> str | None:
        """POST /users: the new id; None if the name is taken."""
        status, body = await self.call("POST", "/users", json={"username": name}, accept=(200, 400))
        return text(body) or None if status == 200 else None

    async def user_files(self, folder: str = "workflows") -> tuple[UserFile, ...]:
        """GET /userdata: all files below a folder; none if there is no such folder."""
        params = {"dir": folder, "recurse": "true", "full_info": "true"}
        status, body = await self.call("GET", "/userdata", params=params, accept=(200, 404))
        return parse_user_files(body) if status == 200 else ()

    async def read_user_file(self, path: str) -> bytes | None:
        """GET /userdata/{path}; None if it is not there."""
        where = _user_path(path)
        async with translated(), self.request("GET", where, timeout=FILE_TIMEOUT) as reply:
            if reply.status == 404:
                return None
            await refuse(reply, "/userdata", (200,))
            return await reply.read()

    async def write_user_file(self, path: str, data: bytes, *, overwrite: bool = True) -> StoredFile | None:
        """POST /userdata/{path}; None if it is there and may not be overwritten."""
        params = {"overwrite": str(overwrite).lower(), "full_info": "true"}
        status, body = await self.call("POST", _user_path(path), data=data, params=params, accept=(200, 409))
        return parse_stored(body) if status == 200 else None

    async def delete_user_file(self, path: str) -> bool:
        """DELETE /userdata/{path}; False if it is not there."""
        status, _ = await self.call("DELETE", _user_path(path), accept=(204, 404))
        return status == 204

    async def move_user_file(self, path: str, to: str, *, overwrite: bool = False) -> StoredFile | None:
        """POST /userdata/{path}/move/{to}; None if it is not there, or `to` is and may not be overwritten."""
        where = f"{_user_path(path)}/move/{quote(to, safe='')}"
        params = {"overwrite": str(overwrite).lower(), "full_info": "true"}
        status, body = await self.call("POST", where, params=params, accept=(200, 404, 409))
        return parse_stored(body) if status == 200 else None


def _user_path(path: str) -> str:
    """A slash in a path must be percent-encoded, or the route is another one (facts §3)."""
    return f"/userdata/{quote(path, safe='')}"


def _form(data: bytes, filename: str, folder: Folder, subfolder: str, *, overwrite: bool) -> aiohttp.FormData:
    form = aiohttp.FormData(quote_fields=False)  # percent-encoded names would be stored as they come (facts G26)
    form.add_field("image", data, filename=filename, content_type="image/png")
    form.add_field("type", folder)
    form.add_field("subfolder", subfolder)
    form.add_field("overwrite", "true" if overwrite else "false")
    return form
