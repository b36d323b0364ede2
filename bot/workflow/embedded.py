"""The texts inside a picture that say how it was made, found by its bytes: no pixel is decoded, whatever is broken.

Pillow would stop at a text too large, decode all pixels for a text behind them, and make room for a WebP's canvas.
"""

import re
import struct
import zlib
from collections.abc import Iterator

EASEL, GRAPH, INFOTEXT = "easel", "prompt", "parameters"
"""What texts are called in pictures: Easel's recipe, ComfyUI's graph, and what A1111 writes."""
TEXT_BYTES = 2 * 2**20
"""The most that a text may have; larger ones are passed over."""

_PARTS = 100_000
"""Parts of a file that are looked at: a PNG of 30 MB has some 4,000."""
_NAMES = tuple(name.encode() for name in (EASEL, GRAPH, INFOTEXT))
_PNG = b"\x89PNG\r\n\x1a\n"
_KEYED = frozenset({b"tEXt", b"zTXt", b"iTXt", b"comf"})
"""Chunks of a PNG that hold a key and a text."""
_EXIF = b"Exif\0\0"
_COMMENT, _MORE = 0x9286, 0x8769
"""Tags of EXIF: UserComment, and where the directory is that holds it."""
_TAGS = frozenset({*range(0x0100, 0x0111), _COMMENT, _MORE})
"""ComfyUI writes the graph as Model (0x0110) and what else there is into the tags below; others use what is between."""
_TEXTUAL, _POINTERS = frozenset({1, 2, 7}), frozenset({4, 13})
"""Kinds of values: bytes, ASCII and undefined; offsets."""
_LABEL = re.compile(r"\s*(easel|prompt)\s*:\s*(?=\{)", re.IGNORECASE)


def embedded_texts(data: bytes) -> dict[str, str]:
    """Return the texts of a PNG, JPEG or WebP by their names, the first of each; other files have none."""
    found: dict[str, str] = {}
    for name, words in _texts(data):
        found.setdefault(name, words)
    return found


def _texts(data: bytes) -> Iterator[tuple[str, str]]:
    if data.startswith(_PNG):
        return _png(data)
    if data.startswith(b"\xff\xd8"):
        return _exif(b"".join(_jpeg(data)))
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return _exif(_webp(data))
    return iter(())


def _png(data: bytes) -> Iterator[tuple[str, str]]:
    """Yield the texts, each name once: what a second one would unpack to is not worth the time."""
    seen: set[bytes] = set()
    for name, start, end in _chunks(data):
        key, _, body = data[start:end].partition(b"\0") if name in _KEYED else (name, b"", data[start:end])
        if key in seen or key not in (*_NAMES, b"eXIf"):
            continue
        seen.add(key)
        if key == b"eXIf":
            yield from _exif(body)
        else:
            yield key.decode(), _decoded(_unpacked(name, body))


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield name, start and end of the chunks of a PNG that may be wanted, as far as they are whole."""
    at = len(_PNG)
    for _ in range(_PARTS):
        if at + 8 > len(data):
            return
        size, name = struct.unpack_from(">I4s", data, at)
        start, at = at + 8, at + 12 + size
        if start + size <= len(data) and size <= TEXT_BYTES and (name in _KEYED or name == b"eXIf"):
            yield name, start, start + size


def _unpacked(name: bytes, body: bytes) -> bytes:
    """Return what a text part holds behind its key; `comf` is ComfyUI's own, behind the pixels of an animation."""
    if name == b"zTXt":
        return _inflated(body[1:])
    if name == b"iTXt":
        *_, text = (b"", *body[2:].split(b"\0", 2))
        return _inflated(text) if body[:1] == b"\1" else text
    return body


def _inflated(packed: bytes) -> bytes:
    try:
        found = zlib.decompressobj().decompress(packed, TEXT_BYTES + 1)
    except zlib.error:
        return b""
    return found if len(found) <= TEXT_BYTES else b""


