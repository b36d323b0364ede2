"""Texts are found in pictures by their bytes: wherever they stand, however they are encoded, and never too many."""

import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.workflow.embedded import EASEL, GRAPH, INFOTEXT, TEXT_BYTES, embedded_texts
from tests.workflow.pictures import COMMENT, DESCRIPTION, MAKE, MODEL, exif, png, saved

SETTINGS = "a cat\nSteps: 20, Seed: 1"


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def with_chunks(*chunks: bytes) -> bytes:
    """A PNG with chunks behind its pixels, before its end."""
    plain = png()
    return plain[:-12] + b"".join(chunks) + plain[-12:]


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("words", ["a cat", "Käse", "猫", ""])
def test_texts_of_a_png(words: str, packed: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """All three kinds of text chunk are read; other keys are nobody's business."""
    found = embedded_texts(png({EASEL: words, GRAPH: "{}", INFOTEXT: words, "Comment": "x"}, packed=packed))
    assert found == {EASEL: words, GRAPH: "{}", INFOTEXT: words}


def test_texts_behind_the_pixels() -> None:
    """Texts may stand behind the pixels, as in ComfyUI's animations; the first of a name counts."""
    data = with_chunks(chunk(b"comf", b"prompt\0{}"), chunk(b"tEXt", b"prompt\0no"), chunk(b"tEXt", b"easel\0{1}"))
    assert embedded_texts(data) == {GRAPH: "{}", EASEL: "{1}"}


def test_utf8_where_latin1_is_due() -> None:
    """Many programs write UTF-8 into the plain chunk."""
    assert embedded_texts(with_chunks(chunk(b"tEXt", b"parameters\0" + "猫".encode()))) == {INFOTEXT: "猫"}


def test_texts_too_large_are_passed_over() -> None:
    """Beyond two megabytes, packed or not, a text is none; those beside it are read."""
    large = b" " * (TEXT_BYTES + 1)
    data = with_chunks(
        chunk(b"tEXt", b"easel\0" + large),
        chunk(b"zTXt", b"prompt\0\0" + zlib.compress(large)),
        chunk(b"iTXt", b"parameters\0\1\0\0\0" + zlib.compress(large[:-1])),
    )
    assert embedded_texts(data) == {GRAPH: "", INFOTEXT: " " * TEXT_BYTES}


@pytest.mark.parametrize(
    "body",
    [
        b"easel",
        b"easel\0",
        b"easel\0\1",
        b"easel\0\1\0",
        b"easel\0\1\0en\0",
        b"easel\0\1\0en\0\0no zlib",
        b"easel\0\0\0",
    ],
)
def test_broken_chunks_are_empty(body: bytes) -> None:
    """A text chunk that ends too early, or is packed wrongly, says nothing."""
    assert embedded_texts(with_chunks(chunk(b"iTXt", body))).get(EASEL, "") == ""
    assert embedded_texts(with_chunks(chunk(b"zTXt", body))).get(EASEL, "") == ""


def test_a_file_that_is_cut_off() -> None:
    """What stands before the cut is read."""
    data = png({EASEL: "{}", GRAPH: "x" * 100})
    assert embedded_texts(data[: data.index(b"xxx")]) == {EASEL: "{}"}


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "PNG"])
@pytest.mark.parametrize("tag", [DESCRIPTION, MAKE, MODEL])
def test_comfyui_in_exif(kind: str, tag: int) -> None:
    """ComfyUI's graph in EXIF is known by its label, in whichever tag; Easel's recipe likewise."""
    other = MAKE if tag != MAKE else MODEL
    data = saved(kind, exif=exif({tag: 'prompt:{"1": 2}', other: 'easel:{"seed": 1}'}))
    assert embedded_texts(data) == {GRAPH: '{"1": 2}', EASEL: '{"seed": 1}'}


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "PNG"])
@pytest.mark.parametrize("words", [SETTINGS, f"Käse, 猫, {SETTINGS}"])
@pytest.mark.parametrize("encoding", ["utf-16-be", "utf-16-le", "utf-16", "utf-8"])
def test_wide_comments(kind: str, words: str, encoding: str) -> None:
    """UTF-16 is read whichever way round it is, with and without a mark, and UTF-8 in its place."""
    data = saved(kind, exif=exif(comment=b"UNICODE\0" + words.encode(encoding)))
    assert embedded_texts(data) == {INFOTEXT: words}


