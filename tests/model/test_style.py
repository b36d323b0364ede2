"""Styles put their words round a member's, and no word of the member's is ever syntax."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.model.style import SLOT, Style

WORDS = st.text(max_size=40)
STYLES = st.builds(
    Style, name=WORDS, prompt=WORDS.map(lambda words: words + SLOT), negative=WORDS, loras=st.lists(WORDS).map(tuple)
)
INK = Style(name="ink", prompt="ink of {prompt}, {0} %s", negative="colour", loras=("ink:0.8", "old/pen:-1"))


def test_words_in_a_style() -> None:
    """The words stand where the pattern wants them, the tags of LoRAs behind."""
    assert INK.applied("a fox") == "ink of a fox, {0} %s <lora:ink:0.8> <lora:old/pen:-1>"
    assert Style(name="plain").applied("a fox") == "a fox"


@given(WORDS)
def test_words_are_taken_literally(words: str) -> None:
    """Braces, percent signs and another {prompt} in the words come out as they went in."""
    for said in (words, words + SLOT, "{" + words + "}", "%s" + words):
        assert Style(name="x", prompt="a {prompt} b").applied(said) == f"a {said} b"


@pytest.mark.parametrize(
    ("own", "said", "both"),
    [
        ("colour", "bad hands", "bad hands, colour"),
        ("colour", None, "colour"),
        ("colour", " ", "colour"),
        ("", "bad hands", "bad hands"),
        ("", "", None),
        ("", None, None),
        ("\n", None, None),
    ],
)
def test_negatives_are_joined(own: str, said: str | None, both: str | None) -> None:
    """The member's comes first, the style's behind; where neither says anything there is none."""
    assert Style(name="x", negative=own).negated(said) == both


@given(STYLES)
def test_a_style_survives_being_stored(style: Style) -> None:
    """What is written as JSON reads back as the same style."""
    assert Style.from_dict(json.loads(json.dumps(style.to_dict()))) == style


def test_what_is_missing_is_not_said() -> None:
    """An older or odd record is a style that says less."""
    assert Style.from_dict({"name": "x"}) == Style(name="x")
    assert Style.from_dict({}) == Style(name="")
    assert Style.from_dict({"name": "x", "loras": ["a:1", 2], "negative": None, "new": 1}) == Style(
        name="x", loras=("a:1",)
    )
