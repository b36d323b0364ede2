"""How a guild used the machines in a window of time, counted in equal spans. Times are Unix seconds."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class StatsBin:
    """One span, or the whole window.

    A request counts where it was asked for, also its wait and how it ended; a machine's seconds count where the run's
    job last changed, which is shortly after the run unless a moderator held the picture.
    """

    begins_at: float
    asked: int = 0
    """Requests, those that have not ended included."""
    done: int = 0
    failed: int = 0
    cancelled: int = 0
    refused: int = 0
    wait_mean_s: float | None = None
    """Seconds that done requests took beyond their run: the queue, and also a moderator's look and the delivery."""
    wait_p90_s: float | None = None
    """Nine of ten waited no longer. None, as the mean, where nothing was done."""
    used_s: float = 0.0
    """Seconds that machines ran for this guild, as far as something was made."""
    used_by_all_s: float = 0.0
    """Seconds that machines ran for all guilds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """A guild's window, from `since` until just before `until`; `bins` are equal spans, oldest first."""

    since: float
    until: float
    total: StatsBin
    bins: tuple[StatsBin, ...]
    templates: tuple[tuple[str, int], ...] = ()
    """The most used templates with their requests, at most five, the most used first."""
    members: int = 0
    """How many different members asked."""

    @property
    def span_s(self) -> float:
        """Seconds of one bin."""
        return (self.until - self.since) / len(self.bins)
