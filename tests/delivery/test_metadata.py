"""What says how a file was made comes out of it, and nothing else."""

import io
import json
import os
import random
import struct
import subprocess
import zlib
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageSequence
from PIL.PngImagePlugin import PngInfo

from bot.delivery.metadata import without_metadata
from bot.delivery.package import pack

MARK = "MARK-a-secret-prompt"
FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()


def still(mode: str = "RGB", seed: int = 1) -> Image.Image:
    return Image.frombytes("RGB", (24, 17), random.Random(seed).randbytes(24 * 17 * 3)).convert(mode)  # noqa: S311


def exif(orientation: int = 1) -> Image.Exif:
    made = Image.Exif()
    made[0x010E] = f"prompt:{MARK}"
    made[0x010F] = f"workflow:{MARK}"
    if orientation != 1:
        made[0x0112] = orientation
    return made


def texts() -> PngInfo:
    info = PngInfo()
    info.add_text("prompt", MARK)
    info.add_text("workflow", MARK, zip=True)
    info.add_itxt("plain", MARK)
    info.add_itxt("packed", MARK, zip=True)
    return info


def written(form: str, *, moving: bool = False, image: Image.Image | None = None, **how: Any) -> bytes:
    """Write a picture with the mark in every place that Pillow can write it to."""
    places: dict[str, dict[str, Any]] = {
        "PNG": {"pnginfo": texts(), "exif": exif()},
        "WEBP": {"exif": exif(), "xmp": f"<x>{MARK}</x>".encode(), "lossless": moving},
        "JPEG": {"exif": exif(), "xmp": f"<x>{MARK}</x>".encode(), "comment": MARK, "progressive": moving},
        "GIF": {"comment": MARK.encode()},
    }
    if moving and form != "JPEG":
        frames = [still(seed=seed) for seed in (2, 3, 4)]
        how = {"save_all": True, "append_images": frames, "duration": [70, 110, 150, 190], "loop": 3, **how}
    out = io.BytesIO()
    (image or still()).save(out, form, **places[form], **how)
    return out.getvalue()


def seen(data: bytes) -> list[tuple[str, bytes, object, object]]:
    """Return all that is shown of a picture: pixels and times of each frame, and how often it plays."""
    with Image.open(io.BytesIO(data)) as opened:
        return [
            (frame.mode, frame.tobytes(), frame.info.get("duration"), opened.info.get("loop"))
            for frame in ImageSequence.Iterator(opened)
        ]


def inflated(data: bytes) -> bytes:
    """Return the bytes with what zlib packed in PNG texts beside them."""
    found = [data]
    for at in (at for at in range(len(data) - 1) if data[at] == 0x78):
        try:
            found.append(zlib.decompressobj().decompress(data[at:]))
        except zlib.error:
            continue
    return b"".join(found)


@pytest.mark.parametrize("moving", [False, True], ids=["still", "moving"])
@pytest.mark.parametrize("form", ["PNG", "WEBP", "JPEG", "GIF"])
def test_no_mark_survives_and_no_pixel_changes(form: str, *, moving: bool) -> None:
    """Texts, EXIF, XMP and comments are gone; pixels, frames, times and loops are as they were."""
    data = written(form, moving=moving)
    bare = without_metadata(data)
    assert MARK.encode() in inflated(data)
    assert bare is not None
    assert MARK.encode() not in inflated(bare)
    assert seen(bare) == seen(data)
    assert form != "WEBP" or not bare[20] & 0x0C  # no flag promises what is gone
    assert len(seen(data)) == (4 if moving and form != "JPEG" else 1)


def test_sixteen_bits_and_palettes_stay() -> None:
    """A PNG of 16 bits and one with a palette and a transparent colour are the same to the bit."""
    deep = Image.new("I;16", (5, 4), 54321)
    flat = still("P")
    for data in (written("PNG", image=deep), written("PNG", image=flat, transparency=7)):
        bare = without_metadata(data)
        assert bare is not None
        assert MARK.encode() not in bare
        assert seen(bare) == seen(data)
        assert Image.open(io.BytesIO(bare)).info.get("transparency") == Image.open(io.BytesIO(data)).info.get(
            "transparency"
        )


def test_a_turned_jpeg_stays_turned() -> None:
    """Which way up a JPEG is remains, though all else that EXIF said is gone."""
    out = io.BytesIO()
    still().save(out, "JPEG", exif=exif(orientation=6))
    bare = without_metadata(out.getvalue())
    assert bare is not None
    assert MARK.encode() not in bare
    assert Image.open(io.BytesIO(bare)).getexif()[0x0112] == 6


def png_chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def riff_chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=60), st.sampled_from(["PNG", "WEBP", "JPEG", "GIF"]), st.integers(0, 3))
def test_no_foreign_part_survives(noise: bytes, form: str, which: int) -> None:
    """A part that no picture needs, wherever it stands and whatever is in it, is gone; so is what follows the end."""
    mark = b"MARK" + noise
    data = written(form, moving=True)
    if form == "PNG":
        at = data.index((b"IDAT", b"fcTL", b"fdAT", b"IEND")[which]) - 4
        data = data[:at] + png_chunk((b"caBX", b"prVw", b"tEXt", b"zzZz")[which], mark) + data[at:]
    elif form == "WEBP":
        more = riff_chunk((b"C2PA", b"zzzz", b"XMP ", b"EXIF")[which], mark)
        if which == 1:  # in the last frame
            data = without_metadata(data) or b""
            at = data.rindex(b"ANMF") + 4
            data = data[:at] + struct.pack("<I", len(data) - at - 4 + len(more)) + data[at + 4 :]
        data = b"RIFF" + struct.pack("<I", len(data) - 8 + len(more)) + data[8:] + more
    elif form == "JPEG":
        segment = bytes([0xFF, (0xFE, 0xED, 0xE1, 0xEB)[which]]) + struct.pack(">H", 2 + len(mark)) + mark
        at = data.rindex(b"\xff\xda")  # between two scans
        data = data[:at] + segment + data[at:]
    else:
        kind = (b"!\xfe", b"!\xff\x0bXMP DataXMP", b"!\xff\x0bMyOwnThing1", b"!\x01")[which]
        data = data[:-1] + kind + bytes([len(mark)]) + mark + b"\0;"
    bare = without_metadata(data + b"MARK" + noise)
    assert bare is not None
    assert b"MARK" not in bare
    assert seen(bare) == seen(data)


