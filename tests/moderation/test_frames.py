"""What stands for a file: whatever cannot be read is refused, and what moves is looked at to its end."""

import io
import os
import random
import re
import subprocess
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageStat

from bot.moderation.frames import FRAMES, SIDE, pictures, views
from bot.moderation.images import CheckFailed, NudeNetCheck, blurred, worst_score

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
GOOD, BAD = (0, 90, 0), (230, 0, 0)
"""A harmless colour, and one that stands for what must not be shown."""


def plain(colour: tuple[int, ...] = GOOD, size: tuple[int, int] = (40, 30)) -> Image.Image:
    return Image.new("RGBA" if len(colour) == 4 else "RGB", size, colour)


def written(image: Image.Image, form: str = "PNG", **how: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, form, **how)
    return out.getvalue()


def moving(form: str, bad: set[int], count: int = 20) -> bytes:
    """Return an animation of `count` frames (no two alike) of which those numbered in `bad` are red."""
    frames = [plain(BAD if n in bad else (0, 90, n)) for n in range(count)]
    return written(frames[0], form, save_all=True, append_images=frames[1:], duration=50, lossless=True)


class Redness:
    """A check by a simple rule: how red a picture is, of 1."""

    def __init__(self) -> None:
        self.asked: list[bytes] = []

    async def score(self, picture: bytes) -> float:
        self.asked.append(picture)
        with Image.open(io.BytesIO(picture)) as opened:
            red, green, _ = ImageStat.Stat(opened.convert("RGB")).mean
        return max(0.0, red - green) / 255


@pytest.fixture
def ffmpeg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real ffmpeg, found as an owner's would be."""
    tool = tmp_path / "bin" / "ffmpeg"
    tool.parent.mkdir()
    tool.symlink_to(FFMPEG)
    monkeypatch.setenv("PATH", str(tool.parent), prepend=os.pathsep)


def filmed(folder: Path, name: str, *how: str, seconds: float = 1.0, red: str = "0") -> bytes:
    """Make a video of green frames, of which those where `red` (ffmpeg's expression) holds are red."""
    target = folder / name
    source = f"color=c=0x005A00:size=64x48:rate=20:duration={seconds},drawbox=c=0xE60000:t=fill:enable='{red}'"
    command = [FFMPEG, "-v", "error", "-y", "-f", "lavfi", "-i", source, *how, str(target)]
    subprocess.run(command, check=True, timeout=60)  # noqa: S603 - our own words
    return target.read_bytes()


def sounded(folder: Path, name: str, *how: str) -> bytes:
    target = folder / name
    command = [FFMPEG, "-v", "error", "-y", "-f", "lavfi", "-i", "sine=duration=0.3", *how, str(target)]
    subprocess.run(command, check=True, timeout=60)  # noqa: S603 - our own words
    return target.read_bytes()


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"])
async def test_a_still_has_its_own_score(form: str) -> None:
    """A still picture of any format is asked about once, whatever its name."""
    check = Redness()
    assert await worst_score(check, "a.txt", written(plain(BAD), form)) == pytest.approx(0.9, abs=0.05)
    assert len(check.asked) == 1
    assert (await worst_score(check, "", written(plain(), form)) or 0) < 0.1


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG"])
@pytest.mark.parametrize("bad", [0, 19, 8], ids=["first", "last", "middle"])
async def test_one_bad_frame_is_enough(form: str, bad: int) -> None:
    """An animation is as bad as its worst frame of at most eight, its first and its last among them."""
    check = Redness()
    assert (await worst_score(check, "a.webp", moving(form, {bad})) or 0) > 0.8
    assert len(check.asked) == FRAMES
    assert (await worst_score(check, "a.webp", moving(form, set())) or 0) < 0.1


@pytest.mark.parametrize("name", ["a.mp4", "a.webm", "a.mov", "a.mkv", "a.avi"])
@pytest.mark.parametrize("red", ["eq(n,0)", "eq(n,19)", "between(n,7,9)"], ids=["first", "last", "middle"])
async def test_a_video_is_looked_at_to_its_end(name: str, red: str, ffmpeg: None, tmp_path: Path) -> None:
    """A video of any kind is as bad as its worst frame of eight, its first and its last among them."""
    kind = ["-c:v", "libvpx"] if name == "a.webm" else ["-c:v", "libx264", "-preset", "ultrafast"]
    check = Redness()
    data = filmed(tmp_path, name, "-pix_fmt", "yuv420p", *kind, red=red)
    assert (await worst_score(check, "a.bin", data) or 0) > 0.6
    assert len(check.asked) == FRAMES


