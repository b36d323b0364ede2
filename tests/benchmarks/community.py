"""`python -m tests.benchmarks.community [--quick] [--plot FILE]`: a simulated month of a community, as a table.

Three servers with one slot, four checkpoints, 12 s to load one, heavy-tailed members with evening peaks that saturate
the servers. The same requests go through Easel's own scheduler and through two others. Seconds are simulated.
"""

import argparse
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

from tests.benchmarks.community_crowd import Crowd, Picture
from tests.benchmarks.community_month import FLOODER, SERVERS, WINDOW_S, Flood, Month, Run
from tests.benchmarks.community_plot import draw_plot
from tests.benchmarks.community_policies import POLICIES
from tests.benchmarks.community_table import Row, table

HOUR_S = 3600.0
IsLight = Callable[[Picture], bool]


def simulate(*, quick: bool) -> list[Row]:
    """Return the rows of all scenarios; Easel's is the first of each. `quick` is a weekend and six hours of floods."""
    begins_h, days = (5 * 24, 2) if quick else (0, 30)
    month = Crowd(members=200, per_day=7000, days=days, begins_h=begins_h).pictures()
    rows = _compare("month" if not quick else "weekend", month, None, _lesser_half(month))
    flood_h = 6 if quick else 7 * 24
    crowd = Crowd(members=60, per_day=1200, days=flood_h / 24, begins_h=12, tail=3.0).pictures()
    for waiting in (20, 200):
        flood = Flood(waiting=waiting, begins=12 * HOUR_S, ends=(12 + flood_h) * HOUR_S)
        rows += _compare(f"flood of {waiting}", crowd, flood, lambda picture: picture.member_id != FLOODER)
    return rows


def _lesser_half(pictures: Sequence[Picture]) -> IsLight:
    """Return the half of the members who ask for least."""
    ranked = Counter(picture.member_id for picture in pictures).most_common()
    light = {member for member, _ in ranked[len(ranked) // 2 :]}
    return lambda picture: picture.member_id in light


def _compare(scenario: str, pictures: Sequence[Picture], flood: Flood | None, is_light: IsLight) -> list[Row]:
    runs = [Month(make, flood).live(pictures) for make in POLICIES]
    peaks = set.intersection(*(_saturated(run) for run in runs))
    if not peaks:
        raise ValueError(f"{scenario}: never were all three saturated; there is nothing to compare")
    return [_row(scenario, run, peaks, is_light) for run in runs]


def _saturated(run: Run) -> set[int]:
    return {window for window, seconds in run.saturated_s.items() if seconds > WINDOW_S - 1e-3}


def _row(scenario: str, run: Run, peaks: set[int], is_light: IsLight) -> Row:
    waits = sorted(wait for _, wait in run.waits)
    light = sorted(wait for picture, wait in run.waits if is_light(picture))
    peak_s = len(peaks) * WINDOW_S
    return Row(
        scenario=scenario,
        policy=run.policy,
        jobs=len(waits),
        peak_per_hour=sum(run.done[window] for window in peaks) / peak_s * HOUR_S,
        peak_useful=sum(run.worked_s[window] for window in peaks) / peak_s / SERVERS,
        per_busy_hour=len(waits) / run.busy_s * HOUR_S,
        switches=run.switches / len(waits),
        light=median(light),
        light_p95=_late(light),
        wait=median(waits),
        wait_p95=_late(waits),
        wait_max=waits[-1],
    )


def _late(ordered: Sequence[float]) -> float:
    return ordered[round(0.95 * (len(ordered) - 1))]


def main() -> None:
    """Parse the arguments, simulate, print."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.community", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a weekend in place of the month")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="write the plot as SVG, too")
    arguments = parser.parse_args()
    rows = simulate(quick=arguments.quick)
    print(table(rows))
    if arguments.plot:
        arguments.plot.write_text(draw_plot(rows), encoding="utf-8")


if __name__ == "__main__":
    main()
