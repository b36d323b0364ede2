"""Workflows as commands: dropped in, edited, broken; prompts with syntax; pictures brought by members."""

import io
import json
import shutil
import time
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw

from bot.sandbox.discord.world import Message
from bot.sandbox.run import Sandbox, running
from tests.conftest import FAST, PROJECT, eventually, shared
from tests.person import Person, at_rest
from tests.workflow.graphs import Tree, node, txt2img
from tests.workflow.test_uiformat import drawn


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A templates' folder of the test's own, with the shipped ones in it."""
    return Path(shutil.copytree(PROJECT / "templates", tmp_path / "templates"))


@pytest.fixture
async def shop(folder: Path) -> AsyncGenerator[Sandbox]:
    """The sandbox on that folder."""
    async with running(pace=FAST, templates_dir=folder) as world:
        yield world


def commands(sandbox: Sandbox) -> set[str]:
    return {command["name"] for command in sandbox.discord.world.commands}


def last_graph(sandbox: Sandbox) -> Tree:
    assert sandbox.comfyui is not None
    return list(sandbox.comfyui.worker.history.values())[-1]["prompt"][2]


def picture(sandbox: Sandbox, message: Message, at: int = 0) -> Image.Image:
    return Image.open(io.BytesIO(sandbox.discord.world.files[message.attachments[at]["id"]][1]))


def owner(sandbox: Sandbox) -> str:
    """Return what the owner was told by direct message."""
    direct = sandbox.discord.world.direct_channel(sandbox.discord.world.person_named("olive"))
    messages = sandbox.discord.world.messages.values()
    return "\n".join(
        one.words.replace("\\", "").replace("\u200b", "") for one in messages if one.channel_id == direct.id
    )


def bring(sandbox: Sandbox, image: Image.Image, name: str = "mine.png", form: str = "PNG", **how: Any) -> str:
    """Upload a file as a member's client does, and return its id."""
    out = io.BytesIO()
    image.save(out, form, **how)
    file_id = sandbox.discord.world.new_id()
    sandbox.discord.world.files[file_id] = (name, out.getvalue())
    return file_id


async def words(person: Person, command: str, **options: Any) -> str:
    return (await person.until(at_rest, await person.says(command, **options))).words


async def test_a_dropped_file_is_a_command_within_two_seconds(shop: Sandbox, folder: Path) -> None:
    """A workflow file put into the folder becomes a working slash command, without a restart, within 2 s."""
    began = time.monotonic()
    (folder / "My New Flow.json").write_text(json.dumps(txt2img()), encoding="utf-8")
    await eventually(lambda: "my-new-flow" in commands(shop), "no command")
    assert time.monotonic() - began < 2

    max_ = Person(shop, "max")
    message = await max_.picture(await max_.says("my-new-flow", prompt="a red fox", steps="3", cfg="4.5", seed="9"))

    sampler = last_graph(shop)["3"]["inputs"]
    assert (sampler["steps"], sampler["cfg"], sampler["seed"]) == (3, 4.5, 9)
    assert "`9`" in message.words
    (folder / "My New Flow.json").unlink()
    await eventually(lambda: "my-new-flow" not in commands(shop), "the command stays")


@pytest.mark.parametrize("name", ["043", "049", "053", "056", "078", "086", "088", "098"])
async def test_real_workflows_become_commands(shop: Sandbox, folder: Path, name: str) -> None:
    """Files of the wild, copied as they are, become commands that make pictures in the sandbox."""
    shutil.copy(shared("workflows", "api", f"{name}.json"), folder / f"real-{name}.json")
    await eventually(lambda: f"real-{name}" in commands(shop), "no command")
    max_ = Person(shop, "max")
    command = next(one for one in shop.discord.world.commands if one["name"] == f"real-{name}")
    given: dict[str, Any] = {}
    for option in command["options"]:
        if option.get("required"):
            given[option["name"]] = bring(shop, Image.new("RGB", (64, 64), "red")) if option["type"] == 11 else "a fox"
    await max_.picture(await max_.says(f"real-{name}", **given))


