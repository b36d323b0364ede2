"""Manifests that could not work or would do nothing are told; those that mean something are taken."""

from pathlib import Path

import pytest

from bot.model.request import Size
from bot.workflow.graph import GraphError, Place
from tests.workflow.graphs import node, txt2img
from tests.workflow.test_options import load, made, option

LINKED = txt2img(**{"20": node("PrimitiveString", value="a cat"), "21": node("PrimitiveBoolean", value=True)})
LINKED["6"]["inputs"]["text"] = ["20", 0]


@pytest.mark.parametrize(
    ("manifest", "line", "key", "words"),
    [
        ("[options.negative]\ndefault = 5", 1, "options.negative", "must be a text, in quotes"),
        ('[options.size]\ndefault = "big"', 1, "options.size", 'must be a size, such as "768x512"'),
        ("[options.size]\ndefault = 512", 1, "options.size", "must be a size"),
        ('[options.size]\ndefault = "1024x512"\nmax = 768', 1, "options.size", "outside min and max"),
        ("[options.steps]\ndefault = true", 1, "options.steps", "must be a number"),
        ("[options.steps]\ndefault = 2.5", 1, "options.steps", "must be a number"),
        ("[options.cfg]\ndefault = -1", 1, "options.cfg", "outside min and max"),
        ("[options.seed]\ndefault = -1", 1, "options.seed", "0 or more"),
        ('[options.x]\nplaces = [["21", "value"]]\ndefault = "yes"', 1, "options.x", "must be true or false"),
        ('[options.x]\nplaces = [["20", "value"]]\ntype = "image"\ndefault = "a.png"', 1, "options.x", "no default"),
        ('[options.steps]\ntype = "text"', 2, "options.steps.type", "role steps is of type integer; leave type out"),
        ('[options.steps]\nplaces = [["3", "steps"]]\ntype = "image"', 3, "options.steps.type", "leave type out"),
        ('[options.x]\nplaces = [["3", "steps"]]\ntype = "image"', 3, "options.x.type", "holds 20, which is no image"),
        ('[options.x]\nplaces = [["3", "steps"]]\ntype = "text"', 3, "options.x.type", "holds 20, which is no text"),
        ('[options.x]\nplaces = [["7", "text"]]\ntype = "integer"', 3, "options.x.type", "is no integer"),
        ('[options.x]\nplaces = [["7", "text"]]\ntype = "switch"', 3, "options.x.type", "is no switch"),
        ('[options.seed]\nplaces = [["4", "ckpt_name"]]', 2, "options.seed.places", "holds '"),
        ('[options.x]\nrole = "seed"\n[options.y]\nrole = "seed"', 4, "options.y.role", "option x has the role seed"),
        ('[options.x]\nrole = "seed"\n[options.seed]\nmin = 1', 3, "options.seed", "option x has the role seed"),
        ('[options.steps]\nmin = 2\n[options.x]\nplaces = [["3", "steps"]]', 4, "options.x.places", "steps fills"),
        ('[options.x]\nplaces = [["6", "text"]]', 2, "options.x.places", "linked to node 20 (PrimitiveString)"),
        ('[options.seed]\nlist = "loras"', 2, "options.seed.list", "type integer takes no choices and no list"),
        ('[options.sampler]\nlist = "loras"', 2, "options.sampler.list", "role sampler takes the list samplers"),
        ("[options.sampler]\nmin = 1", 2, "options.sampler.min", "has no min, max or step"),
        (f'[options.seed]\ndescription = "{"x" * 101}"', 2, "options.seed.description", "1 to 100 characters"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_told(tmp_path: Path, manifest: str, line: int, key: str, words: str) -> None:
    """What is of the wrong kind, does nothing or is said twice is a fault with file, line, key and reason."""
    with pytest.raises(GraphError) as caught:
        load(tmp_path, manifest, LINKED)
    text = str(caught.value)
    assert text.startswith(f"flow.toml:{line}: {key}: ")
    assert words in text
    assert len(text.splitlines()) == 1


def test_defaults_that_mean_a_value_are_taken(tmp_path: Path) -> None:
    """Numbers may stand in quotes, and choices without; sizes are sizes."""
    source = load(
        tmp_path,
        '[options.steps]\ndefault = "25"\n[options.size]\ndefault = "768x512"\n'
        "[options.sampler]\nchoices = [1, 2]\ndefault = 2",
    )
    assert (option(source, "steps").default, option(source, "sampler").default) == (25, "2")
    assert made(source, prompt="x", size=Size(width=768, height=512)).nodes["3"].inputs["steps"] == 25


def test_a_place_that_a_manifest_names_belongs_to_its_option(tmp_path: Path) -> None:
    """An option of one's own for the seed's place is what fills it: the seed's option is gone, and its number, too."""
    source = load(tmp_path, '[options.variation]\nplaces = [["3", "seed"]]\ndefault = 4')
    assert "seed" not in {one.role for one in source.options}
    assert option(source, "variation").places == (Place("3", "seed"),)
    assert made(source, prompt="x", seed=99).nodes["3"].inputs["seed"] == 4
