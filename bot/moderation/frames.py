"""The pictures that stand for a file, as a check of pictures wants them. CPU-bound: call in a thread."""

import io
import re
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

from PIL import Image, ImageOps

from bot.delivery.transcode import BROKEN, run_ffmpeg
from bot.errors import EaselError

FRAMES = 8
"""The most frames that are judged of what moves."""
SIDE = 1024
"""Pixels a side that a check gets at most."""
_PIXELS = 80_000_000
"""The most that a picture may have: each takes four bytes, and two pictures are judged at a time."""
FILE_S = 60.0
"""Seconds that taking the frames out of one file may last."""

_FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "JPEG2000", "ICO", "PSD", "QOI", "DDS")
"""Those with a sign of their own, and none that Pillow hands to another program (EPS)."""
_FILM = re.compile(
    rb"....(ftyp|moov|mdat|wide|free|skip)|\x1aE\xdf\xa3|RIFF....AVI |\0\0\x01[\xb3\xba]|FLV\x01|0&\xb2u"
    rb"|OggS.{24,200}(theora|BBCD|OVP80|video)",
    re.DOTALL,
)
"""How files begin that may hold a video. ffmpeg gets no others: playlists would make it read what it should not."""
_CALLED = re.compile(
    r"\.(a?png|jpe?g|webp|gif|bmp|tiff?|avif|hei[cf]|jxl|svg|ico|mp4|m4v|webm|mov|mkv|avi|mpe?g|wmv|flv|ogv|3gp)$",
    re.IGNORECASE,
)
_STREAM = re.compile(rb"^  Stream #0:\d+.*?: (Video|Audio): (.*)$", re.MULTILINE)
_COUNT = re.compile(rb"^frame=\s*(\d+)", re.MULTILINE)
_SPECKS = 10
"""Pixels a side that a blurred preview has in truth."""


class CheckFailed(EaselError):
    """A picture could not be judged; whoever asked refuses."""


def pictures(name: str, data: bytes) -> list[bytes] | None:
    """Return the stills that stand for a file: itself, or some frames of what moves; None if it shows nothing.

    Raises:
        CheckFailed: it is a picture or video, or is named as one, and cannot be read.
    """
    try:
        with _opened(data) as opened:
            return _animation(opened) if getattr(opened, "n_frames", 1) > 1 else [data]
    except BROKEN as fault:
        if _FILM.match(data):
            return _film(data)
        if _CALLED.search(name):
            raise CheckFailed("named as a picture or video, and cannot be read") from fault
        return None


def views(data: bytes) -> list[bytes]:
    """Return a still as one JPEG, or as two where light or dark behind it makes a difference.

    Raises:
        CheckFailed: it is no picture, or broken.
    """
    try:
        with _opened(data) as opened:
            picture = _upright(opened)
            grounds = ("white",) if picture.mode == "RGB" else ("white", "black")
            return [_jpeg(_before(picture, ground)) for ground in grounds]
    except BROKEN as fault:
        raise CheckFailed("a picture that cannot be read") from fault


def blurred(data: bytes) -> bytes | None:
    """Return a preview, a JPEG of a few kB, in which nothing can be made out; None if it is no picture."""
    try:
        with _opened(data) as opened:
            specks = _before(_upright(opened), "grey")
            specks.thumbnail((_SPECKS, _SPECKS), Image.Resampling.BOX)
            width, height = specks.size
            times = 320 // max(width, height)
            large = (width * times, height * times)
            return _jpeg(
                specks.transform(large, Image.Transform.EXTENT, (0, 0, width, height), Image.Resampling.BICUBIC)
            )
    except (CheckFailed, *BROKEN):
        return None


def _opened(data: bytes) -> Image.Image:
    """Open a picture; raises CheckFailed if it has more pixels than memory should hold, BROKEN if it is none."""
    try:
        opened = Image.open(io.BytesIO(data), formats=_FORMATS)
    except Image.DecompressionBombError as fault:
        raise CheckFailed("a picture of too many pixels") from fault
    if opened.width * opened.height > _PIXELS:
        raise CheckFailed("a picture of too many pixels")
    return opened