def _jpeg(data: bytes) -> Iterator[bytes]:
    """Yield the pieces of the EXIF, which stand before the first scan."""
    at = 2
    for _ in range(_PARTS):
        if at + 4 > len(data) or data[at] != 0xFF or data[at + 1] == 0xDA:
            return
        if data[at + 1] == 0xFF:  # filling
            at += 1
            continue
        (size,) = struct.unpack_from(">H", data, at + 2)
        if data[at + 1] == 0xE1 and data.startswith(_EXIF, at + 4):
            yield data[at + 4 + len(_EXIF) : at + 2 + size]
        at += 2 + max(size, 2)


def _webp(data: bytes) -> bytes:
    """Return the EXIF, or nothing."""
    at = 12
    for _ in range(_PARTS):
        if at + 8 > len(data):
            break
        name, size = struct.unpack_from("<4sI", data, at)
        if name == b"EXIF":
            return data[at + 8 : at + 8 + size]
        at += 8 + size + size % 2
    return b""


def _exif(data: bytes) -> Iterator[tuple[str, str]]:
    """Yield the texts in EXIF that say what they are."""
    tiff = data.removeprefix(_EXIF)
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(tiff[:4])
    if order is None or len(tiff) < 8:
        return
    main = _directory(tiff, order, struct.unpack_from(f"{order}I", tiff, 4)[0])
    pointer = main.pop(_MORE, b"")
    more = _directory(tiff, order, struct.unpack(f"{order}I", pointer)[0]) if len(pointer) == 4 else {}
    for tag, value in (*main.items(), *((tag, value) for tag, value in more.items() if tag == _COMMENT)):
        yield from _labelled(_comment(value) if tag == _COMMENT else _decoded(value))


def _directory(tiff: bytes, order: str, at: int) -> dict[int, bytes]:
    """Return the bytes of the tags that may hold what is looked for, the first of each."""
    found: dict[int, bytes] = {}
    count = struct.unpack_from(f"{order}H", tiff, at)[0] if at + 2 <= len(tiff) else 0
    for entry in range(min(count, (len(tiff) - at - 2) // 12)):
        start = at + 2 + 12 * entry
        tag, kind, size, offset = struct.unpack_from(f"{order}HHII", tiff, start)
        if tag in found or tag not in _TAGS or size > TEXT_BYTES:
            continue
        if kind in _POINTERS and tag == _MORE:
            found[tag] = tiff[start + 8 : start + 12]
        elif kind in _TEXTUAL and tag != _MORE:
            where = offset if size > 4 else start + 8
            found[tag] = tiff[where : where + size]
    return found


def _labelled(words: str) -> Iterator[tuple[str, str]]:
    """Yield a text of EXIF with the name that it has, or that its form gives it: `prompt:{…}`, JSON, or settings."""
    if label := _LABEL.match(words):
        yield label[1].lower(), words[label.end() :]
    elif words.lstrip().startswith("{"):
        yield GRAPH, words
    elif "Steps: " in words:
        yield INFOTEXT, words


def _comment(value: bytes) -> str:
    """Return a UserComment, whose first eight bytes name its encoding."""
    code, body = value[:8], value[8:]
    if code == b"UNICODE\0":
        return _wide(body)
    return _decoded(body if code in (b"ASCII\0\0\0", b"\0" * 8) else value)


def _wide(body: bytes) -> str:
    """Return UTF-16, whichever way round its writer had it, or the UTF-8 that some write in its place."""
    if body[:2] in (b"\xfe\xff", b"\xff\xfe"):
        return body.decode("utf-16", "replace")
    if 0 not in body:
        return _decoded(body)
    is_big = body[::2].count(0) >= body[1::2].count(0)  # the settings, at least, are in Latin letters
    return body.decode("utf-16-be" if is_big else "utf-16-le", "replace").rstrip("\0")


def _decoded(value: bytes) -> str:
    """Return UTF-8, which many write where Latin-1 is due, or else Latin-1."""
    try:
        return value.decode().rstrip("\0")
    except UnicodeDecodeError:
        return value.decode("latin-1").rstrip("\0")


__all__ = ["EASEL", "GRAPH", "INFOTEXT", "TEXT_BYTES", "embedded_texts"]
