"""Files → attachments within Discord's limits."""

import io
import random
import subprocess
from pathlib import Path

import imageio_ffmpeg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from bot.delivery.limits import file_limit
from bot.delivery.package import pack
from bot.delivery.transcode import picture_ending, shrink


def noise(side: int, form: str = "PNG", mode: str = "RGB") -> bytes:
    out = io.BytesIO()
    data = random.Random(5).randbytes(side * side * len(mode))  # noqa: S311 - noise, not secrets
    Image.frombytes(mode, (side, side), data).save(out, form)
    return out.getvalue()


async def test_what_fits_is_sent_as_it_is() -> None:
    """A picture under the limit keeps its bytes; its name is ours, its alt text the prompt."""
    data = noise(64)
    parcel = await pack([("../../etc/passwd\u202e.png", data)], stem="easel-1", alt="a fox", upload_limit=10**7)

    (file,) = parcel.files
    assert (file.filename, file.data, file.alt, file.shrunk) == ("easel-1-1.png", data, "a fox", False)


async def test_what_is_too_large_becomes_webp_under_the_limit() -> None:
    """A picture over the limit is transcoded until it fits, and says so."""
    data = noise(512)
    limit = len(data) // 4
    parcel = await pack([("a.png", data)], stem="e", alt="", upload_limit=limit)

    (file,) = parcel.files
    assert len(file.data) <= limit
    assert file.filename == "e-1.webp"
    assert file.shrunk
    assert Image.open(io.BytesIO(file.data)).format == "WEBP"


async def test_ten_files_at_most_and_the_rest_is_counted() -> None:
    """The eleventh file is left out, and that is known."""
    parcel = await pack([(f"{n}.png", noise(16)) for n in range(12)], stem="e", alt="", upload_limit=10**6)
    assert len(parcel.files) == 10
    assert parcel.left_out == 2


async def test_what_cannot_be_made_smaller_is_left_out() -> None:
    """A film over the limit is not cut to pieces: it is left out."""
    parcel = await pack([("film.mp4", b"\0" * 2000)], stem="e", alt="", upload_limit=1000)
    assert parcel.files == ()
    assert parcel.left_out == 1


async def test_endings_come_from_content() -> None:
    """A picture is named by its bytes, other files by a short list of endings; nothing else is sent."""
    made = [("a.png", noise(8, "JPEG")), ("b.mp4", b"film"), ("c.exe", b"MZ"), ("d.mp4", b""), ("e.png", b"<html>")]
    parcel = await pack(made, stem="e", alt="", upload_limit=10**6)
    assert [file.filename for file in parcel.files] == ["e-1.jpg", "e-2.mp4"]
    assert parcel.left_out == 3


@given(st.integers(1, 10**9), st.integers(0, 40))
def test_all_files_together_fit_a_message(upload_limit: int, count: int) -> None:
    """The limit of one file times their number stays under the limit of a message."""
    limit = file_limit(upload_limit, count)
    assert limit <= upload_limit
    assert limit * count <= 24 * 2**20


@given(st.binary(max_size=100))
@settings(max_examples=50)
def test_no_bytes_break_the_tools(data: bytes) -> None:
    """Bytes that are no picture are none; nothing raises."""
    picture_ending(data)
    assert shrink(data, 10) is None


def test_transparency_survives() -> None:
    """A picture with alpha keeps it when made smaller."""
    made = shrink(noise(256, mode="RGBA"), 60_000)
    assert made is not None
    assert "A" in Image.open(io.BytesIO(made[0])).getbands()


def moving(form: str, side: int = 32, frames: int = 4) -> bytes:
    out = io.BytesIO()
    first, *rest = [Image.effect_noise((side, side), 20 * n + 10).convert("RGB") for n in range(frames)]
    first.save(out, form, save_all=True, append_images=rest, duration=120, loop=0)
    return out.getvalue()


async def test_an_animated_png_becomes_what_moves() -> None:
    """Discord shows an animated PNG's first frame only, so it is sent as WebP, and that is said."""
    (file,) = (await pack([("a.png", moving("PNG"))], stem="e", alt="", upload_limit=10**6)).files
    assert file.filename == "e-1.webp"
    assert file.converted
    with Image.open(io.BytesIO(file.data)) as made:
        assert getattr(made, "n_frames", 1) == 4


async def test_an_animation_stays_one_when_it_is_made_smaller() -> None:
    """A GIF over the limit keeps its frames and their times."""
    data = moving("GIF", side=256)
    (file,) = (await pack([("a.gif", data)], stem="e", alt="", upload_limit=len(data) // 8)).files
    assert file.shrunk
    with Image.open(io.BytesIO(file.data)) as made:
        assert getattr(made, "n_frames", 1) == 4
        made.load()
        assert made.info["duration"] == 120


async def test_recipes_are_left_out_on_request() -> None:
    """Without metadata a PNG loses its text chunks and keeps its pixels."""
    info = PngInfo()
    info.add_text("prompt", "SECRETPROMPT")
    out = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(out, "PNG", pnginfo=info)
    (kept,) = (await pack([("a.png", out.getvalue())], stem="e", alt="", upload_limit=10**6)).files
    (bare,) = (await pack([("a.png", out.getvalue())], stem="e", alt="", upload_limit=10**6, metadata=False)).files
    assert b"SECRETPROMPT" in kept.data
    assert b"SECRETPROMPT" not in bare.data
    with Image.open(io.BytesIO(bare.data)) as made:
        assert made.getpixel((0, 0)) == (255, 0, 0)


@pytest.fixture
def ffmpeg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The real ffmpeg, found as an owner's would be."""
    tool = tmp_path / "bin" / "ffmpeg"
    tool.parent.mkdir()
    tool.symlink_to(imageio_ffmpeg.get_ffmpeg_exe())
    monkeypatch.setenv("PATH", str(tool.parent))
    return str(tool)


async def test_a_film_is_made_to_fit_and_to_play(ffmpeg: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An AVI too large becomes an MP4 under the limit; without ffmpeg it is left out."""
    source = tmp_path / "film.avi"
    how = ["-f", "lavfi", "-i", "testsrc=size=320x240:rate=15", "-t", "2", "-c:v", "rawvideo"]
    subprocess.run([ffmpeg, "-v", "error", *how, str(source)], check=True, timeout=60)  # noqa: ASYNC221, S603
    data = source.read_bytes()
    limit = len(data) // 20
    (file,) = (await pack([("film.avi", data)], stem="e", alt="", upload_limit=limit)).files
    assert file.filename == "e-1.mp4"
    assert len(file.data) <= limit
    assert file.data[4:8] == b"ftyp"
    monkeypatch.setenv("PATH", "")
    assert (await pack([("film.avi", data)], stem="e", alt="", upload_limit=limit)).files == ()
