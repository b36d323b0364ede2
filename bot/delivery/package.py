"""Results → attachments. Names are ours; what a server calls its files never reaches a path or a member."""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from bot.delivery.limits import FILES, file_limit
from bot.delivery.transcode import picture_ending, shrink

_SAFE_ENDING = re.compile(r"\.(mp4|webm|mov|gif|webp|mp3|wav|flac|ogg|opus|glb|txt|json|png|jpe?g)$", re.IGNORECASE)
_PICTURES = frozenset({"gif", "webp", "png", "jpg", "jpeg"})
_AT_ONCE = asyncio.Semaphore(2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A file as Discord will have it; `shrunk` tells that it is not the server's own bytes any more."""

    filename: str
    data: bytes = field(repr=False)
    alt: str
    shrunk: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """The attachments of one message, and how many files did not fit in it."""

    files: tuple[Attachment, ...]
    left_out: int = 0


async def pack(made: Sequence[tuple[str, bytes]], *, stem: str, alt: str, upload_limit: int) -> Parcel:
    """Pack files (server's name, bytes) for one message; too large pictures are made smaller in a thread."""
    taken = made[:FILES]
    limit = file_limit(upload_limit, len(taken))
    packed: list[Attachment] = []
    for number, (name, data) in enumerate(taken, 1):
        async with _AT_ONCE:
            fitted = await asyncio.to_thread(_fit, name, data, limit)
        if fitted is not None:
            content, ending = fitted
            filename = f"{stem}-{number}.{ending}"
            packed.append(Attachment(filename=filename, data=content, alt=alt, shrunk=content is not data))
    return Parcel(files=tuple(packed), left_out=len(made) - len(packed))


def _fit(name: str, data: bytes, limit: int) -> tuple[bytes, str] | None:
    """Return what to send, or None: nothing in it, called a picture but none, or too large for good."""
    ending = picture_ending(data)
    found = _SAFE_ENDING.search(name)
    if not data or (ending is None and (found is None or found[1].lower() in _PICTURES)):
        return None
    if len(data) > limit:
        return shrink(data, limit)
    return data, ending or str(found and found[1].lower())
