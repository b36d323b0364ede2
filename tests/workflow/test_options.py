"""Options from roles, node list and manifest; manifests that are wrong, with file, line, key and reason."""

import json
from pathlib import Path
from typing import Any

import pytest

from bot.comfy.models import parse_node_list
from bot.errors import RequestError
from bot.model.request import Request, Size
from bot.sandbox.comfyui.nodes import OBJECT_INFO, with_models
from bot.workflow.build import build, checked_value
from bot.workflow.draft import draft
from bot.workflow.fitness import graph_problems, problems
from bot.workflow.graph import Graph, GraphError, Place, parse_graph
from bot.workflow.matching import near, offered, resolve
from bot.workflow.options import Kind, Option, listed
from bot.workflow.template import Template, equipped, load_template
from tests.workflow.graphs import Tree, node, sampler, txt2img

NODES = parse_node_list(with_models([("CheckpointLoaderSimple", "ckpt_name", "m.safetensors")]))


def load(folder: Path, manifest: str = "", tree: Tree | None = None) -> Template:
    (folder / "flow.json").write_text(json.dumps(tree or txt2img()), encoding="utf-8")
    (folder / "flow.toml").write_text(manifest, encoding="utf-8")
    return load_template(folder / "flow.json")


def option(source: Template, name: str) -> Option:
    return next(one for one in source.options if one.name == name)


def test_without_a_manifest_options_come_from_the_graph(tmp_path: Path) -> None:
    """Each role is an option; the prompt is required and first; ranges and lists are the server's, within reason."""
    source = equipped(load(tmp_path), [NODES])
    assert [one.name for one in source.options] == [
        *("prompt", "negative", "size", "seed", "count", "steps", "cfg", "sampler", "scheduler", "denoise", "model")
    ]
    assert [one.name for one in source.options if one.required] == ["prompt"]
    assert (option(source, "steps").minimum, option(source, "steps").maximum) == (1, 150)
    assert "euler" in (option(source, "sampler").choices or ())
    assert option(source, "model").choices == ("easel-sd15.safetensors", "easel-sdxl.safetensors",
                                               "easel-flux1-fp8.safetensors", "m.safetensors")  # fmt: skip
    assert source.command == "flow"


def test_pictures_are_numbered_and_required(tmp_path: Path) -> None:
    """The second picture is image2; a mask that shares its loader is not required."""
    tree = txt2img(
        **{
            "20": node("LoadImage", image="a.png"),
            "21": node("LoadImage", image="b.png"),
            "22": node("ImageBatch", image1=["20", 0], image2=["21", 0]),
            "23": node("SetLatentNoiseMask", samples=["24", 0], mask=["20", 1]),
            "24": node("VAEEncode", pixels=["22", 0], vae=["4", 2]),
        }
    )
    tree["3"]["inputs"]["latent_image"] = ["23", 0]
    source = load(tmp_path, tree=tree)
    assert [one.name for one in source.options if one.required] == ["prompt", "image", "image2"]
    assert option(source, "mask").places == (Place("20", "image"),)
    assert not option(source, "mask").required


