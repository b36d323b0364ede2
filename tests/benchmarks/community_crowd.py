"""The simulated community: who asks when for what. Drawn from a seed, the same for every policy."""

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate

DAY_S = 86400.0
CHECKPOINTS = ("anime.safetensors", "photo.safetensors", "paint.safetensors", "pixel.safetensors")
POPULARITY = (4, 3, 2, 1)
"""How many sessions of ten each checkpoint gets."""
FAVOURITE = 0.7
"""The part of a member's sessions that are about their favourite."""
PICTURE_S = 7.0
"""Seconds that a picture of cost 1 takes with its model loaded; it is also the median."""
SESSION = 5.0
"""Pictures that a member asks for in one sitting, on average."""
TAIL = 1.2
"""Exponent of the Pareto law of activity: a fifth of the members ask for three quarters of the pictures."""
RHYTHM = (
    0.5,
    0.3,
    0.2,
    0.1,
    0.1,
    0.1,
    0.2,
    0.3,
    0.4,
    0.5,
    0.6,
    0.7,
    0.8,
    0.8,
    0.8,
    0.9,
    1,
    1.3,
    2,
    3,
    3.6,
    3.6,
    2.4,
    1,
)
"""Activity by hour of the day."""
WEEKEND = 1.2
"""Activity on the sixth and the seventh day beside the others."""


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A job: asked for at `at` (seconds), it runs `run_s` seconds, `expected_s` by our estimate."""

    job_id: str
    member_id: int
    at: float
    model: str
    cost: float
    run_s: float

    @property
    def expected_s(self) -> float:
        """Seconds that pictures of this cost take."""
        return PICTURE_S * self.cost


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowd:
    """Members, and how many pictures all of them ask for on a weekday; `begins_h` is the hour at which it begins."""

    members: int
    per_day: float
    days: float
    begins_h: float = 0.0
    tail: float = TAIL
    seed: int = 1

    def pictures(self) -> list[Picture]:
        """Return what all of them ask for, in the order of time."""
        dice = random.Random(self.seed)  # noqa: S311 - dice, not keys
        found: list[Picture] = []
        activity = [min(200.0, dice.paretovariate(self.tail)) for _ in range(self.members)]
        for member, part in enumerate(activity, start=1):
            favourite = draw_model(dice)
            for at in self._sittings(dice, self.per_day / SESSION * part / sum(activity)):
                model = favourite if dice.random() < FAVOURITE else draw_model(dice)
                found += _sitting(dice, member, at, model)
        return sorted(found, key=lambda picture: picture.at)

    def _sittings(self, dice: random.Random, per_day: float) -> Iterator[float]:
        """Yield the times of one member's sittings: Poisson, thinned by the rhythm of day and week."""
        mean, most = sum(RHYTHM) / len(RHYTHM), max(RHYTHM) * WEEKEND
        at, end = self.begins_h / 24 * DAY_S, (self.begins_h / 24 + self.days) * DAY_S
        while (at := at + dice.expovariate(per_day / DAY_S * most / mean)) < end:
            if dice.random() * most < RHYTHM[int(at / 3600) % 24] * (WEEKEND if at // DAY_S % 7 >= 5 else 1.0):
                yield at


def draw_model(dice: random.Random) -> str:
    """Return a checkpoint by popularity."""
    return dice.choices(CHECKPOINTS, cum_weights=list(accumulate(POPULARITY)))[0]


def draw(dice: random.Random, job_id: str, member_id: int, at: float, model: str) -> Picture:
    """Return a job of log-normal size: median 1, one of twenty above 2.3; its time is within a tenth of its cost's."""
    cost = math.exp(dice.gauss(0.0, 0.5))
    return Picture(job_id, member_id, at, model, cost, PICTURE_S * cost * math.exp(dice.gauss(0.0, 0.1)))


def _sitting(dice: random.Random, member_id: int, at: float, model: str) -> Iterator[Picture]:
    """Yield a burst: half of the pictures seconds after the one before, half after a look at it."""
    number = 0
    while number == 0 or dice.random() < 1 - 1 / SESSION:
        yield draw(dice, f"{member_id}-{at:.3f}-{number}", member_id, at, model)
        number += 1
        at += dice.expovariate(1 / 3.0) if dice.random() < 0.5 else dice.expovariate(1 / 45.0)
