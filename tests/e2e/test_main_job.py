"""The main job, with the real discord.py on real sockets between both stand-ins."""

import asyncio
import io
import json
from itertools import pairwise

import pytest
from PIL import Image

from bot.model.job import JobState
from bot.sandbox.comfyui.worker import Pace
from bot.sandbox.discord.checks import walked
from bot.sandbox.discord.faults import Fault
from bot.sandbox.discord.records import words_of
from bot.sandbox.discord.world import Message
from bot.sandbox.run import Sandbox, running
from tests.conftest import FAST, eventually
from tests.person import Person, at_rest, job_id_of

_HOSTILE = (
    '@everyone <@123456789012345678> "quotes" \\ {braces} {0} %s $(x) `code` ``` <script>alert(1)</script> '
    "\u202egnp.exe\u202c **bold** ||spoiler|| https://example.com [a](b) #head\n> quote\n雪の狐 🦊\u200d❄️ "
)
HOSTILE = (_HOSTILE * 20)[:1499] + "!"


def picture_of(sandbox: Sandbox, attachment: dict[str, object]) -> Image.Image:
    """Open an attachment as Discord would serve it."""
    return Image.open(io.BytesIO(sandbox.discord.world.files[str(attachment["id"])][1]))


async def test_words_become_a_picture(sandbox: Sandbox, max_: Person) -> None:
    """A prompt becomes an attached picture with the prompt as alt text, seed and template shown, and buttons."""
    message = await max_.picture(await max_.says("imagine", prompt="a red fox in snow", seed="77"))

    assert [one["description"] for one in message.attachments] == ["a red fox in snow"]
    assert picture_of(sandbox, message.attachments[0]).size == (512, 512)
    assert "`77`" in message.words
    assert "Stable Diffusion 1.5" in message.words
    labels = [item["label"] for item in walked(message.components) if item["type"] == 2]
    assert labels == [
        *("Again", "Vary (subtle)", "Vary (strong)", "Upscale", "Remix"),
        *("Favourite", "Recipe", "Delete", "Report"),
    ]


async def test_options_reach_the_graph(sandbox: Sandbox, max_: Person) -> None:
    """Template, negative, seed, size and count are all in the graph that the server ran."""
    sent = await max_.says(
        "imagine", prompt="a cat", template="sdxl", negative="dogs", seed="5", size="640x384", count="3"
    )
    message = await max_.picture(sent)

    assert len(message.attachments) == 3
    assert picture_of(sandbox, message.attachments[0]).size == (640, 384)
    assert sandbox.comfyui is not None
    graph = next(iter(sandbox.comfyui.worker.history.values()))["prompt"][2]
    assert graph["positive"]["inputs"]["text_g"] == graph["positive"]["inputs"]["text_l"] == "a cat"
    assert graph["negative"]["inputs"]["text_g"] == "dogs"
    assert graph["sampler"]["inputs"]["seed"] == 5
    assert graph["latent"]["inputs"]["batch_size"] == 3
    assert graph["checkpoint"]["inputs"]["ckpt_name"] == "easel-sdxl.safetensors"
    assert graph["save"]["inputs"]["filename_prefix"].startswith("easel/")


@pytest.mark.parametrize("template", ["sd15", "sdxl", "flux", "socket"])
async def test_every_shipped_template_delivers(template: str, max_: Person) -> None:
    """Each shipped text-to-image template gives a picture, also the one that sends it over the socket."""
    await max_.picture(await max_.says("imagine", prompt="a blue boat", template=template, count="2"))


async def test_hostile_prompt_arrives_untouched(sandbox: Sandbox, max_: Person) -> None:
    """1,500 hostile characters reach the graph byte for byte, ping nobody, and break no card."""
    assert len(HOSTILE) == 1500
    message = await max_.picture(await max_.says("imagine", prompt=HOSTILE))

    assert sandbox.comfyui is not None
    graph = next(iter(sandbox.comfyui.worker.history.values()))["prompt"][2]
    assert graph["positive"]["inputs"]["text"] == HOSTILE
    assert set(graph) == {"checkpoint", "positive", "negative", "latent", "sampler", "decode", "save"}
    assert message.pings == []
    assert "\u202e" not in message.words
    assert len(message.words) <= 2000
    edits = [call for call in sandbox.discord.world.calls if call.method == "PATCH"]
    assert edits
    assert all(call.body["allowed_mentions"] == {"parse": []} for call in edits)


