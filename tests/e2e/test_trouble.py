"""Trouble: what members are told when something is missing, full, gone or refused."""

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from bot.jobs.runner import FRAME
from bot.model.job import Failure, FailureCode, Job, JobState, Result
from bot.model.request import Request
from bot.sandbox.comfyui.server import serving as serving_comfyui
from bot.sandbox.comfyui.worker import Pace
from bot.sandbox.discord.faults import Fault
from bot.sandbox.discord.world import Interaction
from bot.sandbox.run import Sandbox, running
from bot.store.database import open_database
from bot.store.jobs import Full, JobStore
from bot.store.tables import jobs
from tests.conftest import FAST, eventually
from tests.guild import decides
from tests.person import Person, at_rest, job_id_of
from tests.test_cli import free_port
from tests.workflow.graphs import node, txt2img


async def words(person: Person, **options: str) -> str:
    return (await person.until(at_rest, await person.says("imagine", **options))).words


async def test_requests_that_cannot_be_done_are_refused_at_once(max_: Person, sandbox: Sandbox) -> None:
    """Options without a place in the template, and unknown templates, get words and never reach a server."""
    assert "no negative prompt" in await words(max_, prompt="x", template="flux", negative="y")
    assert "needs a file for image" in await words(max_, prompt="x", template="upscale")
    assert "no template called" in await words(max_, prompt="x", template="nothing")
    assert sandbox.comfyui is not None
    assert sandbox.comfyui.worker.history == {}


async def test_one_member_cannot_flood_the_queue(slow_sandbox: Sandbox) -> None:
    """With twenty waiting with us, the same member's next request is refused politely; another member's is taken."""
    person, other = Person(slow_sandbox, "max"), Person(slow_sandbox, "noa")
    await asyncio.gather(*(person.says("imagine", prompt=f"first {n}") for n in range(2)))
    await eventually(lambda: _has_waiting(slow_sandbox, person, 0, at_most=0), "the first two are not on the machine")
    await asyncio.gather(*(person.says("imagine", prompt=f"{n}") for n in range(20)))
    await eventually(lambda: _has_waiting(slow_sandbox, person, 20), "there is still room")
    assert "20 requests waiting" in await words(person, prompt="one more")
    sent = await other.says("imagine", prompt="mine")
    message = await other.until(lambda message: "place" in message.words or "step" in message.words, sent)
    assert "place 1" in message.words or "place 2" in message.words or "step" in message.words


async def _has_waiting(sandbox: Sandbox, person: Person, count: int, at_most: int = 1000) -> bool:
    known = await sandbox.app.bench.jobs.newest_of(
        int(person.person.id), list(JobState), int(sandbox.discord.world.guild_id)
    )
    waiting = await sandbox.app.bench.jobs.waiting_of(int(person.person.id))
    return len(known) >= 2 and count <= waiting <= at_most


async def test_a_server_that_comes_later() -> None:
    """With no server answering the member is told so and waits; when one comes, the picture is made."""
    port = free_port()
    async with running(pace=FAST, comfyui_settings=f"http://127.0.0.1:{port}") as sandbox:
        person = Person(sandbox, "max")
        sent = await person.says("imagine", prompt="a red fox")
        await person.until(lambda message: "No picture machine answers" in message.words, sent)
        async with serving_comfyui(port, pace=FAST):
            await person.picture(sent)


async def test_a_server_that_dies_in_mid_run() -> None:
    """A server that stops while it works is waited for; back without its memory, it gets the prompt again."""
    port = free_port()
    async with running(comfyui_settings=f"http://127.0.0.1:{port}") as sandbox:
        person = Person(sandbox, "max")
        async with serving_comfyui(port, pace=Pace(step_s=0.1)) as (comfy, _):
            sent = await person.says("imagine", prompt="a red fox")
            await person.until(lambda message: "step" in message.words, sent)
            await comfy.hub.cut()
        async with serving_comfyui(port, pace=FAST):
            await person.picture(sent)


async def test_a_template_that_no_server_can_run(tmp_path: Path) -> None:
    """A template with a missing node is not offered, and named all the same it is refused in words."""
    tree = txt2img(**{"10": node("FancyNode", images=["8", 0])})
    tree["9"]["inputs"]["images"] = ["10", 0]
    (tmp_path / "fancy.json").write_text(json.dumps(tree))
    async with running(pace=FAST, templates_dir=tmp_path) as sandbox:
        assert await sandbox.app.fleet_ready()
        person = Person(sandbox, "max")
        assert await person.types("imagine", "template", "") == []
        assert "cannot run on the machines" in await words(person, prompt="x", template="fancy")
        assert "no template ready" in await words(person, prompt="x")