@pytest.mark.parametrize(
    ("manifest", "line", "key", "words"),
    [
        ('title = "x"\ntitel = 1', 2, "titel", "did you mean title?"),
        ("[options.steps]\nmin = 9\nmax = 2", 1, "options.steps", "larger than max"),
        ('[options.x]\nrole = "wings"', 2, "options.x.role", "must be one of"),
        ("[options.image]\nrequired = true", 1, "options.image", "nothing in the workflow has the role"),
        ("[options.x]\nmin = 1", 1, "options.x", "give it a role, or the places"),
        ('[options.x]\nplaces = [["99", "seed"]]', 2, "options.x.places", "no node 99"),
        ('[options.x]\nplaces = [["3", "sed"]]', 2, "options.x.places", "(KSampler) has no input sed"),
        ('# c\n[fixed."3"]\ncgf = 1', 3, "fixed.3.cgf", "no input cgf"),
        ('outputs = ["77"]', 1, "outputs", "no node 77"),
        ('command = "My Command"', 1, "command", "lower case"),
        ('[options."Big One"]\nrole = "seed"', 1, "options", "no name for an option"),
        ("cost = 0", 1, "cost", "greater than 0"),
        ("[options.steps]\nchoices = [1, 2]\ndefault = 3", 1, "options.steps", "not one of the choices"),
        ('[options.x]\nplaces = [["3", "seed"]]\nlist = "cats"', 3, "options.x.list", "must be one of"),
        ('title = ""', 1, "title", "1 to 100 characters"),
        ("time_limit = 1", 1, "time_limit", "greater than or equal to 10"),
        ("a = = 1", None, "", "line 1"),
        ("[options.steps]\nmin = 200", 1, "options.steps", "larger than what is allowed at most, 150"),
        ('[options.steps]\nchoices = ["few", "many"]', 1, "options.steps", "choices must be numbers"),
        ('[options.steps]\ndefault = "many"', 1, "options.steps", "default must be a number"),
        ("[options.steps]\nmax = inf", 1, "options.steps", "ordinary numbers"),
        ('[options.size]\nchoices = ["1x1"]', 1, "options.size", "takes no choices"),
        ('[options.size]\nplaces = [["5", "width"]]', 1, "options.size", "in pairs"),
    ],
)  # fmt: skip
def test_manifest_faults(tmp_path: Path, manifest: str, line: int | None, key: str, words: str) -> None:
    """Each fault names file, line, key and reason."""
    with pytest.raises(GraphError) as caught:
        load(tmp_path, manifest)
    text = str(caught.value)
    assert text.startswith(f"flow.toml:{line}: {key}" if line else "flow.toml: ")
    assert words in text


def test_several_faults_are_told_at_once(tmp_path: Path) -> None:
    """One read tells all that is wrong."""
    with pytest.raises(GraphError) as caught:
        load(tmp_path, 'one = 1\n[options.steps]\nmin = "x"\n')
    assert len(str(caught.value).splitlines()) == 2


def test_values_are_held_against_ranges_and_lists() -> None:
    """Out of range and off the list are refused with what would be right; names may lack folder and ending."""
    steps = Option(name="steps", kind=Kind.WHOLE, role="steps", places=(), minimum=1, maximum=30)
    look = Option(
        name="look", kind=Kind.TEXT, role="", places=(), choices=("style/ink.safetensors", "wash.safetensors")
    )
    tens = Option(name="tens", kind=Kind.WHOLE, role="", places=(), choices=("10", "20"))
    assert checked_value(steps, 30) == 30
    for wrong in (0, 31, True, 2.5, "x"):
        with pytest.raises(RequestError) as caught:
            checked_value(steps, wrong)
        assert caught.value.facts == {"option": "steps", "low": "1", "high": "30"}
    assert checked_value(look, "INK") == "style/ink.safetensors"
    assert checked_value(tens, 20) == 20
    with pytest.raises(RequestError) as caught:
        checked_value(look, "wahs")
    assert "wash" in caught.value.facts["near"]


def test_names_are_matched_as_people_type_them() -> None:
    """With or without folder and ending, any case; where two could be meant, neither is."""
    names = ("a/ink.safetensors", "b/ink.safetensors", "Wash.pt", "plain")
    assert resolve("wash", names) == "Wash.pt"
    assert resolve("a/INK", names) == "a/ink.safetensors"
    assert resolve("a\\ink", names) == "a/ink.safetensors"
    assert resolve("ink", names) is None
    assert near("plian", names)[0] == "plain"
    assert offered("in", names)[:3] == ["a/ink.safetensors", "b/ink.safetensors", "plain"]
    assert len(offered("", [str(n) for n in range(99)])) == 25