async def test_progress_is_shown_and_paced() -> None:
    """The reply goes through steps and a preview, no faster than one edit in 1.5 s, to the picture."""
    async with running(pace=Pace(step_s=0.2)) as sandbox:
        person = Person(sandbox, "max")
        seen: list[str] = []
        previews: list[str] = []

        def hear(event: str, data: dict[str, object], _only: str | None) -> None:
            message = data.get("message")
            if event == "MESSAGE_UPDATE" and isinstance(message, dict):
                seen.append(words_of(message["content"], message["components"]))
                previews.extend(one["filename"] for one in message["attachments"])

        sandbox.discord.world.listeners.append(hear)
        message = await person.picture(await person.says("imagine", prompt="a red fox"))
        assert any("step" in text and "%" in text and "Sampler" in text for text in seen)
        assert any("left" in text for text in seen)
        assert "preview.jpg" in previews
        assert message.attachments[0]["filename"].startswith("easel-")
        edits = [call.at for call in sandbox.discord.world.calls if call.method == "PATCH" and call.status == 200]
        gaps = [later - sooner for sooner, later in pairwise(edits[:-1])]
        assert gaps
        assert min(gaps) >= 1.4


async def test_twenty_at_once_each_delivered_once(sandbox: Sandbox, max_: Person) -> None:
    """20 requests at the same moment are all delivered, each once, in the reply of its own."""
    sent = await asyncio.gather(*(max_.says("imagine", prompt=f"boat number {n}") for n in range(20)))
    messages = [await max_.picture(one) for one in sent]

    assert len({message.id for message in messages}) == 20
    assert sorted(message.attachments[0]["description"] for message in messages) == sorted(
        f"boat number {n}" for n in range(20)
    )
    assert sandbox.comfyui is not None
    assert len(sandbox.comfyui.worker.history) == 20
    uploads = [call for call in sandbox.discord.world.calls if call.files and "easel-" in json.dumps(call.body)]
    assert len(uploads) == 20


async def test_a_cut_socket_still_delivers(slow_sandbox: Sandbox) -> None:
    """With the event socket killed in mid-run, the picture comes all the same, by queue and history."""
    person = Person(slow_sandbox, "max")
    sent = await person.says("imagine", prompt="a red fox")
    await person.until(lambda message: "step" in message.words, sent)
    assert slow_sandbox.comfyui is not None

    await slow_sandbox.comfyui.hub.cut()

    await person.picture(sent)
    assert len(slow_sandbox.comfyui.worker.history) == 1


async def test_frames_lost_with_a_socket_are_made_again(slow_sandbox: Sandbox) -> None:
    """A template that sends its picture over the socket is run again when that socket broke."""
    person = Person(slow_sandbox, "max")
    sent = await person.says("imagine", prompt="a red fox", template="socket")
    await person.until(lambda message: "step" in message.words, sent)
    assert slow_sandbox.comfyui is not None

    await slow_sandbox.comfyui.hub.cut()

    await person.picture(sent)
    assert len(slow_sandbox.comfyui.worker.history) == 2


async def test_the_reply_outlives_its_token(slow_sandbox: Sandbox) -> None:
    """When the interaction's token has died, the same message is edited with the bot's own token."""
    person = Person(slow_sandbox, "max")
    sent = await person.says("imagine", prompt="a red fox")
    await person.until(lambda message: "step" in message.words, sent)

    slow_sandbox.discord.world.offset_s = 16 * 60

    message = await person.picture(sent)
    assert message.id == sent.original
    routes = {(call.method, call.route) for call in slow_sandbox.discord.world.calls if call.status == 200}
    assert ("PATCH", "/channels/{channel_id}/messages/{message_id}") in routes


async def test_discord_trouble_at_the_end_is_overcome(sandbox: Sandbox, max_: Person) -> None:
    """A broken connection, a 503 and a 429 without warning at the last edit do not lose the picture."""
    sandbox.discord.world.faults += [
        Fault(pattern=r"PATCH /webhooks", drop=True, status=500, needs_files=True),
        Fault(pattern=r"PATCH /webhooks", status=503, needs_files=True),
        Fault(pattern=r"PATCH /webhooks", status=429, needs_files=True),
    ]
    await max_.picture(await max_.says("imagine", prompt="a red fox"))