async def test_a_deleted_reply_ends_quietly(slow_sandbox: Sandbox) -> None:
    """When a moderator removes the message, the job ends without trouble and its row is closed."""
    person = Person(slow_sandbox, "max")
    sent = await person.says("imagine", prompt="a red fox")
    message = await person.until(lambda message: "step" in message.words, sent)
    job_id = job_id_of(message)
    message.deleted = True

    async def closed() -> bool:
        job = await slow_sandbox.app.crew.desk.find(job_id)
        return job is not None and job.state is JobState.DONE

    await eventually(closed, "the job is not closed")


async def test_discord_refuses_the_file(sandbox: Sandbox, max_: Person) -> None:
    """A 413 for the picture becomes words about its size, not silence."""
    await decides(sandbox, previews="off")
    sandbox.discord.world.faults.append(Fault(pattern="PATCH /webhooks", status=413, code=40005, needs_files=True))
    assert "too large for an upload" in await words(max_, prompt="x")


async def test_discord_refuses_the_card(sandbox: Sandbox, max_: Person) -> None:
    """A 400 for the last card becomes a reference number, not silence."""
    await decides(sandbox, previews="off")
    sandbox.discord.world.faults.append(Fault(pattern="PATCH /webhooks", status=400, code=50035, needs_files=True))
    assert "name this number" in await words(max_, prompt="x")


async def test_an_answer_lost_is_an_edit_repeated(sandbox: Sandbox, max_: Person) -> None:
    """If the last edit was done but its answer got lost, it is sent again: the same message, once more the same."""
    await decides(sandbox, previews="off")
    sandbox.discord.world.faults.append(
        Fault(pattern="PATCH /webhooks", drop=True, status=500, after=True, needs_files=True)
    )
    message = await max_.picture(await max_.says("imagine", prompt="x"))
    await eventually(lambda: len(_uploads(sandbox)) == 2, "it was not repeated")
    assert len(message.attachments) == 1


def _uploads(sandbox: Sandbox) -> list[object]:
    return [call for call in sandbox.discord.world.calls if call.files and "easel-" in json.dumps(call.body)]


