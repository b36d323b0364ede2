"""`easel inspect`: quick, because it needs neither Discord nor a database."""

import importlib
import json
from pathlib import Path
from typing import Any

import click

from bot.cli.running import FAILED, guarded, with_settings
from bot.comfy.errors import ComfyError
from bot.settings import Settings
from bot.workflow.draft import draft, roles_json
from bot.workflow.graph import GraphError, UiFormat, shown
from bot.workflow.template import Template, load_template


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--server", metavar="NAME", help="Let this server's node list decide what inputs are.")
@click.option("--write-manifest", is_flag=True, help="Write what was found to NAME.toml, for you to edit.")
def inspect(file: Path, *, as_json: bool, server: str | None, write_manifest: bool) -> None:
    """Tell what a workflow file's inputs are for."""
    looked: list[Template] = []

    async def look(settings: Settings) -> int:
        workshop = importlib.import_module("bot.workshop")  # the servers' eyes are heavy
        looked.append(await workshop.looked_at(settings, file, server or ""))
        return 0

    def work() -> int:
        try:
            code = with_settings(look, quiet=True) if server else looked.append(load_template(file)) or 0
        except UiFormat as drawn:
            click.echo(f"{file.name}: {drawn}, or name a server that knows its nodes: --server NAME", err=True)
            return FAILED
        except (GraphError, ComfyError, UnicodeDecodeError) as fault:
            click.echo(f"{file.name}: {fault}", err=True)
            return FAILED
        return code or _shown(file, looked[0], as_json=as_json, write_manifest=write_manifest)

    guarded(work)


def _shown(file: Path, template: Template, *, as_json: bool, write_manifest: bool) -> int:
    if write_manifest:
        return _write_manifest(file.with_suffix(".toml"), draft(template))
    found = roles_json(template.roles)
    if as_json:
        click.echo(json.dumps(found))
    else:
        _explain(found, template)
    return 0


def _write_manifest(path: Path, text: str) -> int:
    if path.exists():
        click.echo(f"{path.name} is there already; move it away first", err=True)
        return FAILED
    path.write_text(text, encoding="utf-8")
    click.echo(f"Wrote {path}.")
    return 0


def _explain(found: dict[str, Any], template: Template) -> None:
    for role, places in found.items():
        listed = ", ".join(shown(place if isinstance(place, str) else ".".join(place)) for place in places)
        click.echo(f"{role:>9}: {listed or '-'}")
    click.echo(f"{'command':>9}: /{template.command}" if template.command else f"{'command':>9}: none of its own")
    for option in template.options:
        must = "required, " if option.required else ""
        listed = f", {len(option.choices)} choices" if option.choices else ""
        click.echo(f"{'option':>9}: {option.name} ({must}{option.kind}{listed})")