def test_lists_of_servers() -> None:
    """A manifest's list is what any server has of it."""
    assert listed("loras", [NODES, NODES]) == ("ink/brush.safetensors", "watercolour.safetensors")
    assert listed("controlnets", [NODES]) == ()


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        ({"3": {"steps": 99999}}, "steps 99999 is above 10000"),
        ({"3": {"steps": "{{steps}}"}}, "'{{steps}}' is no number"),
        ({"3": {"sampler_name": "magic"}}, "missing sampler_name 'magic'"),
        ({"3": {"positive": ["5", 0]}}, "positive of KSampler is linked to a LATENT, and wants a CONDITIONING"),
        ({"8": {"vae": ["4", 7]}}, "output 7 of CheckpointLoaderSimple, which has 3"),
        ({"8": {"vae": None}}, ""),
    ],
)
def test_what_is_wrong_with_a_graph_is_named(edit: dict[str, dict[str, object]], words: str) -> None:
    """Values out of range, placeholders, links of the wrong type and missing inputs are found before a server does."""
    tree = txt2img()
    for name, inputs in edit.items():
        tree[name]["inputs"] |= inputs
    found = "; ".join(graph_problems(parse_graph(tree), NODES, frozenset()))
    assert words in found
    assert bool(found) is bool(words)
    del tree["3"]["inputs"]["cfg"]
    assert "missing input cfg (KSampler)" in "; ".join(graph_problems(parse_graph(tree), NODES, frozenset()))


def test_what_a_request_fills_does_not_matter(tmp_path: Path) -> None:
    """A placeholder in a seed, and a picture that is not there, are no fault: every request brings its own."""
    tree = txt2img(
        **{"20": node("LoadImage", image="gone.png"), "21": node("VAEEncode", pixels=["20", 0], vae=["4", 2])}
    )
    tree["3"]["inputs"] |= {"latent_image": ["21", 0], "seed": "PARAM_INT_SEED"}
    assert problems(equipped(load(tmp_path, tree=tree), [NODES]), parse_node_list(OBJECT_INFO)) == (
        "missing ckpt_name 'm.safetensors' (CheckpointLoaderSimple)",
    )


def made(source: Template, **more: Any) -> Graph:
    fields: dict[str, Any] = {"prompt": "", "template": "t", "seed": 7, "member_id": 1, "guild_id": 2, "channel_id": 3}
    return build(equipped(source, [NODES]), Request(**{**fields, **more}), NODES, job_id="j")


def test_places_that_a_manifest_names_take_the_words(tmp_path: Path) -> None:
    """A role with places goes there and nowhere else; what was traced for it keeps the file's value."""
    joined = node("StringConcatenate", string_a=["p", 0], string_b=", oil", delimiter="")
    tree = txt2img(p=node("PrimitiveString", value="theirs"), q=joined)
    tree["6"]["inputs"]["text"] = ["q", 0]
    manifest = (
        '[options.idea]\nrole = "prompt"\nplaces = [["q", "string_b"]]\n[options.seed]\nplaces = [["5", "batch_size"]]'
    )
    source = load(tmp_path, manifest, tree)
    graph = made(source, prompt="mine")
    assert graph.nodes["q"].inputs["string_b"] == "mine"
    assert graph.nodes["p"].inputs["value"] == "theirs"
    assert graph.nodes["5"].inputs["batch_size"] == 7
    assert graph.nodes["3"].inputs["seed"] == 1
    assert [one.role for one in source.options].count("prompt") == 1


def test_what_is_hidden_or_left_out_keeps_the_files_value(tmp_path: Path) -> None:
    """A hidden prompt, and one that is not required and not given, are the file's own words."""
    assert made(load(tmp_path, "[options.prompt]\nhidden = true")).nodes["6"].inputs["text"] == "a cat"
    assert made(load(tmp_path, "[options.prompt]\nrequired = false")).nodes["6"].inputs["text"] == "a cat"


