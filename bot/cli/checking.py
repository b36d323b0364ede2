"""`easel check`."""

import json

import click

from bot.check import examine
from bot.cli.running import FAILED, guarded, with_settings
from bot.settings import Settings


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def check(*, as_json: bool) -> None:
    """Say what is wrong with the settings, the servers and the templates; exit code 1 if anything is."""

    async def work(settings: Settings) -> int:
        report = await examine(settings)
        if as_json:
            click.echo(json.dumps({"ok": not report.faults, "faults": report.faults, "notes": report.notes}, indent=1))
        else:
            for note in report.notes:
                click.echo(f"  {note}")
            for fault in report.faults:
                click.echo(f"✗ {fault}")
            click.echo("Everything is in order." if not report.faults else f"{len(report.faults)} to mend.")
        return FAILED if report.faults else 0

    guarded(lambda: with_settings(work, quiet=True))
