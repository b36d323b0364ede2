"""`python -m bot.sandbox.comfyui --port N`: the stand-in ComfyUI alone."""

import argparse
import asyncio
from pathlib import Path

from bot.sandbox.comfyui.server import serving
from bot.sandbox.comfyui.worker import Pace


async def _serve(port: int, pace: Pace, root: Path | None) -> None:
    async with serving(port, pace=pace, root=root) as (_, url):
        print(f"stand-in ComfyUI at {url}", flush=True)  # noqa: T201 - what the command is for
        await asyncio.Event().wait()


def main() -> None:
    """Parse the arguments and serve until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m bot.sandbox.comfyui", description=__doc__)
    parser.add_argument("--port", type=int, default=8188)
    parser.add_argument("--step", type=float, default=0.02, metavar="S", help="seconds a sampling step takes")
    parser.add_argument("--load", type=float, default=0.0, metavar="F", help="1 gives models their load times")
    parser.add_argument("--dir", type=Path, help="keep files here; without it they vanish at the end")
    args = parser.parse_args()
    try:
        asyncio.run(_serve(args.port, Pace(args.step, args.load), args.dir))
    except KeyboardInterrupt:
        return
    except OSError as taken:
        parser.error(f"the port cannot be used ({taken.strerror})")


if __name__ == "__main__":
    main()
