"""Sizes by name: a name, a ratio or pixels become what the template's model likes."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.model.request import Size, parse_size
from bot.workflow.graph import parse_graph
from bot.workflow.sizes import ASPECTS, LEAST, MOST, STEP, size_offers, wanted_size
from bot.workflow.template import Template, make_template
from tests.workflow.graphs import txt2img

RATIOS = st.tuples(st.integers(1, 99), st.integers(1, 99)).filter(lambda pair: max(pair) <= 4 * min(pair))
AREAS = st.tuples(st.integers(-8, 4096), st.integers(0, 4096))


def template(width: object = 1024, height: object = 1024, **bounds: float) -> Template:
    tree = txt2img()
    tree["5"]["inputs"] |= {"width": width, "height": height}
    made = make_template("t", parse_graph(tree), Path("nowhere.toml"))
    options = (replace(one, **bounds) if one.role == "size" else one for one in made.options)
    return replace(made, options=tuple(options))


@pytest.mark.parametrize(
    ("text", "at_1024", "at_512"),
    [
        ("square", "1024x1024", "512x512"),
        ("portrait", "832x1216", "448x640"),
        ("Landscape ", "1216x832", "640x448"),
        ("WIDE", "1344x768", "704x384"),
        ("tall", "768x1344", "384x704"),
        ("4:3", "1152x896", "576x448"),
        ("2:1", "1408x704", "768x384"),
        (" 21 : 9 ", "1536x640", "768x320"),
        ("4:1", "2048x512", "1024x256"),
    ],
)
def test_the_size_that_a_model_likes(text: str, at_1024: str, at_512: str) -> None:
    """At 1024 pixels the sizes are those SDXL was trained on; at 512 the nearest in ratio and area."""
    assert str(wanted_size(text, template())) == at_1024
    assert str(wanted_size(text, template(512, 512))) == at_512


def test_names_of_other_languages() -> None:
    """A localised name means its aspect, whatever its case; a wide colon and wide digits are a ratio."""
    names = {"正方形": "square", "größe quer": "landscape", "unsinn": "no such aspect"}
    assert str(wanted_size(" 正方形", template(), names)) == "1024x1024"
    assert str(wanted_size("GRÖSSE Quer", template(), {"grösse quer": "landscape"})) == "1216x832"
    assert str(wanted_size("\uff11\uff16\uff1a\uff19", template(), names)) == "1344x768"
    assert str(wanted_size("portrait", template(), names)) == "832x1216"
    assert wanted_size("unsinn", template(), names) is None
    assert wanted_size("正方形", template()) is None


def test_pixels_stay_as_they_were_typed() -> None:
    """Pixels are nobody's aspect: they are read as everywhere else, also outside the bounds of names."""
    bounded = template(minimum=512, maximum=1024)
    assert wanted_size("1216x832", bounded) == Size(width=1216, height=832)
    assert wanted_size("64\u00d72048", bounded) == Size(width=64, height=2048)
    assert wanted_size("63x99999", bounded) is None


@pytest.mark.parametrize("text", ["", "big", "0:0", "0:1", "5:1", "1:5", "1:0", "-1:1", "1:2:3", "1.5:1", "1:1x", ":"])
def test_what_is_no_size(text: str) -> None:
    """Words without a meaning, sides of nothing, and what is narrower than 1:4 are no size."""
    assert wanted_size(text, template()) is None


@pytest.mark.parametrize(
    ("width", "height"), [("512", 512), (["4", 0], 512), (True, 512), (0, 512), (float("nan"), 1), (10**400, 9)]
)
def test_without_numbers_a_template_is_for_1024(width: object, height: object) -> None:
    """Where the file's size is no number of pixels, 1024 a side is taken."""
    assert size_offers(template(width, height)) == size_offers(None)


def test_offers() -> None:
    """Every aspect is offered in its order, with the size that typing its name gives."""
    for one in (template(), template(512, 768), template(minimum=512)):
        assert [(name, wanted_size(name, one)) for name in ASPECTS] == list(size_offers(one))
    assert [name for name, _ in size_offers(None)] == list(ASPECTS)
    assert size_offers(None) == size_offers(template())


def test_a_template_without_a_size_of_its_own() -> None:
    """A workflow whose size nothing holds is asked as one of 1024 a side."""
    tree = txt2img()
    tree["5"] = {"class_type": "LoadLatent", "inputs": {"latent": "x"}}
    none = make_template("t", parse_graph(tree), Path("nowhere.toml"))
    assert none.roles.sizes == ()
    assert str(wanted_size("portrait", none)) == "832x1216"


def test_bounds_that_hold_no_size() -> None:
    """Where no multiple of 64 is within the template's bounds, nothing is offered."""
    odd = template(minimum=513, maximum=570)
    assert size_offers(odd) == []
    assert wanted_size("square", odd) is None


@given(RATIOS, AREAS, st.integers(64, 1024), st.integers(1024, 4096))
def test_every_ratio_has_a_size(ratio: tuple[int, int], area: tuple[int, int], least: int, most: int) -> None:
    """Sides are multiples of 64 within all bounds, the longer one is where it was wanted, and turning turns them."""
    one = template(*area, minimum=least, maximum=most)
    across, down = ratio
    size = wanted_size(f"{across}:{down}", one)
    turned = wanted_size(f"{down}:{across}", one)

    assert size is not None
    assert turned == Size(width=size.height, height=size.width)
    for side in (size.width, size.height):
        assert side % STEP == 0
        assert max(LEAST, least) <= side <= min(MOST, most)
    assert (size.width - size.height) * (across - down) >= 0
    assert parse_size(str(size)) == size


@given(RATIOS, st.integers(512, 1024))
def test_sizes_are_near_what_was_wanted(ratio: tuple[int, int], side: int) -> None:
    """Neither the ratio nor the area is missed by more than the steps of 64 make unavoidable."""
    size = wanted_size(f"{ratio[0]}:{ratio[1]}", template(side, side))
    assert size is not None
    assert 0.75 < (size.width / size.height) / (ratio[0] / ratio[1]) < 1.34
    assert 0.75 < size.width * size.height / side**2 < 1.34


@given(st.text(max_size=20))
def test_no_text_crashes(text: str) -> None:
    """Every text is a size or none."""
    size = wanted_size(text, template())
    assert size is None or parse_size(str(size)) == size
