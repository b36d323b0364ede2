"""What the issue asks of the queue, in the short simulation: deterministic, and not timed."""

import pytest

from tests.benchmarks.community import simulate
from tests.benchmarks.community_plot import draw_plot
from tests.benchmarks.community_table import table


@pytest.mark.no_cover  # thousands of jobs; the scheduler's own tests run the same lines
@pytest.mark.timeout(600)  # a minute of computing on a quiet machine, and it says nothing of time
def test_the_targets_of_the_issue_hold_in_a_weekend() -> None:
    """Half as much again at peak, loads for a tenth of the jobs, a fifth of the light members' wait in a flood."""
    rows = simulate(quick=True)
    own, *others = rows[:3]
    assert own.policy == "Easel"
    assert own.switches <= 0.10
    for other in others:
        assert other.jobs == own.jobs
        assert own.peak_per_hour >= 1.5 * other.peak_per_hour
        assert own.per_busy_hour >= 1.5 * other.per_busy_hour
    for flood in (rows[3:6], rows[6:9]):
        own, *others = flood
        assert own.switches <= 0.10
        for other in others:
            assert own.light <= other.light / 5
    assert "(x1." in table(rows)
    assert len(draw_plot(rows)) < 60_000
