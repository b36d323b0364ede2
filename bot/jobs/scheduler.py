"""Which job next, and where. Pure: no clock, no I/O.

Start-time fair queueing over flows, one per member and guild. A flow's rate is its member's weight out of its guild's
share. Virtual time is the cost served so far, out of the shares of those who wait; an idle flow begins at the present
virtual time, so nobody earns credit by waiting elsewhere. A class is a head start in virtual time: who came long enough
before is served first all the same, which is what ageing is for.

Affinity: among the jobs whose turn comes within `SLACK`, a server takes one whose models it holds. Virtual time goes
on, so nobody is passed over for longer than that. Where none is, models are loaded that no server holds, before a
second server loads what one holds already; and a job that its warm server would begin sooner than others could load
its models, and later again those that they hold now, waits for that server.
"""

import heapq
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from bot.model.job import Claim

SLACK = 30.0
"""Virtual time, in ordinary pictures, by which a job may be overtaken by others whose models are loaded."""
HEAD_START = 24.0
"""Virtual time that one class is before the next."""
LOAD_S = 12.0
"""Seconds that loading a model takes, as far as plans go."""
PICTURE_S = 6.0
"""Seconds that an ordinary picture takes, as far as plans go."""
_LOOKED_AT = 256
_NOTHING = 1e-9

CanRun = Callable[[str, str], bool]
"""(job id, server) → whether that server can run that job."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Caps (DESIGN §5). Those on running hold while others wait: nobody gains by an idle machine.

    Who is alone gets more places that begin at once, but none that follow: others may come before those begin.
    """

    waiting: int = 20
    running: int = 2
    guild_waiting: int = 500
    guild_running: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """A job as the scheduler sees it; `models` are the files it loads."""

    job_id: str
    member_id: int
    guild_id: int | None
    claim: Claim = field(default_factory=Claim)
    models: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """A server's free places: `free` begin at once, `spare` follow what runs for another `busy_s` seconds."""

    server: str
    free: int
    spare: int = 0
    loaded: frozenset[str] = frozenset()
    busy_s: float = 0.0

    def is_warm(self, ticket: Ticket) -> bool:
        """Tell whether nothing need be loaded."""
        return ticket.models <= self.loaded

    def begins_in(self, ticket: Ticket) -> float:
        """Return the seconds until this job would sample here."""
        return (0.0 if self.free else self.busy_s) + (0.0 if self.is_warm(ticket) else LOAD_S)

    def behind(self, ticket: Ticket) -> "Seat":
        """Return the seat as it is for those who come after this job."""
        return replace(self, busy_s=self.busy_s + ticket.claim.cost * PICTURE_S)

    def taken_by(self, ticket: Ticket) -> "Seat":
        """Return the seat with one place less."""
        left = replace(self.behind(ticket), loaded=ticket.models or self.loaded)
        return replace(left, free=left.free - 1) if left.free else replace(left, spare=left.spare - 1)


@dataclass(frozen=True, slots=True)
class Assignment:
    """A job meets a server."""

    job_id: str
    server: str


@dataclass(slots=True)
class _Place:
    """A job that waits; `charge` is what its flow pays until the next one's turn: its cost, and those served early."""

    arrival: int
    ticket: Ticket
    charge: float


@dataclass(slots=True)
class _Flow:
    """One member's jobs in one guild, in the order they came."""

    member_id: int
    guild_id: int | None
    weight: float = 1.0
    priority: int = 0
    finish: float = 0.0
    start: float = 0.0
    waiting: deque[_Place] = field(default_factory=deque[_Place])


def _key(ticket: Ticket) -> tuple[int | None, int]:
    return (ticket.guild_id, ticket.member_id)


_Turn: TypeAlias = tuple[float, int, Ticket]
"""(virtual time at which it is its turn, arrival, job): in this order they are served."""


