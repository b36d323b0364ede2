"""How long things take, learned from what they took. Pure."""

import math
from dataclasses import dataclass

from bot.model.job import Eta

MEMORY = 0.1
"""Weight of the newest run beside all before it, once there are ten: machines change."""
QUANTILE = 1.28
"""Standard deviations that leave out one run of ten on either side."""
DOUBT = 0.35
"""Relative standard deviation of a single run, while there are too few to know it."""
_ENOUGH = 5


@dataclass(frozen=True, slots=True)
class Duration:
    """Seconds: expected, and their variance."""

    mean: float
    variance: float


@dataclass(slots=True)
class _Record:
    """Running mean and variance of seconds per unit of cost."""

    count: int = 0
    mean: float = 0.0
    variance: float = 0.0

    def take(self, value: float) -> None:
        self.count += 1
        part = max(1.0 / self.count, MEMORY)
        gap = value - self.mean
        self.mean += part * gap
        self.variance = (1 - part) * (self.variance + part * gap * gap)

    def told(self, cost: float) -> Duration:
        spread = max(self.variance, (DOUBT * self.mean) ** 2) if self.count < _ENOUGH else self.variance
        return Duration(self.mean * cost, spread * cost * cost)


class Estimator:
    """Knows runs by template, server and size; where it has none like that, it takes the nearest kind it has."""

    def __init__(self) -> None:
        self._records: dict[tuple[str | int, ...], _Record] = {}
        self.version = 0
        """Goes up with every run that was learned from."""

    def learn(self, template: str, server: str, cost: float, seconds: float) -> None:
        """Take note of a run."""
        if seconds <= 0 or cost <= 0 or not math.isfinite(seconds):
            return
        self.version += 1
        for key in self._keys(template, server, cost):
            self._records.setdefault(key, _Record()).take(seconds / cost)

    def expect(self, template: str, server: str | None, cost: float) -> Duration | None:
        """Return what a run takes (on any server, if none is named), or None if nothing was ever measured."""
        for key in self._keys(template, server, cost):
            if (known := self._records.get(key)) is not None:
                return known.told(cost)
        return None

    @staticmethod
    def _keys(template: str, server: str | None, cost: float) -> list[tuple[str | int, ...]]:
        """Return the kinds a run belongs to, narrowest first; sizes by powers of two."""
        size = round(math.log2(cost))
        here: list[tuple[str | int, ...]] = [] if server is None else [(template, server, size), (template, server)]
        return [*here, (template, "", size), (template,), ()]


def eta(own: Duration | None, ahead: Duration, machines: int) -> Eta | None:
    """Return when a waiting job is done: what is ahead is spread over the machines. None while too little is known."""
    if own is None or machines < 1:
        return None
    mean = ahead.mean / machines + own.mean
    spread = QUANTILE * math.sqrt(ahead.variance / machines**2 + own.variance)
    return Eta(low_s=max(0.0, mean - spread), high_s=mean + spread)