def _animation(opened: Image.Image) -> list[bytes]:
    began, made = time.monotonic(), list[bytes]()
    for number in _spread(getattr(opened, "n_frames", 1)):
        if time.monotonic() - began > FILE_S:
            raise CheckFailed("an animation that takes too long to read")
        try:
            opened.seek(number)
            out = io.BytesIO()
            _upright(opened).save(out, "PNG", compress_level=1)
        except BROKEN as fault:
            raise CheckFailed("an animation with frames that cannot be read") from fault
        made.append(out.getvalue())
    return made


def _film(data: bytes) -> list[bytes] | None:
    """Return frames of a video, found by decoding it once; None if there is only sound in it."""
    with TemporaryDirectory(prefix="easel-frames-") as folder:
        source = Path(folder) / "film"
        source.write_bytes(data)
        count = _count(source)
        if count is None:
            return None
        wanted = _spread(count)
        chosen = "+".join(f"eq(n\\,{number})" for number in wanted)
        size = f"scale=min({SIDE}\\,iw):min({SIDE}\\,ih):force_original_aspect_ratio=decrease"
        how = ["-map", "0:V:0", "-vf", f"select={chosen},{size}", "-fps_mode", "passthrough", "-q:v", "2"]
        run_ffmpeg([*_only(source), *how, "-f", "image2", f"{folder}/%d.jpg"], within_s=FILE_S)
        made = [path.read_bytes() for path in sorted(Path(folder).glob("*.jpg"), key=lambda path: int(path.stem))]
    if len(made) < max(1, len(wanted) - 1):  # the last packet of some holds no picture of its own
        raise CheckFailed("a video that shows less than it should, or needs too long")
    return made


def _count(source: Path) -> int | None:
    """Return how many frames a video has; None if it is sound alone."""
    how = ["-map", "0:V:0", "-c", "copy", "-f", "null", "-"]
    done = run_ffmpeg(["-nostats", "-progress", "-", *_only(source), *how], within_s=FILE_S)
    if done is None:
        raise CheckFailed("a video, and no ffmpeg to read it with")
    streams = _STREAM.findall(done.stderr.partition(b"Stream mapping:")[0])
    shown = [what for kind, what in streams if kind == b"Video" and b"(attached pic)" not in what]
    if streams and not shown:
        return None
    counts = _COUNT.findall(done.stdout)
    if len(shown) != 1 or not counts or int(counts[-1]) < 1:
        raise CheckFailed("a video that cannot be read, or several in one")
    return int(counts[-1])


def _only(source: Path) -> list[str]:
    return ["-nostdin", "-protocol_whitelist", "file", "-i", str(source)]


def _spread(count: int) -> list[int]:
    """Return the numbers of at most `FRAMES` of `count` frames: the first, the last, and as many between."""
    return sorted({round(step * (count - 1) / (FRAMES - 1)) for step in range(FRAMES)})


def _upright(opened: Image.Image) -> Image.Image:
    """Return a picture as members see it, RGB or (where one may look through it) RGBA, at most `SIDE` pixels a side."""
    opened.draft("RGB", (SIDE, SIDE))  # a large JPEG is read small at once
    if opened.mode.startswith("I"):  # deep greys: a plain conversion would cut them off at white
        opened = opened.convert("I").point(lambda value: value / 256).convert("L")  # pyright: ignore[reportUnknownMemberType]
    has_alpha = "A" in opened.getbands() or "transparency" in opened.info
    picture = ImageOps.exif_transpose(opened).convert("RGBA" if has_alpha else "RGB")
    picture.thumbnail((SIDE, SIDE))
    seen_through = has_alpha and cast("tuple[int, int]", picture.getchannel("A").getextrema())[0] < 255
    return picture if seen_through else picture.convert("RGB")


def _before(picture: Image.Image, ground: str) -> Image.Image:
    if picture.mode == "RGB":
        return picture
    behind = Image.new("RGBA", picture.size, ground)
    return Image.alpha_composite(behind, picture).convert("RGB")


def _jpeg(picture: Image.Image) -> bytes:
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=92)
    return out.getvalue()
