"""The editor's own format: converted with the server's node list where the extra is there, else refused in words."""

import json
import logging
import sys
from pathlib import Path
from typing import Any

import pytest

from bot.jobs.fleet import Fleet
from bot.jobs.library import Library
from bot.sandbox.comfyui.nodes import OBJECT_INFO
from bot.workflow.graph import GraphError, Place, UiFormat, read_graph
from bot.workflow.roles import trace
from bot.workflow.uiformat import converted, converter
from tests.conftest import shared


def drawn() -> dict[str, Any]:
    """A small workflow as the editor saves it: nodes with widgets in order, links as lists."""

    def one(at: int, kind: str, takes: list[Any], gives: list[Any], widgets: list[Any]) -> dict[str, Any]:
        inputs = [{"name": name, "type": type_, "link": link} for name, type_, link in takes]
        outputs = [{"name": type_, "type": type_, "links": links} for type_, links in gives]
        made = {"id": at, "type": kind, "order": at, "mode": 0, "inputs": inputs, "outputs": outputs}
        return {**made, "pos": [0, 0], "size": [1, 1], "flags": {}, "properties": {}, "widgets_values": widgets}

    sampled = [
        ("model", "MODEL", 1),
        ("positive", "CONDITIONING", 5),
        ("negative", "CONDITIONING", 6),
        ("latent_image", "LATENT", 2),
    ]
    loads = [("MODEL", [1]), ("CLIP", [3, 4]), ("VAE", [8])]
    nodes = [
        one(4, "CheckpointLoaderSimple", [], loads, ["easel-sd15.safetensors"]),
        one(6, "CLIPTextEncode", [("clip", "CLIP", 3)], [("CONDITIONING", [5])], ["a cat"]),
        one(7, "CLIPTextEncode", [("clip", "CLIP", 4)], [("CONDITIONING", [6])], ["bad"]),
        one(5, "EmptyLatentImage", [], [("LATENT", [2])], [512, 640, 1]),
        one(3, "KSampler", sampled, [("LATENT", [7])], [5, "randomize", 20, 7.0, "euler", "normal", 1.0]),
        one(8, "VAEDecode", [("samples", "LATENT", 7), ("vae", "VAE", 8)], [("IMAGE", [9])], []),
        one(9, "SaveImage", [("images", "IMAGE", 9)], [], ["x"]),
        one(20, "Note", [], [], ["a note"]),
    ]
    ends = [(4, 0, 3, 0, "MODEL"), (5, 0, 3, 3, "LATENT"), (4, 1, 6, 0, "CLIP"), (4, 1, 7, 0, "CLIP")]
    ends += [(6, 0, 3, 1, "CONDITIONING"), (7, 0, 3, 2, "CONDITIONING"), (3, 0, 8, 0, "LATENT")]
    ends += [(4, 2, 8, 1, "VAE"), (8, 0, 9, 0, "IMAGE")]
    links = [[number, *end] for number, end in enumerate(ends, 1)]
    return {"last_node_id": 20, "last_link_id": 9, "nodes": nodes, "links": links, "version": 0.4}


def test_the_editors_format_is_converted() -> None:
    """With the node list of a server the drawing becomes the graph, and the graph is traced as ever."""
    with pytest.raises(UiFormat) as caught:
        read_graph(json.dumps(drawn()))
    roles = trace(converted(caught.value.tree, OBJECT_INFO))
    assert roles.positive == (Place("6", "text"),)
    assert roles.seeds == (Place("3", "seed"),)
    assert roles.outputs == ("9",)


def test_the_converter_says_nothing_itself(caplog: pytest.LogCaptureFixture) -> None:
    """The converter's own remarks, which would go to the terminal, are kept quiet."""
    converted(drawn(), OBJECT_INFO)
    logging.getLogger("comfy_cli.workflow_to_api").warning("a remark")
    assert caplog.records == []


def test_without_the_extra_it_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file in the editor's format is refused with both ways out."""
    monkeypatch.setitem(sys.modules, "comfy_cli.workflow_to_api", None)
    assert converter() is None
    (tmp_path / "drawn.json").write_text(json.dumps(drawn()), encoding="utf-8")
    library = Library(tmp_path, Fleet([]))
    (fault,) = library.load()
    assert "Export (API)" in fault.reason
    assert "--extra ui-workflows" in fault.reason
    with pytest.raises(GraphError, match="ui-workflows"):
        converted(drawn(), OBJECT_INFO)


async def test_without_a_server_it_waits(tmp_path: Path) -> None:
    """With the extra and no server the file waits, and says for what."""
    (tmp_path / "drawn.json").write_text(json.dumps(drawn()), encoding="utf-8")
    library = Library(tmp_path, Fleet([]))
    assert library.load() == []
    assert await library.convert() == []
    assert "waits for a server" in library.faults[0].reason


def test_every_drawing_of_the_wild_is_converted_or_refused() -> None:
    """All files in the editor's format that were met become a graph or a reason, never a crash."""
    reasons: dict[str, str] = {}
    opened: list[str] = []
    for path in sorted(shared("workflows", "other").glob("*_*.json")):
        try:
            _open(path)
        except GraphError as fault:
            reasons[path.name] = str(fault)
        else:
            opened.append(path.name)
    assert all(len(reason) > 20 for reason in reasons.values())
    assert len(opened) >= 17
    assert "the server lacks nodes of it" in reasons["ui_07.json"]
    assert {"odd_08.json", "odd_09.json", "odd_10.json", "odd_21.json"} <= reasons.keys()


def _open(path: Path) -> None:
    try:
        read_graph(path.read_text(encoding="utf-8"))
    except UiFormat as found:
        converted(found.tree, OBJECT_INFO)
