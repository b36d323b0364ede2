"""Pictures drawn from words: the same recipe gives the same picture, another seed another one."""

import hashlib
import io
import math
import random
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFilter

_INKS = {
    "red": (204, 72, 44), "orange": (224, 130, 48), "yellow": (232, 196, 72), "green": (82, 142, 84),
    "blue": (64, 110, 184), "purple": (126, 84, 168), "pink": (222, 130, 168), "black": (38, 36, 44),
    "white": (238, 238, 236), "brown": (128, 88, 56), "grey": (132, 134, 140), "gold": (214, 170, 76),
}  # fmt: skip
_SKIES = {
    "night": ((18, 22, 52), (64, 66, 116)), "sunset": ((86, 60, 120), (244, 164, 104)),
    "dawn": ((150, 150, 200), (250, 208, 180)), "storm": ((52, 58, 68), (130, 138, 146)),
    "snow": ((158, 182, 206), (232, 238, 244)), "winter": ((158, 182, 206), (232, 238, 244)),
    "sea": ((94, 164, 208), (206, 232, 240)), "ocean": ((94, 164, 208), (206, 232, 240)),
    "forest": ((132, 172, 150), (222, 232, 196)), "desert": ((120, 176, 214), (250, 224, 170)),
}  # fmt: skip
_GROUNDS = {
    "snow": (244, 247, 250), "winter": (238, 243, 248), "sea": (44, 112, 152), "ocean": (36, 100, 146),
    "forest": (58, 98, 66), "desert": (218, 178, 112), "city": (88, 92, 104), "night": (34, 40, 60),
}  # fmt: skip
_ANIMALS = frozenset({"fox", "cat", "dog", "wolf", "rabbit", "kitten"})
_TREES = frozenset({"tree", "trees", "forest", "snow", "winter", "wood", "park"})

Colour = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Recipe:
    """All that decides a picture: a fingerprint of the graph's inputs, its words and its size in pixels."""

    fingerprint: str
    positive: str
    width: int
    height: int

    def source(self) -> random.Random:
        """Return a source of numbers that is the recipe's own."""
        return random.Random(hashlib.sha256(self.fingerprint.encode()).digest())  # noqa: S311 - art, not secrets


def draw(recipe: Recipe) -> Image.Image:
    """Draw the picture, RGB, in the recipe's size; of `noise` every pixel is chance, so that its file is large."""
    source, words = recipe.source(), recipe.positive.lower().replace(",", " ").split()
    width, height = recipe.width, recipe.height
    if "noise" in words:
        return Image.frombytes("RGB", (width, height), source.randbytes(width * height * 3))
    picture = _sky(words, source, width, height)
    brush = ImageDraw.Draw(picture)
    _sun(brush, words, source, width, height)
    horizon = height * source.uniform(0.5, 0.66)
    ground = _ground(words, source)
    for layer in range(3):
        shade = tuple(int(part * (0.82 + 0.09 * layer)) for part in ground)
        _hills(brush, source, (width, height), horizon + layer * height * 0.1, (shade[0], shade[1], shade[2]))
    if _TREES & set(words):
        _grove(brush, source, (width, height), horizon)
    if _ANIMALS & set(words):
        _animal(brush, words, source, (width, height))
    else:
        _forms(brush, words, source, (width, height))
    if {"snow", "winter"} & set(words):
        _flakes(brush, source, (width, height))
    return picture.filter(ImageFilter.SMOOTH)


def preview(picture: Image.Image, recipe: Recipe, share: float) -> bytes:
    """Return the picture as it looks after `share` (0 to 1) of the steps: a JPEG, longer side 512."""
    scale = 512 / max(picture.size)
    small = picture.resize((max(1, round(picture.width * scale)), max(1, round(picture.height * scale))))
    small = small.filter(ImageFilter.GaussianBlur(14 * (1 - share)))
    noise = Image.frombytes("RGB", (64, 64), recipe.source().randbytes(64 * 64 * 3)).resize(small.size)
    out = io.BytesIO()
    Image.blend(small, noise, 0.85 * (1 - share) ** 1.5).save(out, "JPEG", quality=95)
    return out.getvalue()


def _first(words: list[str], table: dict[str, Colour], other: Colour) -> Colour:
    return next((table[word] for word in words if word in table), other)


def _sky(words: list[str], source: random.Random, width: int, height: int) -> Image.Image:
    warm = (source.randint(110, 190), source.randint(150, 200), source.randint(190, 230))
    top, bottom = next((_SKIES[word] for word in words if word in _SKIES), (warm, (236, 226, 206)))
    ramp = Image.linear_gradient("L").resize((width, height))
    return Image.composite(Image.new("RGB", (width, height), bottom), Image.new("RGB", (width, height), top), ramp)


