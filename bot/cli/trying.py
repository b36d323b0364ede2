"""`easel sandbox`."""

from pathlib import Path

import click

from bot.cli.running import FAILED, guarded, with_settings
from bot.sandbox import run as sandbox_run
from bot.settings import Settings


@click.command()
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

    guarded(lambda: with_settings(work, quiet=True))
