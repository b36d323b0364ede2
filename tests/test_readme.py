"""The README and its Japanese edition: one says what the other says, and what both name exists."""

import re
import shlex
from collections import Counter
from pathlib import Path

import click
import pytest

from bot.__main__ import main
from bot.replies.catalogue import CATALOGUES
from bot.settings import Settings
from tests.conftest import PROJECT

ENGLISH, JAPANESE = PROJECT / "README.md", PROJECT / "README.ja.md"
DOCS = [ENGLISH, JAPANESE, PROJECT / "templates" / "README.md", *sorted((PROJECT / "docs").glob("*.md"))]


def read(path: Path) -> tuple[str, list[str]]:
    """Return a page without its code blocks, and these."""
    text = path.read_text(encoding="utf-8")
    return re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.findall(r"```.*?```", text, re.DOTALL)


def headings(path: Path) -> list[str]:
    return re.findall(r"^#+(?= )", read(path)[0], re.MULTILINE)


def spans(path: Path) -> list[str]:
    """Return what is set as code within the text."""
    return re.findall(r"`([^`]+)`", read(path)[0])


def links(path: Path) -> list[str]:
    """Return what is linked to or shown."""
    return re.findall(r"\]\(([^)\s]+)\)", read(path)[0])


def in_either(target: str) -> str:
    """Return a link as both editions have it: each shows pictures of its own language, and leads to the other."""
    return target.replace("README.ja.md", "README.md").replace(".ja.", ".")


def told_apart(line: str) -> list[str]:
    """Return `templates list | pull` as `templates list` and `templates pull`."""
    first, *others = line.split(" | ")
    return [first, *(f"{first.rpartition(' ')[0]} {other}" for other in others)]


def test_both_editions_are_cut_alike() -> None:
    """The same headings by number and level, the same rows of tables and steps, and each leads to the other on top."""
    assert headings(ENGLISH) == headings(JAPANESE)
    for mark in (r"^\| ", r"^\d\. "):
        found = [len(re.findall(mark, read(path)[0], re.MULTILINE)) for path in (ENGLISH, JAPANESE)]
        assert found[0] == found[1], mark
    assert links(ENGLISH)[0] == JAPANESE.name
    assert links(JAPANESE)[0] == ENGLISH.name


def test_both_editions_have_the_same_code() -> None:
    """The same blocks in the same order, and the same commands, settings and names within the text."""
    assert read(ENGLISH)[1] == read(JAPANESE)[1] != []
    assert Counter(spans(ENGLISH)) == Counter(spans(JAPANESE))


def test_both_editions_lead_to_the_same_places() -> None:
    """The same links and pictures."""
    assert Counter(map(in_either, links(ENGLISH))) == Counter(map(in_either, links(JAPANESE)))


@pytest.mark.parametrize("path", DOCS, ids=lambda path: str(path.relative_to(PROJECT)))
def test_what_is_linked_is_there(path: Path) -> None:
    """Every link into the project leads to a file, and every picture says in words what it shows."""
    inside = [target.partition("#")[0] for target in links(path) if "://" not in target]
    assert [target for target in inside if target and not (path.parent / target).is_file()] == []
    assert re.findall(r"!\[\s*\]", path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", DOCS, ids=lambda path: str(path.relative_to(PROJECT)))
def test_what_is_named_exists(path: Path) -> None:
    """Every slash command, subcommand and setting of the environment that is named is one of Easel's."""
    keys = {key.removeprefix("commands.") for key in CATALOGUES["en"] if key.startswith("commands.")}
    groups = {key.split(".")[0] for key in keys if key.count(".") == 2}
    templates = {file.stem for file in (PROJECT / "templates").glob("*.json")}
    for name, sub in (one for span in spans(path) for one in re.findall(r"^/([a-z]\w*)(?: (\w+)(?![\w:]))?", span)):
        if name not in templates:
            assert f"{name}.name" in keys, f"/{name}"
            assert not sub or name not in groups or f"{name}.{sub}.name" in keys, f"/{name} {sub}"
    known = {name.upper() for name in Settings.model_fields}
    named = {one for span in spans(path) for one in re.findall(r"^\$?([A-Z]+(?:_[A-Z]+)+)\b", span)}
    assert named - known - {"WATCHFILES_FORCE_POLLING"} == set()


@pytest.mark.parametrize("path", [ENGLISH, JAPANESE], ids=lambda path: path.name)
def test_what_is_typed_at_the_shell_can_be(path: Path) -> None:
    """Every `easel …` of the README is a command of the command line, with options that it has."""
    text, blocks = read(path)
    typed = [line.split("&& ")[-1] for block in blocks for line in block.splitlines()] + re.findall(r"`([^`]+)`", text)
    lines = [
        line.removeprefix("uv run ").removeprefix("easel ") for line in typed if re.match(r"(uv run )?easel ", line)
    ]
    assert len(lines) > 10
    for line in (one for together in lines for one in told_apart(together)):
        words = [word.strip("[]") for word in shlex.split(line)]
        command: click.Command = main
        while isinstance(command, click.Group):
            found = command.get_command(click.Context(command), words.pop(0))
            assert found is not None, line
            command = found
        options = {name for parameter in command.params for name in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= options, line
