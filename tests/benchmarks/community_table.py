"""What a policy made of a scenario, and the table of it."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What one policy made of one scenario; waits are seconds from asking until sampling begins, loading included."""

    scenario: str
    policy: str
    jobs: int
    peak_per_hour: float
    """Jobs an hour of all servers together, in the periods during which every policy was saturated."""
    peak_useful: float
    """The part of the servers' time in those periods in which they sampled."""
    per_busy_hour: float
    """Jobs in an hour of one server's work, loading included, over the whole time."""
    switches: float
    """Checkpoints loaded, as part of the jobs."""
    light: float
    light_p95: float
    wait: float
    wait_p95: float
    wait_max: float


_COLUMNS = (
    ("policy", 25),
    ("jobs", 8),
    ("jobs/h at peak", 16),
    ("useful", 8),
    ("jobs/busy h", 14),
    ("switches", 10),
    ("light: wait p50", 19),
    ("p95", 7),
    ("all: p50", 10),
    ("p95", 7),
    ("longest", 9),
)


def table(rows: Sequence[Row]) -> str:
    """Return the table: what Easel has over (or, for waits, under) each of the others stands beside theirs."""
    lines: list[str] = []
    own = rows[0]
    for row in rows:
        if row.scenario != own.scenario or row is own:
            own = row
            lines += ["", f"{row.scenario}", "".join(f"{name:<{wide}}" for name, wide in _COLUMNS)]
        is_own = row is own
        cells = (
            row.policy,
            f"{row.jobs}",
            f"{row.peak_per_hour:.0f}" + ("" if is_own else f" (x{own.peak_per_hour / row.peak_per_hour:.2f})"),
            f"{row.peak_useful:.0%}",
            f"{row.per_busy_hour:.0f}" + ("" if is_own else f" (x{own.per_busy_hour / row.per_busy_hour:.2f})"),
            f"{row.switches:.1%}",
            f"{row.light:.1f} s" + ("" if is_own else f" (1/{row.light / own.light:.1f})"),
            f"{row.light_p95:.0f}",
            f"{row.wait:.1f}",
            f"{row.wait_p95:.0f}",
            f"{row.wait_max:.0f}",
        )
        lines.append("".join(f"{cell:<{wide}}" for cell, (_, wide) in zip(cells, _COLUMNS, strict=True)))
    return "\n".join([*lines, "", _LEGEND])


_LEGEND = """\
Brackets: Easel beside this policy. A wait is from asking until sampling begins, loading included, in seconds.
At peak: the five-minute periods during which under every policy all servers work and more than three jobs wait;
useful is the part of the servers' time then that is sampling. Light: in the month the half of the members who ask
for least, in the floods all but the one who keeps that many waiting and asks anew at once."""
