"""Three ways to give jobs to servers: Easel's own scheduler, and two that are common elsewhere."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, cast

from bot.comfy.client import ComfyClient
from bot.jobs.fleet import Ride, Server
from bot.jobs.scheduler import Scheduler, Ticket
from bot.model.job import Claim
from tests.benchmarks.community_crowd import Picture

GUILD = 1


@dataclass(slots=True)
class Machine:
    """A server with one slot: what it runs, what it was given besides, the model it holds."""

    name: str
    held: str | None = None
    running: Picture | None = None
    ends: float = 0.0
    given: deque[Picture] = field(default_factory=deque[Picture])

    @property
    def is_free(self) -> bool:
        """Tell whether a job given now would begin now."""
        return self.running is None and not self.given

    def work_s(self, now: float) -> float:
        """Seconds of work that it has."""
        return max(0.0, self.ends - now) * (self.running is not None) + sum(one.expected_s for one in self.given)


class Policy(Protocol):
    """Is told what comes and what ends, and says what goes where."""

    name: str

    def came(self, picture: Picture) -> None:
        """Take a new job."""
        ...

    def ended(self, picture: Picture, machine: Machine) -> None:
        """Learn that a job is over."""
        ...

    def place(self, now: float) -> Sequence[tuple[Picture, Machine]]:
        """Return which job is given to which machine at this time (seconds)."""
        ...


class Easel:
    """The bot's scheduler, its seats made by the bot's own `Server`."""

    name = "Easel"

    def __init__(self, machines: Sequence[Machine]) -> None:
        self._machines = {machine.name: machine for machine in machines}
        nobody = cast("ComfyClient", None)  # a seat is made from what is known, not from what is asked
        self._servers: Mapping[str, Server] = {one.name: Server(one.name, nobody, slots=1) for one in machines}
        self._scheduler = Scheduler()
        self._waiting: dict[str, Picture] = {}

    def came(self, picture: Picture) -> None:
        """Put it in the waiting room."""
        self._waiting[picture.job_id] = picture
        self._scheduler.add(
            Ticket(
                job_id=picture.job_id,
                member_id=picture.member_id,
                guild_id=GUILD,
                claim=Claim(cost=picture.cost),
                models=frozenset({picture.model}),
            )
        )

    def ended(self, picture: Picture, machine: Machine) -> None:
        """Free its place."""
        self._scheduler.gone(picture.job_id)
        del self._servers[machine.name].busy[picture.job_id]

    def place(self, now: float) -> Sequence[tuple[Picture, Machine]]:
        """Plan, and note it as `Fleet.ride` does."""
        if not self._waiting:
            return ()
        planned: list[tuple[Picture, Machine]] = []
        seats = [server.seat(now) for server in self._servers.values()]
        for choice in self._scheduler.plan(seats, lambda _job, _server: True):
            picture, server = self._waiting.pop(choice.job_id), self._servers[choice.server]
            server.busy[picture.job_id] = Ride(picture.expected_s, now)
            server.loaded = frozenset({picture.model})
            planned.append((picture, self._machines[choice.server]))
        return planned


class FirstCome:
    """One line for all; who is first goes to the next server that is free."""

    name = "first come, first served"

    def __init__(self, machines: Sequence[Machine]) -> None:
        self._machines = machines
        self._line: deque[Picture] = deque()

    def came(self, picture: Picture) -> None:
        """Queue up."""
        self._line.append(picture)

    def ended(self, picture: Picture, machine: Machine) -> None:
        """Nothing to note."""

    def place(self, now: float) -> Sequence[tuple[Picture, Machine]]:  # noqa: ARG002 - as the others
        """Give the first ones to the free ones."""
        free = [machine for machine in self._machines if machine.is_free]
        return [(self._line.popleft(), machine) for machine in free if self._line]


class LeastLoaded:
    """Each job is given at once to the server with the least work."""

    name = "least loaded"

    def __init__(self, machines: Sequence[Machine]) -> None:
        self._machines = machines
        self._new: list[Picture] = []

    def came(self, picture: Picture) -> None:
        """Bind it at the next call."""
        self._new.append(picture)

    def ended(self, picture: Picture, machine: Machine) -> None:
        """Nothing to note."""

    def place(self, now: float) -> Sequence[tuple[Picture, Machine]]:
        """Bind what is new."""
        work = {machine.name: machine.work_s(now) for machine in self._machines} if self._new else {}
        placed: list[tuple[Picture, Machine]] = []
        for picture in self._new:
            machine = min(self._machines, key=lambda one: work[one.name])
            work[machine.name] += picture.expected_s
            placed.append((picture, machine))
        self._new.clear()
        return placed


POLICIES: tuple[Callable[[Sequence[Machine]], Policy], ...] = (Easel, FirstCome, LeastLoaded)
