"""Records: what is stored comes back as it was."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.model.job import ENDED, STEPS, JobState
from bot.model.request import SEED_LIMIT, Request, Size, parse_size, random_seed

SIZES = st.none() | st.builds(Size, width=st.integers(64, 2048), height=st.integers(64, 2048))
TEXTS = st.text(max_size=200)
REQUESTS = st.builds(
    Request,
    prompt=TEXTS,
    template=TEXTS,
    seed=st.integers(0, SEED_LIMIT),
    member_id=st.integers(0, 2**63),
    guild_id=st.none() | st.integers(0, 2**63),
    channel_id=st.integers(0, 2**63),
    negative=st.none() | TEXTS,
    size=SIZES,
    count=st.none() | st.integers(1, 10),
    locale=st.sampled_from(["en-US", "ja"]),
)


@given(REQUESTS)
def test_a_request_survives_storage(request_: Request) -> None:
    """Whatever is asked for comes out of its JSON as it went in."""
    assert Request.from_json(request_.to_json()) == request_


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("832x1216", Size(width=832, height=1216)),
        (" 512 X 768 ", Size(width=512, height=768)),
        ("1000x1000", Size(width=1000, height=1000)),
        ("1001\u00d71003", Size(width=1000, height=1000)),
        ("10x10", None),
        ("512", None),
        ("4096x64", None),
        ("-512x512", None),
        ("512x512; rm", None),
    ],
)
def test_sizes_are_read_strictly(text: str, size: Size | None) -> None:
    """Width and height are read, made multiples of 8, and refused outside 64 to 2048."""
    assert parse_size(text) == size


@given(st.text())
def test_no_text_breaks_the_size(text: str) -> None:
    """Any text is a size within the limits, or none."""
    size = parse_size(text)
    assert size is None or (64 <= size.width <= 2048 and size.height % 8 == 0)


def test_seeds_stay_exact_in_a_browser() -> None:
    """Random seeds lie between 0 and 2^53 - 1 and differ."""
    seeds = {random_seed() for _ in range(200)}
    assert len(seeds) == 200
    assert all(0 <= seed <= 2**53 - 1 for seed in seeds)


def test_ended_jobs_stay_ended() -> None:
    """No step leads out of an end, and every other state has a way to fail."""
    assert all(not STEPS[state] for state in ENDED)
    assert all(JobState.FAILED in STEPS[state] for state in set(JobState) - ENDED)