async def test_a_broken_edit_keeps_the_last_good_version(shop: Sandbox, folder: Path) -> None:
    """A file broken by an edit goes on working as it was, and the owner is told by direct message what is wrong."""
    max_, olive = Person(shop, "max"), shop.discord.world.person_named("olive")
    (folder / "sdxl.toml").write_text("titel = 1\n", encoding="utf-8")

    def told() -> bool:
        direct = shop.discord.world.direct_channel(olive)
        return any(one.channel_id == direct.id for one in shop.discord.world.messages.values())

    await eventually(told, "the owner was not told")
    (message,) = [one for one in shop.discord.world.messages.values() if "sdxl.json" in one.words]
    assert "sdxl.toml:1: titel" in message.words.replace("\\", "").replace("\u200b", "")
    assert "stays in use" in message.words
    await max_.picture(await max_.says("sdxl", prompt="a fox"))
    (folder / "sdxl.toml").write_text('title = "Big"\nmodel = "auto"\nmodel_fits = ["xl"]\n', encoding="utf-8")
    await eventually(lambda: shop.app.library.by_name["sdxl"].title == "Big", "the mended file is not read")
    assert shop.app.library.faults == []


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        ({"10": node("FancyNode", images=["8", 0])}, "missing node FancyNode"),
        (
            {"3": txt2img()["3"] | {"inputs": txt2img()["3"]["inputs"] | {"scheduler": "new"}}},
            "missing scheduler 'new'",
        ),
        ({"9": node("ImageScaleBy", image=["8", 0], upscale_method="area", scale_by=2.0)}, "no output node"),
    ],
)
async def test_an_edit_that_cannot_run_keeps_the_version_before(
    shop: Sandbox, folder: Path, edit: dict[str, Any], words: str
) -> None:
    """A workflow that lost what made it work is told to the owner, and its command goes on; removed, it goes."""
    tree = txt2img()
    (folder / "mine.json").write_text(json.dumps(tree), encoding="utf-8")
    await eventually(lambda: "mine" in commands(shop), "it is not offered")
    (folder / "mine.json").write_text(json.dumps(tree | edit), encoding="utf-8")

    def told() -> list[str]:
        return [one.words.replace("\\", "") for one in shop.discord.world.messages.values() if "mine" in one.words]

    await eventually(lambda: bool(told()), "the owner was not told")
    assert words in told()[0]
    assert "the version before it stays in use" in told()[0]
    max_ = Person(shop, "max")
    await max_.picture(await max_.says("mine", prompt="a fox"))
    assert [one.reason.count("stays in use") for one in shop.app.library.faults] == [1]
    (folder / "mine.json").unlink()
    await eventually(lambda: "mine" not in commands(shop), "it is still offered")


async def test_an_edit_is_taken_as_soon_as_a_server_can_run_it(shop: Sandbox, folder: Path) -> None:
    """A new version whose model the server gets later is in use then, and nothing is wrong any more."""
    library, comfyui = shop.app.library, shop.comfyui
    assert comfyui is not None
    (folder / "mine.json").write_text(json.dumps(txt2img()), encoding="utf-8")
    await eventually(lambda: "mine" in commands(shop), "it is not offered")
    files, comfyui.wanted = comfyui.wanted, lambda: [("CheckpointLoaderSimple", "ckpt_name", "m.safetensors")]
    better = txt2img() | {"4": node("CheckpointLoaderSimple", ckpt_name="better.safetensors")}
    (folder / "mine.json").write_text(json.dumps(better), encoding="utf-8")
    await eventually(lambda: len(library.faults) == 1, "the fault is not known")
    assert library.by_name["mine"].graph.nodes["4"].inputs["ckpt_name"] == "m.safetensors"
    comfyui.wanted = files
    library.fleet.read_again()
    await eventually(lambda: library.faults == [], "it is not taken")
    assert library.by_name["mine"].graph.nodes["4"].inputs["ckpt_name"] == "better.safetensors"


async def test_what_no_server_can_run_is_not_offered(shop: Sandbox, folder: Path) -> None:
    """A workflow with unknown nodes has no command, and its state says why; mended, it is offered."""
    tree = txt2img(**{"10": node("FancyNode", images=["8", 0])})
    tree["9"]["inputs"]["images"] = ["10", 0]
    (folder / "fancy.json").write_text(json.dumps(tree), encoding="utf-8")

    def reasons() -> tuple[str, ...]:
        return next((one.reasons for one in shop.app.library.states() if one.name == "fancy"), ())

    await eventually(lambda: reasons() == ("sandbox: missing node FancyNode",), "no reason is given")
    await eventually(
        lambda: any("fancy.json" in one.words and "not offered" in one.words
                    for one in shop.discord.world.messages.values()), "the owner was not told",
    )  # fmt: skip
    assert "fancy" not in commands(shop)
    (folder / "fancy.json").write_text(json.dumps(txt2img()), encoding="utf-8")
    await eventually(lambda: "fancy" in commands(shop), "it is not offered")


