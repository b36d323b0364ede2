"""Nothing that is refused reaches a server: every way to ask, over the wire, with words that the guild has listed."""

import io
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from bot.model.jsontree import items
from bot.sandbox.run import Sandbox, running
from tests.conftest import FAST, PROJECT, eventually
from tests.guild import decides, lists
from tests.person import Person, at_rest
from tests.workflow.graphs import node, sampler, txt2img

LISTED = ("zorblat", "ink", "heun", "grumble")
"""A word; one in the name of a LoRA file; one of a list; a template's default."""
SPLIT = "zor<lora:watercolour:1>blat"

FLOW = txt2img() | {
    "16": node("CLIPTextEncode", text="plain", clip=["4", 1]),
    "17": node("ConditioningCombine", conditioning_1=["6", 0], conditioning_2=["16", 0]),
    "3": sampler(model=["4", 0], positive=["17", 0], negative=["7", 0], latent_image=["5", 0]),
}
STYLE = """
[options.prompt]
role = "prompt"
places = [["6", "text"]]
[options.style]
places = [["16", "text"]]
default = "plain"
[options.look]
places = [["3", "sampler_name"]]
choices = ["euler", "heun"]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The shipped templates, one with options of all kinds of text, and one whose own words are listed."""
    made = Path(shutil.copytree(PROJECT / "templates", tmp_path / "templates"))
    for name, manifest in (("flow", STYLE), ("rough", STYLE.replace('"plain"', '"a grumble"'))):
        (made / f"{name}.json").write_text(json.dumps(FLOW), encoding="utf-8")
        (made / f"{name}.toml").write_text(manifest, encoding="utf-8")
    return made


def everything_typed(sandbox: Sandbox, max_: Person) -> list[tuple[str, dict[str, Any]]]:
    """Return every command that asks for a picture, with the listed word in each of its options that take text."""
    picture = io.BytesIO()
    Image.new("RGBA", (64, 64), (200, 30, 30, 0)).save(picture, "PNG")
    asked: list[tuple[str, dict[str, Any]]] = []
    for command in sandbox.discord.world.commands:
        if command["name"] != "imagine" and command["name"] not in sandbox.app.library.by_name:
            continue
        options = items(command.get("options"))
        needed = {
            one["name"]: max_.brings(picture.getvalue()) if one["type"] == 11 else "a fox"
            for one in options
            if one.get("required")
        }
        free = [one["name"] for one in options if one["type"] == 3 and not one.get("choices")]
        asked += [(command["name"], {**needed, name: f"a {LISTED[0]} b"}) for name in free]
    return asked


HIDDEN: list[tuple[str, dict[str, Any]]] = [
    ("imagine", {"prompt": SPLIT}),
    ("imagine", {"prompt": "a fox", "negative": SPLIT}),
    ("imagine", {"prompt": f"a fox <lora:{LISTED[0]}:1>"}),
    ("imagine", {"prompt": "a fox <lora:brush:0.5>"}),
    ("imagine", {"prompt": "a fox", "negative": "<lora:brush:0.5>"}),
    ("imagine", {"prompt": "a fox BREAK zor\u200bblat AND a dog"}),
    ("imagine", {"prompt": "a fox", "template": "rough"}),
    ("flow", {"prompt": SPLIT}),
    ("flow", {"prompt": "a fox", "style": "z0rblat"}),
    ("flow", {"prompt": "a fox", "look": "heun"}),
    ("rough", {"prompt": "a fox"}),
]
"""Listed words in tags, across tags, in what tags and choices mean, and in what the template itself says."""


async def test_no_listed_word_reaches_a_server(folder: Path) -> None:
    """Each option of each command, tags, names behind tags, and defaults are refused, and nobody reads the word."""
    async with running(pace=FAST, templates_dir=folder) as sandbox:
        assert await sandbox.app.fleet_ready()
        max_ = Person(sandbox, "max")
        await eventually(lambda: {"flow", "rough"} <= max_.offered(), "not all commands are there")
        await decides(sandbox, commands_per_minute="600", member_waiting="1000")
        await lists(sandbox, *LISTED)
        asked = [*everything_typed(sandbox, max_), *HIDDEN]
        assert len(asked) > 25
        through: list[str] = []
        for name, options in asked:
            reply = await max_.until(at_rest, await max_.says(name, **options))
            if "word" not in reply.words or any(word in reply.words for word in LISTED):
                through.append(f"/{name} {options}: {reply.words[:80]}")
        assert through == []
        assert sandbox.comfyui is not None
        assert sandbox.comfyui.worker.history == {}
        assert await sandbox.app.bench.jobs.live() == []
        await max_.picture(await max_.says("flow", prompt="a fox", style="soft", look="euler"))


async def test_again_is_judged_by_the_list_of_now(sandbox: Sandbox, max_: Person) -> None:
    """A picture made before its word was listed is not made again: not by its button, not after a restart."""
    message = await max_.picture(await max_.says("imagine", prompt="a zorblat"))
    await lists(sandbox, "zorblat")

    assert "word" in (await max_.until(at_rest, await max_.presses(message, "again"))).words
    async with sandbox.restarted():
        assert await sandbox.app.fleet_ready()
        reply = await max_.until(at_rest, await max_.presses(message, "again"))
        assert "word" in reply.words
        assert "zorblat" not in reply.words
        assert sandbox.comfyui is not None
        assert len(sandbox.comfyui.worker.history) == 1
