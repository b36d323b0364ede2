"""Making a picture fit: WebP at falling quality, then fewer pixels. CPU-bound: call it in a thread."""

import io
from collections.abc import Iterator

from PIL import Image, ImageOps, UnidentifiedImageError

_LADDER = ((95, 1.0), (90, 1.0), (80, 1.0), (70, 1.0), (80, 0.75), (75, 0.5), (70, 0.35), (60, 0.2), (50, 0.1))
"""Quality and scale, best first."""

_ENDINGS = {"PNG": "png", "JPEG": "jpg", "WEBP": "webp", "GIF": "gif"}


def picture_ending(data: bytes) -> str | None:
    """Return the file ending that fits a picture's bytes, or None if they are no picture Discord shows."""
    try:
        with Image.open(io.BytesIO(data)) as picture:
            return _ENDINGS.get(picture.format or "")
    except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError):
        return None


def shrink(data: bytes, limit: int) -> tuple[bytes, str] | None:
    """Return the picture in at most `limit` bytes and its file ending; None if that cannot be done."""
    return next((made for made in _smaller(data) if len(made[0]) <= limit), None)


def _smaller(data: bytes) -> Iterator[tuple[bytes, str]]:
    try:
        with Image.open(io.BytesIO(data)) as opened:
            picture = opened.convert("RGBA" if "A" in opened.getbands() else "RGB")
    except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError):
        return
    for quality, scale in _LADDER:
        size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
        out = io.BytesIO()
        smaller = picture if scale == 1 else ImageOps.contain(picture, size, Image.Resampling.LANCZOS)
        try:
            smaller.save(out, "WEBP", quality=quality)
        except (OSError, ValueError):
            return
        yield out.getvalue(), "webp"