async def test_a_manifest_makes_the_command(shop: Sandbox, folder: Path) -> None:
    """Names, descriptions, ranges, choices, lists, fixed values and places of a manifest are what Discord shows."""
    (folder / "flow.json").write_text(json.dumps(txt2img()), encoding="utf-8")
    (folder / "flow.toml").write_text(
        """
        title = {en = "My flow", ja = "私の流れ"}
        description = {en = "Flowing.", ja = "流れます。"}
        command = "paint"
        [options.idea]
        role = "prompt"
        description = {en = "What?", ja = "何"}
        [options.steps]
        min = 2
        max = 9
        default = 4
        [options.look]
        places = [["3", "sampler_name"]]
        choices = ["euler", "heun"]
        description = "The look."
        [options.rhythm]
        places = [["3", "scheduler"]]
        list = "schedulers"
        [options.negative]
        hidden = true
        [fixed."3"]
        cfg = 5.5
        """,
        encoding="utf-8",
    )
    await eventually(lambda: "paint" in commands(shop), "no command")
    command = next(one for one in shop.discord.world.commands if one["name"] == "paint")
    by_name = {option["name"]: option for option in command["options"]}
    assert command["description_localizations"]["ja"] == "流れます。"
    assert command["options"][0]["name"] == "idea"
    assert by_name["idea"]["required"]
    assert "negative" not in by_name
    assert (by_name["steps"]["min_value"], by_name["steps"]["max_value"]) == (2, 9)
    assert [one["value"] for one in by_name["look"]["choices"]] == ["euler", "heun"]
    assert "karras" in [one["value"] for one in by_name["rhythm"]["choices"]]

    max_ = Person(shop, "max")
    await max_.picture(await max_.says("paint", idea="a fox", look="heun"))
    sampler = last_graph(shop)["3"]["inputs"]
    assert (sampler["sampler_name"], sampler["cfg"], sampler["steps"]) == ("heun", 5.5, 4)
    assert last_graph(shop)["7"]["inputs"]["text"] == "bad"


async def test_loras_breaks_and_ands_change_the_graph(sandbox: Sandbox, max_: Person) -> None:
    """`<lora:…>` stands between loader, sampler and the prompt's own encoder; BREAK concatenates, AND combines."""
    await max_.picture(await max_.says("imagine", prompt="a fox <lora:brush:0.7> BREAK in snow AND at night", seed="3"))

    graph = last_graph(sandbox)
    (lora,) = [name for name, one in graph.items() if one["class_type"] == "LoraLoader"]
    assert graph[lora]["inputs"]["lora_name"] == "ink/brush.safetensors"
    assert graph[lora]["inputs"]["strength_model"] == graph[lora]["inputs"]["strength_clip"] == 0.7
    assert graph[lora]["inputs"]["model"] == ["checkpoint", 0]
    assert graph["sampler"]["inputs"]["model"] == [lora, 0]
    assert graph["positive"]["inputs"]["clip"] == [lora, 1]
    assert graph["negative"]["inputs"]["clip"] == ["checkpoint", 1]
    combine = graph[graph["sampler"]["inputs"]["positive"][0]]
    assert combine["class_type"] == "ConditioningCombine"
    concat = graph[combine["inputs"]["conditioning_1"][0]]
    assert concat["class_type"] == "ConditioningConcat"
    texts = [
        graph[concat["inputs"]["conditioning_to"][0]]["inputs"]["text"],
        graph[concat["inputs"]["conditioning_from"][0]]["inputs"]["text"],
        graph[combine["inputs"]["conditioning_2"][0]]["inputs"]["text"],
    ]
    assert texts == ["a fox", "in snow", "at night"]
    copies = [one for one in graph.values() if one["class_type"] == "CLIPTextEncode" and one is not graph["negative"]]
    assert all(one["inputs"]["clip"] == [lora, 1] for one in copies)


