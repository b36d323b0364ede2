"""Whether a ComfyUI still works."""

from bot.comfy.models import QueueState
from bot.jobs.watchdog import IDLE_S, REST_S, Watchdog


def queue(running: str = "", pending: str = "") -> QueueState:
    return QueueState(running=tuple(running), pending=tuple(pending))


def test_waiting_with_none_running_for_seconds_is_a_dead_worker() -> None:
    """Prompts that wait while none runs: a moment is nothing, seconds are a dead worker; running again, it lives."""
    dog = Watchdog()
    assert not dog.is_wedged(queue(pending="a"), 0.0)
    assert dog.is_wary()
    assert not dog.is_wedged(queue(pending="a"), IDLE_S - 0.1)
    assert dog.is_wedged(queue(pending="a"), IDLE_S)
    assert not dog.is_wedged(queue(running="a"), IDLE_S + 1)
    assert not dog.is_wary()


def test_a_moment_between_two_jobs_does_not_add_up() -> None:
    """Two looks that happen to fall between jobs, far apart, are no sign."""
    dog = Watchdog()
    for moment in (0.0, 100.0, 200.0):
        assert not dog.is_wedged(queue(pending="a"), moment)
        assert not dog.is_wedged(queue(running="a"), moment + 1)


def test_a_suspect_is_dead_as_long_as_it_runs() -> None:
    """A prompt that was silent for too long makes its server dead until it is gone from the queue."""
    dog = Watchdog()
    dog.suspect("a", 0.0)
    assert dog.is_wedged(queue(running="a", pending="b"), 0.0)
    assert dog.is_wedged(queue(running="a"), 500.0)
    assert not dog.is_wedged(queue(running="b"), 501.0)


def test_an_interrupt_has_time_to_take_effect() -> None:
    """A prompt that was told to end may run on for a while; if it still does after that, its server is dead."""
    dog = Watchdog()
    dog.suspect("a", 60.0)
    assert not dog.is_wedged(queue(running="a"), 59.0)
    assert dog.is_wary()
    assert dog.is_wedged(queue(running="a"), 60.0)
    ended = Watchdog()
    ended.suspect("a", 60.0)
    assert not ended.is_wedged(queue(running="b"), 10.0)
    assert not ended.is_wedged(queue(running="a"), 61.0)


def test_an_empty_queue_is_well() -> None:
    """With nothing to do, nothing is wrong."""
    dog = Watchdog()
    assert not dog.is_wedged(queue(), 0.0)
    assert not dog.is_wedged(queue(), 1000.0)
    assert not dog.is_wary()


def test_a_dead_worker_without_prompts_is_not_taken_for_a_rested_one() -> None:
    """Its prompts taken away, it stays out for minutes; then it gets a chance, and is out again if it wastes that."""
    dog = Watchdog()
    assert not dog.is_wedged(queue(pending="a"), 0.0)
    assert dog.is_wedged(queue(pending="a"), IDLE_S)
    assert dog.is_wedged(queue(), IDLE_S + REST_S - 1)
    again = IDLE_S + REST_S + 1
    assert not dog.is_wedged(queue(), again)
    assert not dog.is_wedged(queue(pending="b"), again + 1)
    assert dog.is_wedged(queue(pending="b"), again + 1 + IDLE_S)
