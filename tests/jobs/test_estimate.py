"""How long things take: learned from runs, with honest doubt."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.jobs.estimate import Duration, Estimator, eta


def test_nothing_measured_is_nothing_promised() -> None:
    """Without a single run there is no estimate, and no time for a waiting job; nor without a machine."""
    assert Estimator().expect("sd15", "gpu", 1.0) is None
    assert eta(None, Duration(10, 0), 2) is None
    assert eta(Duration(5, 1), Duration(10, 0), 0) is None


@given(st.lists(st.floats(1, 100), min_size=1, max_size=50), st.floats(0.1, 50))
def test_an_estimate_lies_within_what_was_seen(seconds: list[float], cost: float) -> None:
    """Whatever was measured, the expected time lies between the fastest and the slowest run of that size."""
    estimator = Estimator()
    for one in seconds:
        estimator.learn("t", "s", cost, one)
    found = estimator.expect("t", "s", cost)
    assert found is not None
    assert min(seconds) * 0.999 <= found.mean <= max(seconds) * 1.001
    assert found.variance >= 0


def test_the_nearest_kind_is_taken() -> None:
    """Template, server and size first; then the template there by size, the template anywhere, anything at all."""
    estimator = Estimator()
    estimator.learn("sd15", "fast", 1.0, 4.0)
    estimator.learn("sd15", "slow", 1.0, 20.0)
    estimator.learn("sd15", "fast", 16.0, 96.0)
    expected = [
        (("sd15", "fast", 1.0), 4.0),
        (("sd15", "fast", 16.0), 96.0),
        (("sd15", "slow", 4.0), 80.0),
    ]
    for (template, server, cost), seconds in expected:
        found = estimator.expect(template, server, cost)
        assert found is not None
        assert found.mean == pytest.approx(seconds)
    assert estimator.expect("flux", "new", 1.0) is not None


def test_a_machine_that_changes_is_learned_anew() -> None:
    """After thirty runs at a new pace the estimate is near it, whatever was before."""
    estimator = Estimator()
    for seconds in [10.0] * 100 + [30.0] * 30:
        estimator.learn("t", "s", 1.0, seconds)
    found = estimator.expect("t", "s", 1.0)
    assert found is not None
    assert 28 < found.mean <= 30


def test_few_runs_mean_wide_bounds() -> None:
    """One run is doubted; many equal ones are not; what is ahead is spread over the machines."""
    once, often = Estimator(), Estimator()
    once.learn("t", "s", 1.0, 10.0)
    for _ in range(20):
        often.learn("t", "s", 1.0, 10.0)
    wide = eta(once.expect("t", "s", 1.0), Duration(0, 0), 1)
    narrow = eta(often.expect("t", "s", 1.0), Duration(40, 0), 2)
    assert wide is not None
    assert narrow is not None
    assert wide.high_s - wide.low_s > 5
    assert (narrow.low_s, narrow.high_s) == (pytest.approx(30), pytest.approx(30))


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan"), float("inf")])
def test_senseless_runs_are_not_learned(seconds: float) -> None:
    """A run of no or endless time says nothing."""
    estimator = Estimator()
    estimator.learn("t", "s", 1.0, seconds)
    assert estimator.expect("t", "s", 1.0) is None
