"""The short form of `python -m tests.faults`: real processes, real signals."""

import asyncio

import pytest

from tests.faults.scenarios import forced, stopped_politely
from tests.faults.world import Tally


def _is_clean(tally: Tally) -> None:
    assert tally.is_clean, tally
    assert tally.jobs > 0


@pytest.mark.parametrize("point", ["POST /prompt", "PATCH of the picture"])
async def test_killed_at_a_forced_point(point: str) -> None:
    """Kill -9 right after the prompt was sent, or the picture shown: nothing lost, sent or shown twice."""
    _is_clean(await forced(point)(5, None))


async def test_killed_on_postgres(postgres_url: str) -> None:
    """Kill -9 right after the step to delivering, with leader and Procrastinate: the next process takes it up."""
    _is_clean(await forced("the step to delivering")(5, postgres_url))


async def test_sigterm_in_mid_run() -> None:
    """SIGTERM ends the process within ten seconds with exit code 0; the next start finishes what was running."""
    _is_clean(await asyncio.wait_for(stopped_politely(5, None), 100))