async def test_unknown_names_get_near_matches(sandbox: Sandbox, max_: Person) -> None:
    """A LoRA or embedding that no server has is refused with what is like it; wrong weights and floods are told."""
    assert "brush" in await words(max_, "imagine", prompt="x <lora:bruhs:1>")
    assert "no LoRA called" in await words(max_, "imagine", prompt="x <lora:zzzzqqqq:1>")
    assert "not a number" in await words(max_, "imagine", prompt="x <lora:brush:much>")
    assert "more than 8 LoRAs" in await words(max_, "imagine", prompt="x" + " <lora:brush:1>" * 9)
    assert "easel" in await words(max_, "imagine", prompt="x", negative="embedding:easel-negatve")
    assert sandbox.comfyui is not None
    assert sandbox.comfyui.worker.history == {}
    await max_.picture(await max_.says("imagine", prompt="x", negative="embedding:easel-negative, (bad:1.2)"))
    assert last_graph(sandbox)["negative"]["inputs"]["text"] == "embedding:easel-negative, (bad:1.2)"


async def test_the_recipe_is_kept_and_in_the_picture(sandbox: Sandbox, max_: Person) -> None:
    """What made a picture is stored with the job and in the PNG's metadata."""
    message = await max_.picture(await max_.says("sd15", prompt="a fox <lora:watercolour>", seed="5", steps="4"))
    with picture(sandbox, message) as made:
        recipe = json.loads(made.info["easel"])
    assert recipe["prompt"] == "a fox <lora:watercolour>"
    assert (recipe["seed"], recipe["steps"], recipe["sampler"]) == (5, 4, "dpmpp_2m")
    assert recipe["loras"] == [{"name": "watercolour.safetensors", "model": 1.0, "clip": 1.0}]
    assert recipe["models"] == ["easel-sd15.safetensors"]


async def test_picture_to_picture(sandbox: Sandbox, max_: Person) -> None:
    """A member's picture is cleaned, uploaded under a random name, and what comes back is made of it."""
    exif = Image.Exif()
    exif[0x010E] = "my home address"
    photo = bring(sandbox, Image.new("RGB", (192, 128), (200, 30, 30)), "IMG_0001 my house.jpg", "JPEG", exif=exif)

    message = await max_.picture(await max_.says("img2img", prompt="a fox", image=photo))

    assert picture(sandbox, message).size == (192, 128)
    graph = last_graph(sandbox)
    name = graph["picture"]["inputs"]["image"]
    assert name.startswith("easel/")
    assert "house" not in json.dumps(graph)
    assert sandbox.comfyui is not None
    stored = sandbox.comfyui.files.input_path(name)
    assert stored is not None
    assert b"home address" not in stored.read_bytes()
    again = await max_.presses(message, "again")
    assert picture(sandbox, await max_.picture(again)).size == (192, 128)


@pytest.mark.parametrize("own_alpha", [False, True])
async def test_inpaint_changes_only_the_mask(sandbox: Sandbox, max_: Person, *, own_alpha: bool) -> None:
    """Only what the mask shows is painted anew: a second attachment, or the picture's own transparency."""
    base = Image.new("RGBA", (128, 128), (10, 200, 10, 255))
    mask = Image.new("L", (128, 128), 0)
    ImageDraw.Draw(mask).rectangle((0, 0, 63, 127), fill=255)
    options: dict[str, Any] = {}
    if own_alpha:
        base.putalpha(mask.point(lambda value: 255 - value))
    else:
        options["mask"] = bring(sandbox, mask, "mask.png")
    message = await max_.picture(await max_.says("inpaint", prompt="a fox", image=bring(sandbox, base), **options))

    made = picture(sandbox, message).convert("RGB")
    assert made.getpixel((100, 64)) == (10, 200, 10)
    assert made.getpixel((20, 20)) != (10, 200, 10)


