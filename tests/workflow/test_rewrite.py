"""Syntax as nodes, in templates of many shapes: on its own branch only; the stand-in's validator takes each graph."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.comfy.models import parse_node_list
from bot.errors import RequestError
from bot.model.request import Request
from bot.sandbox.comfyui.nodes import OBJECT_INFO
from bot.sandbox.comfyui.validation import Validation
from bot.workflow.build import build
from bot.workflow.graph import Graph, Place, parse_graph
from bot.workflow.manifest import Manifest
from bot.workflow.roles import Roles
from bot.workflow.template import Template, equipped
from tests.workflow.graphs import Tree, node, sampler, txt2img

NODES = parse_node_list(OBJECT_INFO)
CHECKPOINT = "easel-sd15.safetensors"
STRENGTHS: Tree = {"strength_model": 1, "strength_clip": 1}


def template(tree: Tree, **manifest: object) -> Template:
    for one in tree.values():
        if "ckpt_name" in one["inputs"]:
            one["inputs"]["ckpt_name"] = CHECKPOINT
    bare = Template(name="t", graph=parse_graph(tree), roles=Roles(), manifest=Manifest.model_validate(manifest))
    return equipped(bare, [NODES])


def built(source: Template, prompt: str, negative: str | None = None) -> Graph:
    request = Request(prompt=prompt, template="t", seed=1, member_id=1, guild_id=2, channel_id=3, negative=negative)
    graph = build(source, request, NODES, job_id="j")
    Validation(json.loads(json.dumps(graph.to_api())), lambda _: True).run(None)
    assert graph == build(source, request, NODES, job_id="j")
    return graph


def loras(graph: Graph) -> list[str]:
    return [one.id for one in graph.nodes.values() if one.class_type.startswith("LoraLoader")]


def test_several_loras_are_a_chain() -> None:
    """Two LoRAs stand behind one another, in the order of the prompt."""
    graph = built(template(txt2img()), "x <lora:brush> <lora:watercolour:0.5>")
    first, second = loras(graph)
    assert graph.nodes[second].inputs["model"] == [first, 0]
    assert graph.nodes["3"].inputs["model"] == [second, 0]
    assert graph.nodes["6"].inputs["clip"] == [second, 1]
    assert graph.nodes["7"].inputs["clip"] == ["4", 1]
    assert graph.nodes["8"].inputs["vae"] == ["4", 2]


def test_a_lora_of_the_negative_leaves_the_model_alone() -> None:
    """Only the negative's encoder changes."""
    graph = built(template(txt2img()), "x", "<lora:brush>")
    (lora,) = loras(graph)
    assert graph.nodes["3"].inputs["model"] == ["4", 0]
    assert graph.nodes["7"].inputs["clip"] == [lora, 1]
    assert graph.nodes["6"].inputs["clip"] == ["4", 1]
    assert graph.nodes["7"].inputs["text"] == ""


def test_a_template_with_a_lora_of_its_own() -> None:
    """Where the text encoder comes through the template's own LoRA, no ring is made."""
    tree = txt2img(
        l=node("LoraLoader", model=["4", 0], clip=["4", 1], lora_name="watercolour.safetensors", **STRENGTHS),
        s=node("CLIPSetLastLayer", clip=["l", 1], stop_at_clip_layer=-2),
    )
    tree["3"]["inputs"]["model"] = ["l", 0]
    for encoder in ("6", "7"):
        tree[encoder]["inputs"]["clip"] = ["s", 0]
    graph = built(template(tree), "x <lora:brush>")
    through = graph.upstream([graph.nodes["3"].inputs["model"][0]])
    added = [one for one in loras(graph) if one != "l"]
    assert set(added) & through
    assert graph.nodes["7"].inputs["clip"] == ["s", 0]
    clip = graph.link(graph.nodes["6"].inputs["clip"])
    assert clip is not None
    assert clip.node in added


