"""A guild's use in words and charts: every fact in both languages, a PNG of its size, and none without matplotlib."""

import asyncio
import io
import sys
from dataclasses import replace

import pytest
from PIL import Image

from bot.model.stats import Stats, StatsBin
from bot.replies import stats as module
from bot.replies.stats import plot, stats_words

DAY = 86_400.0
BEGAN = 1_772_323_200.0
"""2026-03-01 00:00 UTC."""


def spans(count: int, **more: object) -> tuple[StatsBin, ...]:
    return tuple(StatsBin(begins_at=BEGAN + DAY * number, **more) for number in range(count))  # pyright: ignore[reportArgumentType]


EMPTY = Stats(since=BEGAN, until=BEGAN + 2 * DAY, total=spans(1)[0], bins=spans(2))
BUSY = replace(
    EMPTY,
    total=StatsBin(
        begins_at=BEGAN,
        asked=457,
        done=301,
        failed=42,
        cancelled=53,
        refused=31,
        wait_mean_s=83.0,
        wait_p90_s=9000.0,
        used_s=1728.0,
        used_by_all_s=60_480.0,
    ),
    bins=(
        StatsBin(begins_at=BEGAN, asked=100, done=301, wait_mean_s=70.0, wait_p90_s=80.0, used_s=1728.0),
        StatsBin(begins_at=BEGAN + DAY, asked=357, failed=42, used_by_all_s=60_480.0),
    ),
    templates=(("sdxl_*art*", 222), ("flux", 111)),
    members=19,
)


@pytest.mark.parametrize("locale", ["en-US", "ja"])
def test_the_words_have_all_facts(locale: str) -> None:
    """Counts, members, waits, use and templates stand in the words of both languages, foreign names made safe."""
    words = stats_words(BUSY, 7, locale)
    for fact in ("<t:1772323200:f>", "<t:1772496000:f>", "457", "19", "301", "42", "53", "31"):
        assert fact in words
    unit = {
        "en-US": ("1 min 23 s", "2.5 h", "28 min 48 s", "16.8 h"),
        "ja": ("1 分 23 秒", "2.5 時間", "28 分 48 秒", "16.8 時間"),
    }
    for fact in (*unit[locale], "7", "0.1 %", "5.0 %", "sdxl\\_\\*art\\*", "222", "flux", "111"):
        assert fact in words
    assert len(words) < 1900


@pytest.mark.parametrize("locale", ["en-US", "ja"])
def test_words_without_anything(locale: str) -> None:
    """Where nobody asked and no machine is known, the words say so and claim no share, wait or template."""
    words = stats_words(EMPTY, 0, locale)
    assert "%" not in words
    assert len(words.splitlines()) == 5
    assert stats_words(EMPTY, 2, locale).count("0.0 %") == 2


@pytest.mark.parametrize("locale", ["en-US", "ja"])
def test_the_longest_words_fit_into_a_message(locale: str) -> None:
    """Five long names full of markup leave the words within a message."""
    assert len(stats_words(replace(BUSY, templates=(("*" * 80, 9),) * 5), 7, locale)) <= 2000


@pytest.mark.parametrize(
    ("stats", "machines"),
    [
        (BUSY, 7),
        (BUSY, 0),
        (EMPTY, 7),
        (EMPTY, 0),
        (replace(EMPTY, bins=spans(1, asked=1), total=spans(1, asked=1)[0]), 1),
        (replace(BUSY, bins=spans(200, asked=3, wait_mean_s=1e6, wait_p90_s=2e6, used_s=9.0, used_by_all_s=1e6)), 1),
    ],
    ids=["busy", "no machines", "nothing asked", "nothing", "one span", "many spans"],
)
async def test_charts_are_a_picture(stats: Stats, machines: int) -> None:
    """With data and without, drawn in a thread, the charts are one PNG of 900 by 700 with more than one colour."""
    drawn = await asyncio.to_thread(plot, stats, machines, "en-US")
    assert drawn is not None
    with Image.open(io.BytesIO(drawn[0])) as picture:
        assert (picture.format, picture.size) == ("PNG", (900, 700))
        assert len(picture.convert("RGB").getcolors(900 * 700) or ()) > 1


async def test_two_may_ask_at_once() -> None:
    """Charts that are asked for in several threads are the same as one by one."""
    alone = plot(BUSY, 7, "en-US")
    together = await asyncio.gather(*(asyncio.to_thread(plot, BUSY, 7, "en-US") for _ in range(3)))
    assert together == [alone] * 3


@pytest.mark.parametrize("locale", ["en-US", "ja"])
def test_the_alt_text_tells_what_the_charts_show(locale: str) -> None:
    """The window, the spans and the tops of all three charts stand in the alt text, in the reader's language."""
    drawn = plot(BUSY, 7, locale)
    assert drawn is not None
    longest = {"en-US": ("1 min 23 s", "1 min 10 s"), "ja": ("1 分 23 秒", "1 分 10 秒")}[locale]
    for fact in ("2026-03-01 00:00", "2026-03-03 00:00", "357", "457", *longest, "0.1 %", "5.0 %", "10.0 %"):
        assert fact in drawn[1]
    assert drawn[1].count("2026-03-02 00:00") == 2
    assert len(drawn[1]) <= 1024
    empty = plot(EMPTY, 0, locale)
    assert empty is not None
    assert len(empty[1].splitlines()) == 4
    assert "%" not in empty[1]


@pytest.mark.parametrize("hidden", [("matplotlib", "matplotlib.figure"), ("matplotlib.backends.backend_agg",)])
def test_without_matplotlib_there_are_only_words(hidden: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """Where matplotlib cannot be imported, there is no picture and no fault, and the words are as ever."""
    for name in hidden:
        monkeypatch.setitem(sys.modules, name, None)
    assert plot(BUSY, 7, "en-US") is None
    assert "457" in stats_words(BUSY, 7, "en-US")


def test_no_line_is_told_by_colour_alone() -> None:
    """Every line of a chart has a marker and dashes of its own, and there are as many as the fullest chart needs."""
    looks = [(style["marker"], style["linestyle"]) for style in module._STYLES]
    assert len({marker for marker, _ in looks}) == len({dashes for _, dashes in looks}) == len(module._COLOURS) == 5


@pytest.mark.parametrize(
    ("most_s", "unit"), [(0.0, "seconds"), (179.0, "seconds"), (180.0, "minutes"), (10_800.0, "hours")]
)
def test_waits_have_a_readable_unit(most_s: float, unit: str) -> None:
    """The axis of waits is in seconds, minutes or hours, whichever its longest needs."""
    assert module._unit(most_s)[1] == unit
