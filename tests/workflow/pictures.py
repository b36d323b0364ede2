"""Small pictures that carry texts, as other programs write them."""

import io
from collections.abc import Mapping

from PIL import Image
from PIL.PngImagePlugin import PngInfo

DESCRIPTION, MAKE, MODEL = 0x010E, 0x010F, 0x0110
COMMENT, MORE = 0x9286, 0x8769


def png(texts: Mapping[str, str] | None = None, *, packed: bool = False, exif: bytes = b"") -> bytes:
    """A PNG with texts by key; Latin-1 ones as tEXt or zTXt, others as iTXt."""
    info = PngInfo()
    for key, words in (texts or {}).items():
        info.add_text(key, words, zip=packed)
    return saved("PNG", pnginfo=info, **({"exif": exif} if exif else {}))


def exif(tags: Mapping[int, str] | None = None, comment: bytes = b"") -> bytes:
    """EXIF with texts by tag, and a UserComment where it belongs."""
    made = Image.Exif()
    made.update(tags or {})
    if comment:
        made.get_ifd(MORE)[COMMENT] = comment
    return made.tobytes()


def saved(kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (8, 8)).save(out, kind, **options)
    return out.getvalue()
