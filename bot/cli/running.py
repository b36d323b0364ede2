"""What every command needs: settings read once, faults as readable lines, signals that stop in good order."""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import click
import structlog

from bot import logs
from bot.errors import SettingsError
from bot.settings import Settings, load_settings

WRONG_SETTINGS, FAILED = 2, 1
STOP_S = 8.5
"""Seconds after a signal in which everything should be closed. What is not (a database that does not answer) need not
be: every step that counts was committed before, and the next start goes on from there."""


def _leave() -> None:
    """End the process as it is."""
    structlog.get_logger().warning("stop.cut_short", after_s=STOP_S)
    sys.stderr.flush()
    os._exit(0)


def _until_signal(work: Coroutine[Any, Any, int]) -> int:
    """Run to the end, or until SIGINT or SIGTERM; then stop in good order. Returns the exit code."""

    async def supervised() -> int:
        task = asyncio.current_task()
        loop = asyncio.get_running_loop()

        def stop() -> None:
            loop.call_later(STOP_S, _leave)
            if task is not None:
                task.cancel()

        for name in ("SIGINT", "SIGTERM"):
            try:
                loop.add_signal_handler(getattr(signal, name), stop)
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


def guarded(command: Callable[[], int]) -> None:
    """Turn settings faults into readable lines and exit code 2."""
    try:
        code = command()
    except SettingsError as error:
        for fault in error.faults:
            click.echo(f"easel: {fault}", err=True)
        code = WRONG_SETTINGS
    sys.exit(code)


def with_settings(work: Callable[[Settings], Awaitable[int]], *, quiet: bool = False) -> int:
    """Read the settings, set up the log, and do the work; returns the exit code."""
    settings = load_settings()
    level = "WARNING" if quiet and "log_level" not in settings.model_fields_set else settings.log_level
    logs.configure(level, settings.log_format, settings.secrets)

    async def run() -> int:
        return await work(settings)

    return _until_signal(run())
