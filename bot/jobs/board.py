"""Places and times of waiting jobs, as members see them. Exact where the scheduler is; elsewhere read from a note."""

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import TypeAlias

from bot.jobs.estimate import DOUBT, Duration, Estimator, eta
from bot.jobs.fleet import Fleet
from bot.jobs.scheduler import Scheduler
from bot.model.job import Eta, Job

NOTE = "queue"
"""The note in which a leader tells other processes the order."""


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the queue, 1 being next, and when its picture should be there, if that can be told."""

    place: int
    eta: Eta | None = None


_Standing: TypeAlias = tuple[int, Duration | None, Duration]
"""(place, what the job takes, what all before it take)"""


class Board:
    """Reads the waiting room; `jobs` are the live ones. Reckons anew only when somebody came, went or was done."""

    def __init__(self, scheduler: Scheduler, estimator: Estimator, fleet: Fleet, jobs: Mapping[str, Job]) -> None:
        self._scheduler, self._estimator, self._fleet, self._jobs = scheduler, estimator, fleet, jobs
        self._reckoned: dict[str, _Standing] = {}
        self._version = (-1, -1)

    @property
    def version(self) -> tuple[int, int]:
        """Changes whenever places or times may have."""
        return (self._scheduler.version, self._estimator.version)

    def first(self, most: int) -> dict[str, Place]:
        """Return the first places, in order."""
        return self._told(islice(self._standings(), most))

    def of(self, job_ids: Collection[str]) -> dict[str, Place]:
        """Return the places of these jobs, as far as they wait."""
        known = self._standings() if job_ids else {}
        return self._told(job_id for job_id in job_ids if job_id in known)

    def to_text(self) -> str:
        """Return all places as text for other processes."""
        rows = [
            [job_id, round(place.eta.low_s), round(place.eta.high_s)] if place.eta else [job_id]
            for job_id, place in self._told(self._standings()).items()
        ]
        return json.dumps(rows, separators=(",", ":"))

    def _told(self, job_ids: Iterable[str]) -> dict[str, Place]:
        """Return places with times; what runs now is before all of them, spread over the machines that work."""
        servers = [server for server in self._fleet.servers.values() if server.up]
        machines = sum(server.slots for server in servers)
        left = sum(seat.busy_s * self._fleet.servers[seat.server].slots for seat in self._fleet.seats())
        spread = (DOUBT * left) ** 2
        found: dict[str, Place] = {}
        for job_id in job_ids:
            place, own, before = self._reckoned[job_id]
            ahead = Duration(before.mean + left, before.variance + spread)
            found[job_id] = Place(place, eta(own, ahead, machines))
        return found

    def _standings(self) -> dict[str, _Standing]:
        version = self.version
        if self._version == version:
            return self._reckoned
        takes: dict[tuple[str, float], Duration | None] = {}
        before = Duration(0.0, 0.0)
        reckoned: dict[str, _Standing] = {}
        for place, job_id in enumerate(self._scheduler.order(), 1):
            job = self._jobs[job_id]
            kind = (job.request.template, job.claim.cost)
            if kind not in takes:
                takes[kind] = self._estimator.expect(kind[0], None, kind[1])
            own = takes[kind]
            reckoned[job_id] = (place, own, before)
            if own is not None:
                before = Duration(before.mean + own.mean, before.variance + own.variance)
        self._reckoned, self._version = reckoned, version
        return reckoned


def places_in(text: str | None, job_ids: Collection[str]) -> dict[str, Place]:
    """Return the places of these jobs from a leader's note."""
    wanted = set(job_ids)
    found: dict[str, Place] = {}
    for place, (job_id, *times) in enumerate(json.loads(text or "[]"), 1):
        if job_id in wanted:
            found[job_id] = Place(place, Eta(low_s=times[0], high_s=times[1]) if times else None)
    return found
