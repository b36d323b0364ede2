"""What members touch, with the real bot over real sockets: buttons, dialogs, lists, and that they outlive a restart."""

import asyncio
import io
import json
import time
from typing import Any

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from bot.sandbox.discord.checks import walked
from bot.sandbox.discord.faults import Fault
from bot.sandbox.discord.world import Message
from bot.sandbox.run import Sandbox, running
from tests.conftest import FAST, eventually
from tests.guild import decides, lists
from tests.person import Person, at_rest, custom_ids, job_id_of


async def made(person: Person, **options: Any) -> Message:
    """Return the card of a finished picture."""
    return await person.picture(await person.says("imagine", **{"prompt": "a red fox", **options}))


def graph(sandbox: Sandbox) -> dict[str, Any]:
    """Return the graph that the server ran last."""
    assert sandbox.comfyui is not None
    return list(sandbox.comfyui.worker.history.values())[-1]["prompt"][2]


def fields(dialog: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a dialog by id."""
    return {one["component"]["custom_id"]: one["component"] for one in dialog["components"]}


def opened(message: Message, kind: int) -> list[dict[str, Any]]:
    """Return the components of a kind in a message."""
    return [one for one in walked(message.components) if one["type"] == kind]


@pytest.mark.parametrize("how", ["subtle", "strong"])
async def test_vary_paints_the_picture_anew(how: str, sandbox: Sandbox, max_: Person) -> None:
    """Vary puts the picture itself into the template that varies, with the words and more or less freedom."""
    first = await made(max_)
    second = await max_.picture(await max_.presses(first, how))
    assert "Picture to picture" in second.words
    assert "a red fox" in second.words
    sampler = next(node for node in graph(sandbox).values() if node["class_type"] == "KSampler")
    assert sampler["inputs"]["denoise"] == {"subtle": 0.4, "strong": 0.7}[how]
    assert any(node["class_type"] == "LoadImage" for node in graph(sandbox).values())


async def test_buttons_outlive_a_restart(sandbox: Sandbox, max_: Person) -> None:
    """After the bot was started anew, with the picture gone from its server, Upscale takes it from the message."""
    first = await made(max_)
    assert sandbox.comfyui is not None
    sandbox.comfyui.refuse_views += [404]
    async with sandbox.restarted():
        assert await sandbox.app.fleet_ready()
        second = await max_.picture(await max_.presses(first, "upscale"))
        data = sandbox.discord.world.files[second.attachments[0]["id"]][1]
        assert Image.open(io.BytesIO(data)).size == (2048, 2048)


async def test_remix_begins_with_what_there_was(sandbox: Sandbox, max_: Person) -> None:
    """The dialog has prompt, negative and settings as they were used; what is changed in it is what is made."""
    first = await made(max_, negative="dogs", seed="77", size="512x768")
    asked = await max_.presses(first, "remix")
    known = fields(max_.dialog(asked))
    assert known["prompt"]["value"] == "a red fox"
    assert known["negative"]["value"] == "dogs"
    settings = dict(line.split(": ", 1) for line in known["settings"]["value"].splitlines())
    assert (settings["seed"], settings["size"], settings["template"]) == ("77", "512x768", "sd15")
    assert {"steps", "cfg"} <= set(settings)

    sent = await max_.fills(asked, {"prompt": "a blue fox", "settings": "seed: 5\nsize: landscape\nsteps: 7"})

    second = await max_.picture(sent)
    assert "a blue fox" in second.words
    assert "`5`" in second.words
    assert "640x448" in second.words
    sampler = next(node for node in graph(sandbox).values() if node["class_type"] == "KSampler")
    assert sampler["inputs"]["steps"] == 7


async def test_remix_takes_a_file_and_another_template(sandbox: Sandbox, max_: Person) -> None:
    """A picture brought in the dialog goes into the template that is named there."""
    first = await made(max_)
    out = io.BytesIO()
    Image.new("RGB", (96, 64), "blue").save(out, "PNG")
    asked = await max_.presses(first, "remix")
    sent = await max_.fills(
        asked, {"prompt": "a red fox", "settings": "template: img2img", "file": [max_.brings(out.getvalue())]}
    )
    second = await max_.picture(sent)
    assert "Picture to picture" in second.words


async def test_what_is_wrong_in_a_dialog_is_not_lost(sandbox: Sandbox, max_: Person) -> None:
    """A line that cannot be read is named, and a button opens what was typed again; for its member alone."""
    first = await made(max_)
    asked = await max_.presses(first, "remix")
    sent = await max_.fills(asked, {"prompt": "a very long idea", "settings": "sede: 5"})
    refused = await max_.until(lambda one: "sede" in one.words, sent)
    (edit,) = [one for one in custom_ids(refused) if ":edit:" in one]
    again = await max_.presses(refused, edit)
    assert fields(max_.dialog(again))["prompt"]["value"] == "a very long idea"
    haruka = Person(sandbox, "haruka")
    foreign = await haruka.presses(refused, edit)
    await haruka.until(lambda one: "下書き" in one.words, foreign)


async def test_anothers_remix_is_their_own_job(sandbox: Sandbox, max_: Person) -> None:
    """Who remixes somebody else's picture asks for their own."""
    first = await made(max_)
    haruka = Person(sandbox, "haruka")
    asked = await haruka.presses(first, "remix")
    second = await haruka.picture(await haruka.fills(asked, {"prompt": "a green fox", "settings": ""}))
    job = await sandbox.app.crew.desk.find(job_id_of(second))
    assert job is not None
    assert job.request.member_id == int(haruka.person.id)


async def test_the_recipe_has_all_and_the_workflow(sandbox: Sandbox, max_: Person) -> None:
    """Recipe tells every parameter in private, with the workflow as a file; where the guild says no, without."""
    first = await made(max_, negative="dogs", seed="77")
    told = await max_.until(lambda one: "Recipe" in one.words, await max_.presses(first, "recipe"))
    assert told.only_for == max_.person.id
    for fact in ("a red fox", "dogs", "77", "Steps", "CFG", "Sampler", "Model"):
        assert fact in told.words
    assert "Machine" not in told.words
    (file,) = told.attachments
    workflow = json.loads(sandbox.discord.world.files[file["id"]][1])
    assert any(node["class_type"] == "KSampler" for node in workflow.values())
    mina = Person(sandbox, "mina")
    assert "Machine" in (await mina.until(at_rest, await mina.presses(first, "recipe"))).words
    await decides(sandbox, workflows="off")
    bare = await max_.until(lambda one: "Recipe" in one.words, await max_.says("recipe"))
    assert bare.attachments == []


async def test_favourites_make_the_gallery(sandbox: Sandbox, max_: Person) -> None:
    """A favourite is in the gallery with its picture, once more pressed it is not; a deleted one is gone from all."""
    first = await made(max_)
    haruka = Person(sandbox, "haruka")
    await haruka.until(at_rest, await haruka.presses(first, "favourite"))
    shown = await max_.until(at_rest, await max_.says("gallery"))
    assert "a red fox" in shown.words
    assert len(opened(shown, 11)) == 1
    assert opened(shown, 11)[0]["description"] == "a red fox"
    await haruka.until(at_rest, await haruka.presses(first, "favourite"))
    assert "a red fox" not in (await max_.until(at_rest, await max_.says("gallery"))).words
    await haruka.until(at_rest, await haruka.presses(first, "favourite"))
    await max_.presses(first, "delete")
    await eventually(lambda: first.deleted, "it is not deleted")
    assert "a red fox" not in (await max_.until(at_rest, await max_.says("gallery"))).words
    assert "no pictures here yet" in (await max_.until(at_rest, await max_.says("history"))).words


async def test_the_gallery_shows_nobody_what_they_may_not_see(sandbox: Sandbox, max_: Person) -> None:
    """Pictures of channels that one cannot see, or of channels for adults, are not in the gallery elsewhere."""
    adult = Person(sandbox, "max", "pictures-18")
    first = await made(Person(sandbox, "mina", "review"), prompt="a secret fox")
    mina = Person(sandbox, "mina", "review")
    await mina.until(at_rest, await mina.presses(first, "favourite"))
    assert "secret" in (await mina.until(at_rest, await mina.says("gallery"))).words
    assert "secret" not in (await max_.until(at_rest, await max_.says("gallery"))).words
    shown = await made(adult, prompt="an adult fox")
    await adult.until(at_rest, await adult.presses(shown, "favourite"))
    assert "adult fox" in (await adult.until(at_rest, await adult.says("gallery"))).words
    assert "adult fox" not in (await max_.until(at_rest, await max_.says("gallery"))).words
    assert "adult fox" not in (await max_.until(at_rest, await max_.says("history"))).words


async def test_history_has_pages_and_goes_on_from_any(sandbox: Sandbox, max_: Person) -> None:
    """Newest first, five a page; one chosen from the list has its buttons, and these work."""
    for number in range(6):
        await made(max_, prompt=f"fox number {number}", size="64x64")
    shown = await max_.until(at_rest, await max_.says("history"))
    assert "fox number 5" in shown.words
    assert "fox number 0" not in shown.words
    assert "Page 1 of 2" in shown.words
    await max_.presses(shown, "easel:page:history:1")
    await eventually(lambda: "fox number 0" in shown.words, "the page does not turn")
    assert "Page 2 of 2" in shown.words
    (select,) = opened(shown, 3)
    chosen = await max_.until(at_rest, await max_.chooses(shown, select["custom_id"], select["options"][0]["value"]))
    assert "fox number 0" in chosen.words
    assert len(chosen.attachments) == 1
    again = await max_.picture(await max_.presses(chosen, "upscale"))
    assert again.only_for is None


async def test_one_of_several_is_chosen_first(sandbox: Sandbox, max_: Person) -> None:
    """A batch has one list; what is chosen from it is that very picture."""
    first = await made(max_, count="3", size="64x64")
    assert not any(":upscale" in one for one in custom_ids(first))
    (select,) = opened(first, 3)
    assert [one["label"] for one in select["options"]] == ["Picture 1", "Picture 2", "Picture 3"]
    chosen = await max_.until(at_rest, await max_.chooses(first, select["custom_id"], select["options"][1]["value"]))
    files = sandbox.discord.world.files
    assert files[chosen.attachments[0]["id"]][1] == files[first.attachments[1]["id"]][1]
    assert any(":2:upscale" in one for one in custom_ids(chosen))


async def test_a_foreign_picture_is_read_and_remixed(sandbox: Sandbox, max_: Person) -> None:
    """The menu reads what a web UI's picture says of itself, and remixes the picture with its words."""
    info = PngInfo()
    info.add_text("parameters", "a castle\nNegative prompt: fog\nSteps: 20, Sampler: Euler a, Seed: 9, Size: 64x64")
    out = io.BytesIO()
    Image.new("RGB", (64, 64), "green").save(out, "PNG", pnginfo=info)
    haruka = Person(sandbox, "haruka")
    message = haruka.writes("look", haruka.brings(out.getvalue()))
    told = await max_.until(at_rest, await max_.uses("Recipe", message))
    assert "a castle" in told.words
    assert "web UI" in told.words
    asked = await max_.uses("Remix this", message)
    known = fields(max_.dialog(asked))
    assert (known["prompt"]["value"], known["negative"]["value"]) == ("a castle", "fog")
    second = await max_.picture(await max_.fills(asked, {"prompt": "a castle at night", "settings": ""}))
    assert "a castle at night" in second.words


async def test_the_helper_is_looked_at_first(sandbox: Sandbox, max_: Person) -> None:
    """/enhance shows the new words in private; made or edited from there, it is an ordinary request."""
    told = await max_.until(at_rest, await max_.says("enhance", idea="a lighthouse"))
    assert told.only_for == max_.person.id
    assert "a lighthouse, in soft morning light" in told.words
    second = await max_.picture(await max_.presses(told, ":run:"[1:-1]))
    assert "a lighthouse, in soft morning light" in second.words
    asked = await max_.presses(second, "remix")
    reworded = await max_.fills(asked, {"prompt": "a mill", "settings": "", "enhance": True})
    draft = await max_.until(at_rest, reworded)
    assert "a mill, in soft morning light" in draft.words
    assert draft.attachments == []


async def test_a_helper_that_is_away_says_so() -> None:
    """Nothing is made, and the words say what to do."""
    helper: dict[str, Any] = {"prompt_helper_url": "http://127.0.0.1:9/v1", "prompt_helper_model": "m"}
    async with running(pace=FAST, **helper) as sandbox:
        assert await sandbox.app.fleet_ready()
        max_ = Person(sandbox, "max")
        told = await max_.until(at_rest, await max_.says("enhance", idea="a lighthouse"))
        assert "does not answer" in told.words


async def test_a_thinking_reply_is_answered_by_the_next_process(sandbox: Sandbox, max_: Person) -> None:
    """A process that dies between acknowledgement and answer leaves no "thinking…": the next one says so."""
    world = sandbox.discord.world
    world.faults.append(Fault(pattern="PATCH /webhooks", status=500, times=50))
    sent = await max_.says("queue")
    async with sandbox.restarted():
        world.faults.clear()
        told = await max_.until(lambda one: not one.loading, sent)
        assert "restarted" in told.words


async def test_a_slow_store_loses_no_click(sandbox: Sandbox, max_: Person) -> None:
    """The acknowledgement does not wait for what is being written: a write of seconds loses nobody their answer."""
    database = sandbox.app.notes._database  # pyright: ignore[reportPrivateUsage] - the one in use
    hog = asyncio.create_task(database.write(lambda _connection: time.sleep(4)))
    await asyncio.sleep(0.05)
    await max_.says("help")
    await hog


async def test_report_keeps_thumbs(sandbox: Sandbox, max_: Person) -> None:
    """Reporting a picture takes nothing from it: its place in the gallery keeps its small picture."""
    first = await made(max_)
    haruka = Person(sandbox, "haruka")
    await max_.until(at_rest, await max_.presses(first, "favourite"))
    shown = await max_.until(at_rest, await max_.says("gallery"))
    assert len(opened(shown, 11)) == 1
    asked = await haruka.presses(first, "report")
    sent = await haruka.fills(asked, {"reason": "ugly"})
    await haruka.until(at_rest, sent)
    shown = await max_.until(at_rest, await max_.says("gallery"))
    assert len(opened(shown, 11)) == 1


async def test_foreign_model_name_passes_gate(sandbox: Sandbox, max_: Person) -> None:
    """Whatever a foreign file says, names of models and samplers too, passes the gate before it is told."""
    await lists(sandbox, "badword")
    info = PngInfo()
    info.add_text("parameters", "a castle\nSteps: 20, Sampler: badword now, Seed: 9, Size: 64x64, Model: badword")
    out = io.BytesIO()
    Image.new("RGB", (64, 64), "green").save(out, "PNG", pnginfo=info)
    message = Person(sandbox, "haruka").writes("look", max_.brings(out.getvalue()))
    told = await max_.until(at_rest, await max_.uses("Recipe", message))
    assert "badword" not in told.words


async def test_picked_negative_of_listed_words(sandbox: Sandbox, max_: Person) -> None:
    """Words that were listed since are not shown again with a chosen picture, the negative ones neither."""
    first = await made(max_, count="2", size="64x64", prompt="fox", negative="badword")
    await lists(sandbox, "badword")
    haruka = Person(sandbox, "haruka")
    (select,) = opened(first, 3)
    chosen = await haruka.until(
        at_rest, await haruka.chooses(first, select["custom_id"], select["options"][1]["value"])
    )
    assert "badword" not in chosen.words


async def test_again_refuses_what_was_deleted(sandbox: Sandbox, max_: Person) -> None:
    """What was deleted is not made again from a card that somebody still has."""
    first = await made(max_, count="2", size="64x64")
    haruka = Person(sandbox, "haruka")
    (select,) = opened(first, 3)
    chosen = await haruka.until(
        at_rest, await haruka.chooses(first, select["custom_id"], select["options"][1]["value"])
    )
    await max_.presses(first, "delete")
    await eventually(lambda: first.deleted, "it is not deleted")
    sent = await haruka.presses(chosen, "again")
    said = await haruka.until(at_rest, sent)
    assert not said.attachments


async def test_a_job_without_words_can_be_chosen_for_cancel(slow_sandbox: Sandbox) -> None:
    """Discord refuses a list with a nameless choice: a job without a prompt goes by its id."""
    person = Person(slow_sandbox, "max")
    for number in range(2):
        await person.says("imagine", prompt=f"fox {number}")
    out = io.BytesIO()
    Image.new("RGB", (64, 64), "green").save(out, "PNG")
    await person.says("upscale", image=person.brings(out.getvalue()))
    offered: list[dict[str, Any]] = []

    async def all_three() -> bool:
        offered[:] = await person.types("cancel", "request", "")
        return len(offered) == 3

    await eventually(all_three, "the list is refused")
    assert offered[-1]["name"] == offered[-1]["value"]
