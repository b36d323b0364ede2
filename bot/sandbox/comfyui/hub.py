"""Who hears what: sockets by sid, one publisher, and the broadcast rules, with their traps (facts G5 to G10)."""

import asyncio
import json
import struct
import uuid
from typing import Any

from aiohttp import WSMsgType, web

FEATURES: dict[str, Any] = {
    "supports_preview_metadata": True,
    "supports_model_type_tags": True,
    "max_upload_size": 104857600,
    "extension": {"manager": {"supports_v4": True}},
    "node_replacements": True,
    "assets": False,
}

PREVIEW, PREVIEW_WITH_METADATA = 1, 4
_IMAGE_FORMATS = {"image/jpeg": 1, "image/png": 2}
_CLIENT_LIMIT = 4 * 2**20

Payload = str | bytes


class Hub:
    """The registry of sockets. A new socket takes the sid over; closing *any* socket of a sid unregisters it."""

    def __init__(self) -> None:
        self.sockets: dict[str, web.WebSocketResponse] = {}
        self.with_metadata: set[str] = set()
        self.queue_remaining = 0
        self.busy: tuple[str | None, str | None] = (None, None)
        """The running job's client id and the node it is at."""
        self._outbox: asyncio.Queue[tuple[Payload, web.WebSocketResponse | None, str | None]] = asyncio.Queue()

    async def publish(self) -> None:
        """Send what is in the outbox, one after the other: a reader that stops holds up everybody."""
        while True:
            payload, socket, sid = await self._outbox.get()
            for target in self._targets(socket, sid):
                try:
                    await (target.send_str(payload) if isinstance(payload, str) else target.send_bytes(payload))
                except ConnectionError:
                    continue

    def _targets(self, socket: web.WebSocketResponse | None, sid: str | None) -> list[web.WebSocketResponse]:
        if socket is not None:
            return [socket]
        if sid is None:
            return list(self.sockets.values())
        return [self.sockets[sid]] if sid in self.sockets else []

    def tell(self, kind: str, data: dict[str, Any], sid: str | None = None) -> None:
        """Put an event in the outbox, for one sid or, with None, for everybody."""
        self._outbox.put_nowait((json.dumps({"type": kind, "data": data}), None, sid))

    def status(self) -> None:
        """Broadcast the queue's length."""
        self.tell("status", {"status": self._exec_info()})

    def _exec_info(self) -> dict[str, Any]:
        return {"exec_info": {"queue_remaining": self.queue_remaining}}

    def picture(self, data: bytes, mime: str, metadata: dict[str, Any], sid: str | None) -> None:
        """Send a picture as binary type 4; a client that did not ask for metadata gets nothing here."""
        if sid in self.with_metadata:
            head = json.dumps({**metadata, "image_type": mime}).encode()
            frame = struct.pack(">II", PREVIEW_WITH_METADATA, len(head)) + head + data
            self._outbox.put_nowait((frame, None, sid))

    def legacy_picture(self, data: bytes, mime: str, sid: str | None) -> None:
        """Send a picture as binary type 1 to a client without metadata, or to all if the job has no client."""
        if sid not in self.with_metadata:
            frame = struct.pack(">II", PREVIEW, _IMAGE_FORMATS[mime]) + data
            self._outbox.put_nowait((frame, None, sid))

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        """Serve GET /ws."""
        socket = web.WebSocketResponse(max_msg_size=_CLIENT_LIMIT)
        await socket.prepare(request)
        sid = request.query.get("clientId") or uuid.uuid4().hex
        self.sockets[sid] = socket
        self.with_metadata.discard(sid)
        first = {"type": "status", "data": {"status": self._exec_info(), "sid": sid}}
        self._outbox.put_nowait((json.dumps(first), socket, None))
        if sid == self.busy[0] and self.busy[1] is not None:
            self._outbox.put_nowait((json.dumps({"type": "executing", "data": {"node": self.busy[1]}}), socket, None))
        try:
            await self._listen(socket, sid)
        finally:
            self.sockets.pop(sid, None)
            self.with_metadata.discard(sid)
        return socket

    async def _listen(self, socket: web.WebSocketResponse, sid: str) -> None:
        """Only the first JSON object counts, and only if it holds feature flags."""
        first = True
        async for message in socket:
            if message.type is not WSMsgType.TEXT or not first:
                continue
            try:
                said: object = json.loads(message.data)
            except ValueError:
                continue
            if not isinstance(said, dict):
                continue
            first = False
            if said.get("type") == "feature_flags":
                if (said.get("data") or {}).get("supports_preview_metadata") is True:
                    self.with_metadata.add(sid)
                answer = json.dumps({"type": "feature_flags", "data": FEATURES})
                self._outbox.put_nowait((answer, socket, None))

    async def cut(self) -> None:
        """Break every connection without a close frame, as a dying server does."""
        for socket in list(self.sockets.values()):
            transport = socket._req.transport if socket._req else None  # noqa: SLF001 - no public way to break a socket
            if transport is not None:
                transport.abort()
