"""The servers: which answer, what they can run, what they hold, which places are free.

Membership is settings; health is a flag. A slot takes one prompt that runs and one that follows it, so that the server
need not wait for us between two; all others wait in our own room, where their order can still change.
"""

import asyncio
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import aiohttp
import structlog

from bot.comfy.client import ComfyClient
from bot.comfy.errors import ComfyError
from bot.comfy.models import NodeClass, NodeList, QueueState
from bot.jobs.scheduler import Seat
from bot.jobs.watchdog import Watchdog
from bot.settings import ComfyServer
from bot.workflow.fitness import problems
from bot.workflow.template import Template

log = structlog.get_logger()

PROBE_S = 10.0
RETRY_FIRST_S, RETRY_MOST_S = 0.5, 15.0
WARY_S = 2.0
"""Seconds between looks at a server whose worker may be dead."""
GRACE_S = 20.0
"""Seconds a server may be away before its jobs go to others: a restart takes ten, and then they are lost anyway."""
GUESS_S = 15.0
"""Seconds that a run takes, as long as none like it was measured."""
NODE_LIST_S = 300.0
"""Seconds after which the node list is read anew: new models appear without a restart."""


@dataclass(frozen=True, slots=True)
class Ride:
    """A job of ours on a server: until when it should be over (seconds of the loop's clock), by our estimate."""

    expected_s: float
    since: float

    def left_s(self, now: float) -> float:
        """Return the seconds it should still take; one that takes more than twice as long is trusted less and less."""
        gone = now - self.since
        return max(0.0, self.expected_s - gone, gone - 2 * self.expected_s)


@dataclass(slots=True)
class Server:
    """One server as we know it."""

    name: str
    client: ComfyClient
    slots: int
    up: bool = False
    wedged: bool = False
    """It answers, and does not work."""
    away_since: float | None = None
    rests_until: float = 0.0
    node_list: NodeList = field(default_factory=dict[str, NodeClass])
    embeddings: tuple[str, ...] = ()
    busy: dict[str, Ride] = field(default_factory=dict[str, Ride])
    """Jobs that hold a place."""
    loaded: frozenset[str] = frozenset()
    """Models that it will hold when it has done what it has."""
    watchdog: Watchdog = field(default_factory=Watchdog)

    def seat(self, now: float) -> Seat:
        """Return its free places; `now` is the loop's clock."""
        taken = len(self.busy)
        rides = list(self.busy.values())
        left = sum(ride.left_s(now) for ride in rides[: self.slots])
        left += sum(ride.expected_s for ride in rides[self.slots :])
        return Seat(
            server=self.name,
            free=max(0, self.slots - taken),
            spare=max(0, 2 * self.slots - max(taken, self.slots)),
            loaded=self.loaded,
            busy_s=left / self.slots,
        )


