"""Going on from what was made: from the picture that was meant, with all that was typed; from nothing taken away."""

import io

from PIL import Image

from bot.sandbox.discord.faults import Fault
from bot.sandbox.run import Sandbox
from tests.conftest import eventually
from tests.e2e.test_moderation import REMOVED
from tests.e2e.test_touch import fields, made, opened
from tests.guild import channel_of, decides
from tests.person import Person, at_rest, custom_ids, job_id_of


async def test_a_refused_dialog_keeps_every_line(sandbox: Sandbox, max_: Person) -> None:
    """All lines that were typed come back, also those that were right, with the template that was chosen."""
    first = await made(max_)
    asked = await max_.presses(first, "remix")
    sent = await max_.fills(asked, {"prompt": "x", "settings": "template: sdxl\nseed: 4711\nsteps: 13\nsede: 5"})
    refused = await max_.until(lambda one: "sede" in one.words, sent)
    again = await max_.presses(refused, "edit")
    assert fields(max_.dialog(again))["settings"]["value"] == "template: sdxl\nseed: 4711\nsteps: 13\nsede: 5"
    second = await max_.picture(await max_.fills(again, {"prompt": "x", "settings": "template: sdxl\nseed: 4711"}))
    assert "`4711`" in second.words
    assert "SDXL" in second.words


async def test_remix_of_the_second_picture_begins_with_it(sandbox: Sandbox, max_: Person) -> None:
    """Remix of a picture that was chosen, into a template that works on pictures, takes that very one."""
    first = await made(max_, count="3", size="64x64")
    (select,) = opened(first, 3)
    chosen = await max_.until(at_rest, await max_.chooses(first, select["custom_id"], select["options"][1]["value"]))
    asked = await max_.presses(chosen, "remix")
    await max_.picture(await max_.fills(asked, {"prompt": "x", "settings": "template: img2img"}))
    uploads = [job async for job in _uploads(sandbox)]
    files = sandbox.discord.world.files
    wanted = Image.open(io.BytesIO(files[first.attachments[1]["id"]][1])).convert("RGB").tobytes()
    assert [Image.open(io.BytesIO(data)).convert("RGB").tobytes() for data in uploads] == [wanted]


async def _uploads(sandbox: Sandbox):  # noqa: ANN202 - a generator of bytes
    for job in await sandbox.app.bench.jobs.measured(50):
        for upload_id in job.request.files.values():
            upload = await sandbox.app.bench.uploads.get(upload_id)
            assert upload is not None
            yield upload.data


async def test_what_has_no_words_is_not_varied(sandbox: Sandbox, max_: Person) -> None:
    """A picture that was made without words has no Vary, which could only refuse."""
    out = io.BytesIO()
    Image.new("RGB", (64, 64), "blue").save(out, "PNG")
    first = await max_.picture(await max_.says("upscale", image=max_.brings(out.getvalue())))
    assert not any(":subtle" in one for one in custom_ids(first))
    assert any(":upscale" in one for one in custom_ids(first))


async def test_only_what_the_guild_allows_is_offered(sandbox: Sandbox, max_: Person) -> None:
    """A follow-up whose template the guild does not allow has no button."""
    await decides(sandbox, templates="sd15, upscale")
    first = await made(max_)
    assert not any(":subtle" in one for one in custom_ids(first))
    assert any(":upscale" in one for one in custom_ids(first))


async def test_nothing_is_made_of_what_was_taken_away(sandbox: Sandbox, max_: Person) -> None:
    """After moderators removed a picture, what others made of it before cannot be made again, at any remove."""
    await decides(sandbox, report_channel=channel_of(sandbox, "reports"))
    first = await made(max_)
    haruka = Person(sandbox, "haruka")
    second = await haruka.picture(await haruka.presses(first, "upscale"))
    third = await haruka.picture(await haruka.presses(second, "again"))
    reported = await Person(sandbox, "noa").presses(first, "report")
    noa = Person(sandbox, "noa")
    await noa.until(at_rest, await noa.fills(reported, {"reason": "mine"}))
    mina = Person(sandbox, "mina", "reports")
    case = next(one for one in reversed(sandbox.discord.world.messages.values()) if one.channel_id == mina.channel.id)
    await mina.presses(case, "remove")
    await eventually(lambda: REMOVED in first.words, "it is not removed")
    for message in (second, third):
        refused = await haruka.until(at_rest, await haruka.presses(message, "again"))
        assert "続きは作れません" in refused.words


async def test_what_discord_did_not_take_is_owed_still(sandbox: Sandbox, max_: Person) -> None:
    """A late answer that Discord does not take now is to be tried again; one that stands there already is not."""
    sent = await max_.says("queue")
    answered = await max_.until(at_rest, sent)
    courier, world = sandbox.app.courier, sandbox.discord.world
    ours = (int(world.application_id), sent.token, "late")
    world.faults.append(Fault(pattern="GET /webhooks", drop=True, times=2))  # aiohttp itself repeats a GET once
    assert not await courier.answer_late(*ours)
    assert await courier.answer_late(*ours)
    assert "late" not in answered.words


async def test_the_job_of_a_card_is_known(sandbox: Sandbox, max_: Person) -> None:
    """What goes on from a picture remembers which one."""
    first = await made(max_)
    second = await max_.picture(await max_.presses(first, "upscale"))
    job = await sandbox.app.crew.desk.find(job_id_of(second))
    assert job is not None
    assert job.request.source == job_id_of(first)
