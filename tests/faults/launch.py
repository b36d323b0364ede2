"""`python -m tests.faults.launch COMMAND …`: `easel COMMAND …`, killed (signal 9) at a forced point, once.

`FAULT_POINT` names the point, `FAULT_AFTER` how often it is passed before, `FAULT_MARK` a file that says it is done.
Nothing in the product knows of this.
"""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from bot.__main__ import main
from bot.comfy.client import ComfyClient
from bot.replies.courier import Courier
from bot.store.jobs import JobStore

POINTS: dict[str, tuple[type, tuple[str, ...]]] = {
    "the row's commit": (JobStore, ("add",)),
    "the assignment's commit": (JobStore, ("assign",)),
    "the step to running": (JobStore, ("move", "take")),
    "POST /prompt": (ComfyClient, ("submit",)),
    "the step to delivering": (JobStore, ("made",)),
    "PATCH of the picture": (Courier, ("deliver",)),
    "the step to done": (JobStore, ("delivered",)),
}
"""By name: the methods after whose return the process is gone."""


def _armed(method: Callable[..., Awaitable[Any]], mark: Path, passes: int) -> Callable[..., Awaitable[Any]]:
    left = passes

    async def armed(*args: Any, **more: Any) -> Any:
        nonlocal left
        found = await method(*args, **more)
        left -= 1
        if left < 0 and not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
            await asyncio.Event().wait()
        return found

    return armed


def arm() -> None:
    """Plant the fault that the environment asks for."""
    point = os.environ.get("FAULT_POINT")
    if point:
        owner, names = POINTS[point]
        passes = int(os.environ.get("FAULT_AFTER", "0"))
        for name in names:
            setattr(owner, name, _armed(getattr(owner, name), Path(os.environ["FAULT_MARK"]), passes))


if __name__ == "__main__":
    arm()
    main()
