"""`easel run | worker | migrate`."""

import importlib

import click

from bot import app as easel
from bot.cli.running import guarded, with_settings
from bot.errors import SettingsError
from bot.settings import Settings
from bot.store.database import POSTGRES_ADVICE, open_database


@click.command()
@click.option("--gateway-only", is_flag=True, help="Leave the jobs to `easel worker` processes; needs PostgreSQL.")
def run(*, gateway_only: bool) -> None:
    """Serve on Discord with the settings of .env and the environment."""

    async def work(settings: Settings) -> int:
        settings.token()
        if gateway_only and not settings.shares_database:
            raise SettingsError(["--gateway-only: needs workers on the same PostgreSQL, so set DATABASE_URL to one"])
        async with easel.build(settings) as app:
            await easel.run(app, work=not gateway_only)
        return 0

    guarded(lambda: with_settings(work))


@click.command()
@click.option("--server", "names", multiple=True, metavar="NAME", help="Work this server's jobs; may be repeated.")
def worker(*, names: tuple[str, ...]) -> None:
    """Work jobs near their servers, for a bot on PostgreSQL. Without --server: those of all servers."""

    async def work(settings: Settings) -> int:
        if not settings.shares_database:
            raise SettingsError(["DATABASE_URL: a worker needs the PostgreSQL that the bot uses (docs/scaling.md)"])
        try:
            outpost = importlib.import_module("bot.outpost")
        except ImportError as missing:
            raise SettingsError([POSTGRES_ADVICE]) from missing
        await outpost.serve(settings, names)
        return 0

    guarded(lambda: with_settings(work))


@click.command()
def migrate() -> None:
    """Bring the database's tables up to date."""

    async def work(settings: Settings) -> int:
        async with open_database(settings.store_url):
            click.echo("The database is up to date.")
        return 0

    guarded(lambda: with_settings(work, quiet=True))
