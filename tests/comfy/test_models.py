"""HTTP answers → records, on own bodies and on recordings of two versions."""

from typing import Any

import pytest

from bot.comfy.errors import ExecutionFailed, Interrupted, OutOfMemory
from bot.comfy.events import ExecutionError
from bot.comfy.models import (
    execution_fault,
    parse_files,
    parse_history,
    parse_node_errors,
    parse_node_list,
    parse_queue,
    parse_refusal,
)
from bot.model.job import Result
from tests.conftest import records, shared


def test_pending_prompts_come_in_running_order() -> None:
    """The server lists a heap; we sort by number (facts G22)."""
    items = [[number, f"p{number}", {}, {}, []] for number in (-50, -5, 0.5, 7, 4, 1)]
    queue = parse_queue({"queue_running": [], "queue_pending": items})

    assert queue.pending == ("p-50", "p-5", "p0.5", "p1", "p4", "p7")


def test_files_of_odd_outputs() -> None:
    """Lists of several kinds count, entries may lack keys, and null is no output (facts G15)."""
    output = {
        "images": [{"filename": "a.png", "subfolder": "s", "type": "temp"}, {"filename": "b.png"}, {}, None, "x"],
        "gifs": [{"filename": "c.gif", "type": "weird"}],
        "text": ["words"],
        "animated": [True],
    }
    assert parse_files(output) == (
        Result(filename="a.png", subfolder="s", kind="temp"),
        Result(filename="b.png"),
        Result(filename="c.gif"),
    )
    assert parse_files(None) == ()


def entry(*messages: list[Any], status: str = "error", completed: bool = False) -> dict[str, Any]:
    return {"p": {"outputs": {}, "status": {"status_str": status, "completed": completed, "messages": list(messages)}}}


def test_history_tells_faults_apart() -> None:
    """An interrupt, a failing node, a block that is no end, and an unknown id are four things."""
    interrupted = parse_history(entry(["execution_interrupted", {"prompt_id": "p"}]), "p")
    failed = parse_history(entry(["execution_error", {"exception_type": "ValueError", "node_type": "K"}]), "p")
    blocked = parse_history(
        entry(["execution_error", {"exception_type": "ExecutionBlocked"}], status="success", completed=True), "p"
    )
    silent = parse_history(entry(), "p")

    assert interrupted is not None
    assert isinstance(interrupted.fault, Interrupted)
    assert failed is not None
    assert isinstance(failed.fault, ExecutionFailed)
    assert failed.fault.facts["node_type"] == "K"
    assert blocked is not None
    assert blocked.fault is None
    assert silent is not None
    assert isinstance(silent.fault, ExecutionFailed)
    assert parse_history({}, "p") is None


@pytest.mark.parametrize(
    ("kind", "message", "memory"),
    [
        ("torch.OutOfMemoryError", "CUDA out of memory", True),
        ("torch.cuda.OutOfMemoryError", "", True),
        ("RuntimeError", "DefaultCPUAllocator: can't allocate", True),
        ("RuntimeError", "something else", False),
    ],
)
def test_out_of_memory_is_told_apart(kind: str, message: str, *, memory: bool) -> None:
    """Three ways to run out of memory are known (facts G27)."""
    event = ExecutionError(prompt_id="p", node_id="1", node_type="K", kind=kind, message=message)
    assert isinstance(execution_fault(event), OutOfMemory) is memory


def test_both_combo_styles() -> None:
    """Choices are read from [[values], {}] and from ["COMBO", {"options": […]}]; they may be absent."""
    spec = {
        "a": [["x", "y"], {}],
        "b": ["COMBO", {"options": ["z", 1]}],
        "c": ["COMBO", {"remote": {}}],
        "d": ["INT", {"min": 1, "max": 5}],
        "e": [],
    }
    info = {
        "N": {
            "input": {"required": spec, "optional": {"o": ["MODEL"]}},
            "output": ["IMAGE", ["a"]],
            "output_node": True,
        },
        "bad": 5,
    }
    nodes = parse_node_list(info)

    assert set(nodes) == {"N"}
    node = nodes["N"]
    assert node.inputs["a"].choices == ("x", "y")
    assert node.inputs["b"].choices == ("z", "1")
    assert node.inputs["c"].choices is None
    assert (node.inputs["d"].minimum, node.inputs["d"].maximum) == (1, 5)
    assert not node.inputs["o"].required
    assert node.outputs == ("IMAGE", "COMBO")
    assert node.output_node


def test_recorded_node_list() -> None:
    """The whole recorded /object_info of 887 nodes is read, with the choices of either style."""
    answers = [
        one for one in records(shared("comfyui", "recordings", "http_02_object_info_full.jsonl")) if one.get("json")
    ]
    nodes = max((parse_node_list(one["json"]) for one in answers), key=len)

    assert len(nodes) > 800
    assert nodes["KSampler"].inputs["sampler_name"].choices
    assert nodes["SaveImage"].output_node
    styles = [spec for node in nodes.values() for spec in node.inputs.values() if spec.type == "COMBO"]
    assert sum(spec.choices is not None for spec in styles) > 400


@pytest.mark.parametrize("folder", [".", "v0.3.64"])
def test_recorded_refusals(folder: str) -> None:
    """Every recorded 400 of POST /prompt gives a kind, and node faults wherever a node is to blame."""
    path = shared("comfyui", "recordings", folder, "http_07_prompt_errors.jsonl")
    refused = [one for one in records(path) if one.get("path") == "/prompt" and one.get("status") == 400]

    assert len(refused) > 20
    for one in refused:
        kind, _, nodes = parse_refusal(one["json"])
        assert kind
        if kind == "prompt_outputs_failed_validation":
            assert bool(nodes) == bool(one["json"]["node_errors"]), one["name"]  # 0.3.64 tells cycles without a node
            assert all(node.kind for node in nodes)


def test_partly_valid_answers_name_the_nodes() -> None:
    """node_errors of a 200 are read like those of a 400; a node without details still counts."""
    (fault,) = parse_node_errors({"3": {"class_type": "SaveImage", "errors": []}})
    assert (fault.node_id, fault.class_type) == ("3", "SaveImage")
