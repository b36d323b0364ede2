"""Words: every failure worded, nothing foreign shown as it came."""

import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import EaselError, RequestError, new_reference
from bot.model.job import Failure, FailureCode
from bot.replies.catalogue import language, text
from bot.replies.failures import words_for, words_for_bug, words_for_error
from bot.replies.safe import alt_text, shown

HOSTILE_FACTS = {
    "node_type": "@everyone `x`",
    "node": "/srv/models",
    "input": "<@1>",
    "minutes": "30",
    "template": "**t**",
    "reference": "AB12",
    "message": "Traceback SECRET",
}


def fields(words: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(words) if name}


@pytest.mark.parametrize(
    ("locale", "found"), [("ja", "ja"), ("en-GB", "en"), ("de", "en"), ("", "en"), ("pt-BR", "en")]
)
def test_unknown_languages_fall_back(locale: str, found: str) -> None:
    """A locale without a catalogue reads English."""
    assert language(locale) == found


@pytest.mark.parametrize("code", list(FailureCode))
@pytest.mark.parametrize("locale", ["en-US", "ja"])
def test_every_failure_has_words(code: FailureCode, locale: str) -> None:
    """Each code is worded in each language, also without facts, and never with the server's own message."""
    for facts in ({}, HOSTILE_FACTS):
        words = words_for(Failure(code=code, facts=facts), locale)
        assert len(words) > 10
        assert "SECRET" not in words
        assert "@everyone" not in words
        assert not re.search(r"@[\w!&]", words)


def test_refusals_and_bugs_have_words() -> None:
    """A refusal is worded by its key with its facts made safe; any other expected fault and any bug have words too."""
    refused = words_for_error(RequestError("refused.unknown_template", template="**x** @everyone"), "en-US")
    assert "\\*\\*x\\*\\*" in refused
    assert "@everyone" not in refused
    assert words_for_error(EaselError("/srv/secret"), "ja") == text("failure.server_fault", "ja")
    reference = new_reference()
    assert reference in words_for_bug(reference, "en-US")


@given(st.text(max_size=400))
def test_shown_words_are_one_safe_line(words: str) -> None:
    """Whatever is typed becomes one line without mentions, direction marks or live markup, of bounded length."""
    safe = shown(words)
    assert "\n" not in safe
    assert "@everyone" not in safe
    assert "@here" not in safe
    assert not any(mark in safe for mark in "\u202e\u2066\u200f")
    assert len(safe) <= 2 * 300 + 50
    assert "http://" not in safe.lower()


@given(st.text(alphabet="*_~`|>#[]()<\\-x", max_size=60))
def test_every_mark_is_escaped(words: str) -> None:
    """Each character that Discord gives a meaning has a backslash before it."""
    safe = shown(words)
    at = 0
    while at < len(safe):
        assert safe[at] == "\\" or safe[at] == "x"
        at += 2 if safe[at] == "\\" else 1


def test_emoji_with_joiners_survive() -> None:
    """Joined emoji are not taken apart."""
    assert shown("👩‍🚀") == "👩‍🚀"


def test_alt_text_is_the_prompt() -> None:
    """Alt text is what was typed, cut where Discord cuts it."""
    assert alt_text("a\n<b>") == "a\n<b>"
    assert len(alt_text("x" * 1500)) == 1024
