"""`easel run | migrate`."""

import click

from bot import app as easel
from bot.cli.running import guarded, with_settings
from bot.settings import Settings
from bot.store.database import open_database


@click.command()
def run() -> None:
    """Serve on Discord with the settings of .env and the environment."""

    async def work(settings: Settings) -> int:
        settings.token()
        async with easel.build(settings) as app:
            await easel.run(app)
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
