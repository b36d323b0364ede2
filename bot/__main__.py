"""The command line: `easel run | worker | sandbox | check | inspect | migrate | templates`."""

import importlib
from typing import cast

import click

COMMANDS = {
    "run": ("serving", "run"),
    "worker": ("serving", "worker"),
    "sandbox": ("trying", "sandbox"),
    "check": ("checking", "check"),
    "inspect": ("inspecting", "inspect"),
    "templates": ("templates", "templates"),
    "migrate": ("serving", "migrate"),
}
"""Module below `bot.cli` and function of each command."""


class LazyGroup(click.Group):
    """Imports a command when it is called for: `inspect` need not wait for discord.py."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name the commands."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, or None."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module, name = COMMANDS[cmd_name]
        return cast("click.Command", getattr(importlib.import_module(f"bot.cli.{module}"), name))


@click.group(cls=LazyGroup)
@click.version_option(package_name="easel")
def main() -> None:
    """Easel: slash commands to pictures, on your own ComfyUI servers."""


if __name__ == "__main__":
    main()
