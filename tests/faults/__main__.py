"""`python -m tests.faults [--quick] [--only NAME]`: everything that can go wrong, with real processes, as a table.

Real: `easel run` and `easel worker` as processes, signals, sockets, SQLite and (if one listens) PostgreSQL. Stand-ins:
Discord and ComfyUI, which outlive all kills and count. With `FAULTS_POSTGRES_RESTART` (a shell command) PostgreSQL
itself is restarted, too. Exit code 1 if a job was lost, failed, or done twice.
"""

import argparse
import asyncio
import sys

from tests.conftest import fresh_postgres
from tests.faults.scenarios import EMBEDDED, SHARED, Scenario
from tests.faults.world import Tally

HEAD = f"{'':<52}  jobs kills  lost failed 2x sent 2x shown prompts      s"


def line(tally: Tally, where: str) -> str:
    """Return a row of the table."""
    return (
        f"{where + ': ' + tally.name:<52} {tally.jobs:>5} {tally.kills:>5} {tally.lost:>5} {tally.failed:>6} "
        f"{tally.submitted_twice:>7} {tally.delivered_twice:>8} {tally.submits:>7} {tally.seconds:>6.0f}"
    )


def _run(scenario: Scenario, where: str, jobs: int) -> Tally:
    if where == "SQLite":
        return asyncio.run(scenario(jobs, None))
    with fresh_postgres() as url:
        return asyncio.run(scenario(jobs, url))


def main() -> int:
    """Run, print, and say by the exit code whether all was well."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few jobs each")
    parser.add_argument("--only", help="scenarios whose name holds this")
    args = parser.parse_args()
    jobs = 6 if args.quick else 30
    print(HEAD, flush=True)
    tallies: list[Tally] = []
    for where, scenarios in (("SQLite", EMBEDDED), ("PostgreSQL", SHARED)):
        for name, scenario in scenarios.items():
            if args.only is None or args.only in name:
                tallies.append(_run(scenario, where, jobs))
                print(line(tallies[-1], where), flush=True)
    total = sum(tally.jobs for tally in tallies)
    clean = all(tally.is_clean for tally in tallies)
    print(f"{total} jobs, {sum(tally.kills for tally in tallies)} kills: {'all well' if clean else 'NOT WELL'}")
    return 0 if clean else 1


if __name__ == "__main__":
    sys.exit(main())
