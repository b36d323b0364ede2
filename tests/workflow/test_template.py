"""Templates: the folder, manifests, and what a server lacks."""

import json
import os
from pathlib import Path

import pytest

from bot.comfy.models import NodeList, parse_node_list
from bot.sandbox.comfyui.nodes import OBJECT_INFO
from bot.workflow.fitness import problems
from bot.workflow.graph import GraphError, Place
from bot.workflow.template import fitting_model, load_template, load_templates
from tests.conftest import PROJECT
from tests.workflow.graphs import node, txt2img


def write(folder: Path, name: str, tree: object, manifest: str = "") -> Path:
    path = folder / f"{name}.json"
    path.write_text(tree if isinstance(tree, str) else json.dumps(tree), encoding="utf-8")
    if manifest:
        path.with_suffix(".toml").write_text(manifest, encoding="utf-8")
    return path


def nodes(*checkpoints: str) -> NodeList:
    info = {name: {**entry} for name, entry in OBJECT_INFO.items()}
    loader = json.loads(json.dumps(info["CheckpointLoaderSimple"]))
    loader["input"]["required"]["ckpt_name"][0] = list(checkpoints)
    return parse_node_list({**info, "CheckpointLoaderSimple": loader})


def test_shipped_templates_are_in_order() -> None:
    """Every shipped file opens, is unambiguous (the upscaler has no words), and runs on the stand-in."""
    templates = load_templates(PROJECT / "templates")

    assert templates.faults == ()
    assert set(templates.by_name) == {"sd15", "sdxl", "flux", "socket", "upscale", "img2img", "inpaint"}
    known = parse_node_list(OBJECT_INFO)
    for template in templates.by_name.values():
        assert problems(template, known) == ()
        assert [option.name for option in template.options if option.required] == (
            {"upscale": ["image"], "img2img": ["prompt", "image"], "inpaint": ["prompt", "image"]}.get(
                template.name, ["prompt"]
            )
        )
        assert template.manifest.title


def test_a_faulty_file_takes_nobody_with_it(tmp_path: Path) -> None:
    """Each fault names its file and reason; the others load."""
    write(tmp_path, "good", txt2img())
    write(tmp_path, "ui", {"nodes": [], "links": []})
    write(tmp_path, "text", "not json")
    write(tmp_path, "toml", txt2img(), "title = ")
    write(tmp_path, "key", txt2img(), 'titel = "x"')
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe\x00")

    templates = load_templates(tmp_path)

    assert set(templates.by_name) == {"good"}
    faults = {fault.file: fault.reason for fault in templates.faults}
    assert set(faults) == {"ui.json", "text.json", "toml.json", "key.json", "binary.json"}
    assert "key.toml:1: titel" in faults["key.json"]
    assert load_templates(tmp_path / "nowhere").faults[0].reason == "there is no such folder"


def test_a_chain_without_end_is_told(tmp_path: Path) -> None:
    """A graph chained deeper than can be followed is a fault of that file only; what is no file is none."""
    chain = {str(n): node("ConditioningPass", conditioning=[str(n + 1), 0]) for n in range(10, 5000)}
    write(
        tmp_path,
        "deep",
        txt2img(**chain, **{"5000": node("CLIPTextEncode", text="x")})
        | {
            "3": {
                "class_type": "KSampler",
                "inputs": {
                    "seed": 1,
                    "steps": 2,
                    "positive": ["10", 0],
                    "negative": ["7", 0],
                    "latent_image": ["5", 0],
                },
            }
        },
    )
    write(tmp_path, "good", txt2img())
    os.mkfifo(tmp_path / "pipe.json")

    templates = load_templates(tmp_path)

    assert set(templates.by_name) == {"good"}
    assert {fault.file for fault in templates.faults} == {"deep.json", "pipe.json"}


def test_a_huge_file_is_refused(tmp_path: Path) -> None:
    """A file larger than any workflow is not even read."""
    path = tmp_path / "big.json"
    with path.open("wb") as file:
        file.truncate(9 * 2**20)
    with pytest.raises(GraphError, match="larger"):
        load_template(path)


def test_what_a_server_lacks_is_named(tmp_path: Path) -> None:
    """Missing node classes and missing files are told by name; what a member brings is not missed."""
    tree = txt2img(**{"10": node("FancyNode", images=["8", 0]), "11": node("LoadImage", image="mine.png")})
    tree["9"]["inputs"]["images"] = ["10", 0]
    tree["10"]["inputs"]["more"] = ["11", 0]
    found = problems(load_template(write(tmp_path, "x", tree)), nodes("other.safetensors"))

    assert found == ("missing ckpt_name 'm.safetensors' (CheckpointLoaderSimple)", "missing node FancyNode")


@pytest.mark.parametrize(
    ("listed", "taken"),
    [
        (["a-xl.safetensors", "tiny_sd15.safetensors"], "tiny_sd15.safetensors"),
        (["v1-5.safetensors"], "v1-5.safetensors"),
        (["flux1.safetensors", "SDXL.safetensors"], None),
        ([], None),
    ],
)
def test_the_first_fitting_model_is_taken(listed: list[str], taken: str | None) -> None:
    """`model = "auto"` takes the first file that fits, and a server without one lacks something."""
    template = load_template(PROJECT / "templates" / "sd15.json")
    known = nodes(*listed)

    assert fitting_model(template, Place("checkpoint", "ckpt_name"), known) == taken
    assert bool(problems(template, known)) == (taken is None)
