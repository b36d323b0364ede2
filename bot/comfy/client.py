"""One ComfyUI server over a borrowed aiohttp session. Requests go out without an Origin header (facts §2)."""

import asyncio
import ssl
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import stamina

from bot.comfy.errors import Malformed, PictureLost, Rejected, ServerFault, SocketLost, Unreachable
from bot.comfy.events import ComfyEvent, FeatureFlags, Status, parse_binary, parse_text
from bot.comfy.models import (
    Finished,
    HistoryEntry,
    NodeList,
    NotThere,
    Pending,
    QueueState,
    Running,
    Submission,
    Whereabouts,
    parse_history,
    parse_node_errors,
    parse_node_list,
    parse_queue,
    parse_refusal,
)
from bot.model.job import Result
from bot.model.jsontree import obj, text

ANSWER_TIMEOUT = aiohttp.ClientTimeout(total=30.0)
"""For an ordinary answer; garbage collection alone may hold a server for half a second (facts G29)."""

FILE_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=30.0, sock_read=30.0)
"""For a file, which may be large and the way to it slow, as long as something comes."""

VIEW_ATTEMPTS = 6

FIRST_STATUS_S = 15.0
PING_S = 20.0
"""The server never pings (facts G11): without ours a half-open socket is never noticed."""

_AWAY = (502, 503, 504)
"""What proxies answer while the server behind them is away."""

_FLAGS = {"type": "feature_flags", "data": {"supports_preview_metadata": True}}


@asynccontextmanager
async def translated() -> AsyncGenerator[None]:
    """Turn aiohttp's and the system's faults into Easel's: the one place where foreign exceptions end."""
    try:
        yield
    except aiohttp.ServerDisconnectedError as fault:
        raise Unreachable("the server closed the connection", reason="closed the connection") from fault
    except TimeoutError as fault:
        raise Unreachable("no answer in time", reason="did not answer in time") from fault
    except aiohttp.WSServerHandshakeError as fault:
        if fault.status in _AWAY:
            raise Unreachable(f"a proxy answered {fault.status}", reason=f"answered {fault.status}") from fault
        raise ServerFault(f"handshake refused: {fault.status}", status=fault.status, path="/ws", text="") from fault
    except (aiohttp.ClientError, OSError) as fault:
        raise Unreachable(str(fault), reason=type(fault).__name__) from fault


def _worth_asking_again(fault: Exception) -> bool:
    """A file that is not there (4xx) will not come; everything else may."""
    return isinstance(fault, Unreachable) or (isinstance(fault, ServerFault) and fault.facts["status"].startswith("5"))


