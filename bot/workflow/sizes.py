"""Sizes by name: what `portrait` or `16:9` means in pixels, for the model that a template is made for. Pure."""

import math
import re
import unicodedata
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from bot.model.request import Size, parse_size
from bot.workflow.template import Template

ASPECTS: Mapping[str, tuple[int, int]] = MappingProxyType(
    {"square": (1, 1), "portrait": (2, 3), "landscape": (3, 2), "wide": (16, 9), "tall": (9, 16)}
)
"""Width to height by name, in the order in which they are offered."""

STEP, LEAST, MOST = 64, 256, 2048
"""Sides are multiples of the first, from the second to the third, in pixels."""
NARROWEST = 4
"""How many times as long as the other a side may be."""

_AREA = 1024 * 1024
"""Pixels where the template does not say: what most models since SDXL were trained on."""
_LONGEST = 2**16
_NEAR = 0.1
_RATIO = re.compile(r"\s*(\d{1,5})\s*:\s*(\d{1,5})\s*")


def wanted_size(text: str, template: Template, names: Mapping[str, str] | None = None) -> Size | None:
    """Read `portrait`, `3:2` or `1216x832`; None if it is none of these, or narrower than 1:4.

    A name or a ratio becomes the size that the template's model likes best; pixels are taken as `parse_size` reads
    them. `names` are further names, casefolded, and the key of `ASPECTS` that each stands for.
    """
    plain = unicodedata.normalize("NFKC", text).strip().casefold()  # Japanese keyboards type wide digits
    aspect = ASPECTS.get((names or {}).get(plain, plain)) or _ratio(plain)
    return parse_size(text) if aspect is None else _fitting(aspect, template)


def size_offers(template: Template | None) -> list[tuple[str, Size]]:
    """Return every name of `ASPECTS` with its size in pixels; without a template, for a model of 1024 a side."""
    sizes = ((name, _fitting(aspect, template)) for name, aspect in ASPECTS.items())
    return [(name, size) for name, size in sizes if size is not None]


def _ratio(text: str) -> tuple[int, int] | None:
    found = _RATIO.fullmatch(text)
    if found is None:
        return None
    across, down = int(found[1]), int(found[2])
    return (across, down) if 0 < max(across, down) <= NARROWEST * min(across, down) else None


def _fitting(aspect: tuple[int, int], template: Template | None) -> Size | None:
    """Return the best size of an aspect; None if no multiple of `STEP` is within the template's bounds."""
    area = _area(template)
    ratio = max(aspect) / min(aspect)
    sides = list(_sides(template))
    pairs = [(long, short) for long in sides for short in sides if long >= short]
    if not pairs:
        return None
    long, short = _nearest(pairs, ratio, area)
    return Size(width=long, height=short) if aspect[0] > aspect[1] else Size(width=short, height=long)


def _nearest(pairs: list[tuple[int, int]], ratio: float, area: int) -> tuple[int, int]:
    """Return the pair that is nearest in area and ratio, each in proportion; the ratio counts twice, for it is seen.

    One that is no larger than the area comes first if it is near at all: SDXL was trained so, on 832x1216 and not on
    832x1280. Steps of 64 are coarse for a model of half its sides: nothing smaller is near there, and 2:3 is 448x640.
    """

    def miss(pair: tuple[int, int]) -> float:
        long, short = pair
        return math.hypot(math.log(long * short / area), 2 * math.log(long / short / ratio))

    within = min((pair for pair in pairs if pair[0] * pair[1] <= area), key=miss, default=None)
    return within if within is not None and miss(within) <= _NEAR else min(pairs, key=miss)


def _area(template: Template | None) -> int:
    """Return how many pixels the workflow makes as its file has it."""
    if template is None or not template.roles.sizes:
        return _AREA
    first = template.roles.sizes[0]
    width, height = (_pixels(template.graph.value(place)) for place in (first.width, first.height))
    return width * height or _AREA


def _pixels(value: object) -> int:
    """Return the length of a side, or nothing for what cannot be one."""
    if isinstance(value, int | float) and not isinstance(value, bool) and 1 <= value <= _LONGEST:
        return int(value)
    return 0


def _sides(template: Template | None) -> Iterator[int]:
    """Yield the lengths that a side may have, shortest first."""
    option = template.option("size") if template else None
    least = LEAST if option is None or option.minimum is None else max(LEAST, option.minimum)
    most = MOST if option is None or option.maximum is None else min(MOST, option.maximum)
    return (side for side in range(LEAST, MOST + 1, STEP) if least <= side <= most)
