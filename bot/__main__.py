"""The command line: `easel run | sandbox | check | inspect | migrate | templates`."""

import asyncio
import json
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

import click

from bot import app as easel
from bot import logs, workshop
from bot.check import examine
from bot.comfy.errors import ComfyError
from bot.errors import SettingsError
from bot.sandbox import run as sandbox_run
from bot.settings import Settings, load_settings
from bot.store.database import open_database
from bot.workflow.graph import GraphError
from bot.workflow.ready import WORKFLOWS, Wish
from bot.workflow.template import Template, load_template

WRONG_SETTINGS, FAILED = 2, 1


def _until_signal(work: Coroutine[Any, Any, int]) -> int:
    """Run to the end, or until SIGINT or SIGTERM; then stop in good order. Returns the exit code."""

    async def supervised() -> int:
        task = asyncio.current_task()
        loop = asyncio.get_running_loop()
        for name in ("SIGINT", "SIGTERM"):
            try:
                loop.add_signal_handler(getattr(signal, name), task.cancel if task else loop.stop)
            except NotImplementedError:  # Windows: there KeyboardInterrupt does it
                break
        try:
            return await work
        except asyncio.CancelledError:
            return 0

    try:
        return asyncio.run(supervised())
    except KeyboardInterrupt:
        return 0


def _guarded(command: Callable[[], int]) -> None:
    """Turn settings faults into readable lines and exit code 2."""
    try:
        code = command()
    except SettingsError as error:
        for fault in error.faults:
            click.echo(f"easel: {fault}", err=True)
        code = WRONG_SETTINGS
    sys.exit(code)


def _with_settings(work: Callable[[Settings], Awaitable[int]], *, quiet: bool = False) -> int:
    settings = load_settings()
    level = "WARNING" if quiet and "log_level" not in settings.model_fields_set else settings.log_level
    logs.configure(level, settings.log_format, settings.secrets)

    async def run() -> int:
        return await work(settings)

    return _until_signal(run())


@click.group()
@click.version_option(package_name="easel")
def main() -> None:
    """Easel: slash commands to pictures, on your own ComfyUI servers."""


@main.command()
def run() -> None:
    """Serve on Discord with the settings of .env and the environment."""

    async def work(settings: Settings) -> int:
        settings.token()
        async with easel.build(settings) as app:
            await easel.run(app)
        return 0

    _guarded(lambda: _with_settings(work))


@main.command()
@click.option("--port", default=8200, show_default=True, help="Port of the page; 0 takes a free one.")
@click.option("--comfyui", metavar="URL", help="Use this ComfyUI instead of the stand-in.")
@click.option("--no-browser", is_flag=True, help="Do not open the page.")
@click.option("--once", metavar="COMMAND", help='Send one slash command, such as "/imagine prompt:a red fox".')
@click.option(
    "--save", type=click.Path(dir_okay=False, writable=True, path_type=Path), help="With --once: save the picture here."
)
def sandbox(*, port: int, comfyui: str | None, no_browser: bool, once: str | None, save: Path | None) -> None:
    """Try everything without a token and without a GPU."""
    if save is not None and not save.parent.is_dir():
        raise click.BadParameter(f"there is no folder {save.parent}", param_hint="--save")

    async def work(_settings: Settings) -> int:
        if once is None:
            await sandbox_run.serve(port=port, comfyui_url=comfyui, browser=not no_browser, say=click.echo)
            return 0
        return 0 if await sandbox_run.once(once, save, comfyui_url=comfyui, say=click.echo) else FAILED

    _guarded(lambda: _with_settings(work, quiet=True))


@main.command()
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

    _guarded(lambda: _with_settings(work, quiet=True))


