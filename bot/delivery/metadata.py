"""Taking out of files how they were made. Pictures lose parts by their bytes, and no pixel; ffmpeg copies the rest.

Pillow would write everything anew: JPEG and WebP with loss, 16-bit PNG with half its depth, GIF with other frames.
CPU-bound: call in a thread.
"""

import io
import json
import re
import struct
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from PIL import Image

from bot.delivery.transcode import BROKEN, run_ffmpeg

_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_KEPT = frozenset(
    b"IHDR PLTE tRNS IDAT IEND acTL fcTL fdAT gAMA cHRM sRGB iCCP cICP mDCV cLLI sBIT bKGD pHYs".split()
)
_WEBP_KEPT = frozenset({b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF", b"ICCP"})
_WEBP_FLAGS = 0x04 | 0x08
"""In VP8X: that there is XMP, and EXIF."""
_JPEG_KEPT = re.compile(rb"\xff([\xc0-\xcf\xda-\xdd]|\xe0..JFIF\0|\xe2..ICC_PROFILE\0|\xee..Adobe)", re.DOTALL)
_JPEG_MARK = re.compile(rb"\xff(?![\0\xff\xd0-\xd7])")
_GIF_KEPT = (b"\xf9", b"\xff\x0bNETSCAPE2.0", b"\xff\x0bANIMEXTS1.0")
_ORIENTATION = 0x0112
_COPIED = (
    (re.compile(rb"....ftypqt", re.DOTALL), "mov"),
    (re.compile(rb"....ftyp(?!avi[fs]|hei|mif1|msf1)", re.DOTALL), "mp4"),
    (re.compile(rb"\x1aE\xdf\xa3.{0,60}webm", re.DOTALL), "webm"),
    (re.compile(rb"\x1aE\xdf\xa3"), "mkv"),
    (re.compile(rb"RIFF....AVI ", re.DOTALL), "avi"),
    (re.compile(rb"RIFF....WAVE", re.DOTALL), "wav"),
    (re.compile(rb"fLaC"), "flac"),
    (re.compile(rb"OggS"), "ogg"),
    (re.compile(rb"ID3|\xff[\xf2\xf3\xfa\xfb]"), "mp3"),
)
"""Files that ffmpeg copies, by how they begin."""


def without_metadata(data: bytes) -> bytes | None:
    """Return a file without what it says of how it was made; None if that cannot be taken out (a video: no ffmpeg).

    Pictures, videos, sounds and GLB lose it; plain text stays, for there is nothing in it but itself.
    """
    try:
        if data.startswith(_PNG):
            return _png(data)
        if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            return _webp(data)
        if data.startswith(b"\xff\xd8"):
            return _jpeg(data)
        if data.startswith((b"GIF87a", b"GIF89a")):
            return _gif(data)
        if data.startswith(b"glTF"):
            return _glb(data)
        ending = next((ending for start, ending in _COPIED if start.match(data)), None)
        if ending is not None:
            return _copied(data, ending)
        data.decode()
    except (struct.error, IndexError, ValueError, KeyError, TypeError, RecursionError):  # cut off, odd, or no text
        return None
    return data


def _png(data: bytes) -> bytes:
    kept = bytearray(_PNG)
    at = len(_PNG)
    while at < len(data):
        (size,) = struct.unpack_from(">I", data, at)
        name, end = data[at + 4 : at + 8], at + 12 + size
        if name in _PNG_KEPT:
            kept += _part(data, at, end)
        if name == b"IEND":
            return bytes(kept)
        at = end
    raise ValueError("a PNG without an end")


def _webp(data: bytes) -> bytes:
    (size,) = struct.unpack_from("<I", data, 4)
    kept = b"WEBP" + b"".join(_webp_chunks(_part(data, 12, 8 + size)))
    return b"RIFF" + struct.pack("<I", len(kept)) + kept


def _webp_chunks(data: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(data):
        name, size = struct.unpack_from("<4sI", data, at)
        body = _part(data, at + 8, at + 8 + size)
        if name == b"VP8X":
            body = bytes([body[0] & ~_WEBP_FLAGS]) + body[1:]
        elif name == b"ANMF":  # a frame has chunks of its own
            body = body[:16] + b"".join(_webp_chunks(body[16:]))
        if name in _WEBP_KEPT:
            yield name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)
        at += 8 + size + size % 2


def _jpeg(data: bytes) -> bytes:
    """Return a JPEG's tables and scans; of EXIF, which way up it is; nothing behind its end."""
    kept, at = bytearray(data[:2] + _way_up(data)), 2
    while data[at : at + 2] != b"\xff\xd9":
        if data[at] != 0xFF:
            raise ValueError("a JPEG with a hole in it")
        if data[at + 1] == 0xFF:  # filling
            at += 1
            continue
        (size,) = struct.unpack_from(">H", data, at + 2)
        end = at + 2 + size
        if data[at + 1] == 0xDA:  # a scan lasts until the next mark
            mark = _JPEG_MARK.search(data, end)
            end = mark.start() if mark else len(data)
        if _JPEG_KEPT.match(data, at):
            kept += _part(data, at, end)
        at = end
    return bytes(kept + b"\xff\xd9")


def _way_up(data: bytes) -> bytes:
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG",)) as opened:
            turn = opened.getexif().get(_ORIENTATION)
    except BROKEN:
        turn = None
    if turn not in range(2, 9):
        return b""
    exif = Image.Exif()
    exif[_ORIENTATION] = turn
    body = exif.tobytes()
    return b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body


def _gif(data: bytes) -> bytes:
    at = 13 + _colours(data[10])
    kept = bytearray(_part(data, 0, at))
    while data[at] != 0x3B:
        match data[at]:
            case 0x21:
                end = _blocks_end(data, at + 2)
                wanted = data.startswith(_GIF_KEPT, at + 1)
            case 0x2C:
                end = _blocks_end(data, at + 11 + _colours(data[at + 9]))
                wanted = True
            case _:
                raise ValueError("a GIF with a hole in it")
        kept += _part(data, at, end) if wanted else b""
        at = end
    return bytes(kept + b";")


def _colours(flags: int) -> int:
    """Return the bytes of the colour table that the flags announce."""
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _blocks_end(data: bytes, at: int) -> int:
    while data[at]:
        at += 1 + data[at]
    return at + 1


def _glb(data: bytes) -> bytes:
    """Return a 3D file without the extras of its JSON, in which ComfyUI writes the prompt."""
    size, kind = struct.unpack_from("<I4s", data, 12)
    if kind != b"JSON":
        raise ValueError("a GLB without JSON")
    scene: Any = json.loads(_part(data, 20, 20 + size))
    scene["asset"] = {"version": scene["asset"]["version"]}
    scene.pop("extras", None)
    text = json.dumps(scene, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    rest = data[20 + size :]
    return struct.pack("<4sIII4s", b"glTF", 2, 20 + len(text) + len(rest), len(text), b"JSON") + text + rest


def _copied(data: bytes, ending: str) -> bytes | None:
    with TemporaryDirectory(prefix="easel-bare-") as folder:
        source, target = Path(folder) / f"in.{ending}", Path(folder) / f"out.{ending}"
        source.write_bytes(data)
        taken = ["-map", "0", "-map", "-0:d?", "-map", "-0:t?", "-c", "copy"]
        bare = ["-map_metadata", "-1", "-map_chapters", "-1", "-fflags", "+bitexact"]
        bare += ["-movflags", "+faststart"] if ending in {"mp4", "mov"} else []
        safe = ["-nostdin", "-v", "error", "-protocol_whitelist", "file"]
        done = run_ffmpeg([*safe, "-i", str(source), *taken, *bare, str(target)])
        return target.read_bytes() if done and done.returncode == 0 and target.is_file() else None


def _part(data: bytes, start: int, end: int) -> bytes:
    if end > len(data):
        raise ValueError("cut off")
    return data[start:end]
