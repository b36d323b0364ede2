"""The tests. Dozens of them start Easel in a process of its own: what is compiled once need not be compiled again."""

import os
import sys
from pathlib import Path

if sys.dont_write_bytecode:
    # Somebody wants no __pycache__ beside the sources. Without any, each process compiles discord.py, SQLAlchemy and
    # all the rest, which takes seconds; workers and started programs read this environment.
    sys.pycache_prefix = str(Path(__file__).parents[1] / ".pytest_cache" / "bytecode")
    sys.dont_write_bytecode = False
    os.environ["PYTHONPYCACHEPREFIX"] = sys.pycache_prefix
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