async def test_files_that_are_not_what_they_say(sandbox: Sandbox, max_: Person) -> None:
    """Text called PNG, a bomb, no mask where one is needed: refused in words, and nothing reaches a server."""
    world = sandbox.discord.world
    liar, bomb = world.new_id(), bring(sandbox, Image.new("1", (9000, 9000)), "bomb.png")
    world.files[liar] = ("cat.png", b"<script>alert(1)</script>")
    assert "not a picture" in await words(max_, "img2img", prompt="x", image=liar)
    assert "pixels" in await words(max_, "img2img", prompt="x", image=bomb)
    plain = bring(sandbox, Image.new("RGB", (64, 64)))
    assert "what to paint anew" in await words(max_, "inpaint", prompt="x", image=plain)
    assert "needs a file" in await words(max_, "imagine", prompt="x", template="inpaint")
    assert sandbox.comfyui is not None
    assert sandbox.comfyui.worker.history == {}


async def test_imagine_takes_pictures_too(sandbox: Sandbox, max_: Person) -> None:
    """`/imagine template:upscale image:` works, and says that the words were not used."""
    photo = bring(sandbox, Image.new("RGB", (32, 32), "blue"))
    message = await max_.picture(await max_.says("imagine", prompt="x", template="upscale", image=photo))
    assert picture(sandbox, message).size == (128, 128)
    assert "Not used by this template: prompt" in message.words


async def test_animations_and_texts_are_delivered(shop: Sandbox, folder: Path) -> None:
    """An animated WebP and a text come as files."""
    tree = txt2img(**{"9": node("SaveAnimatedWEBP", images=["8", 0], filename_prefix="x", fps=6.0, lossless=False,
                                quality=80, method="default")})  # fmt: skip
    tree["5"]["inputs"]["batch_size"] = 4
    (folder / "moving.json").write_text(json.dumps(tree), encoding="utf-8")
    said = {"1": node("PreviewAny", source=["2", 0]), "2": node("PrimitiveString", "prompt", value="hello")}
    (folder / "saying.json").write_text(json.dumps(said), encoding="utf-8")
    (folder / "saying.toml").write_text('[options.words]\nplaces = [["2", "value"]]\nrequired = true\n')
    await eventually(lambda: {"moving", "saying"} <= commands(shop), "no commands")
    max_ = Person(shop, "max")

    message = await max_.picture(await max_.says("moving", prompt="a fox"))
    assert getattr(picture(shop, message), "n_frames", 1) == 4
    message = await max_.picture(await max_.says("saying", words="good morning"))
    (name, data) = shop.discord.world.files[message.attachments[0]["id"]]
    assert name.endswith(".txt")
    assert data == b"good morning"


async def test_who_may_use_a_template(shop: Sandbox, folder: Path) -> None:
    """Age-restricted templates want such a channel, others a role; both hold in /imagine too."""
    world = shop.discord.world
    (folder / "sd15.toml").write_text('model = "auto"\nage_restricted = true\n', encoding="utf-8")
    (folder / "flux.toml").write_text(f'model = "auto"\nroles_allowed = [{world.mod_role}]\n', encoding="utf-8")
    await eventually(lambda: any(one["name"] == "sd15" and one["nsfw"] for one in world.commands), "not restricted")
    await eventually(lambda: bool(shop.app.library.by_name["flux"].manifest.roles_allowed), "not read")
    max_ = Person(shop, "max")
    assert "age-restricted" in await words(max_, "imagine", prompt="x", template="sd15")
    assert "certain roles" in await words(max_, "flux", prompt="x")
    mina = Person(shop, "mina", "pictures-18")
    await mina.picture(await mina.says("sd15", prompt="x"))
    await mina.picture(await mina.says("flux", prompt="x"))


async def test_the_owners_commands(sandbox: Sandbox) -> None:
    """The owner reads status, nodes and models, frees, interrupts and clears; a member and a moderator are refused."""
    olive = Person(sandbox, "olive")
    status = await words(olive, "server status")
    assert "0.33.0" in status
    assert "pencil" in status
    assert "KSampler" in await words(olive, "server nodes", node="KSampler")
    assert "Did you mean: KSampler" in await words(olive, "server nodes", node="KSampelr")
    assert "unload" in await words(olive, "server free")
    assert "Stopped" in await words(olive, "server interrupt", server="sandbox")
    assert "no machine called" in await words(olive, "server clear", server="nope")
    assert "sd15.safetensors" in await words(olive, "models list")
    assert "no model folder" in await words(olive, "models list", folder="nope")
    assert "MIT" in await words(olive, "models info", file="easel-sdxl.safetensors")
    assert "says nothing" in await words(olive, "models info", file="nope.safetensors")
    mina = Person(sandbox, "mina")
    command = next(one for one in sandbox.discord.world.commands if one["name"] == "server")
    leaf = {**command["options"][0], "id": command["id"], "path": ["server", "status"], "name": "server status"}
    refused = await mina._people.slash(mina.person, mina.channel, leaf, {})
    assert await mina._people.acknowledged(refused)
    assert "owner" in mina.reply(refused).words
    assert mina.reply(refused).only_for == mina.person.id


