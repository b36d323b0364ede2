"""Prompts taken apart: LoRAs, BREAK, AND, embeddings; what is no syntax stays byte for byte."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.workflow.prompt import Lora, PromptFault, parse_prompt, unweighted

PLAIN = st.text().filter(lambda text: "<" not in text and "BREAK" not in text and "AND" not in text)


@given(PLAIN)
def test_words_without_syntax_stay_as_they_are(text: str) -> None:
    """No character of an ordinary prompt is touched."""
    prompt = parse_prompt(text)
    assert prompt.parts == ((text,),)
    assert prompt.loras == ()
    assert prompt.is_plain


@given(st.text(max_size=300))
def test_no_prompt_crashes(text: str) -> None:
    """Every text is taken apart or refused as a fault with words."""
    with suppress(PromptFault):
        assert all(part for part in parse_prompt(text).parts)


@pytest.mark.parametrize(
    ("text", "loras", "rest"),
    [
        ("a <lora:ink:0.5> fox", [Lora(name="ink", model_strength=0.5, clip_strength=0.5)], "a fox"),
        ("<lora:a/b.safetensors>", [Lora(name="a/b.safetensors")], ""),
        ("x, <lora:a:1:0.2>, y", [Lora(name="a", model_strength=1.0, clip_strength=0.2)], "x, y"),
        (
            "x <LORA:a:-1> <lora:b:2>",
            [
                Lora(name="a", model_strength=-1, clip_strength=-1),
                Lora(name="b", model_strength=2, clip_strength=2),
            ],
            "x",
        ),
        ("(weights:1.2) [down] <not a tag>", [], "(weights:1.2) [down] <not a tag>"),
    ],
)
def test_lora_tags(text: str, loras: list[Lora], rest: str) -> None:
    """Tags are read with one or two strengths and taken out of the words; weights in brackets pass through."""
    prompt = parse_prompt(text)
    assert list(prompt.loras) == loras
    assert prompt.first == rest


@pytest.mark.parametrize("weight", ["much", "nan", "inf", "11", "1e9"])
def test_wrong_weights(weight: str) -> None:
    """A strength that is no number from -10 to 10 is a fault that names the LoRA."""
    with pytest.raises(PromptFault) as caught:
        parse_prompt(f"<lora:ink:{weight}>")
    assert caught.value.facts == {"name": "ink", "weight": weight}


def test_parts() -> None:
    """AND splits first, BREAK inside; both only as words in capitals, and empty parts do not count."""
    assert parse_prompt("a BREAK b AND c").parts == (("a", "b"), ("c",))
    assert parse_prompt("sandAND break and BREAKFAST").parts == (("sandAND break and BREAKFAST",),)
    assert parse_prompt("BREAK a, BREAK, AND").parts == (("a",),)
    assert parse_prompt("AND").parts == (("",),)
    with pytest.raises(PromptFault):
        parse_prompt(" AND ".join("abcdefghi"))


def test_embeddings() -> None:
    """Names after embedding: are found wherever they stand."""
    found = parse_prompt("embedding:easynegative, (embedding:bad/hands:1.2) embedding:x.pt")
    assert found.embeddings == ("easynegative", "bad/hands", "x.pt")


def test_weights_and_brackets_hide_nothing() -> None:
    """Read without its weights, a word that they cut in pieces is whole again."""
    assert unweighted("(na:1.1)ked [n(a:1)k{e:-0.5}d]") == "naked naked"
