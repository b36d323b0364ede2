"""`python -m bot.sandbox.discord --port N`: the stand-in Discord alone."""

import argparse
import asyncio

from bot.sandbox.discord.server import serving


async def _serve(port: int) -> None:
    async with serving(port) as discord:
        print(f"stand-in Discord at {discord.url}; DISCORD_TOKEN={discord.world.token}", flush=True)  # noqa: T201
        await asyncio.Event().wait()


def main() -> None:
    """Parse the arguments and serve until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m bot.sandbox.discord", description=__doc__)
    parser.add_argument("--port", type=int, default=8200)
    try:
        asyncio.run(_serve(parser.parse_args().port))
    except KeyboardInterrupt:
        return
    except OSError as taken:
        parser.error(f"the port cannot be used ({taken.strerror})")


if __name__ == "__main__":
    main()