class EventStream:
    """The events of one socket, in order. One reader at a time."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._pending: asyncio.Task[aiohttp.WSMessage] | None = None
        self.preview_metadata = False
        """Whether the server agreed to send pictures with their node and prompt (binary type 4)."""

    async def next(self, wait_s: float) -> ComfyEvent | None:
        """Return the next event, or None after `wait_s` seconds of silence.

        Raises:
            SocketLost: the socket is closed or broken.
        """
        # aiohttp closes the connection when a receive() with a timeout of its own runs out, so the wait is outside.
        if self._pending is None:
            self._pending = asyncio.create_task(self._socket.receive(), name="comfy-receive")
        done, _ = await asyncio.wait({self._pending}, timeout=wait_s)
        if not done:
            return None
        message, self._pending = self._pending.result(), None
        match message.type:
            case aiohttp.WSMsgType.TEXT:
                event = parse_text(message.data)
            case aiohttp.WSMsgType.BINARY:
                event = parse_binary(message.data)
            case _:
                raise SocketLost(f"socket closed ({self._socket.close_code})", reason=message.type.name.lower())
        if isinstance(event, FeatureFlags):
            self.preview_metadata = event.preview_metadata
        return event

    async def close(self) -> None:
        """Close the socket and end the read that may be waiting."""
        if self._pending is not None:
            self._pending.cancel()
            await asyncio.wait({self._pending})
        await self._socket.close()


class ComfyClient:
    """A typed client; `url` without a trailing slash, `headers` go with every request.

    Every method raises Unreachable, ServerFault or Malformed; what else, its docstring says.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._session = session
        self.url = url
        self._headers = dict(headers or {})
        self._tls: ssl.SSLContext | bool = tls or True

    @asynccontextmanager
    async def events(self, client_id: str) -> AsyncGenerator[EventStream]:
        """Open the socket of a client id, send our flags, and yield it after its first `status`.

        Use a fresh id each time: a second socket with the same id makes one of the two deaf (facts G5, G6).

        Raises:
            SocketLost: it closed before the first status.
        """
        async with translated():
            socket = await self._session.ws_connect(
                f"{self.url}/ws",
                params={"clientId": client_id},
                headers=self._headers,
                ssl=self._tls,
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

    async def submit(self, graph: Mapping[str, Any], *, prompt_id: str, client_id: str) -> Submission:
        """POST /prompt with ids of our own; never `number` (facts G2). Previews are asked for (facts G28).

        Raises:
            Rejected: refused, or taken in part only; a part that was taken is deleted again.
        """
        body = {
            "prompt": graph,
            "prompt_id": prompt_id,
            "client_id": client_id,
            "extra_data": {"preview_method": "auto"},
        }
        status, reply = await self._call("POST", "/prompt", json=body, accept=(200, 400))
        if status == 400:
            raise Rejected(*parse_refusal(reply))
        taken = obj(reply)
        if text(taken.get("prompt_id")) != prompt_id:
            raise Malformed("POST /prompt answered with another prompt_id", what="prompt_id")
        if nodes := parse_node_errors(taken.get("node_errors")):
            await self.cancel(prompt_id)
            raise Rejected("prompt_outputs_failed_validation", "some outputs are not valid", nodes)
        return Submission(prompt_id=prompt_id, number=float(taken.get("number") or 0))

    async def queue(self) -> QueueState:
        """GET /queue."""
        return parse_queue(await self._get("/queue"))

    async def history(self, prompt_id: str) -> HistoryEntry | None:
        """GET /history/{id}; None while it is not over, and for ever when it is unknown."""
        return parse_history(await self._get(f"/history/{prompt_id}"), prompt_id)

    async def find(self, prompt_id: str) -> Whereabouts:
        """Tell where a prompt stands. The queue is asked first, so that one that ends meanwhile is not missed."""
        queue = await self.queue()
        if prompt_id in queue.running:
            return Running()
        if prompt_id in queue.pending:
            return Pending(ahead=len(queue.running) + queue.pending.index(prompt_id))
        entry = await self.history(prompt_id)
        return Finished(entry=entry) if entry else NotThere()

    async def cancel(self, prompt_id: str) -> None:
        """Stop exactly this prompt, waiting or running; unknown ones are left alone.

        `POST /api/jobs/{id}/cancel` is atomic but new (0.25); before it, delete and then interrupt by id, and only
        while it runs: servers before 0.3.57 interrupt whatever runs.
        """
        status, _ = await self._call("POST", f"/api/jobs/{prompt_id}/cancel", json={}, accept=(200, 404, 405))
        if status == 200:
            return
        await self._call("POST", "/queue", json={"delete": [prompt_id]})
        if prompt_id in (await self.queue()).running:
            await self._call("POST", "/interrupt", json={"prompt_id": prompt_id})

    async def node_list(self) -> NodeList:
        """GET /object_info: some MB, and 0.2 s of the server's time; ask seldom."""
        return parse_node_list(await self._get("/object_info"))

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
                async with translated(), self._request("GET", "/view", params=params, timeout=FILE_TIMEOUT) as reply:
                    if reply.status == 404:
                        raise PictureLost("the server has the file no more")
                    await _refuse(reply, "/view", (200,))
                    return await reply.read()
        raise AssertionError("a retry ends by a return or an error")

    async def _get(self, path: str) -> object:
        _, body = await self._call("GET", path)
        return body

    async def _call(
        self, method: str, path: str, *, json: object = None, accept: tuple[int, ...] = (200,)
    ) -> tuple[int, object]:
        """Return status and parsed body; an empty body is None, and so is one that accompanies 404 or 405."""
        async with translated(), self._request(method, path, json=json) as reply:
            await _refuse(reply, path, accept)
            if not (raw := await reply.read()) or reply.status in (404, 405):
                return reply.status, None
            try:
                return reply.status, await reply.json(content_type=None)
            except (ValueError, RecursionError) as fault:
                raise Malformed(f"{path} did not answer with JSON ({len(raw)} bytes)", what=path) from fault

    def _request(
        self,
        method: str,
        path: str,
        *,
        json: object = None,
        params: Mapping[str, str] | None = None,
        timeout: aiohttp.ClientTimeout = ANSWER_TIMEOUT,
    ) -> aiohttp.client._RequestContextManager:  # pyright: ignore[reportPrivateUsage] - the session's own return type
        return self._session.request(
            method,
            f"{self.url}{path}",
            json=json,
            params=params,
            headers=self._headers,
            ssl=self._tls,
            timeout=timeout,
            allow_redirects=False,  # our headers are for this server only
        )


async def _refuse(reply: aiohttp.ClientResponse, path: str, accept: tuple[int, ...]) -> None:
    if reply.status in _AWAY:
        raise Unreachable(f"{path} answered {reply.status}", reason=f"answered {reply.status}")
    if reply.status not in accept:
        words = (await reply.read())[:300].decode("utf-8", "replace")
        raise ServerFault(f"{path} answered {reply.status}", status=reply.status, path=path, text=words)
