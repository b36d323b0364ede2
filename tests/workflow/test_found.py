"""How foreign pictures say they were made: three ways to say it, one record, and nothing that a stranger can break."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.comfy.models import parse_node_list
from bot.model.request import PROMPT_LIMIT, SEED_LIMIT, Request, Size
from bot.sandbox.comfyui.nodes import OBJECT_INFO
from bot.workflow.build import build
from bot.workflow.embedded import EASEL, GRAPH, INFOTEXT
from bot.workflow.found import BYTES, LORAS, NAME_LIMIT, Found, read_metadata
from bot.workflow.graph import read_graph
from bot.workflow.recipe import METADATA_KEY, recipe
from bot.workflow.roles import trace
from bot.workflow.template import load_template
from tests.conftest import PROJECT, shared
from tests.workflow.graphs import Tree, node, sampler, txt2img
from tests.workflow.pictures import MODEL, exif, png, saved

INFO = """a cat, <lora:ink:0.8>
on a mat
Negative prompt: bad,
worse
Steps: 20, Sampler: Euler a, Schedule type: Karras, CFG scale: 7.5, Seed: 123, Size: 512x768, Model: foo"""


def of_graph(tree: Any) -> Found | None:
    return read_metadata(png({GRAPH: json.dumps(tree)}))


def of_info(text: str) -> Found | None:
    return read_metadata(png({INFOTEXT: text}))


def test_a_picture_of_our_own() -> None:
    """The recipe that Easel wrote is read back: words as typed, numbers as they ran."""
    template = load_template(PROJECT / "templates" / "sdxl.json")
    asked = Request(prompt="a fox {x}", template="sdxl", seed=7, member_id=1, guild_id=None, channel_id=2,
                    negative="bad", size=Size(width=832, height=1216))  # fmt: skip
    said = recipe(template, asked, build(template, asked, parse_node_list(OBJECT_INFO), job_id="j"))
    found = read_metadata(png({METADATA_KEY: json.dumps(said), GRAPH: json.dumps(txt2img())}))

    assert found is not None
    assert (found.source, found.prompt, found.negative) == ("easel", asked.prompt, "bad")
    assert (found.seed, found.size) == (7, asked.size)
    assert (found.steps, found.cfg, found.sampler) == (said["steps"], said["cfg"], said["sampler"])
    assert found.model == said["models"][0]


def test_a_graph_of_comfyui() -> None:
    """Words, numbers, models and LoRAs are found by tracing; NaN, which ComfyUI writes, is no hindrance."""
    tree = txt2img(
        **{"10": node("LoraLoader", lora_name="ink.safetensors", strength_model=0.75, strength_clip=1, model=["4", 0])}
    )
    tree["3"]["inputs"] |= {"model": ["10", 0], "seed": 156680208700286}
    tree["9"]["is_changed"] = [float("nan")]
    assert of_graph(tree) == Found(
        source="comfyui",
        prompt="a cat",
        negative="bad",
        seed=156680208700286,
        size=Size(width=512, height=640),
        steps=20,
        cfg=7.0,
        sampler="euler",
        scheduler="normal",
        model="m.safetensors",
        loras=("ink.safetensors:0.75",),
    )


@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
def test_a_graph_in_exif(kind: str) -> None:
    """JPEG and WebP carry the graph in EXIF, labelled or inside an object."""
    text = json.dumps(txt2img())
    labelled = read_metadata(saved(kind, exif=exif({MODEL: f"prompt:{text}"})))
    wrapped = read_metadata(saved(kind, exif=exif(comment=b"ASCII\0\0\0" + json.dumps({"prompt": txt2img()}).encode())))
    assert labelled == wrapped == of_graph(txt2img())
    assert labelled is not None
    assert labelled.prompt == "a cat"


def test_what_a1111_writes() -> None:
    """Prompt and negative of several lines, then settings; tags stay in the prompt and are listed."""
    found = of_info(INFO)
    assert found == Found(
        source="a1111",
        prompt="a cat, <lora:ink:0.8>\non a mat",
        negative="bad,\nworse",
        seed=123,
        size=Size(width=512, height=768),
        steps=20,
        cfg=7.5,
        sampler="Euler a",
        scheduler="Karras",
        model="foo",
        loras=("ink:0.8",),
    )
    assert read_metadata(saved("JPEG", exif=exif(comment=b"UNICODE\0" + INFO.encode("utf-16-be")))) == found
    assert of_info(INFO.replace("\n", "\r\n")) == found


def test_a1111_with_less_and_more() -> None:
    """No negative, no prompt, quoted values with commas, keys that only end alike, lines behind the settings."""
    found = of_info(
        'Steps: 30, Hires steps: 9, Wild: "a, Seed: 1, \\"b\\"", Seed: 2, Model: "x, y", Size: 512, Seed: 3\nT: 1'
    )
    assert found == Found(source="a1111", steps=30, seed=2, model="x, y")
    assert of_info("Negative prompt: bad\nSteps: 1") == Found(source="a1111", negative="bad", steps=1)
    assert of_info("a\nSteps: 5\nb\nSteps: 6") == Found(source="a1111", prompt="a\nSteps: 5\nb", steps=6)
    assert of_info('a\nSteps: 5, Model: "odd\\q", VAE: "open, Seed: 1') == Found(
        source="a1111", prompt="a", steps=5, model="odd\\q", seed=1
    )


def test_loras_are_told_once_and_without_syntax() -> None:
    """A LoRA without a weight that can be read is its name alone; none is told twice, nor too many."""
    tags = "<lora:a> <LORA:b:te=1> <lora:c:1:2> <lora:a> <lora: :1>"
    found = of_info(f"{tags}\nSteps: 1")
    assert found is not None
    assert found.loras == ("a", "b", "c:1")
    many = of_info("".join(f"<lora:x{number}:1>" for number in range(LORAS + 5)) + "\nSteps: 1")
    assert many is not None
    assert len(many.loras) == LORAS
    odd = read_metadata(
        png({EASEL: json.dumps({"loras": [{"name": "<a:b>", "model": 1}, {"name": 1}, 2, {"name": "<"}]})})
    )
    assert odd == Found(source="easel", loras=("ab:1",))


@pytest.mark.parametrize(
    "texts",
    [
        {},
        {"Comment": "a cat"},
        {EASEL: "[]", GRAPH: "no json", INFOTEXT: "a text by somebody"},
        {EASEL: "{}", GRAPH: '{"nodes": [], "links": []}', INFOTEXT: '{"sui_image_params": {}}'},
        {GRAPH: json.dumps({"1": {"class_type": "X", "inputs": {}}})},
        {GRAPH: "[" * 100_000, EASEL: '{"a":' * 100_000},
    ],
)
def test_pictures_that_say_nothing(texts: dict[str, str]) -> None:
    """No text, or none that is understood: nothing is found."""
    assert read_metadata(png(texts)) is None


def test_the_first_source_with_a_prompt_counts() -> None:
    """Easel goes before the graph, that before A1111; but who knows the prompt before who does not."""
    ours, theirs = json.dumps({"prompt": "ours"}), json.dumps(txt2img())

    def prompt(**texts: str) -> tuple[str, str] | None:
        found = read_metadata(png(texts))
        return (found.source, found.prompt) if found else None

    assert prompt(easel=ours, prompt=theirs, parameters=INFO) == ("easel", "ours")
    assert prompt(prompt=theirs, parameters="x\nSteps: 1") == ("comfyui", "a cat")
    assert prompt(easel='{"seed": 1}', prompt="{}", parameters="x\nSteps: 1") == ("a1111", "x")
    assert prompt(easel='{"seed": 1}', parameters="Steps: 1") == ("easel", "")


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ({"seed": SEED_LIMIT + 1, "steps": 0, "cfg": 101, "width": 32, "height": 512}, {}),
        ({"seed": -1, "steps": 10**400, "cfg": float("nan"), "width": 512}, {}),
        ({"seed": True, "steps": 1.5, "cfg": [], "width": {}, "height": None}, {}),
        ({"seed": " 12 ", "steps": "20", "cfg": "7.5", "width": "512", "height": 512.0},
         {"seed": 12, "steps": 20, "cfg": 7.5, "size": Size(width=512, height=512)}),
        ({"seed": "1e5", "steps": "9" * 5000, "cfg": "inf", "sampler": 5, "scheduler": " ", "models": [None, [1]]}, {}),
        ({"seed": 0, "cfg": 0, "models": "x", "loras": {}}, {"seed": 0, "cfg": 0.0}),
        ({"seed": 3.0, "cfg": float("inf"), "models": [1, "a\n\tb"]}, {"seed": 3, "model": "a b"}),
    ],
)  # fmt: skip
def test_numbers_and_names_that_cannot_be(said: dict[str, object], found: dict[str, Any]) -> None:
    """What is out of range, or no number, or no name, is not told."""
    read = read_metadata(png({EASEL: json.dumps({"prompt": "x", **said})}))
    assert read == Found(source="easel", prompt="x", **found)


def test_texts_are_cut() -> None:
    """Prompts and names have their limits; what databases refuse is taken out."""
    said = {"prompt": "\0\ud800a\r" + "b" * 9000, "negative": "c" * 9000, "sampler": "d" * 900}
    found = read_metadata(png({EASEL: json.dumps(said)}))
    assert found is not None
    assert found.prompt == "a" + "b" * (PROMPT_LIMIT - 1)
    assert found.negative == "c" * PROMPT_LIMIT
    assert found.sampler == "d" * NAME_LIMIT


def test_files_too_large_are_not_read() -> None:
    """Beyond 30 MB nothing is looked at."""
    data = png({INFOTEXT: INFO})
    assert read_metadata(data + bytes(BYTES - len(data))) is not None
    assert read_metadata(data + bytes(BYTES - len(data) + 1)) is None


TANGLES: dict[str, Tree] = {
    "samplers in a row": {
        str(number): sampler(positive=[str(number - 1), 0], negative=["0", 0], latent_image=[str(number - 1), 0])
        for number in range(1, 900)
    } | {"0": node("EmptyLatentImage", width=8, height=8), "o": node("SaveImage", images=["899", 0])},
    "everything linked to everything": {
        str(number): sampler("KSampler", **{f"text_{other}": [str(other), 0] for other in range(90)})
        for number in range(90)
    } | {"o": node("SaveImage", images=["1", 0])},
    "tags and blanks": txt2img(**{"6": node("CLIPTextEncode", text="<lora:a> " * 40 + "x", clip=["4", 1])}) | {
        "7": node("CLIPTextEncode", text="<lora:a>" + " " * 100_000 + "x", clip=["4", 1])
    },
    "two thousand nodes": {str(number): node("SaveImage", images=["0", 0]) for number in range(2000)},
    "long names": txt2img(**{"x" * 9000: node("K" * 9000, "t" * 9000, **{"s" * 9000: ["3", 0]})}),
}  # fmt: skip


@pytest.mark.parametrize("name", TANGLES)
def test_a_strangers_graph_takes_no_long_time(name: str) -> None:
    """Graphs that were made to be slow are read or given up within seconds."""
    began = time.process_time()
    of_graph(TANGLES[name])
    assert time.process_time() - began < 10


def test_texts_with_many_tags_are_still_read() -> None:
    """Only the look at a text is short: the text comes as it stands."""
    found = of_graph(TANGLES["tags and blanks"])
    assert found is not None
    assert found.prompt == "<lora:a> " * 40 + "x"


def test_real_graphs() -> None:
    """All labelled graphs of the wild are read: the prompt is that of the trace, nothing is given up as too tangled."""
    for path in sorted(Path(shared("workflows", "api")).glob("*.json")):
        graph = read_graph(path.read_text(encoding="utf-8"))
        roles = trace(graph)
        words = graph.value(roles.positive[0]) if roles.positive and roles.outputs else ""
        found = of_graph(graph.to_api())
        assert (found.prompt if found else "") == _kept(words), path


def _kept(words: object) -> str:
    return words.replace("\r", "").strip()[:PROMPT_LIMIT] if isinstance(words, str) else ""


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
KEYS = ["prompt", "negative", "seed", "width", "height", "steps", "cfg", "sampler", "models", "loras"]
VALUES = JSON | st.lists(st.sampled_from(["1", "2", "3", 0, 1]), max_size=3)
INPUTS = st.dictionaries(
    st.sampled_from(
        ["text", "positive", "negative", "seed", "latent_image", "width", "lora_name", "images", "ckpt_name"]
    ),
    VALUES,
    max_size=6,
)
CLASSES = st.sampled_from(["KSampler", "CLIPTextEncode", "SaveImage", "LoraLoader", "EmptyLatentImage", "Switch"])
NODES = st.fixed_dictionaries({"class_type": CLASSES, "inputs": INPUTS}) | JSON
LINES = st.sampled_from(
    ["Negative prompt: ", "Steps: 1", ", Seed: ", '"', "\\", "\n", ", Size: 9x9", "<lora:", ":", ">"]
)


def usable(found: Found | None) -> None:
    assert found is None or len(found.prompt) <= PROMPT_LIMIT
    assert found is None or found.seed is None or 0 <= found.seed <= SEED_LIMIT
    str(found).encode()  # no half characters


@given(st.dictionaries(st.sampled_from(KEYS), JSON) | JSON)
def test_no_recipe_crashes(tree: object) -> None:
    """Whatever stands in Easel's own chunk, the answer is a record or none."""
    usable(read_metadata(png({EASEL: json.dumps(tree)})))


@given(st.fixed_dictionaries({"1": NODES, "2": NODES, "3": NODES}) | JSON)
def test_no_graph_crashes(tree: object) -> None:
    """Rings, wrong types, links to oneself: the answer is a record or none."""
    usable(of_graph(tree))


@given(st.lists(LINES | st.text(max_size=6), max_size=12).map("".join))
def test_no_infotext_crashes(text: str) -> None:
    """Every text is settings or none."""
    usable(read_metadata(png({INFOTEXT: text.encode(errors="ignore").decode() + "\nSteps: 1"})))


@given(st.binary(max_size=200))
def test_no_bytes_crash(data: bytes) -> None:
    """Every file is a picture that says something, or not."""
    for start in (b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe1", b"RIFF\0\0\0\0WEBPEXIF"):
        usable(read_metadata(start + data))
