"""Rows of figures."""

import statistics
from collections.abc import Sequence

HEAD = f"{'':<58} {'median':>9} {'p95':>9} {'p99':>9} {'max':>9}     x base"


def row(name: str, values: Sequence[float], unit: str, base: float | None = None) -> str:
    """Return a line of the table: median, 95th and 99th percentile, maximum, and the ratio to a base."""
    ordered = sorted(values)
    late, later = (ordered[min(len(ordered) - 1, round(share * (len(ordered) - 1)))] for share in (0.95, 0.99))
    ratio = f"{statistics.median(ordered) / base:8.1f}" if base else " " * 8
    return f"{name:<58} {statistics.median(ordered):9.1f} {late:9.1f} {later:9.1f} {ordered[-1]:9.1f} {unit:<3} {ratio}"
