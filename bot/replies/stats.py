"""What admins read and see of their guild's use: sentences, and charts where matplotlib is installed."""

import io
import threading
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib import import_module
from typing import Any

from bot.model.stats import Stats, StatsBin
from bot.replies.catalogue import text
from bot.replies.safe import alt_text, shown
from bot.replies.times import duration

_NAME = 60
_HOUR, _DAY = 3600, 86_400
_INCHES, _DOTS = (9, 7), 100
"""900 by 700 pixels."""
_LABELS = 8
_COLOURS = ("#000000", "#0072b2", "#d55e00", "#009e73", "#cc79a7")
_STYLES: Sequence[Mapping[str, Any]] = (
    {"marker": "o", "linestyle": "-"},
    {"marker": "s", "linestyle": "--"},
    {"marker": "^", "linestyle": ":"},
    {"marker": "x", "linestyle": "-."},
    {"marker": "v", "linestyle": (0, (1, 4))},
)
"""Lines differ by marker and dashes; colour only comes on top."""
_UNKNOWN = float("nan")
_drawing = threading.Lock()
"""matplotlib does not promise that two threads may draw at once, and one at a time is what the machine can bear."""


def stats_words(stats: Stats, machines: int, locale: str) -> str:
    """Return a guild's use as sentences; `machines` is how many there are now, 0 if nobody knows."""
    total = stats.total
    ends = {"done": total.done, "failed": total.failed, "cancelled": total.cancelled, "refused": total.refused}
    lines = [
        text("stats.window", locale, since=int(stats.since), until=int(stats.until)),
        text("stats.asked", locale, asked=total.asked, members=stats.members),
        text("stats.ended", locale, **ends, open=total.asked - sum(ends.values())),
        _wait_words(total, locale),
        text("stats.used", locale, used=_long(total.used_s, locale), all=_long(total.used_by_all_s, locale)),
    ]
    if machines > 0:
        own, everybodys = _percents(total, machines, stats.until - stats.since)
        lines.append(text("stats.share", locale, machines=machines, own=f"{own:.1f}", all=f"{everybodys:.1f}"))
    if stats.templates:
        named = [text("stats.template", locale, name=shown(name, _NAME), count=n) for name, n in stats.templates]
        lines.append(text("stats.templates", locale, templates=text("stats.separator", locale).join(named)))
    return "\n".join(lines)


def plot(stats: Stats, machines: int, locale: str) -> tuple[bytes, str] | None:
    """Return three charts as a PNG of 900 by 700 pixels, and its alt text; None where matplotlib is not installed.

    It computes for a second, the first time for some: call it in a thread. The charts speak English, for fonts may have
    no other letters; the alt text speaks the language of `locale`. `machines` as for `stats_words`.
    """
    try:
        figures, agg = import_module("matplotlib.figure"), import_module("matplotlib.backends.backend_agg")
    except ImportError:
        return None
    out = io.BytesIO()
    with _drawing:
        figure = figures.Figure(figsize=_INCHES, dpi=_DOTS, layout="constrained")
        canvas = agg.FigureCanvasAgg(figure)
        _draw(figure.subplots(3, 1, sharex=True), stats, machines)
        canvas.print_png(out)
    return out.getvalue(), alt_text(_alt(stats, machines, locale))


def _wait_words(total: StatsBin, locale: str) -> str:
    if total.wait_mean_s is None or total.wait_p90_s is None:
        return text("stats.no_wait", locale)
    return text("stats.waited", locale, mean=_long(total.wait_mean_s, locale), p90=_long(total.wait_p90_s, locale))


def _long(seconds: float, locale: str) -> str:
    """Return seconds as people say them, also many."""
    if seconds < _HOUR:
        return duration(seconds, locale)
    return text("stats.hours", locale, hours=f"{seconds / _HOUR:.1f}")


def _percents(one: StatsBin, machines: int, seconds: float) -> tuple[float, float]:
    """Return how much of so many machines' time this guild took, and everybody, in percent.

    A run counts whole where it ended, and the machines are today's, so that it may be more than 100.
    """
    there = machines * seconds / 100
    return one.used_s / there, one.used_by_all_s / there


# The charts