async def test_a_failing_node_is_told_in_plain_words(sandbox: Sandbox, max_: Person) -> None:
    """A node that raises ends in words with a way out; nothing of the server's own text reaches the member."""
    assert sandbox.comfyui is not None
    sandbox.comfyui.worker.break_next = RuntimeError("/srv/secret/path.py: @everyone boom")

    message = await max_.until(at_rest, await max_.says("imagine", prompt="a red fox"))

    assert "A step of the workflow failed" in message.words
    assert "secret" not in message.words
    assert "boom" not in message.words
    assert message.attachments == []


async def test_running_out_of_memory_names_the_way_out(sandbox: Sandbox, max_: Person) -> None:
    """Out of memory is told apart, with the advice to take a smaller size."""
    assert sandbox.comfyui is not None
    sandbox.comfyui.worker.break_next = RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory")

    message = await max_.until(at_rest, await max_.says("imagine", prompt="a red fox"))

    assert "smaller size" in message.words


async def test_a_text_500_is_told_as_the_servers_fault(sandbox: Sandbox, max_: Person) -> None:
    """A 500 on POST /prompt is not tried for ever; the member hears that it was the machine."""
    assert sandbox.comfyui is not None
    sandbox.comfyui.refuse_prompts = [500]

    message = await max_.until(at_rest, await max_.says("imagine", prompt="a red fox"))

    assert "answered with an error of its own" in message.words


async def test_a_prompt_that_vanishes_is_sent_again(slow_sandbox: Sandbox) -> None:
    """A prompt that the server has forgotten, as after a restart, is submitted once more and delivered."""
    person = Person(slow_sandbox, "max")
    sent = await person.says("imagine", prompt="a red fox")
    await person.until(lambda message: "step" in message.words, sent)
    assert slow_sandbox.comfyui is not None
    worker, hub = slow_sandbox.comfyui.worker, slow_sandbox.comfyui.hub
    worker.interrupt = True
    await hub.cut()
    await eventually(lambda: worker.running is None, "the worker did not stop")
    worker.history.clear()

    await person.picture(sent)


async def test_cancel_while_running_stops_the_server(slow_sandbox: Sandbox) -> None:
    """Cancel on a running job interrupts exactly that prompt and says so."""
    person = Person(slow_sandbox, "max")
    sent = await person.says("imagine", prompt="a red fox")
    message = await person.until(lambda message: "step" in message.words, sent)

    await person.presses(message, "cancel")

    message = await person.until(at_rest, sent)
    assert "Cancelled" in message.words
    assert slow_sandbox.comfyui is not None
    worker = slow_sandbox.comfyui.worker
    await eventually(lambda: worker.running is None, "the prompt still runs")
    (entry,) = worker.history.values()
    assert entry["status"]["messages"][-1][0] == "execution_interrupted"


async def test_cancel_while_waiting_leaves_others_alone(slow_sandbox: Sandbox) -> None:
    """Cancel takes out the job that follows on the server and the one that waits with us; what runs goes on."""
    person = Person(slow_sandbox, "max")
    first = await person.says("imagine", prompt="first")
    await person.until(lambda message: not message.loading, first)
    second = await person.says("imagine", prompt="second")
    follows = await person.until(lambda message: "1 other pictures" in message.words, second)
    third = await person.says("imagine", prompt="third")
    waits = await person.until(lambda message: "place 1" in message.words, third)

    await person.presses(waits, "cancel")
    await person.presses(follows, "cancel")

    assert "Cancelled" in (await person.until(at_rest, second)).words
    assert "Cancelled" in (await person.until(at_rest, third)).words
    await person.picture(first)
    assert slow_sandbox.comfyui is not None
    assert len(slow_sandbox.comfyui.worker.history) == 1


async def test_others_cannot_cancel_but_moderators_can(slow_sandbox: Sandbox) -> None:
    """Another member's click on Cancel is refused in private; a moderator's is not."""
    person, other, moderator = (Person(slow_sandbox, name) for name in ("max", "noa", "mina"))
    sent = await person.says("imagine", prompt="a red fox")
    message = await person.until(lambda message: "step" in message.words, sent)

    await other.presses(message, "cancel")
    words = await _private_words(slow_sandbox, "Only the person who asked")
    assert words.only_for == other.person.id

    await moderator.presses(message, "cancel")
    assert "Cancelled" in (await person.until(at_rest, sent)).words


