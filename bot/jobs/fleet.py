"""The servers: which answer, what they can run, which slots are free. Membership is settings; health is a flag."""

import asyncio
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import structlog

from bot.comfy.client import ComfyClient
from bot.comfy.errors import ComfyError
from bot.comfy.models import NodeClass, NodeList
from bot.settings import ComfyServer
from bot.workflow.fitness import problems
from bot.workflow.template import Template

log = structlog.get_logger()

PROBE_S = 10.0
RETRY_FIRST_S, RETRY_MOST_S = 0.5, 15.0
NODE_LIST_S = 300.0
"""Seconds after which the node list is read anew: new models appear without a restart."""


@dataclass(slots=True)
class Server:
    """One server as we know it."""

    name: str
    client: ComfyClient
    slots: int
    up: bool = False
    node_list: NodeList = field(default_factory=dict[str, NodeClass])
    embeddings: tuple[str, ...] = ()
    busy: set[str] = field(default_factory=set[str])
    """Job ids that hold a slot."""


class Fleet:
    """All servers. `on_change` is called whenever one comes or goes, or its node list was read anew."""

    def __init__(self, servers: Sequence[Server]) -> None:
        self.servers: Mapping[str, Server] = {server.name: server for server in servers}
        self.on_change: list[Callable[[], None]] = []
        self.news = asyncio.Event()
        """Set at every change, for who waits for a server."""
        self._stale: set[str] = set()
        self._hurry: dict[str, asyncio.Event] = {name: asyncio.Event() for name in self.servers}
        self._fits: dict[tuple[str, str], bool] = {}

    async def watch(self, name: str) -> None:
        """Probe one server for ever: soon again while it is away, seldom while it is there."""
        server, loop = self.servers[name], asyncio.get_running_loop()
        wait_s, listed_at = RETRY_FIRST_S, float("-inf")
        while True:
            try:
                if not server.up or name in self._stale or loop.time() - listed_at > NODE_LIST_S:
                    server.node_list = await server.client.node_list()
                    server.embeddings = await server.client.embeddings()
                    listed_at = loop.time()
                    self._stale.discard(name)
                    self.forget()
                    self._changed()
                else:
                    await server.client.queue()
                self._flag(server, up=True)
                wait_s = PROBE_S
            except ComfyError as fault:
                self._stale.discard(name)
                if server.up:
                    wait_s = RETRY_FIRST_S
                self._flag(server, up=False, reason=str(fault))
                wait_s = min(RETRY_MOST_S, wait_s * 2)
            try:
                async with asyncio.timeout(wait_s):  # wait_for may lose a cancellation (Python 3.11)
                    await self._hurry[name].wait()
            except TimeoutError:
                continue
            self._hurry[name].clear()

    def doubt(self, name: str) -> None:
        """A job met a fault of this server: take it out and look at once."""
        self._flag(self.servers[name], up=False, reason="a job could not reach it")
        self._hurry[name].set()

    def read_again(self) -> None:
        """Read the node lists anew, now: there may be models that were not there before."""
        self._stale.update(self.servers)
        for hurry in self._hurry.values():
            hurry.set()

    @property
    def is_read(self) -> bool:
        """Whether no node list is about to be read anew."""
        return not self._stale

    def free(self) -> dict[str, int]:
        """Return the free slots of the servers that answer."""
        return {
            server.name: server.slots - len(server.busy)
            for server in self.servers.values()
            if server.up and len(server.busy) < server.slots
        }

    @property
    def up(self) -> int:
        """How many servers answer."""
        return sum(server.up for server in self.servers.values())

    def can_run(self, template: Template, name: str) -> bool:
        """Tell whether a server has all that a template needs."""
        named = template.manifest.servers
        if named is not None and name not in named:
            return False
        key = (template.name, name)
        if key not in self._fits:
            self._fits[key] = not problems(template, self.servers[name].node_list)
        return self._fits[key]

    def unfit(self, template: Template) -> bool:
        """Tell whether every server that was ever seen lacks something; one that is away for a while still counts."""
        named = template.manifest.servers
        seen = [one.name for one in self.servers.values() if one.node_list and (named is None or one.name in named)]
        return bool(seen) and not any(self.can_run(template, name) for name in seen)

    def forget(self) -> None:
        """Forget which templates fit: one of them, or a node list, was read anew."""
        self._fits.clear()

    def _changed(self) -> None:
        for listener in self.on_change:
            listener()

    def _flag(self, server: Server, *, up: bool, reason: str = "") -> None:
        if server.up == up:
            return
        server.up = up
        log.info("fleet.server_up" if up else "fleet.server_down", server=server.name, reason=reason)
        self.news.set()
        self._changed()


def make_server(session: aiohttp.ClientSession, settings: ComfyServer) -> Server:
    """Return a server by its settings.

    Raises:
        OSError, ssl.SSLError: its `ca_file` cannot be read.
    """
    tls = _context(settings.ca_file) if settings.ca_file else None
    client = ComfyClient(session, settings.url, headers=settings.headers, tls=tls)
    return Server(settings.name, client, settings.slots)


def _context(ca_file: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(ca_file))