async def test_a_bug_while_running_is_a_number(sandbox: Sandbox, max_: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unexpected fault in a job tells the member a number, and frees the slot for the next job."""

    def explode(*_args: object, **_more: object) -> None:
        raise RuntimeError("/srv/secret")

    with monkeypatch.context() as broken:
        broken.setattr("bot.jobs.runner.build", explode)
        said = await words(max_, prompt="x")
    assert "name this number" in said
    assert "secret" not in said
    await max_.picture(await max_.says("imagine", prompt="next"))


@pytest.mark.parametrize("state", [JobState.QUEUED, JobState.ASSIGNED, JobState.RUNNING, JobState.DELIVERING])
@pytest.mark.parametrize("server", ["sandbox", "gone"])
async def test_rows_of_an_earlier_process_are_taken_up(state: JobState, server: str) -> None:
    """A row in any live state, on a server that is there or gone, ends in a picture after a start."""
    async with running(pace=FAST) as sandbox:
        person = Person(sandbox, "max")
        sent, first = await delivered(sandbox, person, prompt="first")
        message, settings = person.reply(sent), sandbox.app.settings
        async with sandbox.stopped():
            await _plant(settings.store_url, first, state, server)
        message.content, message.components = "left by an earlier process", []
        async with sandbox.restarted():
            done = await person.until(lambda one: "Done in" in one.words or "⚠️" in one.words, sent)
    assert "Done in" in done.words


async def delivered(sandbox: Sandbox, person: Person, **options: str) -> tuple[Interaction, Job]:
    """Make a picture, and wait until its row is closed as well."""
    sent = await person.says("imagine", **options)
    message = await person.picture(sent)
    job_id = job_id_of(message)
    found: list[Job] = []

    async def closed() -> bool:
        job = await sandbox.app.crew.desk.find(job_id)
        found[:] = [job] if job is not None else []
        return job is not None and job.state is JobState.DONE

    await eventually(closed, "the row is not closed")
    return sent, found[0]


async def _plant(url: str, first: Job, state: JobState, server: str) -> None:
    """Put a row in the database as a killed process would have left it."""
    job = replace(first, id="f" * 16, state=JobState.QUEUED, attempt=0, prompt_id=None, server=None)
    async with open_database(url) as database:
        store = JobStore(database)
        kept = await store.results(first.id)
        await store.add(job)
        if state is JobState.QUEUED:
            return
        await store.assign(job.id, 0, server=server, prompt_id="00000000-0000-4000-8000-000000000000")
        if state is JobState.ASSIGNED:
            return
        await store.move(job.id, 1, JobState.ASSIGNED, JobState.RUNNING)
        if state is JobState.DELIVERING:
            await store.add_results(job.id, kept)
            await store.move(job.id, 1, JobState.RUNNING, JobState.DELIVERING)


async def test_frames_cannot_be_fetched_again() -> None:
    """A picture that came as a frame, and was not kept, is made again after a restart."""
    async with running(pace=FAST) as sandbox:
        person = Person(sandbox, "max")
        assert sandbox.comfyui is not None
        worker = sandbox.comfyui.worker
        _, first = await delivered(sandbox, person, prompt="x", template="socket")
        async with sandbox.stopped():
            await _plant(sandbox.app.settings.store_url, first, JobState.DELIVERING, "sandbox")
            async with open_database(sandbox.app.settings.store_url) as database:
                await JobStore(database).add_results("f" * 16, [Result(filename="frame-1", kind=FRAME)])
        async with sandbox.restarted():
            await eventually(lambda: len(worker.history) == 2, "it is not made again")


async def test_frames_that_were_kept_are_shown_after_a_restart() -> None:
    """A picture that came as a frame, stored and not surely shown, is shown by the next process."""
    async with running(pace=FAST) as sandbox:
        person = Person(sandbox, "max")
        sent, first = await delivered(sandbox, person, prompt="x", template="socket")
        attachment = person.reply(sent).attachments[0]
        _, png = sandbox.discord.world.files[attachment["id"]]
        async with sandbox.stopped():
            await _plant(sandbox.app.settings.store_url, first, JobState.DELIVERING, "sandbox")
            async with open_database(sandbox.app.settings.store_url) as database:
                kept = Result(filename="frame.png", kind=FRAME, data=png)
                await JobStore(database).add_results("f" * 16, [kept])
        person.reply(sent).attachments = []
        async with sandbox.restarted():
            await person.until(lambda one: bool(one.attachments), sent)


async def test_a_template_removed_between_two_starts() -> None:
    """A waiting job whose template is gone at the next start ends in words."""
    request = Request(prompt="x", template="gone", seed=1, member_id=1, guild_id=1, channel_id=1)
    async with running(pace=FAST) as sandbox:
        person = Person(sandbox, "max")
        sent, first = await delivered(sandbox, person, prompt="first")
        async with sandbox.stopped(), open_database(sandbox.app.settings.store_url) as database:
            job = Job(
                id="e" * 16,
                request=request,
                address=first.address,
                state=JobState.QUEUED,
                attempt=0,
                created_at=time.time(),
            )
            await JobStore(database).add(job)
        async with sandbox.restarted():
            await person.until(lambda one: "template gone is no longer there" in one.words, sent)


async def test_the_gateway_drops_and_comes_back(sandbox: Sandbox, max_: Person) -> None:
    """After a broken connection the client resumes; a command given meanwhile is answered."""
    gateway = sandbox.discord.gateway
    gateway.drop()
    await eventually(lambda: gateway.resumes == 1, "it did not resume", 30)
    await max_.picture(await max_.says("imagine", prompt="x"))
    await gateway.reconnect()
    await eventually(lambda: gateway.resumes == 2, "it did not resume again", 30)
    await max_.picture(await max_.says("imagine", prompt="y"))


async def test_a_late_acknowledgement_makes_no_job(sandbox: Sandbox) -> None:
    """When Discord has given the interaction up, nothing is queued and nothing breaks."""
    people, world = sandbox.discord.people, sandbox.discord.world
    person, channel = world.person_named("max"), world.channel_named("pictures")
    world.faults.append(Fault(pattern="POST /interactions", status=404, code=10062))
    command, options = people.read_line("/imagine prompt:x", person, channel)
    await people.slash(person, channel, command, options)
    await eventually(lambda: any(call.status == 404 for call in world.calls), "it was not tried")
    assert sandbox.comfyui is not None
    assert sandbox.comfyui.worker.history == {}
    await Person(sandbox, "max").picture(await Person(sandbox, "max").says("imagine", prompt="y"))


async def test_a_job_whose_row_is_slow_is_not_lost(
    sandbox: Sandbox, max_: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request that is being written while the dispatcher looks for work is still run (found by the benchmark)."""
    add = JobStore.add

    async def slow_add(store: JobStore, job: Job, **limits: Any) -> Full | None:
        for listener in sandbox.app.fleet.on_change:
            listener()
        await asyncio.sleep(0.1)
        return await add(store, job, **limits)

    monkeypatch.setattr(JobStore, "add", slow_add)
    await max_.picture(await max_.says("imagine", prompt="x"))


async def test_a_picture_that_is_hard_to_fetch(sandbox: Sandbox, max_: Person) -> None:
    """A server in trouble at /view is asked again: the picture is there, and nothing is made twice."""
    assert sandbox.comfyui is not None
    sandbox.comfyui.refuse_views = [500, 503]
    await max_.picture(await max_.says("imagine", prompt="x"))
    assert len(sandbox.comfyui.worker.history) == 1


async def test_a_picture_that_is_gone_is_made_again(sandbox: Sandbox, max_: Person) -> None:
    """A file that the server no longer has is made once more; gone three times, the member hears of it."""
    assert sandbox.comfyui is not None
    sandbox.comfyui.refuse_views = [404]
    await max_.picture(await max_.says("imagine", prompt="x"))
    sandbox.comfyui.refuse_views = [404] * 3
    assert "got lost on the way" in await words(max_, prompt="y")


async def test_a_login_page_is_no_picture(sandbox: Sandbox, max_: Person) -> None:
    """What a proxy answers in place of a picture is never posted."""
    assert sandbox.comfyui is not None
    sandbox.comfyui.refuse_views = [200]
    assert "got lost on the way" in await words(max_, prompt="x")


@pytest.mark.parametrize("state", [JobState.FAILED, JobState.CANCELLED])
async def test_an_end_that_was_not_told_is_told_at_the_next_start(state: JobState) -> None:
    """A job that had failed or was cancelled when the process died says so after the start, and only then is closed."""
    async with running(pace=FAST) as sandbox:
        person = Person(sandbox, "max")
        sent, first = await delivered(sandbox, person, prompt="first")
        async with sandbox.stopped(), open_database(sandbox.app.settings.store_url) as database:
            store = JobStore(database)
            await store.add(replace(first, id="d" * 16, state=JobState.QUEUED, attempt=0))
            failure = Failure(code=FailureCode.OUT_OF_MEMORY) if state is JobState.FAILED else None
            await store.end("d" * 16, state, failure)
        async with sandbox.restarted():
            wanted = "ran out of memory" if state is JobState.FAILED else "Cancelled"
            await person.until(lambda one: wanted in one.words, sent)
            await eventually(lambda: _all_told(sandbox), "it would be told again")


async def _all_told(sandbox: Sandbox) -> bool:
    async with open_database(sandbox.app.settings.store_url) as database:
        return await JobStore(database).untold() == []


async def test_a_row_that_nobody_can_read_stops_nobody() -> None:
    """A row of odd content is logged and left; the bot starts and works."""
    async with running(pace=FAST) as sandbox:
        person = Person(sandbox, "max")
        _, first = await delivered(sandbox, person, prompt="first")
        async with sandbox.stopped(), open_database(sandbox.app.settings.store_url) as database:
            await JobStore(database).add(replace(first, id="c" * 16, state=JobState.QUEUED, attempt=0))
            odd = jobs.update().where(jobs.c.id == "c" * 16).values(request="{}")
            await database.write(lambda connection: connection.execute(odd).rowcount)
        async with sandbox.restarted():
            await person.picture(await person.says("imagine", prompt="second"))


async def test_cancels_right_after_asking_leave_the_slot_free(sandbox: Sandbox, max_: Person) -> None:
    """Five requests cancelled as soon as they were made, wherever they stood by then: the next one is delivered."""
    for _ in range(5):
        sent = await max_.says("imagine", prompt="x")
        await max_.says("cancel")
        await max_.until(at_rest, sent)
    await max_.picture(await max_.says("imagine", prompt="y"))


async def test_an_answer_to_the_post_that_is_lost(sandbox: Sandbox, max_: Person) -> None:
    """A prompt that was taken, but whose answer got lost, is found and not sent a second time."""
    assert sandbox.comfyui is not None
    sandbox.comfyui.lose_answers = 1
    await max_.picture(await max_.says("imagine", prompt="x"))
    assert len(sandbox.comfyui.worker.history) == 1


async def test_an_acknowledgement_whose_answer_is_lost(sandbox: Sandbox, max_: Person) -> None:
    """When the callback worked but was answered with a 500, its repetition is refused, and we go on all the same."""
    sandbox.discord.world.faults.append(Fault(pattern="POST /interactions", status=500, after=True))
    await max_.picture(await max_.says("imagine", prompt="x"))
    sandbox.discord.world.faults.append(Fault(pattern="POST /interactions", status=500, after=True))
    assert "not a size" in await words(max_, prompt="x", size="huge")


async def test_a_server_that_blinks_takes_no_jobs_with_it(slow_sandbox: Sandbox) -> None:
    """While the one server that can run a template is away for a moment, its waiting jobs wait."""
    person = Person(slow_sandbox, "max")
    fleet = slow_sandbox.app.fleet
    first = await person.says("imagine", prompt="first")
    await person.until(lambda message: not message.loading, first)
    second = await person.says("imagine", prompt="second")
    third = await person.says("imagine", prompt="third")
    await person.until(lambda message: "place 1" in message.words, third)
    fleet.doubt("sandbox")
    assert fleet.up == 0
    assert not fleet.unfit(slow_sandbox.app.crew.desk.template("sd15"))
    for sent in (first, second, third):
        await person.picture(sent)


async def test_what_was_left_waits_for_discord() -> None:
    """At a start with Discord out of reach, earlier jobs are not touched before replies can be edited."""
    async with running(pace=FAST) as sandbox:
        person = Person(sandbox, "max")
        sent, first = await delivered(sandbox, person, prompt="first")
        async with sandbox.stopped():
            await _plant(sandbox.app.settings.store_url, first, JobState.DELIVERING, "sandbox")
        person.reply(sent).content, person.reply(sent).components = "left by an earlier process", []
        sandbox.discord.world.faults.append(Fault(pattern="GET /users/@me", status=503, times=2))
        async with sandbox.restarted():
            await person.until(lambda one: "Done in" in one.words, sent)


async def test_a_store_in_trouble_costs_a_round_only(
    sandbox: Sandbox, max_: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database fault while assigning is logged, and the job is assigned in the next round."""
    monkeypatch.setattr("bot.jobs.leader.STORE_PAUSE_S", 0.05)
    assign = JobStore.assign
    trouble = [OperationalError("locked", None, Exception("locked"))]

    async def failing(store: JobStore, job_id: str, attempt: int, **more: Any) -> bool:
        if trouble:
            raise trouble.pop()
        return await assign(store, job_id, attempt, **more)

    monkeypatch.setattr(JobStore, "assign", failing)
    await max_.picture(await max_.says("imagine", prompt="x"))


async def test_edits_are_paced_from_the_queue_to_the_end(slow_sandbox: Sandbox) -> None:
    """Also where a waiting job begins to run, two edits of its reply are at least 1.4 s apart (but for the last)."""
    person = Person(slow_sandbox, "max")
    first = await person.says("imagine", prompt="first")
    await person.until(lambda message: not message.loading, first)
    second = await person.says("imagine", prompt="second")
    message = await person.picture(second)
    edits = [
        call.at for call in slow_sandbox.discord.world.calls
        if call.method == "PATCH" and call.path.endswith(f"{second.token}/messages/{message.id}")
    ]  # fmt: skip
    gaps = [later - sooner for sooner, later in pairwise(edits[:-1])]
    assert len(gaps) >= 2
    assert min(gaps) >= 1.4


async def test_a_delivery_in_trouble_holds_up_nobody(sandbox: Sandbox, max_: Person) -> None:
    """While Discord does not take one picture, the server already works for others, and theirs are delivered."""
    stuck = await max_.says("imagine", prompt="stuck")
    pattern = rf"PATCH /webhooks/\d+/{stuck.token}"
    sandbox.discord.world.faults.append(Fault(pattern=pattern, status=503, times=1000))
    await max_.picture(await max_.says("imagine", prompt="free"), within_s=15)
    assert sandbox.comfyui is not None
    history = sandbox.comfyui.worker.history
    await eventually(lambda: len(history) == 2, "the stuck one was not even made")
    assert not max_.reply(stuck).attachments


async def test_a_store_that_faults_at_the_end_spoils_nothing(
    sandbox: Sandbox, max_: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A picture that is shown stays shown when its last step cannot be written; the row is closed a little later."""
    monkeypatch.setattr("bot.jobs.leader.SWEEP_S", 0.05)
    delivered, trouble = JobStore.delivered, [OperationalError("locked", None, Exception("locked"))]

    async def failing(store: JobStore, job_id: str, attempt: int, thumbs: Mapping[int, bytes] | None = None) -> bool:
        if trouble:
            raise trouble.pop()
        return await delivered(store, job_id, attempt, thumbs)

    monkeypatch.setattr(JobStore, "delivered", failing)
    sent = await max_.says("imagine", prompt="x")
    await max_.picture(sent)

    async def closed() -> bool:
        return not trouble and await sandbox.app.bench.jobs.live() == []

    await eventually(closed, "the row stays open")
    assert "Done in" in max_.reply(sent).words