def _draw(charts: Sequence[Any], stats: Stats, machines: int) -> None:
    requests, waits, use = charts
    bins = stats.bins
    asked = {name: [getattr(one, name) for one in bins] for name in ("asked", "done", "failed", "cancelled", "refused")}
    _lines(requests, "Requests in each span", "requests", asked if stats.total.asked else {})
    requests.yaxis.get_major_locator().set_params(integer=True)
    width, unit = _unit(max((one.wait_p90_s or 0.0 for one in bins), default=0.0))
    waited = {
        "mean": [_over(one.wait_mean_s, width) for one in bins],
        "9 of 10 within": [_over(one.wait_p90_s, width) for one in bins],
    }
    _lines(
        waits, "Wait of what was done, delivery included", unit, waited if stats.total.wait_p90_s is not None else {}
    )
    shares = [_percents(one, machines, stats.span_s) for one in bins] if machines > 0 else []
    used = {"everybody": [share[1] for share in shares], "this server": [share[0] for share in shares]}
    _lines(use, f"Use of the machines ({machines})", "% of their time", used if shares else {})
    step = -(-len(bins) // _LABELS)
    use.set_xticks(range(0, len(bins), step), [_mark(one.begins_at, stats.span_s) for one in bins[::step]])
    use.set_xlabel("begin of the span (UTC)")


def _lines(axes: Any, title: str, unit: str, series: Mapping[str, Sequence[float]]) -> None:
    """Draw one chart; without series, its frame and the words that there is nothing."""
    axes.set_title(title, loc="left", fontsize=11)
    axes.set_ylabel(unit)
    axes.grid(visible=True, alpha=0.3)
    for (name, values), style, colour in zip(series.items(), _STYLES, _COLOURS, strict=False):
        axes.plot(range(len(values)), values, label=name, color=colour, markersize=5, **style)
    if series:
        axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), fontsize=9, handlelength=3.5, frameon=False)
    else:
        axes.text(0.5, 0.5, "no data", transform=axes.transAxes, ha="center", va="center")
    axes.set_ylim(0, max(1.0, axes.get_ylim()[1]))


def _over(seconds: float | None, width: int) -> float:
    return _UNKNOWN if seconds is None else seconds / width


def _unit(most_s: float) -> tuple[int, str]:
    """Return the unit in which a wait reads best: its seconds and its name."""
    if most_s < 180:
        return 1, "seconds"
    return (60, "minutes") if most_s < 3 * _HOUR else (_HOUR, "hours")


def _mark(at: float, span_s: float) -> str:
    """Return a span's begin in numerals; UTC."""
    return datetime.fromtimestamp(at, UTC).strftime("%m-%d" if span_s >= _DAY else "%m-%d\n%H:%M")


# Their alt text


def _alt(stats: Stats, machines: int, locale: str) -> str:
    since, until = _when(stats.since), _when(stats.until)
    head = text("stats.alt_head", locale, since=since, until=until, bins=len(stats.bins))
    return "\n".join([head, _alt_asked(stats, locale), _alt_waited(stats, locale), _alt_used(stats, machines, locale)])


def _alt_asked(stats: Stats, locale: str) -> str:
    if not stats.total.asked:
        return text("stats.alt_not_asked", locale)
    top = max(stats.bins, key=lambda one: one.asked)
    return text("stats.alt_asked", locale, when=_when(top.begins_at), most=top.asked, asked=stats.total.asked)


def _alt_waited(stats: Stats, locale: str) -> str:
    mean = stats.total.wait_mean_s
    if mean is None:
        return text("stats.alt_no_wait", locale)
    top = max(stats.bins, key=lambda one: one.wait_mean_s or 0.0)
    most = _long(top.wait_mean_s or 0.0, locale)
    return text("stats.alt_waited", locale, mean=_long(mean, locale), most=most, when=_when(top.begins_at))


def _alt_used(stats: Stats, machines: int, locale: str) -> str:
    if machines <= 0:
        return text("stats.alt_no_machines", locale)
    own, everybodys = _percents(stats.total, machines, stats.until - stats.since)
    top = max(stats.bins, key=lambda one: one.used_by_all_s)
    _, most = _percents(top, machines, stats.span_s)
    shares = {"own": f"{own:.1f}", "all": f"{everybodys:.1f}", "most": f"{most:.1f}"}
    return text("stats.alt_used", locale, **shares, when=_when(top.begins_at))


def _when(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M")
