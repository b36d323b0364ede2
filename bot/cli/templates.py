"""`easel templates list | pull | new`."""

from typing import Any

import click

from bot import workshop
from bot.cli.running import FAILED, guarded, with_settings
from bot.settings import Settings
from bot.workflow.ready import WORKFLOWS, Wish


@click.group()
def templates() -> None:
    """List, import and make templates."""


@templates.command("list")
def list_templates() -> None:
    """Show every template, and why one is not offered."""

    async def work(settings: Settings) -> int:
        return 0 if await workshop.listing(settings, click.echo) else FAILED

    guarded(lambda: with_settings(work, quiet=True))


@templates.command()
@click.option("--server", metavar="NAME", help="The server to import from; left out, the first that answers.")
@click.option("--overwrite", is_flag=True, help="Replace files that are there.")
def pull(*, server: str | None, overwrite: bool) -> None:
    """Import the workflows that were saved on a server."""

    async def work(settings: Settings) -> int:
        good = await workshop.pull(settings, click.echo, server_name=server, overwrite=overwrite)
        return 0 if good else FAILED

    guarded(lambda: with_settings(work, quiet=True))


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

    guarded(lambda: with_settings(work, quiet=True))


def _lora(text: str) -> tuple[str, float]:
    file, colon, strength = text.rpartition(":")
    if not colon:
        return text, 1.0
    try:
        return file, float(strength)
    except ValueError:
        raise click.BadParameter(f"{strength!r} is no number", param_hint="--lora") from None
