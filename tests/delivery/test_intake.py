"""What members bring: only pixels come in, whatever the file says it is."""

import io
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from bot.delivery.intake import BYTES, check_size, clean_media, clean_picture, mask_picture
from bot.errors import RequestError


def written(image: Image.Image, form: str = "PNG", **how: object) -> bytes:
    out = io.BytesIO()
    image.save(out, form, **how)  # pyright: ignore[reportArgumentType]
    return out.getvalue()


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "GIF", "BMP"])
def test_every_format_becomes_a_bare_png(form: str) -> None:
    """A picture of any format is PNG afterwards, of the same size, without metadata."""
    made = clean_picture(written(Image.new("RGB", (40, 30), "red"), form))
    assert (made.width, made.height, made.transparent) == (40, 30, False)
    with Image.open(io.BytesIO(made.data)) as picture:
        assert picture.format == "PNG"
        assert picture.info == {}


def test_where_it_was_taken_is_gone_and_it_is_upright() -> None:
    """EXIF with GPS is gone; a picture that is turned by EXIF is turned for good."""
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010E] = "SECRETPLACE"
    exif.get_ifd(0x8825)[2] = (35.0, 41.0, 22.0)
    data = written(Image.new("RGB", (40, 20)), "JPEG", exif=exif)
    assert b"SECRETPLACE" in data
    made = clean_picture(data)
    assert b"SECRETPLACE" not in made.data
    assert (made.width, made.height) == (20, 40)


def test_bombs_and_giants_are_refused_unopened() -> None:
    """Too many pixels, too many bytes: refused with the limit in words."""
    for image in (Image.new("1", (9000, 10)), Image.new("1", (5000, 5000))):
        with pytest.raises(RequestError) as caught:
            clean_picture(written(image))
        assert caught.value.key == "refused.picture_pixels"
    with pytest.raises(RequestError) as caught:
        check_size(BYTES + 1)
    assert caught.value.facts == {"most": "25"}


@given(
    st.binary(max_size=300), st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"\xff\xd8\xff", b"RIFF....WEBP"])
)
def test_no_bytes_crash(data: bytes, start: bytes) -> None:
    """Any bytes are a picture or a refusal."""
    with suppress(RequestError):
        assert clean_picture(start + data).data[:4] == b"\x89PNG"


def test_a_cut_picture_is_refused() -> None:
    """Half a file is no picture."""
    data = written(Image.effect_noise((200, 200), 50).convert("RGB"))
    with pytest.raises(RequestError) as caught:
        clean_picture(data[: len(data) // 2])
    assert caught.value.key == "refused.no_picture_file"


def test_masks_fit_every_loader() -> None:
    """White is what changes: in the colours as brightness, in the alpha as its opposite; as large as the picture."""
    mask = Image.new("L", (10, 10), 0)
    mask.paste(255, (0, 0, 5, 10))
    with Image.open(io.BytesIO(mask_picture(written(mask), written(Image.new("RGB", (40, 40)))))) as made:
        assert made.size == (40, 40)
        assert made.getpixel((5, 20)) == (255, 255, 255, 0)
        assert made.getpixel((35, 20)) == (0, 0, 0, 255)
    holes = Image.new("RGBA", (10, 10), (9, 9, 9, 255))
    holes.paste((0, 0, 0, 0), (0, 0, 5, 10))
    with Image.open(io.BytesIO(mask_picture(written(holes), None))) as made:
        assert made.getpixel((2, 5)) == (255, 255, 255, 0)


def test_transparency_is_told() -> None:
    """Only a picture with real holes counts as one with a mask of its own."""
    full = Image.new("RGBA", (8, 8), (1, 2, 3, 255))
    assert not clean_picture(written(full)).transparent
    full.putpixel((0, 0), (1, 2, 3, 0))
    assert clean_picture(written(full)).transparent


@pytest.mark.parametrize(
    ("data", "kind", "ending"),
    [(b"\0\0\0\x18ftypmp42", "video", "mp4"), (b"\x1a\x45\xdf\xa3xx", "video", "webm"), (b"ID3\x04", "audio", "mp3"),
     (b"RIFF\0\0\0\0WAVEfmt", "audio", "wav"), (b"OggS\0", "audio", "ogg"), (b"fLaC", "audio", "flac")],
)  # fmt: skip
def test_media_are_known_by_their_first_bytes(data: bytes, kind: str, ending: str) -> None:
    """Video and sound are told by content; what is neither is refused."""
    assert clean_media(data, kind) == ending
    with pytest.raises(RequestError):
        clean_media(b"<html>" + data, kind)
