"""What is known of a server, as its owner wants to see it."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceFacts:
    """A device that computes; memory in bytes."""

    name: str
    type: str
    free: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerStatus:
    """One server. While it does not answer, only what was known before is there. Memory in bytes."""

    name: str
    up: bool
    slots: int
    ours: int
    """Our own jobs on it."""
    nodes: int
    checkpoints: int
    version: str = ""
    python: str = ""
    torch: str = ""
    memory_free: int = 0
    memory_total: int = 0
    queue_running: int = 0
    queue_waiting: int = 0
    devices: tuple[DeviceFacts, ...] = ()
    loaded: tuple[str, ...] = ()
    """Models of our last job there, which it still holds if nobody else came between."""
    wedged: bool = False
    """It answers, and runs nothing any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeFacts:
    """A node class: its inputs as (name, type, required, rule), its outputs by type."""

    name: str
    category: str
    inputs: tuple[Mapping[str, str], ...]
    outputs: tuple[str, ...]
