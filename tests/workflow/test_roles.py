"""Roles by structure: where words, seeds, sizes, models and outputs are."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.comfy.models import parse_node_list
from bot.workflow.graph import Place, parse_graph, read_graph
from bot.workflow.roles import Roles, trace
from tests.conftest import shared
from tests.workflow.graphs import Tree, node, sampler, txt2img


def roles(tree: Tree) -> Roles:
    return trace(parse_graph(tree))


def test_plain_txt2img() -> None:
    """Seven plain nodes: every role at its place, nothing ambiguous."""
    found = roles(txt2img())

    assert found.positive == (Place("6", "text"),)
    assert found.negative == (Place("7", "text"),)
    assert found.seeds == (Place("3", "seed"),)
    assert [(one.width, one.height) for one in found.sizes] == [(Place("5", "width"), Place("5", "height"))]
    assert found.batches == (Place("5", "batch_size"),)
    assert found.models == (Place("4", "ckpt_name"),)
    assert found.outputs == ("9",)
    assert found.ambiguous == ()


@pytest.mark.parametrize("name", ["KSampler", "KSampler (Efficient)", "TotallyNewSampler", "FaceDetailer"])
def test_any_sampler_class(name: str) -> None:
    """A sampler is known by its inputs, whatever its class is called."""
    tree = txt2img()
    tree["3"]["class_type"] = name
    assert roles(tree).positive == (Place("6", "text"),)
    assert roles(tree).seeds == (Place("3", "seed"),)


def test_a_chain_of_conditioning() -> None:
    """Nodes between sampler and encoder are walked, pairs by their own role."""
    tree = txt2img()
    tree["10"] = node("ControlNetApplyAdvanced", positive=["11", 0], negative=["7", 0], image=["12", 0], strength=1)
    tree["11"] = node("FluxGuidance", conditioning=["6", 0], guidance=3.5)
    tree["12"] = node("LoadImage", image="pose.png")
    tree["3"]["inputs"] |= {"positive": ["10", 0], "negative": ["10", 1]}

    found = roles(tree)

    assert found.positive == (Place("6", "text"),)
    assert found.negative == (Place("7", "text"),)
    assert found.images == (Place("12", "image"),)


def test_words_in_a_string_node() -> None:
    """A linked text is followed to the literal that holds it, through display nodes."""
    tree = txt2img()
    tree["6"]["inputs"]["text"] = ["20", 0]
    tree["20"] = node("ShowText|pysssss", text=["21", 0], text_0="what was shown last")
    tree["21"] = node("PrimitiveStringMultiline", value="a cat")
    assert roles(tree).positive == (Place("21", "value"),)


def test_both_texts_of_sdxl() -> None:
    """text_g and text_l both take the words."""
    tree = txt2img()
    tree["6"] = node("CLIPTextEncodeSDXL", text_g="a", text_l="b", width=1024, height=1024, clip=["4", 1])
    found = roles(tree)
    assert found.positive == (Place("6", "text_g"), Place("6", "text_l"))
    assert [one.width.node for one in found.sizes] == ["5"]


def test_a_guider_without_negative() -> None:
    """With BasicGuider there is no negative, and with ConditioningZeroOut neither."""
    tree = txt2img()
    tree["3"] = node(
        "SamplerCustomAdvanced",
        noise=["n", 0],
        guider=["g", 0],
        sampler=["s", 0],
        sigmas=["b", 0],
        latent_image=["5", 0],
    )
    tree |= {
        "n": node("RandomNoise", noise_seed=5),
        "g": node("BasicGuider", model=["4", 0], conditioning=["6", 0]),
        "s": node("KSamplerSelect", sampler_name="euler"),
        "b": node("BasicScheduler", model=["4", 0], steps=4, scheduler="simple", denoise=1),
    }
    found = roles(tree)
    assert (found.positive, found.negative, found.seeds) == ((Place("6", "text"),), (), (Place("n", "noise_seed"),))

    zero = txt2img()
    zero["7"] = node("ConditioningZeroOut", conditioning=["6", 0])
    assert roles(zero).negative == ()


def test_two_stages_share_their_words_and_seeds() -> None:
    """A refiner's copy of the words is set too, its seed as well, but not where no noise is added."""
    tree = txt2img()
    tree["16"] = node("CLIPTextEncode", text="a cat", clip=["4", 1])
    tree["13"] = sampler(positive=["16", 0], negative=["7", 0], latent_image=["3", 0], model=["4", 0])
    tree["8"]["inputs"]["samples"] = ["13", 0]
    assert roles(tree).positive == (Place("6", "text"), Place("16", "text"))
    assert roles(tree).seeds == (Place("3", "seed"), Place("13", "seed"))
    tree["13"]["inputs"]["add_noise"] = "disable"
    assert roles(tree).seeds == (Place("3", "seed"),)


