"""The order: fair between members, within caps, nobody lost."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from bot.jobs.scheduler import Limits, Scheduler


def anywhere(_job: str, _server: str) -> bool:
    return True


def drain(scheduler: Scheduler, slots: int = 1) -> list[str]:
    served: list[str] = []
    while planned := scheduler.plan({"s": slots}, anywhere):
        for one in planned:
            served.append(one.job_id)
            scheduler.gone(one.job_id)
    return served


def test_a_flood_does_not_keep_others_waiting() -> None:
    """One job of a second member comes right after the first of the twenty that were there before."""
    scheduler = Scheduler()
    for number in range(20):
        scheduler.add(f"a{number}", 1)
    scheduler.add("b", 2)
    assert drain(scheduler).index("b") <= 1


def test_a_members_own_order_is_kept() -> None:
    """Each member's jobs run in the order in which they were asked for."""
    scheduler = Scheduler()
    for number in range(5):
        scheduler.add(f"{number}", 1)
    assert scheduler.order() == drain(scheduler) == ["0", "1", "2", "3", "4"]


@given(st.lists(st.integers(1, 4), max_size=40), st.integers(1, 3))
def test_everything_is_served_once_and_fairly(members: list[int], slots: int) -> None:
    """Nothing is lost or doubled, and while two members wait neither gets two jobs ahead per slot."""
    scheduler = Scheduler(Limits(running=1))
    for number, member in enumerate(members):
        scheduler.add(str(number), member)
    served = drain(scheduler, slots)
    assert sorted(served, key=int) == [str(number) for number in range(len(members))]
    counts: Counter[int] = Counter()
    totals = Counter(members)
    for job_id in served:
        counts[members[int(job_id)]] += 1
        waiting = [member for member in totals if counts[member] < totals[member]]
        if len(waiting) > 1:
            assert max(counts[one] for one in waiting) - min(counts[one] for one in waiting) <= slots + 1


def test_the_running_cap_holds_while_others_are_there() -> None:
    """With two members, one of them does not take all of four slots; alone, a member may."""
    scheduler = Scheduler(Limits(running=2))
    for number in range(4):
        scheduler.add(f"a{number}", 1)
    alone = Scheduler(Limits(running=2))
    for number in range(4):
        alone.add(f"a{number}", 1)
    scheduler.add("b", 2)
    assert Counter(one.job_id[0] for one in scheduler.plan({"s": 4}, anywhere)) == {"a": 2, "b": 1}
    assert len(alone.plan({"s": 4}, anywhere)) == 4


def test_jobs_go_only_where_they_can_run() -> None:
    """A job whose template a server cannot run waits for another server and does not block the next."""
    scheduler = Scheduler()
    scheduler.add("big", 1)
    scheduler.add("small", 2)
    planned = scheduler.plan({"weak": 2}, lambda job, _server: job == "small")
    assert [one.job_id for one in planned] == ["small"]
    assert [one.job_id for one in scheduler.plan({"strong": 1}, anywhere)] == ["big"]


def test_waiting_jobs_are_counted_by_member() -> None:
    """A member's waiting jobs are counted, another's are not, and what is gone no longer counts."""
    scheduler = Scheduler()
    for number in range(2):
        scheduler.add(f"{number}", 1)
    assert (scheduler.waiting_of(1), scheduler.waiting_of(2)) == (2, 0)
    scheduler.gone("0")
    assert scheduler.waiting_of(1) == 1
