"""What members bring: judged by content, decoded and written anew, so that nothing but pixels comes in.

CPU-bound: call in a thread. Metadata (EXIF, GPS) is gone, turned pictures are upright, bombs are refused unopened.
"""

import io
import re
from dataclasses import dataclass, field
from typing import cast

from PIL import Image, ImageOps, UnidentifiedImageError

from bot.errors import RequestError

BYTES = 25 * 2**20
"""The most that a file may have."""
SIDE, PIXELS = 8192, 4096 * 4096
"""The most that a picture may have: pixels a side, and in all."""

_FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")
_VIDEOS = ((re.compile(rb"^....ftyp", re.DOTALL), "mp4"), (re.compile(rb"^\x1a\x45\xdf\xa3"), "webm"),
           (re.compile(rb"^GIF8[79]a"), "gif"))  # fmt: skip
_SOUNDS = ((re.compile(rb"^(ID3|\xff[\xf2\xf3\xfb])"), "mp3"), (re.compile(rb"^RIFF....WAVE", re.DOTALL), "wav"),
           (re.compile(rb"^fLaC"), "flac"), (re.compile(rb"^OggS"), "ogg"))  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class CleanPicture:
    """A picture as PNG without metadata."""

    data: bytes = field(repr=False)
    width: int
    height: int
    transparent: bool


def clean_picture(data: bytes) -> CleanPicture:
    """Decode a picture and write it anew.

    Raises:
        RequestError: it is no picture, broken, or too large.
    """
    _within(len(data))
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as opened:
            width, height = opened.size
            if max(width, height) > SIDE or width * height > PIXELS:
                raise RequestError("refused.picture_pixels", width=width, height=height, most=PIXELS // 10**6)
            upright = _eight_bits(ImageOps.exif_transpose(opened))
            has_alpha = "A" in upright.getbands() or "transparency" in upright.info
            picture = upright.convert("RGBA" if has_alpha else "RGB")
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as fault:
        raise RequestError("refused.no_picture_file") from fault
    transparent = _has_holes(picture)
    plain = picture if transparent else picture.convert("RGB")
    return CleanPicture(data=_png(plain), width=plain.width, height=plain.height, transparent=transparent)


def clean_media(data: bytes, kind: str) -> str:
    """Return the file ending that fits a video or a sound by its first bytes; what is inside stays as it is.

    Raises:
        RequestError: it is neither, or too large.
    """
    _within(len(data))
    known = _VIDEOS if kind == "video" else _SOUNDS
    found = next((ending for start, ending in known if start.match(data[:64])), None)
    if found is None:
        raise RequestError(f"refused.no_{kind}_file")
    return found


def _within(size: int) -> None:
    if size > BYTES:
        raise RequestError("refused.file_too_large", most=BYTES // 2**20)


def check_size(size: int) -> None:
    """Refuse a file by the size that Discord tells, before it is fetched; raises RequestError."""
    _within(size)


def mask_picture(mask: bytes, like: bytes | None) -> bytes:
    """Return a mask for every kind of mask loader, as large as the picture `like`.

    White, or what is transparent, is painted anew. The brightness is in the colours; the alpha channel is its opposite,
    as ComfyUI's loaders want it.
    """
    with Image.open(io.BytesIO(mask)) as opened:
        light = _holes(opened) if _has_holes(opened) else opened.convert("L")
    if like is not None:
        with Image.open(io.BytesIO(like)) as picture:
            light = ImageOps.fit(light, picture.size, Image.Resampling.LANCZOS)
    made = Image.merge("RGBA", (light, light, light, ImageOps.invert(light)))
    return _png(made)


def _has_holes(picture: Image.Image) -> bool:
    if "A" not in picture.getbands():
        return False
    least, _ = cast("tuple[int, int]", picture.getchannel("A").getextrema())
    return least < 255


def _holes(picture: Image.Image) -> Image.Image:
    return ImageOps.invert(picture.getchannel("A"))


def _eight_bits(picture: Image.Image) -> Image.Image:
    """Bring deep greys to 8 bits by scaling; a plain conversion would cut them off at white."""
    if picture.mode.startswith("I"):
        return picture.convert("I").point(lambda value: value / 256).convert("L")  # pyright: ignore[reportUnknownMemberType]
    return picture


def _png(picture: Image.Image) -> bytes:
    out = io.BytesIO()
    picture.info = {}  # no colour profile, no text: pixels alone
    picture.save(out, "PNG")
    return out.getvalue()