async def test_the_editors_format_becomes_a_command(shop: Sandbox, folder: Path) -> None:
    """A file as the editor saves it is converted with the server's node list, and an edit of it is taken up."""
    tree = drawn()
    (folder / "drawn.json").write_text(json.dumps(tree), encoding="utf-8")
    await eventually(lambda: "drawn" in commands(shop), "no command")
    tree["nodes"][3]["widgets_values"] = [320, 256, 1]
    (folder / "drawn.json").write_text(json.dumps(tree), encoding="utf-8")
    await eventually(
        lambda: shop.app.library.by_name["drawn"].graph.nodes["5"].inputs["width"] == 320, "the edit is not taken up"
    )
    assert "drawn" not in {fault.file for fault in shop.app.library.faults}


async def test_two_of_one_name_and_one_that_cannot_be_offered(shop: Sandbox, folder: Path) -> None:
    """A taken name is told in the state; the others keep their commands."""
    (folder / "queue.json").write_text(json.dumps(txt2img()), encoding="utf-8")
    (folder / "other.json").write_text(json.dumps(txt2img()), encoding="utf-8")
    (folder / "other.toml").write_text('command = "sdxl"\n', encoding="utf-8")
    await eventually(lambda: {"queue", "other"} <= set(shop.app.library.left_out), "it is not told")
    states = {state.name: state for state in shop.app.library.states()}
    assert "/queue is taken" in str(states["queue"].note)
    assert states["queue"].command is None
    assert "taken by template sdxl" in str(states["other"].note)
    await eventually(lambda: "/queue is taken by Easel itself" in owner(shop), owner(shop))
    assert "/sdxl is taken by template sdxl" in owner(shop)
    assert {"queue", "sdxl", "sd15"} <= commands(shop)
    max_ = Person(shop, "max")
    await max_.picture(await max_.says("imagine", prompt="x", template="queue"))


async def test_a_command_that_is_gone_says_so(shop: Sandbox, folder: Path) -> None:
    """Who sends a command that was withdrawn meanwhile, or an option that changed, reads what to do."""
    max_ = Person(shop, "max")
    old = next(one for one in shop.discord.world.commands if one["name"] == "sdxl")
    (folder / "sdxl.toml").write_text('model = "auto"\n[options.idea]\nrole = "prompt"\n', encoding="utf-8")
    await eventually(lambda: shop.app.library.by_name["sdxl"].options[0].name == "idea", "not read")
    await eventually(lambda: "idea" in str(shop.discord.world.commands), "not published")
    sent = await max_._people.slash(max_.person, max_.channel, old, {"prompt": "x"})
    assert await max_._people.acknowledged(sent)
    assert "has just changed" in max_.reply(sent).words
    (folder / "sdxl.json").unlink()
    await eventually(lambda: "sdxl" not in commands(shop), "still there")
    sent = await max_._people.slash(max_.person, max_.channel, old, {"prompt": "x"})
    assert await max_._people.acknowledged(sent)
    assert "has just changed" in max_.reply(sent).words


async def test_a_running_job_waits_for_the_node_list(slow_sandbox: Sandbox) -> None:
    """After a restart a running job is followed, not failed, though the server is slow to tell its nodes."""
    person = Person(slow_sandbox, "max")
    photo = bring(slow_sandbox, Image.new("RGB", (64, 64), "red"))
    sent = await person.says("img2img", prompt="a fox <lora:brush>", image=photo)
    await person.until(lambda message: "step" in message.words, sent)
    assert slow_sandbox.comfyui is not None
    slow_sandbox.comfyui.refuse_info = 2
    async with slow_sandbox.restarted():
        await person.picture(sent)
    assert len(slow_sandbox.comfyui.worker.history) == 1
