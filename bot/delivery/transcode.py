"""Making files fit and play: pictures and animations by Pillow, videos by ffmpeg where it is installed.

CPU-bound: call in a thread.
"""

import io
import re
import shutil
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from PIL import Image, ImageOps, ImageSequence, UnidentifiedImageError

_LADDER = ((95, 1.0), (90, 1.0), (80, 1.0), (70, 1.0), (80, 0.75), (75, 0.5), (70, 0.35), (60, 0.2), (50, 0.1))
"""Quality and scale, best first."""
_MOVING_LADDER = ((85, 1.0), (75, 0.75), (70, 0.5), (60, 0.35), (50, 0.2))

_ENDINGS = {"PNG": "png", "JPEG": "jpg", "WEBP": "webp", "GIF": "gif"}
BROKEN = (UnidentifiedImageError, OSError, ValueError, SyntaxError, EOFError, IndexError, TypeError, RuntimeError,
          struct.error, Image.DecompressionBombError)  # fmt: skip
"""What Pillow raises for bytes that are no picture, or a broken one (found by damaging files at random)."""

THUMB_SIDE = 160
"""Pixels of a small picture: some 5 kB, kept in the database."""

PREVIEW_BYTES = 60_000
"""The most that a preview may have: it is sent again with every edit."""

PLAYS = frozenset({"mp4", "webm", "mov", "gif", "webp"})
"""Endings of moving pictures that Discord plays."""
VIDEO_S = 300
"""Seconds that ffmpeg may take."""
_SOUND_KBITS = 96


def picture_ending(data: bytes) -> str | None:
    """Return the file ending that fits a picture's bytes, or None if they are no picture Discord shows."""
    try:
        with Image.open(io.BytesIO(data)) as picture:
            return _ENDINGS.get(picture.format or "")
    except BROKEN:
        return None


def is_moving(data: bytes) -> bool:
    """Tell an animation from a still picture."""
    try:
        with Image.open(io.BytesIO(data)) as picture:
            return getattr(picture, "n_frames", 1) > 1
    except BROKEN:
        return False


def shrink(data: bytes, limit: int) -> tuple[bytes, str] | None:
    """Return the picture in at most `limit` bytes and its file ending; None if that cannot be done."""
    made = _moving(data) if is_moving(data) else _smaller(data)
    return next((one for one in made if len(one[0]) <= limit), None)


def small_preview(data: bytes, limit: int = PREVIEW_BYTES) -> tuple[bytes, str] | None:
    """Return a preview in at most `limit` bytes and its file ending, as it is if it fits; None if it is no picture."""
    ending = picture_ending(data)
    if ending is None:
        return None
    return (data, ending) if len(data) <= limit else shrink(data, limit)


def thumbnail(data: bytes, side: int = THUMB_SIDE) -> bytes | None:
    """Return a picture (of an animation the first frame) as a WebP of at most `side` pixels a side; None for others."""
    try:
        with Image.open(io.BytesIO(data), formats=tuple(_ENDINGS)) as opened:
            opened.draft("RGB", (side, side))  # JPEGs are decoded small
            picture = opened.convert("RGBA" if "A" in opened.getbands() else "RGB")
        picture.thumbnail((side, side), reducing_gap=2.0)
        out = io.BytesIO()
        picture.save(out, "WEBP", quality=70)
    except BROKEN:
        return None
    return out.getvalue()


def playable(data: bytes, limit: int) -> tuple[bytes, str] | None:
    """Return an animated PNG, of which Discord shows the first frame only, as an animated WebP."""
    return next((one for one in _moving(data) if len(one[0]) <= limit), None)


def video(data: bytes, ending: str, limit: int) -> bytes | None:
    """Return a video as MP4 in at most `limit` bytes; None without ffmpeg, or if that cannot be done."""
    with TemporaryDirectory(prefix="easel-video-") as folder:
        source, target = Path(folder) / f"in.{ending}", Path(folder) / "out.mp4"
        source.write_bytes(data)
        seconds = _seconds(source)
        if seconds is None:
            return None
        kbits = int(limit * 8 * 0.92 / 1000 / seconds) - _SOUND_KBITS
        if kbits < 50:
            return None
        quality = ["-b:v", f"{min(kbits, 8000)}k", "-maxrate", f"{min(kbits, 8000)}k", "-bufsize", f"{2 * kbits}k"]
        how = ["-c:v", "libx264", "-preset", "fast", "-pix_fmt", "yuv420p", *quality, "-c:a", "aac", "-b:a", "96k"]
        even = ["-vf", "scale=trunc(iw/2)*2:trunc(ih/2)*2", "-movflags", "+faststart"]
        done = run_ffmpeg(["-v", "error", "-i", str(source), *how, *even, str(target)])
        made = target.read_bytes() if done and done.returncode == 0 and target.is_file() else b""
    return made if 0 < len(made) <= limit else None


def run_ffmpeg(words: list[str], *, within_s: float = VIDEO_S) -> subprocess.CompletedProcess[bytes] | None:
    """Return what ffmpeg did and said; None if it is not installed, or needed more than `within_s` seconds."""
    tool = shutil.which("ffmpeg")
    if tool is None:
        return None
    try:
        return subprocess.run([tool, "-y", *words], capture_output=True, timeout=within_s, check=False)  # noqa: S603 - fixed words, our own files
    except (OSError, subprocess.SubprocessError):
        return None


def _seconds(source: Path) -> float | None:
    """Return how long a video plays, as ffmpeg tells when it is asked for nothing else."""
    done = run_ffmpeg(["-i", str(source)], within_s=30)
    found = re.search(rb"Duration: (\d+):(\d+):(\d+\.?\d*)", done.stderr) if done else None
    return max(0.1, int(found[1]) * 3600 + int(found[2]) * 60 + float(found[3])) if found else None


def _smaller(data: bytes) -> Iterator[tuple[bytes, str]]:
    try:
        with Image.open(io.BytesIO(data)) as opened:
            picture = opened.convert("RGBA" if "A" in opened.getbands() else "RGB")
    except BROKEN:
        return
    for quality, scale in _LADDER:
        out = io.BytesIO()
        try:
            _scaled(picture, scale).save(out, "WEBP", quality=quality)
        except (OSError, ValueError):
            return
        yield out.getvalue(), "webp"


def _moving(data: bytes) -> Iterator[tuple[bytes, str]]:
    """Yield an animation as WebP, ever smaller; frames keep their times."""
    try:
        with Image.open(io.BytesIO(data)) as opened:
            frames = [
                (frame.convert("RGBA"), frame.info.get("duration", 100)) for frame in ImageSequence.Iterator(opened)
            ]
    except BROKEN:
        return
    times = [max(20, round(float(time))) for _, time in frames]
    for quality, scale in _MOVING_LADDER:
        first, *rest = [_scaled(frame, scale) for frame, _ in frames]
        out = io.BytesIO()
        how: dict[str, Any] = {"save_all": True, "append_images": rest, "duration": times, "loop": 0}
        try:
            first.save(out, "WEBP", quality=quality, **how)
        except (OSError, ValueError):
            return
        yield out.getvalue(), "webp"


def _scaled(picture: Image.Image, scale: float) -> Image.Image:
    if scale == 1:
        return picture
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    return ImageOps.contain(picture, size, Image.Resampling.LANCZOS)
