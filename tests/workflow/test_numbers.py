"""Seeds and sizes end at numbers, never at files or names."""

from typing import Any

import pytest

from bot.comfy.models import parse_node_list
from bot.workflow.graph import Place, parse_graph
from bot.workflow.roles import Roles, trace
from tests.workflow.graphs import Tree, node, txt2img


def roles(tree: Tree, types: Tree | None = None) -> Roles:
    return trace(parse_graph(tree), parse_node_list(types or {}))


def with_size(**more: Any) -> Tree:
    """A graph whose latent takes its sides from nodes 20 and 21."""
    tree = txt2img(**more)
    tree["5"]["inputs"] |= {"width": ["20", 0], "height": ["21", 1]}
    return tree


PHOTOS: Tree = {"30": node("LoadImage", image="a.png"), "31": node("LoadImage", image="b.png")}
TYPES: Tree = {
    "LoadImage": {"input": {"required": {"image": [["a.png"], {"image_upload": True}]}}, "output": ["IMAGE", "MASK"]},
    "Hash": {"input": {"required": {"a": ["IMAGE"], "salt": ["INT"]}}, "output": ["INT"]},
}


@pytest.mark.parametrize("types", [{}, TYPES], ids=["names", "types"])
def test_a_seed_made_of_a_picture(types: Tree) -> None:
    """A seed that is computed of a picture is replaced at its own place; the picture's file is left alone."""
    link: Tree = {"a" if types else "image": ["30", 0]}
    tree = txt2img(**PHOTOS, **{"20": node("Hash", **link)})
    tree["3"]["inputs"]["seed"] = ["20", 0]
    found = roles(tree, types)
    assert found.seeds == (Place("3", "seed"),)
    assert "the seed comes from a node that Easel replaces" in found.ambiguous


def test_a_size_of_two_pictures() -> None:
    """Sides that come from pictures of the member have no place; no file name is taken for a number."""
    tree = with_size(**PHOTOS, **{"20": node("GetImageSize", image=["30", 0]), "21": node("GetSize", any=["31", 0])})
    assert roles(tree).sizes == ()


def test_a_size_behind_a_picture_that_was_resized() -> None:
    """The size of a picture is that of its maker, through nodes that do not change it."""
    size = node("GetImageSize", image=["22", 0])
    tree = with_size(**{"20": size, "21": size, "22": node("ImageSharpen", image=["23", 0], sharpen_radius=1)})
    tree["23"] = node("EmptyImage", width=640, height=["24", 0], color=0)
    tree["24"] = node("PrimitiveInt", value=384)
    assert [(one.width, one.height) for one in roles(tree).sizes] == [(Place("23", "width"), Place("24", "value"))]


def test_a_ring_has_no_number() -> None:
    """Nodes that give numbers to each other in a ring end nowhere, not at the next text."""
    ring = {"20": node("Math", a=["21", 0], ckpt_name="x.ckpt"), "21": node("Math", a=["20", 0], ckpt_name="y.ckpt")}
    tree = with_size(**ring)
    tree["3"]["inputs"]["seed"] = ["20", 0]
    assert roles(tree).sizes == ()
    assert roles(tree).seeds == (Place("3", "seed"),)


@pytest.mark.parametrize(
    ("text", "is_number"),
    [("12345", True), ("{{seed}}", True), ("%seed%", True), ("euler", False), ("a.png", False), ("", False)],
)
def test_numbers_in_quotes(*, text: str, is_number: bool) -> None:
    """Behind links only texts that look like numbers, or stand for one, are numbers."""
    tree = txt2img(**{"20": node("Whatever", anything=text)})
    tree["3"]["inputs"]["seed"] = ["20", 0]
    assert roles(tree).seeds == (Place("20", "anything") if is_number else Place("3", "seed"),)


def test_a_declared_text_is_no_number() -> None:
    """A text that the server declares as one is no number, whatever it looks like."""
    types = {"Whatever": {"input": {"required": {"anything": ["STRING", {}]}}, "output": ["INT"]}}
    tree = txt2img(**{"20": node("Whatever", anything="12345")})
    tree["3"]["inputs"]["seed"] = ["20", 0]
    assert roles(tree, types).seeds == (Place("3", "seed"),)


def test_names_of_samplers_behind_links() -> None:
    """A sampler's name is followed to the node that chooses it; the numbers beside it are not taken for it."""
    tree = txt2img(**{"20": node("KSamplerSelect", sampler_name="euler"), "21": node("SamplerAncestral", eta=1.0)})
    tree["3"]["inputs"]["sampler_name"] = ["20", 0]
    assert roles(tree).settings["sampler"] == (Place("20", "sampler_name"),)
    tree["3"]["inputs"]["sampler_name"] = ["21", 0]
    assert "sampler" not in roles(tree).settings


def test_sides_from_sliders() -> None:
    """A slider of one dimension holds one number, also the height; one of two holds both."""
    tree = with_size(**{"20": node("Slider", Xi=640, Xf=640.0), "21": node("Slider", Xi=384, Xf=384.0)})
    assert [(one.width, one.height) for one in roles(tree).sizes] == [(Place("20", "Xi"), Place("21", "Xi"))]
    both = with_size(**{"20": node("Slider", Xi=640, Yi=384), "21": node("Slider", Xi=640, Yi=384)})
    assert [(one.width, one.height) for one in roles(both).sizes] == [(Place("20", "Xi"), Place("21", "Yi"))]


def test_the_seed_that_is_only_noted_down() -> None:
    """A node that saves pictures has no seed of its own."""
    tree = txt2img(**{"9": node("PictureSaver", images=["8", 0], seed=0, filename="x")})
    assert roles(tree).seeds == (Place("3", "seed"),)


def test_files_of_merged_models() -> None:
    """Both files of a merge are models, also where a pack keeps more than the name."""
    tree = txt2img(
        **{
            "20": node("ModelMergeSimple", model1=["4", 0], model2=["21", 0], ratio=0.5),
            "21": node("CheckpointLoader", ckpt_name={"content": "b.safetensors", "image": None}),
        }
    )
    tree["3"]["inputs"]["model"] = ["20", 0]
    assert set(roles(tree).models) == {Place("4", "ckpt_name"), Place("21", "ckpt_name")}


@pytest.mark.timeout(10)
def test_a_maze_is_walked_once() -> None:
    """Where every node has two ways on, and all lead nowhere, the walk still ends at once."""
    maze = {f"x{at}": node("Math", a=[f"x{at + 1}", 0], b=[f"x{at + 1}", 1]) for at in range(40)}
    tree = txt2img(**maze, x40=node("LoadText", text="nothing"))
    tree["3"]["inputs"]["seed"] = ["x0", 0]
    assert roles(tree).seeds == (Place("3", "seed"),)