def _sun(brush: ImageDraw.ImageDraw, words: list[str], source: random.Random, width: int, height: int) -> None:
    x, y, radius = source.uniform(0.1, 0.9) * width, source.uniform(0.1, 0.35) * height, min(width, height) * 0.07
    glow = (236, 238, 226) if "night" in words else (252, 232, 168)
    brush.ellipse((x - radius, y - radius, x + radius, y + radius), fill=glow)


def _ground(words: list[str], source: random.Random) -> Colour:
    other = (source.randint(70, 150), source.randint(110, 160), source.randint(70, 120))
    return _first(words, _GROUNDS, other)


def _hills(
    brush: ImageDraw.ImageDraw, source: random.Random, size: tuple[int, int], level: float, fill: Colour
) -> None:
    width, height = size
    phase, waves, swing = source.uniform(0, 6.3), source.uniform(1, 3), height * source.uniform(0.02, 0.06)
    step = max(1, width // 96)
    ridge = [(x, level + swing * math.sin(phase + waves * 6.3 * x / width)) for x in range(0, width + step, step)]
    brush.polygon([(0, height), *ridge, (width + step, height)], fill=fill)


def _grove(brush: ImageDraw.ImageDraw, source: random.Random, size: tuple[int, int], horizon: float) -> None:
    width, height = size
    for _ in range(source.randint(5, 11)):
        x, tall = source.uniform(0, width), height * source.uniform(0.12, 0.26)
        base, half = horizon + height * source.uniform(0.02, 0.1), tall * 0.28
        for part in range(3):
            top = base - tall + part * tall * 0.24
            spread = half * (0.5 + 0.25 * part)
            brush.polygon(
                [(x, top), (x - spread, top + tall * 0.4), (x + spread, top + tall * 0.4)], fill=(46, 84 + 8 * part, 72)
            )


def _animal(brush: ImageDraw.ImageDraw, words: list[str], source: random.Random, size: tuple[int, int]) -> None:
    width, height = size
    coat = _first(words, _INKS, (176, 120, 76))
    pale = tuple(min(255, part + 90) for part in coat)
    unit = min(width, height) * source.uniform(0.085, 0.11)
    x, y = width * source.uniform(0.35, 0.65), height * 0.8
    side = source.choice((-1, 1))
    brush.ellipse((x - 1.9 * unit, y - 0.9 * unit, x + 1.9 * unit, y + 0.9 * unit), fill=coat)
    tail_x = x - side * 2.4 * unit
    brush.ellipse((tail_x - unit, y - 1.3 * unit, tail_x + unit, y - 0.3 * unit), fill=coat)
    for leg in (-1.3, -0.7, 0.7, 1.3):
        brush.rectangle((x + leg * unit - 0.16 * unit, y, x + leg * unit + 0.16 * unit, y + 1.7 * unit), fill=coat)
    hx, hy = x + side * 1.9 * unit, y - 1.2 * unit
    for ear in (-0.55, 0.55):
        tip = (hx + ear * unit, hy - 1.6 * unit)
        foot = hy - 0.5 * unit
        brush.polygon([(tip[0] - 0.35 * unit, foot), tip, (tip[0] + 0.35 * unit, foot)], fill=coat)
    brush.ellipse((hx - unit, hy - 0.85 * unit, hx + unit, hy + 0.85 * unit), fill=coat)
    brush.ellipse(
        (hx - 0.5 * unit, hy + 0.05 * unit, hx + 0.5 * unit, hy + 0.8 * unit), fill=(pale[0], pale[1], pale[2])
    )
    for eye in (-0.4, 0.4):
        ex, ey, dot = hx + eye * unit, hy - 0.1 * unit, 0.13 * unit
        brush.ellipse((ex - dot, ey - dot, ex + dot, ey + dot), fill=(26, 22, 24))


def _forms(brush: ImageDraw.ImageDraw, words: list[str], source: random.Random, size: tuple[int, int]) -> None:
    width, height = size
    inks = [_INKS[word] for word in words if word in _INKS] or list(_INKS.values())
    for _ in range(source.randint(3, 7)):
        x, y, radius = source.uniform(0, width), height * source.uniform(0.55, 0.95), height * source.uniform(0.03, 0.1)
        ink = source.choice(inks)
        if source.random() < 0.5:
            brush.ellipse((x - radius, y - radius, x + radius, y + radius), fill=ink)
        else:
            brush.rectangle((x - radius * 0.6, y - radius * 2, x + radius * 0.6, y + radius), fill=ink)


def _flakes(brush: ImageDraw.ImageDraw, source: random.Random, size: tuple[int, int]) -> None:
    width, height = size
    for _ in range(140):
        x, y, dot = source.uniform(0, width), source.uniform(0, height), source.uniform(0.5, 2.4) * height / 512
        brush.ellipse((x - dot, y - dot, x + dot, y + dot), fill=(255, 255, 255))
