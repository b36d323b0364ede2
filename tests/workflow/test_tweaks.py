"""Settings as lines, and back: what is written is read the same, in every language, and what is wrong is named."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import RequestError
from bot.model.request import SEED_LIMIT, Request, Size
from bot.model.style import Style
from bot.replies.catalogue import keys_by_word, text
from bot.workflow.tweaks import Names, changed, lines_of, role_named, split
from tests.workflow.test_build import SHIPPED, request

ROLES = ("seed", "size", "count", "steps", "cfg", "sampler", "scheduler", "denoise", "model", "style", "template")
WORDS = {word: key.removesuffix(".name") for word, key in keys_by_word("options").items() if key.endswith(".name")}


def names_in(locale: str) -> Names:
    shown = {role: text(f"options.{role}.name", locale) for role in ROLES}
    return Names(shown=shown, roles=WORDS, sizes=keys_by_word("sizes"))


def read(made: Request, lines: dict[str, str], names: Names) -> Request:
    by_role = {role_named(name, names): value for name, value in lines.items()}
    by_role.pop("style", None)
    return changed(made, SHIPPED[made.template], by_role, names)


@given(
    st.integers(0, SEED_LIMIT),
    st.sampled_from([None, Size(width=512, height=768), Size(width=64, height=2048)]),
    st.sampled_from([{}, {"steps": 7}, {"cfg": 6.5, "steps": 30}, {"sampler": "euler"}]),
    st.sampled_from(["en-US", "ja"]),
    st.sampled_from(["sd15", "sdxl"]),
)
def test_what_is_written_is_read_the_same(
    seed: int, size: Size | None, values: dict[str, float], locale: str, name: str
) -> None:
    """Lines of a request, read again, make the same request, in English and in Japanese."""
    made = request(template=name, seed=seed, size=size, values=values, style=Style(name="ink"))
    names = names_in(locale)
    lines = lines_of(SHIPPED[name], made, {}, names)
    again = read(made, split("\n".join(f"{key}: {value}" for key, value in lines.items())), names)
    assert (again.seed, again.size, dict(again.values)) == (seed, size, values)


def test_what_was_used_is_shown() -> None:
    """Settings that the member left to the template are shown as the recipe has them."""
    recipe = {"steps": 24, "cfg": 7.0, "width": 512, "height": 640}
    lines = lines_of(SHIPPED["sd15"], request(template="sd15"), recipe, Names())
    assert lines == {"seed": "7", "size": "512x640", "steps": "24", "cfg": "7"}


@pytest.mark.parametrize(
    ("lines", "key", "fact"),
    [
        ("just words", "refused.bad_line", "just words"),
        ("sede: 5", "refused.unknown_line", "sede"),
        ("seed: five", "refused.bad_value", "five"),
        ("cfg: nan", "refused.bad_value", "nan"),
        ("cfg: inf", "refused.bad_value", "inf"),
        ("seed: -1", "refused.out_of_range", "0"),
        ("size: enormous", "refused.bad_size", "enormous"),
        ("steps: many", "refused.bad_value", "many"),
        ("prompt: x", "refused.unknown_line", "prompt"),
    ],
)
def test_what_is_wrong_is_named(lines: str, key: str, fact: str) -> None:
    """A line that cannot be meant so is refused by name, and says what there is."""
    with pytest.raises(RequestError) as refused:
        read(request(template="sd15"), split(lines), names_in("en-US"))
    assert refused.value.key == key
    assert fact in refused.value.facts.values()


def test_left_out_means_anew() -> None:
    """Without a seed line there is a new seed; an empty value, a blank line and a wide colon are no fault."""
    made = read(request(template="sd15"), split("\nsteps\uff1a9\nsize:\n"), names_in("ja"))
    assert (made.values["steps"], made.size) == (9, None)
    assert made.seed != 7


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(typed: str) -> None:
    """Whatever is typed, there is a request or a refusal in words, never a crash."""
    assert isinstance(_refusal(typed), str)


def _refusal(typed: str) -> str:
    """Return what is said of lines in Japanese; nothing if they are fine."""
    try:
        read(request(template="sd15"), split(typed), names_in("en-US"))
    except RequestError as refused:
        return text(refused.key, "ja", **refused.facts)
    return ""


def test_a_value_keeps_its_wide_colons() -> None:
    """Only the colon after a name is looked for, of either width; those in a value are the member's."""
    assert split("title\uff1a at 10\uff1a30, or 11:30") == {"title": "at 10\uff1a30, or 11:30"}
