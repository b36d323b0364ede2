"""Where the words of a member go: all texts of an encoder, the right side of a guider."""

from typing import Any

import pytest

from bot.comfy.models import parse_node_list
from bot.workflow.graph import Place, parse_graph
from bot.workflow.roles import Roles, trace
from tests.workflow.graphs import Tree, node, txt2img


def roles(tree: Tree, types: Tree | None = None) -> Roles:
    return trace(parse_graph(tree), parse_node_list(types or {}))


def encoder(class_type: str, **inputs: Any) -> Tree:
    """A graph whose positive words go through one encoder."""
    return txt2img(**{"6": node(class_type, clip=["4", 1], **inputs)})


@pytest.mark.parametrize(
    ("class_type", "texts"),
    [
        ("CLIPTextEncodeSDXL", ("text_g", "text_l")),
        ("CLIPTextEncodeSD3", ("clip_l", "clip_g", "t5xxl")),
        ("CLIPTextEncodeHiDream", ("clip_l", "clip_g", "t5xxl", "llama")),
        ("CLIPTextEncodeHunyuanDiT", ("bert", "mt5xl")),
        ("CLIPTextEncodeFlux", ("clip_l", "t5xxl")),
        ("EncodeForTwoNewModels", ("qwen3", "gemma_2b")),
        ("EncodeThreeThings", ("text", "prompt", "caption")),
    ],
)
@pytest.mark.parametrize("words", ["cat", "a cat", ""])
def test_every_text_of_an_encoder(class_type: str, texts: tuple[str, ...], words: str) -> None:
    """Without types, all texts of an encoder take the words, and none of its settings."""
    tree = encoder(class_type, **dict.fromkeys(texts, words), guidance=3.5, parser="A1111", weight_type="linear")
    assert roles(tree).positive == tuple(Place("6", name) for name in texts)


def test_texts_by_type() -> None:
    """With types, every STRING of an encoder is words, whatever its name, and no choice or file is."""
    types = {
        "NewEncode": {
            "input": {
                "required": {
                    "clip": ["CLIP"],
                    "alpha": ["STRING", {"multiline": True}],
                    "beta": ["STRING", {"multiline": True}],
                    "flavour": [["a cat", "a dog"]],
                    "embeds_path": ["STRING", {}],
                }
            },
            "output": ["CONDITIONING"],
        },
        "Words": {"input": {"required": {"value": ["STRING", {}]}}, "output": ["STRING"]},
    }
    tree = encoder("NewEncode", alpha="x", beta=["30", 0], flavour="a cat", embeds_path="x")
    tree["30"] = node("Words", value="y")
    assert roles(tree, types).positive == (Place("6", "alpha"), Place("30", "value"))


def test_texts_by_their_look() -> None:
    """Without types and telling names, what reads as words is words; single words and files are settings."""
    tree = encoder("NewEncode", alpha="a red fox", beta="a fox in snow", gamma="karras", delta="my models/x.bin")
    assert roles(tree).positive == (Place("6", "alpha"), Place("6", "beta"))


def test_words_for_a_part_of_the_picture() -> None:
    """A node that adds its text to conditioning does not hide the words that the conditioning comes from."""
    tree = txt2img(**{"10": node("GLIGENTextBoxApply", conditioning_to=["6", 0], clip=["4", 1], text="a hat", x=1)})
    tree["3"]["inputs"]["positive"] = ["10", 0]
    found = roles(tree)
    assert found.positive == (Place("6", "text"),)
    assert "several texts could be the positive prompt" in found.ambiguous


def guided(**guider: Any) -> Tree:
    """A graph whose sampler gets a guider."""
    tree = txt2img(
        g=node(guider.pop("class_type", "DualCFGGuider"), model=["4", 0], **guider),
        n=node("RandomNoise", noise_seed=5),
        s=node("KSamplerSelect", sampler_name="euler"),
        b=node("BasicScheduler", model=["4", 0], steps=4, scheduler="simple", denoise=1),
    )
    tree["3"] = node(
        "SamplerCustomAdvanced",
        noise=["n", 0],
        guider=["g", 0],
        sampler=["s", 0],
        sigmas=["b", 0],
        latent_image=["5", 0],
    )
    return tree


TYPES: Tree = {
    "DualCFGGuider": {
        "input": {"required": {"cond1": ["CONDITIONING"], "cond2": ["CONDITIONING"], "negative": ["CONDITIONING"]}},
        "output": ["GUIDER"],
    },
    "CLIPTextEncode": {"input": {"required": {"text": ["STRING", {}]}}, "output": ["CONDITIONING"]},
}


