"""`python -m tests.benchmarks [--quick] [--only touch]`: figures of queue, store and the whole path, as tables.

Measurements, never assertions. Latencies of the whole path stand beside a bare script's, in the same run, as a ratio.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.benchmarks import edits, path, touch
from tests.benchmarks.community import simulate
from tests.benchmarks.community import table as community_table
from tests.benchmarks.table import HEAD
from tests.conftest import fresh_postgres


def _engine(what: str, url: str, *more: str) -> dict[str, Any]:
    """Run one measurement of queue and store in a process of its own."""
    command = [sys.executable, "-m", "tests.benchmarks.engine", what, url, *more]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - our own module
    return json.loads(done.stdout)


def _engines(*, quick: bool) -> None:
    jobs, room = ("400", "2000") if quick else ("2000", "10000")
    print(f"\n{'queue and store: asked → running':<44}  jobs/s   p50 ms   p99 ms CPU ms/job    MiB")

    def line(name: str, found: dict[str, Any]) -> None:
        print(
            f"{name:<44} {found['rate']:>7.0f} {found['p50']:>8.1f} {found['p99']:>8.1f} "
            f"{found['cpu_ms']:>10.1f} {found['rss_mib']:>6.0f}",
            flush=True,
        )

    with tempfile.TemporaryDirectory() as folder:
        files = [f"sqlite:///{Path(folder) / f'{n}.sqlite3'}" for n in range(3)]
        line("SQLite, embedded, 20 a second", _engine("load", files[0], "--jobs", "100", "--rate", "20"))
        line("SQLite, embedded, 200 a second", _engine("load", files[1], "--jobs", jobs, "--rate", "200"))
        try:
            with fresh_postgres() as url:
                found = _engine("shared", url, "--jobs", "200", "--rate", "20")
                line("PostgreSQL, Procrastinate, 20 a second", found)
        except Exception as fault:  # noqa: BLE001 - there is none here, and it says so
            print(f"PostgreSQL: not measured ({type(fault).__name__})")
        found = _engine("room", files[2], "--jobs", room)
    print(
        f"{room} jobs wait: {found['rss_mib']:.0f} MiB, /queue {found['view_ms']:.1f} ms "
        f"(at most {found['view_max_ms']:.1f}), restart {found['restart_s']:.2f} s",
        flush=True,
    )


def main() -> None:
    """Parse the arguments, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    parser.add_argument("--only", choices=["touch"], help="this table alone")
    given = parser.parse_args()
    quick: bool = given.quick
    print(HEAD)
    if given.only:
        print("\n".join(asyncio.run(touch.measure(5 if quick else 30))))
        return
    print("\n".join(asyncio.run(path.measure(10 if quick else 60))), flush=True)
    print("\n".join(asyncio.run(touch.measure(5 if quick else 30))), flush=True)
    print("\n".join(asyncio.run(edits.measure(200, 5 if quick else 15))), flush=True)
    _engines(quick=quick)
    print("\n" + community_table(simulate(quick=quick)))


if __name__ == "__main__":
    main()
