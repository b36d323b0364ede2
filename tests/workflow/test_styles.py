"""The file of styles: what it may say, and how its owner hears what is wrong with it."""

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.model.style import SLOT, Style
from bot.workflow.graph import GraphError
from bot.workflow.prompt import parse_prompt
from bot.workflow.styles import LORAS, STYLES, StyleEntry, read_styles
from tests.conftest import PROJECT


def read(folder: Path, text: str) -> dict[str, StyleEntry]:
    path = folder / "styles.toml"
    path.write_text(text, encoding="utf-8")
    return read_styles(path)


def faults(folder: Path, text: str) -> list[str]:
    with pytest.raises(GraphError) as caught:
        read(folder, text)
    return str(caught.value).splitlines()


def test_shipped_styles() -> None:
    """The styles we ship have titles in both languages, a negative, and need no file of anybody's."""
    found = read_styles(PROJECT / "templates" / "styles.toml")
    assert list(found) == [
        *("photo", "cinematic", "anime", "watercolour", "pixel-art", "line-art", "oil-painting", "low-poly")
    ]
    for entry in found.values():
        assert set(entry.titles) == {"en", "ja"}
        assert entry.style.negative
        assert entry.style.loras == ()
        assert "a red fox" in entry.style.applied("a red fox")
        assert parse_prompt(entry.style.applied("a red fox")).is_plain


def test_an_absent_file_has_no_styles(tmp_path: Path) -> None:
    """Who wants no styles has no file."""
    assert read_styles(tmp_path / "styles.toml") == {}
    assert read(tmp_path, "") == {}


def test_all_that_a_style_may_say(tmp_path: Path) -> None:
    """Titles, prompt, negative and LoRAs with or without weights, which prompts then understand."""
    found = read(
        tmp_path,
        """
        [ink]
        title = {en = "Ink", ja = "インク"}
        prompt = "ink of {prompt}"
        negative = "colour"
        loras = ["old/ink v2.safetensors", " pen:0.50", "x:-10"]
        ["空"]
        """,
    )
    loras = ("old/ink v2.safetensors:1", "pen:0.5", "x:-10")
    style = Style(name="ink", prompt="ink of {prompt}", negative="colour", loras=loras)
    assert found["ink"] == StyleEntry(style=style, titles={"en": "Ink", "ja": "インク"})
    assert found["空"] == StyleEntry(style=Style(name="空"), titles={})
    assert [(one.name, one.model_strength) for one in parse_prompt(style.applied("a fox")).loras] == [
        ("old/ink v2.safetensors", 1),
        ("pen", 0.5),
        ("x", -10),
    ]


def test_titles_by_language(tmp_path: Path) -> None:
    """The locale, its language, English, any other, and last the name."""
    found = read(
        tmp_path, '[a]\ntitle = {en = "Ink", ja = "インク"}\n[b]\ntitle = {de = "Tusche"}\n[c]\n[d]\ntitle="D"'
    )
    assert [found["a"].title_in(locale) for locale in ("ja", "en-GB", "fr")] == ["インク", "Ink", "Ink"]
    assert [found[name].title_in("ja") for name in "bcd"] == ["Tusche", "c", "D"]


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ('prompt = "ink"', "prompt: must hold {prompt} once: there go the member's words"),
        ('prompt = "{prompt} {prompt}"', "prompt: must hold {prompt} once: there go the member's words"),
        (f'prompt = "{{prompt}}{"x" * 500}"', "prompt: String should have at most 500 characters"),
        (f'negative = "{"x" * 501}"', "negative: String should have at most 500 characters"),
        ('title = ""', "title: must be 1 to 100 characters in every language"),
        ('promt = "x"', "promt: unknown key; did you mean prompt?"),
        ('zzz = "x"', "zzz: unknown key; known are title, prompt, negative, loras"),
        ('loras = "ink"', 'loras: must be a list, such as ["ink:0.8"]'),
        ('loras = ["ink:much"]', "loras.0: its weight must be a number from -10 to 10"),
        ('loras = ["a", "ink:nan"]', "loras.1: its weight must be a number from -10 to 10"),
        ('loras = ["ink:-10.5"]', "loras.0: its weight must be a number from -10 to 10"),
        ('loras = ["a> <lora:b"]', 'loras.0: must be a name, or a name and its weight, such as "ink:0.8"'),
        ('loras = [" "]', 'loras.0: must be a name, or a name and its weight, such as "ink:0.8"'),
        ('loras = ["a:1:1"]', 'loras.0: must be a name, or a name and its weight, such as "ink:0.8"'),
    ],
)
def test_faults_are_told_with_their_place(tmp_path: Path, line: str, fault: str) -> None:
    """File, line, key and reason, in an owner's words."""
    assert faults(tmp_path, f"[fine]\n[ink]\n{line}\n") == [f"styles.toml:3: ink.{fault}"]


def test_too_many_loras(tmp_path: Path) -> None:
    """A style takes four LoRAs and no more."""
    names = [f"l{number}" for number in range(LORAS + 1)]
    assert len(read(tmp_path, f"[ink]\nloras = {names[:LORAS]}")["ink"].style.loras) == LORAS
    (fault,) = faults(tmp_path, f"[ink]\nloras = {names}")
    assert fault.startswith("styles.toml:2: ink.loras: ")


def test_every_fault_has_a_line(tmp_path: Path) -> None:
    """Wrong names, values outside tables and wrong keys are told together."""
    assert faults(tmp_path, 'photo = "x"\n[Loud]\n["a b"]\nnegative = 1\n') == [
        "styles.toml:2: Loud: a style's name must be 1 to 32 letters, digits, - or _, in lower case",
        "styles.toml:3: a b: a style's name must be 1 to 32 letters, digits, - or _, in lower case",
        "styles.toml:1: photo: must be a table that begins with [photo]",
        "styles.toml:4: a b.negative: Input should be a valid string",
    ]


def test_too_many_styles(tmp_path: Path) -> None:
    """Two hundred styles are enough; the first beyond is named."""
    names = "".join(f"[s{number}]\n" for number in range(STYLES))
    assert len(read(tmp_path, names)) == STYLES
    assert faults(tmp_path, f"{names}[more]\n[evenmore]\n") == [
        f"styles.toml:{STYLES + 1}: more: there may be {STYLES} styles at most"
    ]


def test_files_that_are_no_toml(tmp_path: Path) -> None:
    """A file that cannot be read is one fault with its name."""
    assert faults(tmp_path, "[ink\n")[0].startswith("styles.toml: ")
    assert faults(tmp_path, "a = " + "[" * 5000)[0].startswith("styles.toml: ")
    (tmp_path / "odd.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(GraphError, match=r"odd.toml: it cannot be read \(UnicodeDecodeError\)"):
        read_styles(tmp_path / "odd.toml")


LINES = st.sampled_from(
    ["[a]", "[B]", "[a.b]", "title = 1", 'title = {en = ""}', "prompt = []", "loras = [[]]", "loras = [1]", "x = 1"]
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(LINES | st.text(max_size=8), max_size=6))
def test_no_file_crashes_the_reader(tmp_path: Path, lines: list[str]) -> None:
    """Every file is styles or a fault with words; each style takes words."""
    with suppress(GraphError):
        for entry in read(tmp_path, "\n".join(lines)).values():
            assert entry.style.prompt.count(SLOT) == 1