@pytest.mark.parametrize("types", [{}, TYPES], ids=["names", "types"])
@pytest.mark.parametrize(
    "sides",
    [
        {"cond1": ["6", 0], "cond2": ["7", 0], "negative": ["7", 0]},
        {"cond1": ["7", 0], "cond2": ["6", 0], "negative": ["7", 0]},
        {"negative": ["7", 0], "cond1": ["6", 0], "cond2": ["6", 0]},
    ],
)
def test_a_guider_with_a_negative_only(sides: Tree, types: Tree) -> None:
    """Beside a negative link the others are positive; what the negative holds, too, is not the member's."""
    tree = guided(**sides, cfg_conds=8, cfg_cond2_negative=4)
    tree["7"]["inputs"]["text"] = "ugly, and much longer than the words of the member"
    found = roles(tree, types)
    assert (found.positive, found.negative) == ((Place("6", "text"),), (Place("7", "text"),))


def test_sides_by_parts_of_names() -> None:
    """Sides are told by parts of names as well: pos and neg, uncond."""
    tree = guided(class_type="SomeGuider", cond_pos=["6", 0], uncond=["7", 0])
    assert roles(tree).positive == (Place("6", "text"),)
    assert roles(tree).negative == (Place("7", "text"),)


def test_guidance_against_words() -> None:
    """What guides against words (NAG) is never the member's prompt, and is the negative where there is no other."""
    tree = txt2img(**{"60": node("ConditioningZeroOut", conditioning=["6", 0])})
    tree["3"]["inputs"] |= {"negative": ["60", 0], "nag_negative": ["7", 0]}
    assert roles(tree).negative == (Place("7", "text"),)

    apart = txt2img(**{"60": node("ApplyNAG", original_text_embeds=["6", 0], nag_text_embeds=["7", 0], nag_scale=11)})
    apart["3"]["inputs"]["text_embeds"] = ["60", 0]
    del apart["3"]["inputs"]["positive"], apart["3"]["inputs"]["negative"]
    apart["7"]["inputs"]["text"] = "ugly, and much longer than the words of the member"
    assert roles(apart).positive == (Place("6", "text"),)


def test_sides_of_a_sampler_with_two_models() -> None:
    """Sides are found also where their names say for which model they are."""
    tree = txt2img()
    tree["3"]["inputs"] |= {"base_positive": ["6", 0], "base_negative": ["7", 0]}
    del tree["3"]["inputs"]["positive"], tree["3"]["inputs"]["negative"]
    found = roles(tree)
    assert (found.positive, found.negative) == ((Place("6", "text"),), (Place("7", "text"),))


def test_sampling_in_two_nodes() -> None:
    """A node that sets seed, steps, cfg and sampler of a bundle is where the sampling is, whatever it is called."""
    tree: Tree = {
        "1": node("FullLoader", ckpt_name="m.safetensors", positive="a cat", negative="bad"),
        "2": node("preSampling", pipe=["1", 0], steps=20, cfg=8, sampler_name="euler", scheduler="normal", seed=6),
        "3": node("kSampler", pipe=["2", 0], image_output="Save"),
    }
    found = roles(tree)
    assert (found.positive, found.negative) == ((Place("1", "positive"),), (Place("1", "negative"),))
    assert (found.seeds, found.outputs) == ((Place("2", "seed"),), ("3",))


@pytest.mark.parametrize(
    ("source", "place"),
    [
        (node("Translate", from_translate="automatic", to_translate="english", text="cat"), "text"),
        (node("Wildcards", wildcard_text="a cat", populated_text="a big black cat", mode="populate"), "wildcard_text"),
        (node("Wildcards", wildcard_text="a cat", populated_text="cat", mode="fixed"), "populated_text"),
    ],
)
def test_settings_of_string_nodes_are_no_words(source: Tree, place: str) -> None:
    """Beside a text, single words are settings; what wildcards were made into is words only if it stays so."""
    tree = txt2img(**{"20": source})
    tree["6"]["inputs"]["text"] = ["20", 0]
    assert roles(tree).positive == (Place("20", place),)
    assert roles(tree).ambiguous == ()


def test_the_first_of_any() -> None:
    """A switch that takes whatever comes first takes its first input."""
    tree = txt2img(
        **{
            "20": node("Any Switch", any_01=["21", 0], any_02=["22", 0]),
            "21": node("PrimitiveString", value="cat"),
            "22": node("PrimitiveString", value="a much longer text"),
        }
    )
    tree["6"]["inputs"]["text"] = ["20", 0]
    assert roles(tree).positive == (Place("21", "value"),)


def test_a_store_of_texts() -> None:
    """A node that keeps several texts gives each by its own output; none is joined with another."""
    tree = txt2img(**{"20": node("Texts", text="a cat", text_b="bad", text_c="a much longer remark", text_d="")})
    tree["6"]["inputs"]["text"] = ["20", 0]
    tree["7"]["inputs"]["text"] = ["20", 1]
    found = roles(tree)
    assert (found.positive, found.negative) == ((Place("20", "text"),), (Place("20", "text_b"),))
    assert found.ambiguous == ()