class Scheduler:
    """The waiting room."""

    def __init__(self, limits: Limits | None = None, shares: Mapping[int, float] | None = None) -> None:
        self.limits = limits or Limits()
        self._shares = shares or {}
        self._flows: dict[tuple[int | None, int], _Flow] = {}
        self._where: dict[str, _Flow] = {}
        self._running: dict[str, Ticket] = {}
        self._paid: dict[str, float] = {}
        """Virtual time that running jobs were charged."""
        self._homes: Counter[int] = Counter()
        """Guilds in which a member waits: their rate is divided among them."""
        self._guild_weight: dict[int | None, float] = {}
        self._members: Counter[int] = Counter()
        self._virtual = 0.0
        self._arrivals = 0
        self.version = 0
        """Goes up whenever somebody comes or goes."""

    # Coming and going

    def add(self, ticket: Ticket) -> None:
        """Put a job in the room. One that waits stays where it is; one that ran goes before its member's rest."""
        if ticket.job_id in self._where:
            return
        flow = self._flows.setdefault(_key(ticket), _Flow(ticket.member_id, ticket.guild_id))
        came_back = self._running.pop(ticket.job_id, None)
        if came_back is not None:
            self._give_back(came_back, 1.0)
        if not flow.waiting:
            flow.start = max(self._virtual, flow.finish)
            self._homes[flow.member_id] += 1
        weight = self._guild_weight.get(flow.guild_id, 0.0) - (flow.weight if flow.waiting else 0.0)
        flow.weight, flow.priority = ticket.claim.weight, ticket.claim.priority
        self._guild_weight[flow.guild_id] = weight + flow.weight
        self._arrivals += 1
        if came_back is None:
            flow.waiting.append(_Place(self._arrivals, ticket, ticket.claim.cost))
        else:
            flow.waiting.appendleft(_Place(-self._arrivals, ticket, ticket.claim.cost))
        self._where[ticket.job_id] = flow
        self._members[ticket.member_id] += 1
        self.version += 1

    def started(self, ticket: Ticket) -> None:
        """Count a job that runs already, such as one found at a start."""
        self._take_out(ticket.job_id)
        self._running[ticket.job_id] = ticket

    def gone(self, job_id: str, *, unused: float = 0.0) -> None:
        """Forget a job that is over, or was cancelled; `unused` is the share of its cost that its member gets back."""
        ticket = self._running.pop(job_id, None)
        if ticket is not None and unused:
            self._give_back(ticket, unused)
        self._paid.pop(job_id, None)
        self._take_out(job_id)

    def _give_back(self, ticket: Ticket, share: float) -> None:
        flow = self._flows.get(_key(ticket))
        paid = self._paid.pop(ticket.job_id, 0.0)
        if flow is not None:
            back = share * paid
            flow.finish = max(0.0, flow.finish - back)
            flow.start = max(0.0, flow.start - back)

    def _take_out(self, job_id: str, *, served: bool = False) -> None:
        flow = self._where.pop(job_id, None)
        if flow is None:
            return
        self.version += 1
        at = next(at for at, place in enumerate(flow.waiting) if place.ticket.job_id == job_id)
        place = flow.waiting[at]
        del flow.waiting[at]
        charge = place.charge if served else place.charge - place.ticket.claim.cost
        if at:  # who was passed by another of the same flow keeps their turn
            flow.waiting[at - 1].charge += charge
        elif charge:
            flow.start += charge / self._rate(flow)
            flow.finish = flow.start
        self._members[flow.member_id] -= 1
        if not self._members[flow.member_id]:
            del self._members[flow.member_id]
        if not flow.waiting:
            self._homes[flow.member_id] -= 1
            self._guild_weight[flow.guild_id] -= flow.weight
            if self._guild_weight[flow.guild_id] < _NOTHING:
                del self._guild_weight[flow.guild_id]
        self._forget_idle()

    def _forget_idle(self) -> None:
        """Flows that owe nothing any more need not be remembered; with nobody waiting, nobody owes anything."""
        if not self._where:
            self._flows.clear()
            self._guild_weight.clear()
            self._homes.clear()
            self._virtual = 0.0
        elif len(self._flows) > 2 * len(self._where) + 100:
            self._flows = {
                key: flow for key, flow in self._flows.items() if flow.waiting or flow.finish > self._virtual
            }

    # Asking

    def __contains__(self, job_id: object) -> bool:
        """Tell whether a job waits here."""
        return job_id in self._where

    def __iter__(self) -> Iterator[str]:
        """Yield the jobs that wait, in no order."""
        return iter(list(self._where))

    @property
    def waiting(self) -> int:
        """How many jobs wait."""
        return len(self._where)

    @property
    def running(self) -> int:
        """How many jobs run."""
        return len(self._running)

    def order(self) -> list[str]:
        """Return the waiting jobs, next one first."""
        turns = sorted(turn for flow in self._flows.values() for turn in self._turns_of(flow))
        return [ticket.job_id for _, _, ticket in turns]

    def _rate(self, flow: _Flow) -> float:
        """Return a flow's part of its guild's share, as weights are now."""
        total = max(self._guild_weight.get(flow.guild_id, 0.0), flow.weight)
        return self._share(flow.guild_id) * flow.weight / total / max(1, self._homes[flow.member_id])

    def _share(self, guild_id: int | None) -> float:
        return self._shares.get(guild_id or 0, 1.0)

    def _turns_of(self, flow: _Flow) -> Iterator[_Turn]:
        start, rate = flow.start, self._rate(flow)
        lead = HEAD_START * flow.priority
        for place in flow.waiting:
            yield start - lead, place.arrival, place.ticket
            start += place.charge / rate

    def _turns(self) -> Iterator[_Turn]:
        """Yield the waiting jobs in fair order; only as many are looked at as are asked for."""
        yield from heapq.merge(*(self._turns_of(flow) for flow in self._flows.values() if flow.waiting))

    # Choosing

    def plan(self, seats: Sequence[Seat], can_run: CanRun) -> list[Assignment]:
        """Give places to jobs; what is planned counts as running from now on."""
        left = {seat.server: seat for seat in seats}
        planned: list[Assignment] = []
        while self._where and any(seat.free or seat.spare for seat in left.values()):
            choice = self._choice(list(left.values()), can_run)
            if choice is None:
                break
            ticket, seat = choice
            left[seat.server] = seat.taken_by(ticket)
            self._serve(ticket)
            planned.append(Assignment(ticket.job_id, seat.server))
        return planned

    def _choice(self, seats: list[Seat], can_run: CanRun) -> tuple[Ticket, Seat] | None:
        """Return a job whose models a free server holds, else one that loads them, else one that follows what runs."""
        capped = len(self._members.keys() | {ticket.member_id for ticket in self._running.values()}) > 1
        near = self._near(seats, can_run, capped=capped)
        free = [seat for seat in seats if seat.free]
        for ticket in near:
            warm = [seat for seat in free if seat.is_warm(ticket) and can_run(ticket.job_id, seat.server)]
            if warm:
                return ticket, warm[0]
        loads = _load(near, seats, can_run) if free else None
        if loads is not None:
            return loads
        spare = [seat for seat in seats if seat.spare and not seat.free]
        for ticket in near if capped else self._near(spare, can_run, capped=True):
            warm = [seat for seat in spare if seat.is_warm(ticket) and can_run(ticket.job_id, seat.server)]
            if warm:
                return ticket, min(warm, key=lambda seat: seat.busy_s)
        return None

    def _near(self, seats: Iterable[Seat], can_run: CanRun, *, capped: bool) -> list[Ticket]:
        """Return the jobs whose turn it is within the slack; `capped` leaves those out that are over a cap."""
        members, guilds = Counter[int](), Counter[int | None]()
        for ticket in self._running.values():
            members[ticket.member_id] += 1
            guilds[ticket.guild_id] += 1
        servers = [seat.server for seat in seats if seat.free or seat.spare]
        found: list[Ticket] = []
        until = float("inf")
        for key, _, ticket in self._turns():
            if key > until or len(found) >= _LOOKED_AT:
                break
            if capped and self._is_over(ticket, members[ticket.member_id], guilds[ticket.guild_id]):
                continue
            if not any(can_run(ticket.job_id, server) for server in servers):
                continue
            until = min(until, key + SLACK)
            found.append(ticket)
        return found

    def _is_over(self, ticket: Ticket, running: int, of_guild: int) -> bool:
        limits, own = self.limits, ticket.claim.running_cap
        return running >= (own or limits.running) or (
            limits.guild_running is not None and of_guild >= limits.guild_running
        )

    def _serve(self, ticket: Ticket) -> None:
        """Charge a job to its member, and let virtual time go on."""
        self._virtual += ticket.claim.cost / sum(self._share(guild) for guild in self._guild_weight)
        self._running[ticket.job_id] = ticket
        self._paid[ticket.job_id] = ticket.claim.cost / self._rate(self._where[ticket.job_id])
        self._take_out(ticket.job_id, served=True)
        starts = [flow.start for flow in self._flows.values() if flow.waiting]
        if starts:
            self._virtual = max(self._virtual, min(starts))


def _load(near: list[Ticket], seats: list[Seat], can_run: CanRun) -> tuple[Ticket, Seat] | None:
    """Return a job that shall load its models on a free server, if one shall: first those that no server holds."""
    left = {seat.server: seat for seat in seats}
    copies = Counter(seat.loaded for seat in seats)

    def is_held(ticket: Ticket) -> bool:
        return any(seat.is_warm(ticket) and can_run(ticket.job_id, seat.server) for seat in seats)

    def price(ticket: Ticket, seat: Seat) -> float:
        """Seconds until it would sample, and those of loading again what it would drive out of the fleet."""
        lost = bool(seat.loaded) and copies[seat.loaded] == 1 and not seat.is_warm(ticket)
        return seat.begins_in(ticket) + (LOAD_S if lost else 0.0)

    for ticket in sorted(near, key=is_held):
        able = [seat for seat in left.values() if can_run(ticket.job_id, seat.server)]
        best = min(able, key=lambda seat: price(ticket, seat))
        if best.free:
            return ticket, best
        left[best.server] = best.behind(ticket)
    return None