class Fleet:
    """All servers.

    `on_change` is called whenever one comes or goes, or its node list was read anew; `on_lost` with the name of one
    that is wedged, or has been away for longer than `GRACE_S`.
    """

    def __init__(self, servers: Sequence[Server]) -> None:
        self.servers: Mapping[str, Server] = {server.name: server for server in servers}
        self.on_change: list[Callable[[], None]] = []
        self.on_lost: list[Callable[[str], None]] = []
        self.on_suspect: list[Callable[[str, str, float], None]] = []
        """Hear of (server, prompt id, seconds of patience) when somebody here suspects a server."""
        self.news = asyncio.Event()
        """Set at every change, for who waits for a server."""
        self.version = 0
        """Goes up whenever what servers can run may have changed."""
        self._stale: set[str] = set()
        self._hurry: dict[str, asyncio.Event] = {name: asyncio.Event() for name in self.servers}
        self._fits: dict[tuple[str, str], bool] = {}

    async def watch(self, name: str) -> None:
        """Probe one server for ever: soon again while it is away, seldom while it is there."""
        server, loop = self.servers[name], asyncio.get_running_loop()
        wait_s, listed_at = RETRY_FIRST_S, float("-inf")
        while True:
            try:
                if not (server.up or server.wedged) or name in self._stale or loop.time() - listed_at > NODE_LIST_S:
                    await self._read(server)
                    listed_at = loop.time()
                self._look(server, await server.client.queue(), loop.time())
                wait_s = WARY_S if server.watchdog.is_wary() else PROBE_S
            except ComfyError as fault:
                self._stale.discard(name)
                if server.up:
                    wait_s = RETRY_FIRST_S
                self._flag(server, up=False, reason=str(fault))
                self._mind_absence(server, loop.time())
                wait_s = min(RETRY_MOST_S if server.away_since is None else WARY_S, wait_s * 2)
            try:
                async with asyncio.timeout(wait_s):  # wait_for may lose a cancellation (Python 3.11)
                    await self._hurry[name].wait()
            except TimeoutError:
                continue
            self._hurry[name].clear()

    async def _read(self, server: Server) -> None:
        server.node_list = await server.client.node_list()
        server.embeddings = await server.client.embeddings()
        if not server.up:
            server.loaded = frozenset()
        self._stale.discard(server.name)
        self.forget()
        self._changed()

    def _look(self, server: Server, queue: QueueState, now: float) -> None:
        wedged = server.watchdog.is_wedged(queue, now)
        server.away_since = None
        news, server.wedged = wedged and not server.wedged, wedged
        if news:
            log.error("fleet.server_wedged", server=server.name, running=len(queue.running), waiting=len(queue.pending))
            self._lost(server.name)
        self._flag(server, up=not wedged, reason="its worker does not work any more" if wedged else "")

    def _mind_absence(self, server: Server, now: float) -> None:
        """Away for long, its jobs are given to others."""
        server.watchdog, server.wedged = Watchdog(), False
        if server.away_since is None:
            server.away_since = now
        elif now - server.away_since > GRACE_S:
            self._lost(server.name)  # again and again: another one may be able to help by now

    def _lost(self, name: str) -> None:
        for listener in self.on_lost:
            listener(name)

    def suspect(self, name: str, prompt_id: str, *, patience_s: float) -> None:
        """A prompt of ours was silent too long, or told to end: if it still runs after a while, nothing else does."""
        self.hear_suspicion(name, prompt_id, patience_s)
        for listener in self.on_suspect:
            listener(name, prompt_id, patience_s)

    def hear_suspicion(self, name: str, prompt_id: str, patience_s: float) -> None:
        """As `suspect`, from another process."""
        if name in self.servers:
            self.servers[name].watchdog.suspect(prompt_id, asyncio.get_running_loop().time() + patience_s)
            self._hurry[name].set()

    def ride(self, name: str, job_id: str, models: frozenset[str], expected_s: float | None) -> None:
        """Note that a job holds a place on a server, and loads these models."""
        server = self.servers[name]
        if job_id not in server.busy:
            since = asyncio.get_running_loop().time()
            server.busy[job_id] = Ride(GUESS_S if expected_s is None else expected_s, since)
            server.loaded = models or server.loaded

    def leave(self, job_id: str) -> None:
        """Free the place that a job holds, if it does; the clock of the one that follows begins."""
        for server in self.servers.values():
            if job_id in server.busy:
                followers = list(server.busy)[server.slots :]
                del server.busy[job_id]
                if followers and job_id not in followers:
                    now = asyncio.get_running_loop().time()
                    server.busy[followers[0]] = replace(server.busy[followers[0]], since=now)

    def age(self, name: str, job_id: str) -> float:
        """Return the seconds for which a job has held a place on a server."""
        ride = self.servers[name].busy.get(job_id)
        return asyncio.get_running_loop().time() - ride.since if ride else 0.0

    def rest(self, name: str, seconds: float) -> None:
        """Give a server no work for a while: nobody serves its queue."""
        self.servers[name].rests_until = asyncio.get_running_loop().time() + seconds

    def seats(self) -> list[Seat]:
        """Return the free places of the servers that work."""
        now = asyncio.get_running_loop().time()
        return [server.seat(now) for server in self.servers.values() if server.up and now >= server.rests_until]

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
        if named is not None and not set(named) & self.servers.keys():
            return True
        seen = [one.name for one in self.servers.values() if one.node_list and (named is None or one.name in named)]
        return bool(seen) and not any(self.can_run(template, name) for name in seen)

    def forget(self) -> None:
        """Forget which templates fit: one of them, or a node list, was read anew."""
        self._fits.clear()
        self.version += 1

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
