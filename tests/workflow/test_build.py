"""A graph is a pure function of template, request and node list."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.comfy.models import parse_node_list
from bot.errors import RequestError
from bot.model.request import Request, Size
from bot.sandbox.comfyui.nodes import OBJECT_INFO
from bot.workflow.build import build, frame_nodes
from bot.workflow.graph import parse_graph
from bot.workflow.roles import Roles
from bot.workflow.template import Manifest, Template, equipped, load_templates
from tests.conftest import PROJECT
from tests.workflow.graphs import Tree, node, txt2img

NODES = parse_node_list(OBJECT_INFO)
SHIPPED = load_templates(PROJECT / "templates").by_name


def template(tree: Tree) -> Template:
    graph = parse_graph(tree)
    return equipped(Template(name="t", graph=graph, roles=Roles(), manifest=Manifest()), [])


def request(**more: object) -> Request:
    fields: dict[str, object] = {
        "prompt": "p",
        "template": "t",
        "seed": 7,
        "member_id": 1,
        "guild_id": 2,
        "channel_id": 3,
    }
    return Request(**{**fields, **more})  # pyright: ignore[reportArgumentType]


WORDS = st.text().filter(lambda text: bool(text.strip()))


@given(WORDS, st.text(), st.integers(0, 2**53 - 1), st.sampled_from(["sd15", "sdxl", "socket"]))
def test_words_and_seed_reach_their_places_and_nothing_else(prompt: str, negative: str, seed: int, name: str) -> None:
    """Any words and any seed end up at the traced places; classes, links and other values stay."""
    source = SHIPPED[name]
    graph = build(source, request(prompt=prompt, negative=negative, seed=seed), NODES, job_id="j")

    assert [graph.value(place) for place in source.roles.positive] == [prompt] * len(source.roles.positive)
    assert [graph.value(place) for place in source.roles.negative] == [negative] * len(source.roles.negative)
    assert [graph.value(place) for place in source.roles.seeds] == [seed]
    changed = {*source.roles.positive, *source.roles.negative, *source.roles.seeds, *source.roles.models}
    for one in source.graph.nodes.values():
        assert graph.nodes[one.id].class_type == one.class_type
        for key, value in one.inputs.items():
            if (one.id, key) not in changed and key != "filename_prefix":
                assert graph.nodes[one.id].inputs[key] == value


def test_the_same_request_gives_the_same_graph() -> None:
    """Nothing is drawn, counted or looked up while building."""
    first, second = (
        build(SHIPPED["sdxl"], request(size=Size(width=640, height=512), count=2), NODES, job_id="j") for _ in range(2)
    )
    assert first.to_api() == second.to_api()


def test_prefixes_are_the_jobs_own() -> None:
    """Two jobs never share a file name."""
    names = {
        build(SHIPPED["sd15"], request(), NODES, job_id=one).nodes["save"].inputs["filename_prefix"] for one in "ab"
    }
    assert names == {"easel/a", "easel/b"}


@pytest.mark.parametrize(
    ("tree", "more", "key"),
    [
        (
            txt2img(**{"10": node("LoadImage", image="x.png"), "9": node("SaveImage", images=["10", 0])}),
            {},
            "refused.needs_file",
        ),
        (
            txt2img(**{"7": node("ConditioningZeroOut", conditioning=["6", 0])}),
            {"negative": "x"},
            "refused.no_negative",
        ),
        (txt2img(**{"5": node("SomeLatent")}), {"size": Size(width=64, height=64)}, "refused.no_size"),
        (txt2img(**{"5": node("SomeLatent")}), {"count": 2}, "refused.no_count"),
    ],
)
def test_what_a_template_cannot_do_is_refused(tree: Tree, more: dict[str, object], key: str) -> None:
    """Options without a place in the graph are refused by name, not dropped."""
    with pytest.raises(RequestError) as caught:
        build(template(tree), request(**more), NODES, job_id="j")
    assert caught.value.key == key


def test_no_fitting_model_is_a_refusal() -> None:
    """A server without a fitting model cannot be given the graph."""
    with pytest.raises(RequestError, match="no_model"):
        build(SHIPPED["sd15"], request(), {}, job_id="j")


def test_one_picture_needs_no_batch() -> None:
    """Count 1 is what every template does."""
    build(template(txt2img(**{"5": node("SomeLatent")})), request(count=1), NODES, job_id="j")


def test_socket_outputs_are_known() -> None:
    """The output that sends frames is told from those that write files."""
    assert frame_nodes(SHIPPED["socket"].graph, SHIPPED["socket"].roles.outputs) == {"save"}
    assert frame_nodes(SHIPPED["sd15"].graph, SHIPPED["sd15"].roles.outputs) == frozenset()
    assert Path(PROJECT / "templates" / "README.md").is_file()