def test_what_is_fixed_stays_fixed(tmp_path: Path) -> None:
    """Fixed seeds, sizes and words are reached by nothing; their options are gone."""
    source = load(tmp_path, '[fixed."3"]\nseed = 5\n[fixed."6"]\ntext = "always"\n[fixed."5"]\nwidth = 64\nheight = 64')
    graph = made(source, prompt="mine")
    assert (graph.nodes["3"].inputs["seed"], graph.nodes["6"].inputs["text"]) == (5, "always")
    assert not {"seed", "prompt", "size"} & {one.name for one in source.options}


def test_ranges_of_size_and_count_hold(tmp_path: Path) -> None:
    """A manifest's limits for size and count are kept to; its step rounds."""
    source = load(tmp_path, "[options.size]\nmin = 256\nmax = 768\n[options.count]\nmax = 4\n[options.cfg]\nstep = 0.5")
    for more in ({"size": Size(width=1024, height=512)}, {"count": 9}):
        with pytest.raises(RequestError):
            made(source, prompt="x", **more)
    assert made(source, prompt="x", values={"cfg": 7.123}).nodes["3"].inputs["cfg"] == 7.0


def test_a_second_pass_keeps_its_proportion(tmp_path: Path) -> None:
    """With a hires fix, the later size stays a multiple of the first."""
    tree = txt2img(
        u=node("LatentUpscale", samples=["3", 0], upscale_method="area", width=1024, height=1280, crop="disabled"),
        s=sampler(model=["4", 0], positive=["6", 0], negative=["7", 0], latent_image=["u", 0]),
    )
    tree["8"]["inputs"]["samples"] = ["s", 0]
    graph = made(load(tmp_path, tree=tree), prompt="x", size=Size(width=640, height=512))
    assert (graph.nodes["5"].inputs["width"], graph.nodes["5"].inputs["height"]) == (640, 512)
    assert (graph.nodes["u"].inputs["width"], graph.nodes["u"].inputs["height"]) == (1280, 1024)


def test_the_draft_changes_nothing(tmp_path: Path) -> None:
    """A manifest as drafted makes the options that were there without it."""
    plain = equipped(load(tmp_path), [NODES])
    again = equipped(load(tmp_path, draft(plain)), [NODES])
    assert [(one.name, one.kind, one.required, one.places) for one in again.options] == [
        (one.name, one.kind, one.required, one.places) for one in plain.options
    ]
    assert made(again, prompt="x") == made(plain, prompt="x")


@pytest.mark.parametrize(
    ("manifest", "reason"),
    [
        ('follow_up = ["upscale"]', "does not take exactly one picture"),
        ('follow_up = ["Up scale"]', "no name for a follow-up"),
        ('follow_up = "upscale"', "must be a list"),
    ],
)
def test_a_follow_up_that_could_not_work_is_told(manifest: str, reason: str, tmp_path: Path) -> None:
    """A workflow without a picture cannot go on from one; the fault names file and line."""
    with pytest.raises(GraphError, match=reason) as told:
        load(tmp_path, manifest)
    assert "flow.toml:1: follow_up" in str(told.value)


def test_a_follow_up_takes_one_file(tmp_path: Path) -> None:
    """A template that works on one picture says so; a further option that must be given is a fault."""
    tree = {
        "20": node("LoadImage", image="a.png"),
        "21": node("ImageScaleBy", image=["20", 0], upscale_method="bicubic", scale_by=2.0),
        "9": node("SaveImage", images=["21", 0], filename_prefix="x"),
    }
    made = load(tmp_path, 'follow_up = ["upscale", "my-own"]', tree)
    assert made.takes is Kind.IMAGE
    must = '[options.factor]\nplaces = [["21", "scale_by"]]\nrequired = true\n'
    with pytest.raises(GraphError, match="factor must be given"):
        load(tmp_path, f'follow_up = ["upscale"]\n{must}', tree)
    assert load(tmp_path, f'follow_up = ["upscale"]\n{must}default = 2.0', tree).takes is Kind.IMAGE
