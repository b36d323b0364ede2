"""Reading workflow files: what opens, what is refused and why, and that edits touch only their place."""

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.workflow.graph import Graph, GraphError, Place, parse_graph, read_graph
from tests.conftest import shared
from tests.workflow.graphs import node, txt2img

UI = {"nodes": [{"id": 1, "type": "KSampler"}], "links": [], "version": 0.4}


@pytest.mark.parametrize(
    "wrap",
    [
        lambda tree: tree,
        lambda tree: {"prompt": tree},
        lambda tree: {"input": {"workflow": tree}},
        lambda tree: {"input": {"workflow_json": json.dumps(tree)}},
        lambda tree: {"tests": [{"input": {"workflow": tree}}]},
        lambda tree: {"workflows": [{"workflowApiJSON": tree}]},
        lambda tree: [tree, UI],
        lambda tree: {"prompt": tree, "workflow": UI},
        lambda tree: {**tree, "_comment": "made by hand", "_meta": {"parameters": []}},
    ],
    ids=["bare", "prompt", "input", "text", "tests", "workflows", "list", "both formats", "extra keys"],
)
def test_wrapped_workflows_open(wrap: Any) -> None:
    """The envelopes that other tools use are looked through, and extra keys are left aside."""
    assert set(read_graph("\ufeff" + json.dumps(wrap(txt2img()))).nodes) == set(txt2img())


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (json.dumps(UI), "Export (API)"),
        (json.dumps({"workflow": UI}), "Export (API)"),
        ("{{ seed }}", "not JSON"),
        ('{"1": {"class_type": "A", "inputs": {"seed": __SEED__}}}', "not JSON"),
        ("[" * 100_000, "nested"),
        ("{}", "no workflow"),
        ("7", "no workflow"),
        ('{"1": {"class_type": "A", "inputs": {}}, "2": {"inputs": {}}}', "no class_type"),
        ('{"1": {"class_type": "A", "inputs": {"x": ["99", 0]}}}', "not in the file"),
    ],
    ids=["ui", "ui inside", "jinja", "placeholder", "deep", "empty", "number", "no class", "dangling"],
)
def test_what_cannot_run_is_refused_with_its_reason(source: str, words: str) -> None:
    """Each kind of unusable file has a reason of its own, and the UI format names the way to export it."""
    with pytest.raises(GraphError) as caught:
        read_graph(source)

    assert words in str(caught.value)


@given(st.recursive(st.none() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)))
def test_any_json_opens_or_is_refused(tree: Any) -> None:
    """No JSON crashes the reader."""
    with contextlib.suppress(GraphError):
        parse_graph(tree)


@given(st.text())
def test_a_value_is_only_ever_a_value(words: str) -> None:
    """Whatever text is put at a place, the graph keeps its nodes and classes, and the text comes out as it was."""
    graph = parse_graph(txt2img())
    edited = graph.with_values({Place("6", "text"): words})
    sent = json.loads(json.dumps(edited.to_api()))

    assert sent["6"]["inputs"].pop("text") == words
    plain = graph.to_api()
    plain["6"]["inputs"].pop("text")
    assert sent == plain
    assert graph.value(Place("6", "text")) == "a cat"


def test_an_edit_cannot_add_a_node() -> None:
    """A place that is not in the graph is a fault."""
    with pytest.raises(GraphError):
        parse_graph(txt2img()).with_values({Place("99", "text"): "x"})


def test_literal_lists_are_no_links() -> None:
    """A list that names no node and no slot is a value."""
    graph = parse_graph({"1": node("A", points=[[1, 2], [3, 4]], pair=[1.5, 2.5])})
    assert isinstance(graph, Graph)
    assert list(graph.links(graph.nodes["1"])) == []


def test_the_shared_odd_inputs() -> None:
    """Every odd or UI-format file met in the wild is opened, or refused with a reason."""
    files = sorted(Path(shared("workflows", "other")).glob("*.json"))
    assert len(files) > 30
    for path in files:
        reason = ""
        try:
            assert read_graph(path.read_text(encoding="utf-8")).nodes, path.name
        except GraphError as refused:
            reason = str(refused)
        assert not reason or len(reason) > 20, path.name
        if path.name.startswith(("ui_", "tmpl_")):
            with pytest.raises(GraphError, match="Export"):
                read_graph(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("key", ["_comment", "#", "// how to", "my_notes"])
def test_a_remark_with_inputs_is_no_node(key: str) -> None:
    """An entry without a class that nothing leads to and that leads nowhere is a remark, not a missing node."""
    graph = parse_graph({**txt2img(), key: {"inputs": {"prompt": "what to draw", "seed": 1}}})
    assert key not in graph.nodes
    with pytest.raises(GraphError, match="node 20 has no class_type"):
        parse_graph({**txt2img(), "20": {"inputs": {"images": ["8", 0]}}})
    with pytest.raises(GraphError, match="node 8 has no class_type"):
        parse_graph({**txt2img(), "8": {"inputs": {"text": "x"}}})


def test_names_in_messages_are_one_line() -> None:
    """Whatever a file calls its nodes and inputs, a reason is one line."""
    with pytest.raises(GraphError) as caught:
        parse_graph({"a\nb": {"class_type": "X", "inputs": {"y\nz": ["c\nd", 0]}}})
    assert str(caught.value) == "input y z of node a b is linked to node c d, which is not in the file"
