"""The way to one ComfyUI server: requests without an Origin header (facts §2), sockets, faults translated once."""

import asyncio
import ssl
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager

import aiohttp
import yarl

from bot.comfy.errors import Malformed, ServerFault, SocketLost, Unreachable
from bot.comfy.events import ComfyEvent, FeatureFlags, parse_binary, parse_text

ANSWER_TIMEOUT = aiohttp.ClientTimeout(total=30.0)
"""For an ordinary answer; garbage collection alone may hold a server for half a second (facts G29)."""

FILE_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=30.0, sock_read=30.0)
"""For a file, which may be large and the way to it slow, as long as something comes."""

_AWAY = (502, 503, 504)
"""What proxies answer while the server behind them is away."""

_NO_JSON = (204, 404, 405, 409)
"""Statuses whose body is no JSON."""


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


class Transport:
    """Requests over a borrowed session; `url` without a trailing slash, `headers` go with every request.

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
        self.session = session
        self.url = url
        self.headers = dict(headers or {})
        self.tls: ssl.SSLContext | bool = tls or True

    async def get(self, path: str, **params: str) -> object:
        """GET and return the parsed body."""
        _, body = await self.call("GET", path, params=params)
        return body

    async def call(
        self,
        method: str,
        path: str,
        *,
        json: object = None,
        data: aiohttp.FormData | bytes | None = None,
        params: Mapping[str, str] | None = None,
        accept: tuple[int, ...] = (200,),
    ) -> tuple[int, object]:
        """Return status and parsed body; an empty body is None, and so is one that accompanies 204, 404, 405 or 409."""
        async with translated(), self.request(method, path, json=json, data=data, params=params) as reply:
            await refuse(reply, path, accept)
            if not (raw := await reply.read()) or reply.status in _NO_JSON:
                return reply.status, None
            try:
                return reply.status, await reply.json(content_type=None)
            except (ValueError, RecursionError) as fault:
                raise Malformed(f"{path} did not answer with JSON ({len(raw)} bytes)", what=path) from fault

    def request(
        self,
        method: str,
        path: str,
        *,
        json: object = None,
        data: aiohttp.FormData | bytes | None = None,
        params: Mapping[str, str] | None = None,
        timeout: aiohttp.ClientTimeout = ANSWER_TIMEOUT,
    ) -> aiohttp.client._RequestContextManager:  # pyright: ignore[reportPrivateUsage] - the session's own return type
        """Send a request; `path` is percent-encoded already."""
        return self.session.request(
            method,
            yarl.URL(f"{self.url}{path}", encoded=True),
            json=json,
            data=data,
            params=params or None,
            headers=self.headers,
            ssl=self.tls,
            timeout=timeout,
            allow_redirects=False,  # our headers are for this server only
        )


async def refuse(reply: aiohttp.ClientResponse, path: str, accept: tuple[int, ...]) -> None:
    """Turn a status that was not expected into a fault."""
    if reply.status in _AWAY:
        raise Unreachable(f"{path} answered {reply.status}", reason=f"answered {reply.status}")
    if reply.status not in accept:
        words = (await reply.read())[:300].decode("utf-8", "replace")
        raise ServerFault(f"{path} answered {reply.status}", status=reply.status, path=path, text=words)
