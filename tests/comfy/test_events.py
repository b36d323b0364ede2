"""Frames → events: the recorded protocol, own frames, and any bytes whatever."""

import base64
import json
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.comfy.events import (
    Broken,
    Executing,
    ExecutionError,
    FeatureFlags,
    LegacyPicture,
    NodeText,
    Picture,
    Progress,
    ProgressState,
    Status,
    Unknown,
    parse_binary,
    parse_text,
)
from tests.conftest import records, shared


def text_of(kind: str, **data: object) -> str:
    return json.dumps({"type": kind, "data": data})


def test_own_frames_of_every_kind() -> None:
    """Each kind of frame that Easel uses becomes its record."""
    status = text_of("status", status={"exec_info": {"queue_remaining": 3}}, sid="me")
    assert parse_text(status) == Status(queue_remaining=3, sid="me")
    assert parse_text(text_of("executing", node=None, prompt_id="p")) == Executing(node=None, prompt_id="p")
    assert parse_text(text_of("executing", node="4")) == Executing(node="4", prompt_id=None)
    tick = parse_text(text_of("progress", value=2, max=4, prompt_id="p", node="k"))
    assert tick == Progress(prompt_id="p", node="k", value=2, maximum=4)
    nodes = {"1": {"state": "running"}, "2": {"state": "finished"}, "3": None}
    assert parse_text(text_of("progress_state", prompt_id="p", nodes=nodes)) == ProgressState(
        prompt_id="p", running=("1",)
    )
    assert parse_text(text_of("feature_flags", supports_preview_metadata=True)) == FeatureFlags(preview_metadata=True)
    error = parse_text(
        text_of("execution_error", prompt_id="p", exception_type="ExecutionBlocked", exception_message="\n")
    )
    assert isinstance(error, ExecutionError)
    assert not error.terminal


def test_bare_nan_is_read() -> None:
    """Python's JSON with bare NaN and Infinity is no fault (facts G15)."""
    event = parse_text(
        '{"type": "executed", "data": {"node": "1", "prompt_id": "p", "output": {"x": [NaN, Infinity]}}}'
    )
    assert not isinstance(event, Broken)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_numbers_that_are_none_break_nothing(number: str) -> None:
    """A tick without finite numbers is Broken, and a count that is none is 0: neither ends a healthy job."""
    assert isinstance(
        parse_text('{"type": "progress", "data": {"value": 1, "max": NaN}}'.replace("NaN", number)), Broken
    )
    status = '{"type": "status", "data": {"status": {"exec_info": {"queue_remaining": NaN}}}}'
    assert parse_text(status.replace("NaN", number)) == Status(queue_remaining=0)


def test_binary_layouts() -> None:
    """Types 1, 3 and 4 are taken apart byte for byte; type 2 and others are unknown."""
    assert parse_binary(struct.pack(">II", 1, 2) + b"png") == LegacyPicture(mime="image/png", data=b"png")
    head = json.dumps({"node_id": "k", "prompt_id": "p", "image_type": "image/jpeg"}).encode()
    frame = struct.pack(">II", 4, len(head)) + head + b"jpeg"
    assert parse_binary(frame) == Picture(prompt_id="p", node_id="k", mime="image/jpeg", data=b"jpeg")
    assert parse_binary(struct.pack(">II", 3, 2) + b"42words") == NodeText(node_id="42", words="words")
    assert parse_binary(struct.pack(">II", 2, 0)) == Unknown(kind="binary 2")


@pytest.mark.parametrize(
    "frame", ["", "{", "[]", "7", '{"type": 5}', "null", "[" * 100_000, '{"type": "progress", "data": {}}']
)
def test_malformed_text_is_a_value(frame: str) -> None:
    """Text that is no event becomes Broken, never an exception."""
    assert isinstance(parse_text(frame), Broken)


@given(st.binary(max_size=200))
def test_any_bytes_become_an_event(frame: bytes) -> None:
    """No binary frame raises."""
    parse_binary(frame)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)
KINDS = [
    "status",
    "executing",
    "executed",
    "progress",
    "progress_state",
    "execution_error",
    "execution_cached",
    "other",
]


@given(st.sampled_from(KINDS), JSON)
def test_any_data_of_any_kind_becomes_an_event(kind: str, data: object) -> None:
    """No shape of data raises."""
    parse_text(json.dumps({"type": kind, "data": data}))


@pytest.mark.parametrize("folder", [".", "v0.3.64"])
def test_recorded_frames(folder: str) -> None:
    """Every frame that real servers of two versions sent is understood; only what Easel does not use is Unknown."""
    unknown: set[str] = set()
    frames = 0
    for path in sorted(Path(shared("comfyui", "recordings", folder)).glob("ws_*.jsonl")):
        for record in records(path):
            if record["kind"] != "ws" or record.get("dir") != "recv":
                continue
            if record["type"] == "text":
                event = parse_text(json.dumps(record["data"])) if "data" in record else None
            else:
                event = parse_binary(base64.b64decode(record["binary"]["b64"]))
            frames += event is not None
            assert not isinstance(event, Broken), (path.name, record)
            if isinstance(event, Unknown):
                unknown.add(event.kind)
    assert frames > 200
    assert unknown <= {"logs", "rec.custom", "binary 2"} | {
        kind for kind in unknown if kind.startswith(("rec", "assets", "easel"))
    }