@main.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--server", metavar="NAME", help="Let this server's node list decide what inputs are.")
@click.option("--write-manifest", is_flag=True, help="Write what was found to NAME.toml, for you to edit.")
def inspect(file: Path, *, as_json: bool, server: str | None, write_manifest: bool) -> None:
    """Tell what a workflow file's inputs are for."""
    looked: list[Template] = []

    async def look(settings: Settings) -> int:
        looked.append(await workshop.looked_at(settings, file, server or ""))
        return 0

    def work() -> int:
        try:
            code = _with_settings(look, quiet=True) if server else looked.append(load_template(file)) or 0
        except (GraphError, ComfyError, UnicodeDecodeError) as fault:
            click.echo(f"{file.name}: {fault}", err=True)
            return FAILED
        return code or _shown(file, looked[0], as_json=as_json, write_manifest=write_manifest)

    _guarded(work)


def _shown(file: Path, template: Template, *, as_json: bool, write_manifest: bool) -> int:
    if write_manifest:
        return _write_manifest(file.with_suffix(".toml"), workshop.draft(template))
    found = workshop.roles_json(template.roles)
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
        listed = ", ".join(place if isinstance(place, str) else ".".join(place) for place in places)
        click.echo(f"{role:>9}: {listed or '-'}")
    click.echo(f"{'command':>9}: /{template.command}" if template.command else f"{'command':>9}: none of its own")
    for option in template.options:
        must = "required, " if option.required else ""
        listed = f", {len(option.choices)} choices" if option.choices else ""
        click.echo(f"{'option':>9}: {option.name} ({must}{option.kind}{listed})")


@main.group()
def templates() -> None:
    """List, import and make templates."""


@templates.command("list")
def list_templates() -> None:
    """Show every template, and why one is not offered."""

    async def work(settings: Settings) -> int:
        return 0 if await workshop.listing(settings, click.echo) else FAILED

    _guarded(lambda: _with_settings(work, quiet=True))


@templates.command()
@click.option("--server", metavar="NAME", help="The server to import from; left out, the first that answers.")
@click.option("--overwrite", is_flag=True, help="Replace files that are there.")
def pull(*, server: str | None, overwrite: bool) -> None:
    """Import the workflows that were saved on a server."""

    async def work(settings: Settings) -> int:
        good = await workshop.pull(settings, click.echo, server_name=server, overwrite=overwrite)
        return 0 if good else FAILED

    _guarded(lambda: _with_settings(work, quiet=True))


@templates.command()
@click.argument("kind", type=click.Choice(sorted(WORKFLOWS)))
@click.option("--checkpoint", required=True, help="File name of the checkpoint on the server.")
@click.option("--vae", help="File name of a VAE of its own.")
@click.option("--clip-skip", type=click.IntRange(1, 24), default=1, show_default=True, help="1 is none.")
@click.option("--lora", multiple=True, metavar="FILE[:STRENGTH]", help="A LoRA that is always on; may be given again.")
@click.option("--socket", is_flag=True, help="Send pictures over the socket; the server keeps no file.")
@click.option("--name", help="Name of the template; left out, the kind.")
@click.option("--overwrite", is_flag=True, help="Replace the file if it is there.")
def new(kind: str, *, name: str | None, overwrite: bool, lora: tuple[str, ...], **wish: Any) -> None:
    """Write a ready workflow for your checkpoint."""
    loras = tuple(_lora(one) for one in lora)

    async def work(settings: Settings) -> int:
        wanted = Wish(loras=loras, **wish)
        made = await workshop.make(settings, click.echo, kind, name or kind, wanted, overwrite=overwrite)
        return 0 if made else FAILED

    _guarded(lambda: _with_settings(work, quiet=True))


def _lora(text: str) -> tuple[str, float]:
    file, colon, strength = text.rpartition(":")
    if not colon:
        return text, 1.0
    try:
        return file, float(strength)
    except ValueError:
        raise click.BadParameter(f"{strength!r} is no number", param_hint="--lora") from None


@main.command()
def migrate() -> None:
    """Bring the database's tables up to date."""

    async def work(settings: Settings) -> int:
        async with open_database(settings.store_url):
            click.echo("The database is up to date.")
        return 0

    _guarded(lambda: _with_settings(work, quiet=True))


if __name__ == "__main__":
    main()
