"""What one member asked for, as one value that can be stored and replayed."""

import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, TypeAlias

from bot.model.style import Style

Value: TypeAlias = str | int | float | bool
"""What an option of a command may hold."""

SEED_LIMIT = 2**53 - 1
"""Seeds run from 0 to this: the largest integer that a browser keeps exact (ComfyUI itself takes 64 bits)."""

PROMPT_LIMIT = 1500
"""Characters of a prompt or a negative prompt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """Width and height in pixels."""

    width: int
    height: int

    def __str__(self) -> str:
        """Return it as members write it: 832x1216."""
        return f"{self.width}x{self.height}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Every choice of one generation. The graph is a pure function of it, the template and the node list."""

    prompt: str
    template: str
    seed: int
    member_id: int
    guild_id: int | None
    channel_id: int
    negative: str | None = None
    size: Size | None = None
    count: int | None = None
    values: Mapping[str, Value] = field(default_factory=dict[str, Value])
    """Every other option that the member set, by its name."""
    files: Mapping[str, str] = field(default_factory=dict[str, str])
    """Uploads by option: the ids under which the store keeps them."""
    source: str = ""
    """The job whose picture it goes on from; where that was taken away, this is not made again."""
    style: Style | None = None
    """What is put round the member's words, as it was when they asked."""
    unused: tuple[str, ...] = ()
    """Names of options that the member set and this template has no use for."""
    locale: str = "en-US"
    guild_locale: str = "en-US"
    adult: bool = False
    """Whether the channel was surely for adults when it was asked."""

    def asked_by(self, asker: "Asker", **changes: Any) -> "Request":
        """Return the same request as somebody else's, with changes."""
        return replace(self, **{**asdict(asker), "unused": (), **changes})

    def to_json(self) -> str:
        """Return the request as JSON text; `from_json` reads it back."""
        fields = {**asdict(self), "values": dict(self.values), "files": dict(self.files)}
        return json.dumps(fields, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> "Request":
        """Read what `to_json` wrote."""
        fields = json.loads(text)
        size, unused, style = fields.pop("size"), fields.pop("unused", ()), fields.pop("style", None)
        return cls(
            **fields,
            size=Size(**size) if size else None,
            unused=tuple(unused),
            style=Style.from_dict(style) if style else None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What a member is, where they ask. Nothing known: nothing allowed that depends on it."""

    role_ids: frozenset[int] = frozenset()
    adult_channel: bool = False
    place_ids: frozenset[int] = frozenset()
    """The channel, and for a thread its parent."""
    born_at: float | None = None
    """When the account was made, in seconds since 1970."""
    joined_at: float | None = None
    moderator: bool = False
    """May manage messages here."""
    manager: bool = False
    """May manage the guild."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """Whose request it becomes, and where."""

    member_id: int
    guild_id: int | None
    channel_id: int
    locale: str = "en-US"
    guild_locale: str = "en-US"
    adult: bool = False
    """Whether the channel is surely for adults."""


def random_seed() -> int:
    """Return a seed from 0 to `SEED_LIMIT` that nobody can foresee."""
    return secrets.randbelow(SEED_LIMIT + 1)


SIDE_STEP, SIDE_LEAST, SIDE_MOST = 8, 64, 2048
COUNT_LIMIT = 10
"""Pictures of one request: as many as Discord attaches to one message."""

_SIZE = re.compile(r"\s*(\d{1,5})\s*[x\u00d7*]\s*(\d{1,5})\s*", re.IGNORECASE)


def parse_size(text: str) -> Size | None:
    """Read `832x1216`, sides made multiples of 8; None if it is no size, or a side is outside 64 to 2048 pixels."""
    found = _SIZE.fullmatch(text)
    if found is None:
        return None
    width, height = (round(int(side) / SIDE_STEP) * SIDE_STEP for side in found.groups())
    if not all(SIDE_LEAST <= side <= SIDE_MOST for side in (width, height)):
        return None
    return Size(width=width, height=height)
