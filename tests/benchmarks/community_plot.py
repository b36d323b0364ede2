"""The plot of the simulated community, as SVG: waits, model switches, throughput."""

import math
from collections.abc import Iterator, Sequence
from html import escape

from tests.benchmarks.community_table import Row

WIDTH, HEIGHT = 980, 630
COLOURS = ("#1f77b4", "#e08214", "#7f7f7f")
LEAST_S, MOST_S = 1.0, 20_000.0
"""Seconds at the ends of the logarithmic axis."""
_TICKS = ((1, "1 s"), (10, "10 s"), (60, "1 min"), (600, "10 min"), (3600, "1 h"))
_LEFT, _TOP, _TALL = 70, 90, 240
_LOW_TOP, _LOW_TALL = 440, 170


def draw_plot(rows: Sequence[Row]) -> str:
    """Return the SVG; rows of a scenario follow one another, always in the same order of policies."""
    scenarios = [list(rows[at : at + len(COLOURS)]) for at in range(0, len(rows), len(COLOURS))]
    first = scenarios[0]
    third = (WIDTH - _LEFT) / 3
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        _text(20, 28, "A simulated community: 200 members, 4 checkpoints, 3 servers, 12 s to load a checkpoint", 17),
        *_legend(first),
        *_waits(scenarios),
        *_bars(
            0, f"Checkpoint loads, % of jobs ({first[0].scenario})", [100 * row.switches for row in first], "{:.1f} %"
        ),
        *_bars(third, f"Jobs per hour at peak ({first[0].scenario})", [row.peak_per_hour for row in first], "{:.0f}"),
        *_bars(
            2 * third,
            f"Sampling, % of peak time ({first[0].scenario})",
            [100 * row.peak_useful for row in first],
            "{:.0f} %",
        ),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _text(x: float, y: float, words: str, size: int = 12, anchor: str = "start") -> str:
    return f'<text x="{x:.0f}" y="{y:.0f}" font-size="{size}" text-anchor="{anchor}" fill="#222">{escape(words)}</text>'


def _rect(x: float, y: float, wide: float, tall: float, colour: str) -> str:
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{wide:.1f}" height="{max(tall, 1):.1f}" fill="{colour}"/>'


def _legend(rows: Sequence[Row]) -> Iterator[str]:
    for number, (row, colour) in enumerate(zip(rows, COLOURS, strict=True)):
        yield _rect(20 + 190 * number, 42, 13, 13, colour)
        yield _text(39 + 190 * number, 53, row.policy, 13)


def _height(seconds: float) -> float:
    """Return the height of a wait in the upper part, on a logarithmic scale."""
    part = math.log(max(seconds, LEAST_S) / LEAST_S) / math.log(MOST_S / LEAST_S)
    return _TALL * min(1.0, part)


def _waits(scenarios: Sequence[Sequence[Row]]) -> Iterator[str]:
    """Yield the upper part: per scenario the waits of the light members and of all, median and 95th percentile."""
    yield _text(20, 78, "Wait until sampling begins (logarithmic)", 14)
    base = _TOP + _TALL
    for seconds, words in _TICKS:
        y = base - _height(seconds)
        yield f'<line x1="{_LEFT}" y1="{y:.1f}" x2="{WIDTH - 20}" y2="{y:.1f}" stroke="#ddd"/>'
        yield _text(_LEFT - 8, y + 4, words, 12, "end")
    classes = ("light, median", "light, p95", "all, median", "all, p95")
    wide = (WIDTH - _LEFT - 20) / (len(scenarios) * len(classes))
    for number, rows in enumerate(scenarios):
        left = _LEFT + number * len(classes) * wide
        name = rows[0].scenario
        yield _text(
            left + 2 * wide, base + 38, name if number == 0 else f"60 light members and a {name} waiting", 13, "middle"
        )
        for place, words in enumerate(classes):
            x = left + place * wide
            yield _text(x + wide / 2, base + 18, words, 10, "middle")
            for row, at, colour in zip(rows, range(3), COLOURS, strict=True):
                value = (row.light, row.light_p95, row.wait, row.wait_p95)[place]
                tall, bar = _height(value), (wide - 10) / 3
                yield _rect(x + 5 + at * bar, base - tall, bar - 1, tall, colour)
                yield _text(x + 5 + (at + 0.5) * bar, base - tall - 3, _short(value), 9, "middle")
    yield f'<line x1="{_LEFT}" y1="{base}" x2="{WIDTH - 20}" y2="{base}" stroke="#222"/>'


def _short(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f}s"
    return f"{seconds / 60:.0f}m" if seconds < 6000 else f"{seconds / 3600:.1f}h"


def _bars(left: float, title: str, values: Sequence[float], form: str) -> Iterator[str]:
    """Yield one of the lower parts: a bar for each policy."""
    yield _text(left + 20, _LOW_TOP - 18, title, 14)
    base, bar = _LOW_TOP + _LOW_TALL, 70
    for number, (value, colour) in enumerate(zip(values, COLOURS, strict=True)):
        tall = (_LOW_TALL - 20) * value / max(values)
        x = left + 30 + number * (bar + 15)
        yield _rect(x, base - tall, bar, tall, colour)
        yield _text(x + bar / 2, base - tall - 5, form.format(value), 12, "middle")
    yield f'<line x1="{left + 20:.0f}" y1="{base}" x2="{left + 300:.0f}" y2="{base}" stroke="#222"/>'