async def test_again_makes_the_pressers_own_with_a_new_seed(sandbox: Sandbox, max_: Person) -> None:
    """Again answers with a new message, a new seed, and belongs to whoever pressed it."""
    first = await max_.picture(await max_.says("imagine", prompt="a red fox", seed="7"))
    other = Person(sandbox, "haruka")

    second = await other.picture(await other.presses(first, "again"))

    assert second.id != first.id
    assert "`7`" not in second.words
    assert "seed" in second.words  # what everybody reads is in the language of the guild
    assert sandbox.comfyui is not None
    seeds = {entry["prompt"][2]["sampler"]["inputs"]["seed"] for entry in sandbox.comfyui.worker.history.values()}
    assert len(seeds) == 2


async def test_delete_is_for_the_requester_and_moderators(sandbox: Sandbox, max_: Person) -> None:
    """A stranger's Delete is refused in private, the requester's removes the message."""
    message = await max_.picture(await max_.says("imagine", prompt="a red fox"))

    await Person(sandbox, "noa").presses(message, "delete")
    await _private_words(sandbox, "Only the person who asked")
    assert not message.deleted

    await max_.presses(message, "delete")
    await eventually(lambda: message.deleted, "the message is still there")


async def test_buttons_work_after_a_restart() -> None:
    """A button pressed after the bot was restarted on the same data does what it says."""
    async with running(pace=FAST) as sandbox:
        person = Person(sandbox, "max")
        message = await person.picture(await person.says("imagine", prompt="a red fox"))
        async with sandbox.restarted():
            again = await person.presses(message, "again")
            await person.picture(again)


async def test_a_restart_in_mid_run_attaches_again() -> None:
    """A bot stopped while its prompt runs finds it again at the next start: delivered, and not submitted twice."""
    async with running(pace=Pace(step_s=0.3)) as sandbox:
        person = Person(sandbox, "max")
        sent = await person.says("imagine", prompt="a red fox")
        await person.until(lambda message: "step" in message.words, sent)
        async with sandbox.restarted():
            await person.picture(sent)
            assert sandbox.comfyui is not None
            assert len(sandbox.comfyui.worker.history) == 1


async def test_the_queue_lists_own_requests(slow_sandbox: Sandbox) -> None:
    """/queue tells the load and the member's own places; another member's requests are not named."""
    person, other = Person(slow_sandbox, "max"), Person(slow_sandbox, "noa")
    first = await person.says("imagine", prompt="first of max")
    await person.until(lambda message: not message.loading, first)
    await person.says("imagine", prompt="second of max")
    third = await person.says("imagine", prompt="third of max")
    await person.until(lambda message: "place 1" in message.words, third)

    own = await person.until(at_rest, await person.says("queue"))
    assert "running · first of max" in own.words
    assert "running · second of max" in own.words  # it follows on the machine
    assert "1. place · third of max" in own.words
    assert own.only_for == person.person.id
    foreign = await other.until(at_rest, await other.says("queue"))
    assert "of max" not in foreign.words
    assert "waiting: 1" in foreign.words
    moderator = Person(slow_sandbox, "mina")
    everyone = await moderator.until(at_rest, await moderator.says("queue"))
    assert f"1. place · third of max · <@{person.person.id}>" in everyone.words

    words = await person.until(at_rest, await person.says("cancel"))
    assert words.words == "Cancelled: third of max"


async def _private_words(sandbox: Sandbox, start: str) -> Message:
    def found() -> list[Message]:
        return [one for one in sandbox.discord.world.messages.values() if one.only_for and one.words.startswith(start)]

    await eventually(lambda: bool(found()), f"nobody was told: {start}")
    return found()[-1]


async def test_job_rows_end_as_done(sandbox: Sandbox, max_: Person) -> None:
    """A delivered job's row says done, with its results beside it."""
    message = await max_.picture(await max_.says("imagine", prompt="a red fox"))
    job_id = job_id_of(message)

    async def is_done() -> bool:
        job = await sandbox.app.crew.desk.find(job_id)
        return job is not None and job.state is JobState.DONE

    await eventually(is_done, "the row is not done")