@pytest.mark.parametrize("code", [b"ASCII\0\0\0", b"\0" * 8, b""])
def test_narrow_comments(code: bytes) -> None:
    """ASCII, an encoding that is not told, and a comment without any."""
    assert embedded_texts(saved("JPEG", exif=exif(comment=code + SETTINGS.encode()))) == {INFOTEXT: SETTINGS}


def test_forms_of_a_comment() -> None:
    """JSON is a graph, what has settings is A1111's, and what people write is neither."""
    assert embedded_texts(saved("JPEG", exif=exif(comment=b'ASCII\0\0\0{"prompt": {}}'))) == {GRAPH: '{"prompt": {}}'}
    assert embedded_texts(saved("JPEG", exif=exif({MAKE: "Canon"}, comment=b"ASCII\0\0\0On the beach"))) == {}
    assert embedded_texts(saved("JPEG", exif=exif({COMMENT: SETTINGS}))) == {INFOTEXT: SETTINGS}


def test_both_byte_orders() -> None:
    """EXIF is read from the big end and from the small one; a directory that points astray ends the search."""
    body = b"prompt:{}\0"
    for order, mark in ((">", b"MM\0*"), ("<", b"II*\0")):
        entries = struct.pack(f"{order}HHHII", 2, MODEL, 2, len(body), 38) + struct.pack(
            f"{order}HHII", 0x8769, 4, 1, 9999
        )
        tiff = mark + struct.pack(f"{order}I", 8) + entries + b"\0\0\0\0" + body
        assert embedded_texts(with_chunks(chunk(b"eXIf", tiff))) == {GRAPH: "{}"}
        assert embedded_texts(with_chunks(chunk(b"eXIf", tiff[:20]))) == {}
        assert embedded_texts(with_chunks(chunk(b"eXIf", mark))) == {}


def test_exif_of_many_pieces() -> None:
    """A JPEG's EXIF may come in several pieces, with filling and other parts between."""
    body = exif({MODEL: "prompt:{" + "1" * 300 + "}"})
    parts = [body[:100], b"Exif\0\0" + body[100:]]
    pieces = [b"\xff\xe1" + struct.pack(">H", len(part) + 2) + part for part in parts]
    data = b"\xff\xd8" + b"\xff" + b"\xff\xfe\0\4hi".join(pieces) + b"\xff\xda"
    assert embedded_texts(data) == {GRAPH: "{" + "1" * 300 + "}"}


@pytest.mark.parametrize(
    "data", [b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8", b"\xff\xd8\xff", b"RIFF\0\0\0\0WEBP", b"GIF89a"]
)
def test_files_without_texts(data: bytes) -> None:
    """Headers alone, and other files, have no texts."""
    assert embedded_texts(data) == {}


WHOLE = [
    png({EASEL: "{}", GRAPH: "猫"}, packed=True, exif=exif({MODEL: "prompt:{}"}, comment=b"UNICODE\0\0{")),
    *(saved(kind, exif=exif({MODEL: "prompt:{}"}, comment=b"UNICODE\0\0{")) for kind in ("JPEG", "WEBP")),
]
EDITS = st.lists(st.tuples(st.integers(0, 400), st.binary(min_size=1, max_size=4)), min_size=1, max_size=8)


@given(st.sampled_from(WHOLE), EDITS, st.integers(0, 600))
def test_no_damage_crashes(whole: bytes, edits: list[tuple[int, bytes]], length: int) -> None:
    """Whatever bytes are changed or missing, texts are found or not."""
    data = bytearray(whole)
    for at, put in edits:
        data[at : at + len(put)] = put
    for one in (bytes(data), bytes(data[:length])):
        assert set(embedded_texts(one)) <= {EASEL, GRAPH, INFOTEXT}
