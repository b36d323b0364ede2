"""Places and times of waiting jobs, as members see them. Exact where the scheduler is; elsewhere read from a note."""

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

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


class Board:
    """Reads the waiting room; `jobs` are the live ones."""

    def __init__(self, scheduler: Scheduler, estimator: Estimator, fleet: Fleet, jobs: Mapping[str, Job]) -> None:
        self._scheduler, self._estimator, self._fleet, self._jobs = scheduler, estimator, fleet, jobs

    def listed(self) -> Iterator[tuple[str, Place]]:
        """Yield all waiting jobs in order; only as many are reckoned as are asked for."""
        working = [server for server in self._fleet.servers.values() if server.up]
        machines = sum(server.slots for server in working)
        left = sum(seat.busy_s * self._fleet.servers[seat.server].slots for seat in self._fleet.seats())
        mean, variance = left, (DOUBT * left) ** 2
        known: dict[tuple[str, float], Duration | None] = {}
        for place, job_id in enumerate(self._scheduler.order(), 1):
            job = self._jobs[job_id]
            kind = (job.request.template, job.claim.cost)
            if kind not in known:
                known[kind] = self._estimator.expect(kind[0], None, kind[1])
            own = known[kind]
            yield job_id, Place(place, eta(own, Duration(mean, variance), machines))
            if own is not None:
                mean, variance = mean + own.mean, variance + own.variance

    def of(self, job_ids: Collection[str]) -> dict[str, Place]:
        """Return the places of these jobs, as far as they wait."""
        missing = {job_id for job_id in job_ids if job_id in self._scheduler}
        found: dict[str, Place] = {}
        if not missing:
            return found
        for job_id, place in self.listed():
            if job_id in missing:
                found[job_id] = place
                if len(found) == len(missing):
                    break
        return found

    def to_text(self) -> str:
        """Return all places as text for other processes."""
        rows = [
            [job_id, round(place.eta.low_s), round(place.eta.high_s)] if place.eta else [job_id]
            for job_id, place in self.listed()
        ]
        return json.dumps(rows, separators=(",", ":"))


def places_in(text: str | None, job_ids: Collection[str]) -> dict[str, Place]:
    """Return the places of these jobs from a leader's note."""
    wanted = set(job_ids)
    found: dict[str, Place] = {}
    for place, (job_id, *times) in enumerate(json.loads(text or "[]"), 1):
        if job_id in wanted:
            found[job_id] = Place(place, Eta(low_s=times[0], high_s=times[1]) if times else None)
    return found
