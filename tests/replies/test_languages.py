"""Every language there is, whichever files there are: complete, within Discord's bounds, and naming what exists."""

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import discord
import pytest

from bot.model.guild import SETTINGS
from bot.model.languages import AUTO, LANGUAGES
from bot.replies.catalogue import CATALOGUES
from bot.sandbox.discord.checks import _is_name
from tests.conftest import PROJECT
from tests.replies.test_words import fields

FILES = sorted(file.stem for file in (PROJECT / "bot" / "replies" / "locales").glob("*.toml"))
MENUS = {f"commands.{name}.name" for name in ("report_picture", "member_record", "remix_this", "recipe_of")}
BOUNDS = {
    r"(commands|options)\..*description": 100,
    r"buttons\..*|follow\..*|decisions\..*|shelf\.(newer|older)": 80,
    r"(remix|report)\.title": 45,
    r"remix\.(prompt|negative|settings|template|file|enhance)|report\.reason": 45,
    r"remix\..*_about|card\.choice": 100,
    r"card\.choose": 150,
    r"card\..*": 300,
}
"""Characters that Discord takes, by key; the last one is ours: a card has several of them."""

each_language = pytest.mark.parametrize("language", FILES)


def commands_of(language: str) -> dict[str, str]:
    """Return what the slash commands are called in a language, with a space before a subcommand, by key."""
    words = CATALOGUES[language]
    keys = [key.split(".")[1:-1] for key in words if re.fullmatch(r"commands\..*\.name", key) and key not in MENUS]
    return {
        "_".join(path): " ".join(
            words[f"commands.{'.'.join(path[:depth])}.name"] for depth in range(1, len(path) + 1)
        )
        for path in keys
    }  # fmt: skip


def test_a_file_is_a_language() -> None:
    """The catalogues and the choices of the setting `language` are the files that there are, English among them."""
    assert "en" in FILES
    assert sorted(CATALOGUES) == list(LANGUAGES) == FILES
    assert SETTINGS["language"].choices == (AUTO, *FILES)
    known = {locale.value.split("-", maxsplit=1)[0] for locale in discord.Locale}
    assert known >= set(FILES), "a file is named as Discord's locale begins"


def test_one_more_file_is_one_more_language(tmp_path: Path) -> None:
    """A file put beside the others is offered, read, and what Discord's locale of that name reads; nothing else is."""
    shutil.copytree(PROJECT / "bot", tmp_path / "bot", ignore=shutil.ignore_patterns("__pycache__", "sandbox"))
    locales = tmp_path / "bot" / "replies" / "locales"
    shutil.copy(locales / "en.toml", locales / "pt.toml")
    told = (
        "from bot.model.guild import SETTINGS; from bot.replies.catalogue import language;"
        "print(*SETTINGS['language'].choices, language('pt-BR'))"
    )
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    done = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-c", told], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [AUTO, *sorted([*FILES, "pt"]), "pt"]


@each_language
def test_a_language_is_complete(language: str) -> None:
    """It has English's keys, no others, none empty, and in each text English's placeholders."""
    english, words = CATALOGUES["en"], CATALOGUES[language]
    assert sorted(words) == sorted(english)
    assert [key for key in words if not words[key].strip()] == []
    assert {key: fields(words[key]) for key in words} == {key: fields(english[key]) for key in english}


@each_language
def test_a_language_pings_nobody(language: str) -> None:
    """No text names everybody, nor a person or a role by number."""
    bad = re.compile(r"@\u200b?(everyone|here)\b|<@&?\d")
    assert [key for key, words in CATALOGUES[language].items() if bad.search(words)] == []


@each_language
def test_a_language_keeps_within_discords_bounds(language: str) -> None:
    """Names of commands and options are such as Discord takes, everything else is as short as it wants it."""
    words = CATALOGUES[language]
    named = [key for key in words if re.fullmatch(r"(commands|options)\..*\.name", key)]
    assert [key for key in named if key not in MENUS and not _is_name(words[key])] == []
    assert [key for key in MENUS if not 1 <= len(words[key]) <= 32] == []
    for key, text in words.items():
        most = next((most for pattern, most in BOUNDS.items() if re.fullmatch(pattern, key)), 2000)
        assert len(text) <= most, f"{language}: {key} has {len(text)} characters of {most}"


@each_language
def test_a_language_calls_no_two_things_the_same(language: str) -> None:
    """Commands of one name, and buttons that may stand beside one another, are told apart."""
    words = CATALOGUES[language]
    own = Counter(commands_of(language).values())
    labels = Counter(words[key] for key in words if key.startswith(("buttons.", "follow.", "decisions.")))
    same = {words["buttons.delete"], words["decisions.remove"], words["buttons.cancel"]}  # never together
    assert [name for name, times in own.items() if times > 1] == []
    assert [label for label, times in labels.items() if times > 1 and label not in same] == []


@each_language
def test_a_language_names_commands_as_it_calls_them(language: str) -> None:
    """Every `/command` in its texts is one that exists, by the name that its readers see in Discord."""
    names = set(commands_of(language).values())
    wrong: list[tuple[str, str]] = []
    for key, words in CATALOGUES[language].items():
        wrong += [(key, one) for one in re.findall(r"`/([^`]+)`", words) if one not in names]
    assert wrong == []


@each_language
def test_a_languages_examples_can_be_typed(language: str) -> None:
    """The example of a command has its name, and options of it, as its readers see them."""
    words = CATALOGUES[language]
    names = commands_of(language)
    options = {words[key] for key in words if re.fullmatch(r"options\.\w+\.name", key)}
    for key, example in words.items():
        if not key.startswith("examples."):
            continue
        name = names[key.removeprefix("examples.")]
        assert example == f"/{name}" or example.startswith(f"/{name} "), key
        assert set(re.findall(r"(\S+): ", example)) <= options, key
