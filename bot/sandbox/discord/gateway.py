"""The gateway: HELLO, IDENTIFY, RESUME with replay, heartbeats, zlib-stream."""

import asyncio
import json
import secrets
import zlib
from collections import deque
from typing import Any

from aiohttp import WSMsgType, web

from bot.sandbox.discord.world import Json, World

HEARTBEAT_MS = 41_250
ACK_DELAY_S = 0.05
"""discord.py 2.7.1 warns absurdly if the acknowledgement beats its own heartbeat thread (facts §2)."""
REPLAY = 200

DISPATCH, HEARTBEAT, IDENTIFY, RESUME, RECONNECT, INVALID, HELLO, ACK = 0, 1, 2, 6, 7, 9, 10, 11
_BAD_TOKEN = 4004


class Session:
    """What survives a dropped connection."""

    def __init__(self) -> None:
        self.id = secrets.token_hex(16)
        self.seq = 0
        self.replay: deque[Json] = deque(maxlen=REPLAY)
        self.connection: Connection | None = None
        self.shard: tuple[int, int] = (0, 1)

    def has_guild(self, guild_id: str) -> bool:
        """Tell whether a guild is one of this session's shard; direct messages ("0") are on the first."""
        number, count = self.shard
        return (int(guild_id) >> 22) % count == number

    async def dispatch(self, event: str, data: Json) -> None:
        """Send an event, or keep it for a RESUME."""
        self.seq += 1
        payload = {"op": DISPATCH, "t": event, "s": self.seq, "d": data}
        self.replay.append(payload)
        if self.connection is not None:
            await self.connection.send(payload)


class Connection:
    """One socket, with its own compression context."""

    def __init__(self, socket: web.WebSocketResponse, compress: str | None) -> None:
        self.socket = socket
        self._deflate = zlib.compressobj() if compress == "zlib-stream" else None

    async def send(self, payload: Json) -> None:
        """Send one payload as one message."""
        text = json.dumps(payload)
        try:
            if self._deflate is None:
                await self.socket.send_str(text)
            else:
                flushed = self._deflate.compress(text.encode()) + self._deflate.flush(zlib.Z_SYNC_FLUSH)
                await self.socket.send_bytes(flushed)
        except ConnectionError:
            return  # the session keeps the event for a RESUME


class Gateway:
    """All sessions of the bot."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.sessions: dict[str, Session] = {}
        self.identifies = 0
        self.resumes = 0
        self.refuse = 0
        """How many of the next connections are refused with 503."""
        self.close_code: int | None = None
        """The code with which every IDENTIFY is answered, if not by READY."""
        self._acks: set[asyncio.Task[None]] = set()

    async def dispatch(self, event: str, data: Json, guild_id: str | None) -> None:
        """Send an event of a guild, or (None) of direct messages, to every session of its shard."""
        for session in list(self.sessions.values()):
            if session.has_guild(guild_id or "0"):
                await session.dispatch(event, data)

    @property
    def connected(self) -> bool:
        """Whether a bot is there."""
        return any(session.connection is not None for session in self.sessions.values())

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Serve the WebSocket."""
        if self.refuse > 0:
            self.refuse -= 1
            return web.Response(status=503)
        socket = web.WebSocketResponse(max_msg_size=4096 * 4)
        await socket.prepare(request)
        connection = Connection(socket, request.query.get("compress"))
        await connection.send({"op": HELLO, "d": {"heartbeat_interval": HEARTBEAT_MS}, "s": None, "t": None})
        session: Session | None = None
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    session = await self._take(connection, session, json.loads(message.data))
        finally:
            if session is not None and session.connection is connection:
                session.connection = None
                self._world.tell("BOT", {"online": self.connected})
        return socket

    async def _take(self, connection: Connection, session: Session | None, said: Json) -> Session | None:
        match said.get("op"):
            case 1:
                task = asyncio.create_task(self._ack(connection), name="gateway-ack")
                self._acks.add(task)
                task.add_done_callback(self._acks.discard)
            case 2:
                return await self._identify(connection, said["d"])
            case 6:
                return await self._resume(connection, said["d"])
            case _:
                pass
        return session

    async def _ack(self, connection: Connection) -> None:
        await asyncio.sleep(ACK_DELAY_S)
        await connection.send({"op": ACK, "d": None, "s": None, "t": None})

    async def _identify(self, connection: Connection, data: Json) -> Session | None:
        code = _BAD_TOKEN if data.get("token") != self._world.token else self.close_code
        if code is not None:
            await connection.socket.close(code=code)
            return None
        self.identifies += 1
        self.sessions = {key: old for key, old in self.sessions.items() if old.connection is not None}
        session = Session()
        session.connection = connection
        number, count = data.get("shard") or (0, 1)
        session.shard = (int(number), int(count))
        self.sessions[session.id] = session
        world = self._world
        guilds = [guild for guild in world.guilds.values() if session.has_guild(guild.id)]
        ready = {
            "v": 10,
            "user": world.bot.user() | {"verified": True, "mfa_enabled": False, "email": None},
            "guilds": [{"id": guild.id, "unavailable": True} for guild in guilds],
            "shard": list(session.shard),
            "session_id": session.id,
            "resume_gateway_url": world.base_url.replace("http", "ws", 1),
            "application": {"id": world.application_id, "flags": 0},
            "session_type": "normal",
            "private_channels": [],
            "presences": [],
            "relationships": [],
        }
        await session.dispatch("READY", ready)
        for guild in guilds:
            await session.dispatch("GUILD_CREATE", world.guild(guild))
        world.tell("BOT", {"online": True})
        return session

    async def _resume(self, connection: Connection, data: Json) -> Session | None:
        session = self.sessions.get(str(data.get("session_id")))
        if session is None:
            await connection.send({"op": INVALID, "d": False, "s": None, "t": None})
            return None
        self.resumes += 1
        session.connection = connection
        for payload in list(session.replay):
            if payload["s"] > data.get("seq", 0):
                await connection.send(payload)
        await session.dispatch("RESUMED", {})
        self._world.tell("BOT", {"online": True})
        return session

    def drop(self) -> None:
        """Break every connection without a word."""
        for session in self.sessions.values():
            connection: Any = session.connection
            if connection is not None:
                connection.socket._req.transport.abort()  # noqa: SLF001 - no public way to break a socket
                session.connection = None

    async def reconnect(self) -> None:
        """Ask every connection to come again (op 7)."""
        for session in self.sessions.values():
            if session.connection is not None:
                await session.connection.send({"op": RECONNECT, "d": None, "s": None, "t": None})