def test_dead_nodes_do_not_count() -> None:
    """What no output depends on is ignored."""
    tree = txt2img(
        **{
            "90": node("CLIPTextEncode", text="orphan", clip=["4", 1]),
            "91": sampler(positive=["90", 0], negative=["90", 0]),
        }
    )
    assert roles(tree).positive == (Place("6", "text"),)
    assert "90" not in roles(tree).live


def test_seed_and_size_behind_links() -> None:
    """Numbers are followed to the literal that holds them; a random source is replaced."""
    tree = txt2img(
        **{"30": node("Seed (rgthree)", seed=9), "31": node("PrimitiveInt", value=768), "32": node("RandomInt", min=0)}
    )
    tree["3"]["inputs"]["seed"] = ["30", 0]
    tree["5"]["inputs"]["width"] = ["31", 0]
    found = roles(tree)
    assert found.seeds == (Place("30", "seed"),)
    assert found.sizes[0].width == Place("31", "value")
    tree["3"]["inputs"]["seed"] = ["32", 0]
    assert roles(tree).seeds == (Place("3", "seed"),)


def test_several_texts_are_flagged() -> None:
    """Where texts are joined, one is chosen by its title and the template is called ambiguous."""
    tree = txt2img()
    tree["6"]["inputs"]["text"] = ["40", 0]
    tree["40"] = node("StringConcatenate", string_a=["41", 0], string_b=["42", 0], delimiter=", ")
    tree["41"] = node("PrimitiveString", "style suffix", value="oil on canvas, by somebody famous, very long")
    tree["42"] = node("PrimitiveString", "subject prompt", value="a cat")
    found = roles(tree)
    assert found.positive == (Place("42", "value"),)
    assert found.ambiguous


def test_previews_count_only_without_saves() -> None:
    """PreviewImage is an output only where nothing is saved."""
    tree = txt2img(**{"50": node("PreviewImage", images=["8", 0])})
    assert roles(tree).outputs == ("9",)
    del tree["9"]
    assert roles(tree).outputs == ("50",)


def test_a_picture_as_mask() -> None:
    """LoadImage's second output makes it a mask too."""
    tree = txt2img(
        **{"60": node("LoadImage", image="x.png"), "61": node("SetLatentNoiseMask", samples=["62", 0], mask=["60", 1])}
    )
    tree["62"] = node("VAEEncode", pixels=["60", 0], vae=["4", 2])
    tree["3"]["inputs"]["latent_image"] = ["61", 0]
    found = roles(tree)
    assert found.masks == found.images == (Place("60", "image"),)
    assert found.sizes == ()


def test_types_of_the_server_decide() -> None:
    """With a node list, a class that only sounds like saving is no output."""
    tree = txt2img(**{"70": node("SaveSettingsForLater", value=1)})
    info = {name: {"input": {}, "output_node": name == "SaveImage"} for name in ("SaveImage", "SaveSettingsForLater")}
    assert trace(parse_graph(tree), parse_node_list(info)).outputs == ("9",)


NAMES = [
    "text",
    "positive",
    "negative",
    "seed",
    "model",
    "latent_image",
    "guider",
    "steps",
    "images",
    "width",
    "height",
]
CLASSES = ["KSampler", "CLIPTextEncode", "SaveImage", "ShowText", "Switch", "LoadImage", "BasicGuider"]
LINKS = st.lists(st.sampled_from(["1", "2", "3", 0, 1]), max_size=3)
VALUES = st.none() | st.booleans() | st.integers() | st.text(max_size=5) | LINKS
INPUTS = st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=6)
NODES = st.fixed_dictionaries({"class_type": st.sampled_from(CLASSES), "inputs": INPUTS})


@given(st.fixed_dictionaries({"1": NODES, "2": NODES, "3": NODES}))
def test_no_graph_crashes_the_trace(tree: Any) -> None:
    """Cycles, wrong types, links to oneself: the trace always ends, and only with places that exist."""
    graph = parse_graph(tree)
    found = trace(graph)
    for place in (*found.positive, *found.negative, *found.seeds, *found.models, *found.images):
        assert place.input in graph.nodes[place.node].inputs


def test_real_workflows() -> None:
    """On the 102 labelled graphs of the wild the four core roles are right in at least nine of ten."""
    folder = Path(shared("workflows"))
    labels = json.loads((folder / "labels.json").read_text(encoding="utf-8"))
    right = 0
    for name, label in labels.items():
        found = trace(read_graph((folder / "api" / name).read_text(encoding="utf-8")))
        answers: dict[str, Any] = {
            "positive": found.positive,
            "negative": found.negative,
            "seeds": found.seeds,
            "outputs": found.outputs,
        }
        right += all(_fits(answers[role], label[role], label["optional"].get(role, [])) for role in answers)
    assert right / len(labels) >= 0.9


def _fits(found: Any, required: Any, optional: Any) -> bool:
    def as_set(rows: Any) -> set[Any]:
        return {tuple(row) if not isinstance(row, str) else row for row in rows}

    return as_set(required) <= as_set(found) <= as_set(required) | as_set(optional)