async def test_sound_after_the_last_picture_hides_nothing(ffmpeg: None, tmp_path: Path) -> None:
    """A sound longer than the pictures does not move the frames that are chosen; a stream without a length works."""
    longer = ["-f", "lavfi", "-i", "sine=duration=4", "-pix_fmt", "yuv420p"]
    for name, more in (("a.mp4", longer), ("a.mkv", ["-c:v", "mjpeg", "-live", "1"])):
        data = filmed(tmp_path, name, *more, red="gte(n,18)")
        assert (await worst_score(Redness(), "", data) or 0) > 0.6


async def test_a_short_video_has_few_frames(ffmpeg: None, tmp_path: Path) -> None:
    """A video of one frame is judged by it."""
    check = Redness()
    assert (await worst_score(check, "a.mp4", filmed(tmp_path, "a.mp4", seconds=0.05, red="1")) or 0) > 0.6
    assert len(check.asked) == 1


async def test_what_shows_nothing_has_no_score(ffmpeg: None, tmp_path: Path) -> None:
    """Sound, text and 3D have no score, also where a container could hold a video; nobody is asked."""
    check = Redness()
    cover = ["-f", "lavfi", "-i", "color=size=16x16:duration=0.04", "-c:v", "png", "-disposition:v:0", "attached_pic"]
    assert await worst_score(check, "a.m4a", sounded(tmp_path, "a.m4a", *cover)) is None
    for name in ("a.mp3", "a.flac", "a.wav", "a.ogg", "a.opus", "a.m4a", "a.mka", "a.webm"):
        assert await worst_score(check, name, sounded(tmp_path, name)) is None
    for name, data in (("a.txt", b"BM25 ranks texts"), ("a.json", b"{}"), ("a.glb", b"glTF\2\0\0\0"), ("", b"")):
        assert await worst_score(check, name, data) is None
    assert check.asked == []


def cut_video(folder: Path) -> bytes:
    return filmed(folder, "a.mkv", "-c:v", "mjpeg")[:3000]


def two_videos(folder: Path) -> bytes:
    return filmed(folder, "a.mkv", "-map", "0:v", "-map", "0:v", "-c:v", "mjpeg")


def spoilt_frames(folder: Path) -> bytes:
    """Make a video of which every frame after the first is there, and none can be decoded."""
    start, mark, rest = filmed(folder, "a.mkv", "-c:v", "mjpeg").partition(b"\xff\xd8")
    return start + mark + re.sub(rb"\xff[\xc0-\xdf]", b"\0\0", rest)


UNREADABLE: list[tuple[str, Callable[[Path], bytes]]] = [
    ("a.PNG", lambda _: b"not a picture"),
    ("a.mp4", lambda _: b"not a video"),
    ("a.svg", lambda _: b"<svg/>"),
    ("a.m3u8.mp4", lambda _: b"#EXTM3U\n#EXTINF:1,\n/etc/passwd\n"),
    ("a.txt", lambda _: b"\0\0\0\x18ftypmp42 and nothing more"),
    ("a.png", lambda _: written(plain())[:60]),
    ("a.txt", lambda _: written(Image.frombytes("RGB", (64, 64), random.Random(1).randbytes(12288)))[:-900]),  # noqa: S311
    ("a.gif", lambda _: moving("WEBP", set())[:-700]),
    ("a.mkv", two_videos),
    ("a.mkv", spoilt_frames),
    ("a.bin", lambda folder: cut_video(folder)[:100]),
]


@pytest.mark.parametrize(("name", "make"), UNREADABLE, ids=[f"{n}-{name}" for n, (name, _) in enumerate(UNREADABLE)])
async def test_what_cannot_be_read_is_not_harmless(
    name: str, make: Callable[[Path], bytes], ffmpeg: None, tmp_path: Path
) -> None:
    """A file that is a picture or video, or is named as one, and cannot be read whole is a failure, not a score."""
    with pytest.raises(CheckFailed):
        await worst_score(NudeNetCheck(lambda _: []), name, make(tmp_path))