def test_a_refiner_stays_as_it_is() -> None:
    """The refiner's model and encoder take no LoRA of the prompt."""
    tree = txt2img(
        r=node("CheckpointLoaderSimple", ckpt_name="x"),
        re=node("CLIPTextEncode", text="a cat", clip=["r", 1]),
        rs=sampler(model=["r", 0], positive=["re", 0], negative=["7", 0], latent_image=["3", 0]),
    )
    tree["8"]["inputs"]["samples"] = ["rs", 0]
    source = template(tree)
    refiner = source.graph.with_values({Place("r", "ckpt_name"): "easel-refiner.safetensors"})
    source = equipped(Template(name="t", graph=refiner, roles=Roles(), manifest=Manifest()), [NODES])
    request = Request(prompt="x <lora:brush>", template="t", seed=1, member_id=1, guild_id=2, channel_id=3)
    graph = build(source, request, NODES, job_id="j")
    assert graph.nodes["rs"].inputs["model"] == ["r", 0]
    assert graph.nodes["re"].inputs["clip"] == ["r", 1]
    assert graph.nodes["3"].inputs["model"] == [loras(graph)[0], 0]


def test_parts_behind_string_nodes() -> None:
    """Where the words come from a string node, the string nodes are copied with the encoder."""
    joined = node("StringConcatenate", string_a=["p", 0], string_b=", oil", delimiter="")
    tree = txt2img(p=node("PrimitiveString", "prompt", value="a cat"), c=joined)
    tree["6"]["inputs"]["text"] = ["c", 0]
    graph = built(template(tree), "one BREAK two")
    assert graph.nodes["p"].inputs["value"] == "one"
    copies = [one for one in graph.nodes.values() if one.class_type == "PrimitiveString" and one.id != "p"]
    assert [one.inputs["value"] for one in copies] == ["two"]
    assert sum(one.class_type == "StringConcatenate" for one in graph.nodes.values()) == 2


def test_sdxl_encoders_take_parts() -> None:
    """Both texts of an SDXL encoder take the part."""
    tree = txt2img()
    tree["6"] = node("CLIPTextEncodeSDXL", text_g="a", text_l="a", width=1024, height=1024, crop_w=0, crop_h=0,
                     target_width=1024, target_height=1024, clip=["4", 1])  # fmt: skip
    graph = built(template(tree), "one AND two")
    copy = next(one for one in graph.nodes.values() if one.class_type == "CLIPTextEncodeSDXL" and one.id != "6")
    assert copy.inputs["text_g"] == copy.inputs["text_l"] == "two"


def test_syntax_can_be_switched_off() -> None:
    """With prompt_syntax = false the words reach the encoder as they are."""
    graph = built(template(txt2img(), prompt_syntax=False), "a <lora:nothing> BREAK b")
    assert graph.nodes["6"].inputs["text"] == "a <lora:nothing> BREAK b"
    assert loras(graph) == []


def test_where_there_is_no_place() -> None:
    """A template without a text encoder of its own refuses LoRAs and parts, each in its words."""
    tree = {
        "1": node("PrimitiveString", value="x"),
        "2": node("MagicPicture", prompt=["1", 0], seed=1),
        "3": node("SaveImage", images=["2", 0], filename_prefix="x"),
    }
    bare = Template(name="t", graph=parse_graph(tree), roles=Roles(), manifest=Manifest())
    for prompt, key in (("x <lora:brush>", "refused.no_lora_place"), ("a BREAK b", "refused.no_part_place")):
        request = Request(prompt=prompt, template="t", seed=1, member_id=1, guild_id=2, channel_id=3)
        with pytest.raises(RequestError) as caught:
            build(equipped(bare, []), request, NODES, job_id="j")
        assert caught.value.key == key


PIECES = st.lists(st.sampled_from(["a fox", "BREAK", "AND", "<lora:brush:0.5>", "<lora:watercolour>", "(night:1.2)"]),
                  min_size=1, max_size=7)  # fmt: skip


@given(PIECES, PIECES)
def test_any_mixture_gives_a_graph_that_is_accepted(positive: list[str], negative: list[str]) -> None:
    """Whatever is combined, the validator accepts the graph, and the same request gives the same graph."""
    built(template(txt2img()), " ".join(["x", *positive]), " ".join(negative))
