"""Results → attachments. Names are ours; what a server calls its files never reaches a path or a member."""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from bot.delivery.limits import FILES, file_limit
from bot.delivery.metadata import without_metadata
from bot.delivery.transcode import PLAYS, is_moving, picture_ending, playable, shrink, thumbnail, video

_SAFE_ENDING = re.compile(
    r"\.(mp4|webm|mov|mkv|avi|m4v|gif|webp|mp3|wav|flac|ogg|opus|glb|txt|json|png|jpe?g)$", re.IGNORECASE
)
_VIDEOS = frozenset({"mp4", "webm", "mov", "mkv", "avi", "m4v"})
_PICTURES = frozenset({"gif", "webp", "png", "jpg", "jpeg"})
_AT_ONCE = asyncio.Semaphore(2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A file as Discord will have it; `shrunk` and `converted` tell that it is not the server's own bytes any more."""

    filename: str
    data: bytes = field(repr=False)
    alt: str
    shrunk: bool = False
    converted: bool = False
    spoiler: bool = False
    """Shown under a veil."""
    number: int = 0
    """Which file of its job it is, the first one 1; 0: none."""
    small: bool = False
    """Shown beside words, not by itself."""
    thumb: bytes | None = field(default=None, repr=False)
    """A small picture of it, for lists; None for what is no picture."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """The attachments of one message, and how many files did not fit in it."""

    files: tuple[Attachment, ...]
    left_out: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fitted:
    data: bytes
    ending: str
    shrunk: bool = False
    converted: bool = False
    thumb: bytes | None = None


def stem_of(job_id: str) -> str:
    """Return what the names of a job's files begin with; `-NUMBER.ENDING` follows."""
    return f"easel-{job_id[:8]}"


def number_of(filename: str) -> int:
    """Return which file of its job a file of a message is, the first one 1; 0 where its name does not tell."""
    found = re.fullmatch(r"easel-[0-9a-f]{8}-(\d{1,2})\.\w+", filename)
    return int(found[1]) if found else 0


async def pack(
    made: Sequence[tuple[str, bytes]],
    *,
    stem: str,
    alt: str,
    upload_limit: int,
    metadata: bool = True,
    spoiler: bool = False,
) -> Parcel:
    """Pack files (server's name, bytes) for one message; too large ones are made smaller in a thread.

    Without `metadata`, files lose what they say of how they were made; one that cannot lose it is left out.
    """
    taken = made[:FILES]
    limit = file_limit(upload_limit, len(taken))
    packed: list[Attachment] = []
    for number, (name, data) in enumerate(taken, 1):
        async with _AT_ONCE:
            fitted = await asyncio.to_thread(_with_thumb, name, data, limit, metadata=metadata)
        if fitted is not None:
            filename = f"{stem}-{number}.{fitted.ending}"
            packed.append(
                Attachment(
                    filename=filename,
                    data=fitted.data,
                    alt=alt,
                    shrunk=fitted.shrunk,
                    converted=fitted.converted,
                    spoiler=spoiler,
                    number=number,
                    thumb=fitted.thumb,
                )
            )
    return Parcel(files=tuple(packed), left_out=len(made) - len(packed))


def _with_thumb(name: str, data: bytes, limit: int, *, metadata: bool) -> _Fitted | None:
    fitted = _fit(name, data, limit, metadata=metadata)
    return replace(fitted, thumb=thumbnail(fitted.data)) if fitted is not None else None


def _fit(name: str, data: bytes, limit: int, *, metadata: bool) -> _Fitted | None:
    """Return what to send, or None: nothing in it, called a picture but none, too large, or it would tell too much."""
    if not metadata:
        data = without_metadata(data) or b""
    ending = picture_ending(data)
    found = _SAFE_ENDING.search(name)
    called = found[1].lower() if found else ""
    if not data or (ending is None and (not called or called in _PICTURES)):
        return None
    if ending == "png" and is_moving(data) and (made := playable(data, limit)) is not None:
        return _Fitted(data=made[0], ending=made[1], converted=True)
    if ending is None and called in _VIDEOS and (len(data) > limit or called not in PLAYS):
        return _video(data, called, limit)
    if len(data) > limit:
        made = shrink(data, limit)
        return _Fitted(data=made[0], ending=made[1], shrunk=True) if made else None
    return _Fitted(data=data, ending=ending or called)


def _video(data: bytes, ending: str, limit: int) -> _Fitted | None:
    """Return a video that plays and fits; one that fits and does not play goes as it is where ffmpeg is missing."""
    made = video(data, ending, limit)
    if made is not None:
        return _Fitted(data=made, ending="mp4", shrunk=len(data) > limit, converted=len(data) <= limit)
    return _Fitted(data=data, ending=ending) if len(data) <= limit else None