@settings(max_examples=60, deadline=None)
@given(st.data(), st.sampled_from(["PNG", "WEBP", "JPEG", "GIF"]))
def test_what_is_cut_off_is_left_out(draw: st.DataObject, form: str) -> None:
    """A picture that ends too soon is none; nothing raises, and nothing hangs."""
    data = written(form)
    assert without_metadata(data[: draw.draw(st.integers(12, len(data) - 2))]) is None


@given(
    st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"\xff\xd8", b"RIFF\xff\0\0\0WEBP", b"glTF"]), st.binary()
)
@settings(max_examples=80)
def test_no_bytes_break_it(start: bytes, rest: bytes) -> None:
    """Whatever the bytes are, the answer is bytes or None."""
    made = without_metadata(start + rest)
    assert made is None or isinstance(made, bytes)


def test_text_stays_and_what_is_unknown_goes() -> None:
    """Plain text is as it was; bytes of which nothing is known are left out."""
    assert without_metadata("a text, 文".encode()) == "a text, 文".encode()
    assert without_metadata(b"\0\xfe\xca") is None


def test_a_model_loses_its_extras() -> None:
    """A GLB keeps its scene and its buffers, and loses what ComfyUI writes beside its version."""
    extras = {"prompt": MARK}
    text = json.dumps({"asset": {"version": "2.0", "extras": extras}, "meshes": [1], "extras": extras}).encode()
    text += b" " * (-len(text) % 4)
    binary = struct.pack("<I4s", 8, b"BIN\0") + bytes(range(8))
    data = struct.pack("<4sIII4s", b"glTF", 2, 20 + len(text) + len(binary), len(text), b"JSON") + text + binary
    bare = without_metadata(data)
    assert bare is not None
    assert MARK.encode() not in bare
    assert bare.endswith(binary)
    assert struct.unpack_from("<I", bare, 8) == (len(bare),)
    assert json.loads(bare[20 : 20 + struct.unpack_from("<I", bare, 12)[0]]) == {
        "asset": {"version": "2.0"},
        "meshes": [1],
    }


@pytest.fixture
def ffmpeg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The real ffmpeg, found as an owner's would be."""
    tool = tmp_path / "bin" / "ffmpeg"
    tool.parent.mkdir()
    tool.symlink_to(FFMPEG)
    monkeypatch.setenv("PATH", str(tool.parent), prepend=os.pathsep)
    return str(tool)


def filmed(folder: Path, ending: str, *how: str) -> bytes:
    """Make a short video or sound with the mark as a tag of the file and of its stream."""
    target = folder / f"made.{ending}"
    marks = ["-metadata", f"comment={MARK}", "-metadata", f"prompt={MARK}", "-metadata:s:0", f"title={MARK}"]
    movie = ["-movflags", "use_metadata_tags"] if ending in {"mp4", "mov"} else []
    command = [FFMPEG, "-v", "error", "-y", "-f", "lavfi", "-i", *how, *marks, *movie, str(target)]
    subprocess.run(command, check=True, timeout=60)  # noqa: S603 - our own words
    return target.read_bytes()


def prints(folder: Path, data: bytes) -> list[str]:
    """Return a fingerprint of each decoded frame with its time."""
    source = folder / "in.bin"
    source.write_bytes(data)
    command = [FFMPEG, "-i", str(source), "-f", "framemd5", "-"]
    done = subprocess.run(command, capture_output=True, check=True, timeout=60)  # noqa: S603 - our own words
    return [line for line in done.stdout.decode().splitlines() if not line.startswith("#")]


PICTURES = ("testsrc=size=64x48:rate=10:duration=0.6", "-pix_fmt", "yuv420p")
TONE = ("sine=duration=0.3",)


@pytest.mark.parametrize(
    ("ending", "how"),
    [
        ("mp4", PICTURES),
        ("mov", PICTURES),
        ("mkv", PICTURES),
        ("webm", (*PICTURES, "-c:v", "libvpx")),
        ("flac", TONE),
        ("mp3", TONE),
        ("opus", TONE),
        ("wav", TONE),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_film_loses_its_tags_and_no_frame(ending: str, how: tuple[str, ...], ffmpeg: str, tmp_path: Path) -> None:
    """Tags of a video or sound, and of its streams, are gone; each frame decodes to the same bytes at its time."""
    data = filmed(tmp_path, ending, *how)
    bare = without_metadata(data)
    assert MARK.encode() in data
    assert bare is not None
    assert MARK.encode() not in bare
    assert prints(tmp_path, bare) == prints(tmp_path, data)


async def test_a_film_that_would_tell_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without ffmpeg, a video is not sent where recipes are to be kept back; it is where they may be told."""
    data = filmed(tmp_path, "mp4", *PICTURES)
    monkeypatch.setenv("PATH", "")
    kept = await pack([("a.mp4", data)], stem="e", alt="", upload_limit=10**6, metadata=False)
    told = await pack([("a.mp4", data)], stem="e", alt="", upload_limit=10**6)
    assert (kept.files, kept.left_out) == ((), 1)
    assert told.files[0].data == data
