"""Graphs built by class and name; ready workflows, each accepted by the stand-in's validator."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from bot.comfy.models import NodeClass, parse_node_list
from bot.sandbox.comfyui.nodes import OBJECT_INFO
from bot.sandbox.comfyui.validation import Validation
from bot.workflow.builder import GraphBuilder
from bot.workflow.graph import Graph, GraphError
from bot.workflow.ready import WORKFLOWS, Studio, Wish
from bot.workflow.roles import trace

NODES = parse_node_list(OBJECT_INFO)


def accepted(graph: Graph) -> None:
    Validation(json.loads(json.dumps(graph.to_api())), lambda _: True).run(None)


@pytest.mark.parametrize("kind", sorted(WORKFLOWS))
@pytest.mark.parametrize(
    "more",
    [
        {},
        {"vae": "easel-vae.safetensors"},
        {"clip_skip": 2},
        {"loras": (("watercolour.safetensors", 0.5),)},
        {"socket": True},
    ],
)
def test_ready_workflows_are_accepted_and_traced(kind: str, more: Mapping[str, Any]) -> None:
    """Every ready workflow passes the validator, is the same each time, and has all its roles."""
    wish = Wish(checkpoint="easel-sdxl.safetensors", **more)
    graph = WORKFLOWS[kind](NODES, wish)
    accepted(graph)
    assert graph == WORKFLOWS[kind](NODES, wish)
    roles = trace(graph, NODES)
    assert roles.ambiguous == ()
    assert len(roles.positive) == len(roles.negative) == (2 if kind == "sdxl" else 1)
    assert len(roles.sizes) == len(roles.seeds) == len(roles.models) == len(roles.outputs) == 1


def test_outputs_are_found_by_type_even_where_slots_moved() -> None:
    """A server whose loader gives its outputs in another order gets other slots, from the same code."""
    swapped = dict(NODES)
    loader = NODES["CheckpointLoaderSimple"]
    swapped["CheckpointLoaderSimple"] = NodeClass(
        name=loader.name, inputs=loader.inputs, outputs=("VAE", "CLIP", "MODEL"), output_node=False
    )
    graph = WORKFLOWS["sd15"](swapped, Wish(checkpoint="easel-sd15.safetensors"))
    sampler = next(one for one in graph.nodes.values() if one.class_type == "KSampler")
    decode = next(one for one in graph.nodes.values() if one.class_type == "VAEDecode")
    assert sampler.inputs["model"][1] == 2
    assert decode.inputs["vae"][1] == 0


def test_outputs_are_found_by_name() -> None:
    """An output whose type says nothing is found by its name."""
    odd = NodeClass(name="Odd", inputs={}, outputs=("*", "*"), output_node=False, output_names=("first", "second"))
    assert GraphBuilder({"Odd": odd}).node("Odd").out("second").slot == 1


def test_wrong_calls_are_told() -> None:
    """Unknown classes, inputs and outputs, and required links that are missing, are named with what there is."""
    builder = GraphBuilder(NODES)
    with pytest.raises(GraphError, match="no node Magic"):
        builder.node("Magic")
    with pytest.raises(GraphError, match="has no input txt, only"):
        builder.node("CLIPTextEncode", txt="x")
    with pytest.raises(GraphError, match="needs its input clip"):
        builder.node("CLIPTextEncode", text="x")
    with pytest.raises(GraphError, match="has no output MODEL, only VAE"):
        builder.node("VAELoader").out("MODEL")


def test_any_custom_node() -> None:
    """A node of any class is added like the others, with the server's defaults."""
    studio = Studio(NODES)
    made = studio.custom("EmptyImage", "Blank", width=64)
    studio.save(made.out("IMAGE"))
    graph = studio.graph()
    assert graph.nodes[made.id].inputs == {"width": 64, "height": 512, "batch_size": 1, "color": 0}
    accepted(graph)
