"""One policy through a month: a heap of events, no clock but its own (seconds)."""

import heapq
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count

from tests.benchmarks.community_crowd import Picture, draw, draw_model
from tests.benchmarks.community_policies import Machine, Policy

SERVERS = 3
LOAD_S = 12.0
"""Seconds that a server loads a checkpoint which it does not hold."""
WINDOW_S = 300.0
"""Seconds of the periods that are looked at for being saturated."""
FLOODER = 0
"""The member who floods."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flood:
    """One member keeps `waiting` jobs waiting from `begins` until `ends` (seconds)."""

    waiting: int
    begins: float
    ends: float
    seed: int = 7


@dataclass(slots=True)
class Run:
    """What a policy made of it. A job's wait (seconds) ends when its sampling begins: loading is part of the wait."""

    policy: str
    waits: list[tuple[Picture, float]] = field(default_factory=list[tuple[Picture, float]])
    switches: int = 0
    busy_s: float = 0.0
    saturated_s: defaultdict[int, float] = field(default_factory=lambda: defaultdict(float))
    """Seconds in each window during which every server works and more than one job a server waits."""
    done: Counter[int] = field(default_factory=Counter[int])
    """Jobs that ended in each window."""
    worked_s: defaultdict[int, float] = field(default_factory=lambda: defaultdict(float))
    """Seconds of sampling of the jobs that ended in each window."""


class Month:
    """The machines and what happens to them."""

    def __init__(self, make: Callable[[Sequence[Machine]], Policy], flood: Flood | None = None) -> None:
        self._machines = [Machine(f"gpu{number}") for number in range(1, SERVERS + 1)]
        self._policy = make(self._machines)
        self._events: list[tuple[float, int, Picture | Machine | None]] = []
        self._ticks = count()
        self._waiting = self._floods = 0
        self._flood = flood
        self._dice = random.Random(flood.seed if flood else 0)  # noqa: S311 - dice, not keys
        self._favourite = draw_model(self._dice)
        self.run = Run(self._policy.name)

    def live(self, pictures: Sequence[Picture]) -> Run:
        """Let it all happen."""
        for picture in pictures:
            self._at(picture.at, picture)
        if self._flood:
            self._at(self._flood.begins, None)
        before = 0.0
        while self._events:
            now, _, what = heapq.heappop(self._events)
            self._mark(before, now)
            before = now
            if isinstance(what, Picture):
                self._come(what)
            elif isinstance(what, Machine):
                self._end(what)
            self._flow(now)
        return self.run

    def _at(self, time: float, what: Picture | Machine | None) -> None:
        heapq.heappush(self._events, (time, next(self._ticks), what))

    def _mark(self, since: float, now: float) -> None:
        if self._waiting <= SERVERS or any(machine.running is None for machine in self._machines):
            return
        while since < now:
            window = int(since / WINDOW_S)
            until = min(now, (window + 1) * WINDOW_S)
            self.run.saturated_s[window] += until - since
            since = until if until > since else now

    def _come(self, picture: Picture) -> None:
        self._waiting += 1
        self._floods += picture.member_id == FLOODER
        self._policy.came(picture)

    def _end(self, machine: Machine) -> None:
        picture, machine.running = machine.running, None
        if picture is None:
            raise AssertionError("what does not run cannot end")
        self._policy.ended(picture, machine)
        window = int(machine.ends / WINDOW_S)
        self.run.done[window] += 1
        self.run.worked_s[window] += picture.run_s

    def _flow(self, now: float) -> None:
        """Give and begin what can be, the flooder asking for more at once."""
        more = True
        while more:
            for picture, machine in self._policy.place(now):
                machine.given.append(picture)
            for machine in self._machines:
                self._begin(machine, now)
            more = self._refill(now)

    def _begin(self, machine: Machine, now: float) -> None:
        if machine.running is not None or not machine.given:
            return
        picture = machine.running = machine.given.popleft()
        load_s = 0.0 if machine.held == picture.model else LOAD_S
        machine.held = picture.model
        machine.ends = now + load_s + picture.run_s
        self._waiting -= 1
        self._floods -= picture.member_id == FLOODER
        self.run.waits.append((picture, now + load_s - picture.at))
        self.run.switches += load_s > 0
        self.run.busy_s += load_s + picture.run_s
        self._at(machine.ends, machine)

    def _refill(self, now: float) -> bool:
        """Ask for what the flooder may ask for, and tell whether that was anything."""
        flood = self._flood
        if flood is None or not flood.begins <= now < flood.ends or self._floods >= flood.waiting:
            return False
        while self._floods < flood.waiting:
            model = self._favourite if self._dice.random() < 0.9 else draw_model(self._dice)
            self._come(draw(self._dice, f"flood-{next(self._ticks)}", FLOODER, now, model))
        return True