async def test_no_ffmpeg_no_verdict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without ffmpeg a video cannot be judged, whatever it is called; sounds and texts need none."""
    data, sound = filmed(tmp_path, "a.mp4"), sounded(tmp_path, "a.ogg")
    monkeypatch.setenv("PATH", "")
    for name in ("a.mp4", "a.txt"):
        with pytest.raises(CheckFailed, match="ffmpeg"):
            await worst_score(Redness(), name, data)
    assert await worst_score(Redness(), "a.ogg", sound) is None


async def test_a_bomb_is_not_opened() -> None:
    """A picture of more pixels than memory should hold is a failure."""
    data = bytearray(written(Image.new("1", (8, 8))))
    for side in (9_200, 60_000):
        data[16:24] = side.to_bytes(4, "big") * 2
        data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
        with pytest.raises(CheckFailed, match="too many"):
            await worst_score(Redness(), "a.txt", bytes(data))
        assert blurred(bytes(data)) is None


def test_what_only_shows_before_dark_is_seen() -> None:
    """A picture with transparency is judged before light and before dark, for members have either."""
    shape = plain((255, 255, 255, 0))
    ImageDraw.Draw(shape).rectangle((5, 5, 20, 20), fill=(255, 255, 255, 255))
    light, dark = [Image.open(io.BytesIO(view)) for view in views(written(shape))]
    assert lowest(light) == 255
    assert lowest(dark) < 10
    assert len(views(written(plain((9, 9, 9, 255))))) == 1


def lowest(image: Image.Image) -> float:
    return min(low for low, _ in ImageStat.Stat(image).extrema)


def test_a_classifier_sees_plain_pictures() -> None:
    """Whatever comes, a view is an upright RGB JPEG of at most 1024 pixels a side, without metadata."""
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "SECRET"
    given = [
        written(plain(size=(3000, 200)), "JPEG", exif=exif),
        written(Image.new("I;16", (20, 20), 40_000)),
        written(Image.new("CMYK", (20, 20)), "JPEG"),
        written(Image.new("LA", (20, 20), (3, 255))),
        written(Image.new("P", (20, 20)), "GIF"),
    ]
    for data in given:
        (view,) = views(data)
        assert b"SECRET" not in view
        with Image.open(io.BytesIO(view)) as seen:
            assert (seen.format, seen.mode) == ("JPEG", "RGB")
            assert max(seen.size) <= SIDE
    assert Image.open(io.BytesIO(views(given[0])[0])).size == (68, 1024)
    assert ImageStat.Stat(Image.open(io.BytesIO(views(given[1])[0]))).mean[0] == pytest.approx(156, abs=2)


SAMPLES = [written(plain(), "GIF"), moving("PNG", {1}, 3), moving("WEBP", {1}, 3), written(plain(), "JPEG")]


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@settings(max_examples=80, deadline=None)
@example(SAMPLES[0], SAMPLES[0].index(b",") + 5, b"\0\0")  # a picture of no width
@given(st.sampled_from(SAMPLES), st.integers(0, 10**6), st.binary(min_size=1, max_size=9))
def test_damage_ends_in_views_or_a_failure(data: bytes, where: int, damage: bytes) -> None:
    """A picture damaged anywhere has views or fails as it should; so has its preview."""
    at = where % len(data)
    broken = data[:at] + damage + data[at + len(damage) :]
    blurred(broken)
    with suppress(CheckFailed):
        for picture in pictures("a.png", broken) or []:
            views(picture)


def test_nothing_can_be_made_out_in_a_preview() -> None:
    """Bold stripes and large writing leave no trace in a preview, a small JPEG; broad colours remain."""
    writing, stripes = plain((128, 128, 128), (640, 480)), plain((0, 0, 0), (640, 480))
    for y in range(0, 480, 24):
        ImageDraw.Draw(writing).text((0, y), "NOBODY SHALL READ THIS " * 3, fill=(90, 90, 90), font_size=22)
    for x in range(0, 640, 32):
        ImageDraw.Draw(stripes).rectangle((x, 0, x + 15, 480), fill=(255, 255, 255))
    for picture in (writing, stripes):
        preview = blurred(written(picture)) or b""
        assert len(preview) < 8000
        with Image.open(io.BytesIO(preview)) as seen:
            assert seen.size == (320, 256)
            assert max(ImageStat.Stat(seen).stddev) < 3
    assert blurred(b"no picture") is None
    assert blurred(written(plain(size=(3000, 1)))) is not None
    assert blurred(written(plain((9, 9, 9, 99), (1, 1)))) is not None
    assert blurred(moving("GIF", {0})) is not None
