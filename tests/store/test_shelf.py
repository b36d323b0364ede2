"""What members look through, have not sent yet, and are owed: each its own. Every test runs on both databases."""

import time
from dataclasses import replace
from typing import Any

import pytest

from bot.model.job import Job, JobState, ReplyAddress, Result
from bot.model.request import Request
from bot.store.database import Database
from bot.store.drafts import DraftStore
from bot.store.jobs import JobStore
from bot.store.keeping import KeepingStore
from bot.store.promises import HANDLER_S, LIFE_S, Owed, PromiseStore
from bot.store.shelf import Page, ShelfStore
from bot.store.tables import jobs

GUILD, OTHER_GUILD, CHANNEL, OTHER_CHANNEL = 2, 3, 30, 31
MAX, MINA, NOA = 7, 8, 9
SMALL = b"small"


def request(**more: Any) -> Request:
    made = Request(prompt="p", template="t", seed=1, member_id=MAX, guild_id=GUILD, channel_id=CHANNEL)
    return replace(made, **more)


async def put(database: Database, job_id: str, at: float, *, files: int = 1, **more: Any) -> Job:
    """Keep a job that is done, with its files, each with a small picture; `more`: of its request, or of itself."""
    ours = {name: more.pop(name) for name in ("state", "deleted", "removed", "ephemeral") if name in more}
    about = request(**more)
    address = ReplyAddress(
        application_id=1, channel_id=about.channel_id, message_id=4, token=f"token-{job_id}", expires_at=9,
        upload_limit=1, ephemeral=ours.pop("ephemeral", False),
    )  # fmt: skip
    state = ours.pop("state", JobState.DONE)
    job = Job(id=job_id, request=about, address=address, state=JobState.DELIVERING, attempt=0, created_at=at)
    store = JobStore(database)
    await store.add(job)
    await store.add_results(job_id, [Result(filename=f"{job_id}{number}.png") for number in range(1, files + 1)])
    if state is JobState.DONE:
        assert await store.delivered(job_id, 0, dict.fromkeys(range(1, files + 1), SMALL))
    if ours:
        await database.write(lambda one: one.execute(jobs.update().where(jobs.c.id == job_id).values(**ours)).rowcount)
    found = await store.get(job_id)
    assert found is not None
    return found


def named(page: Page) -> list[str]:
    return [f"{one.job.id}{one.number}" for one in page.items]


async def history(database: Database, member_id: int = MAX, guild_id: int = GUILD, **more: Any) -> Page:
    asked: dict[str, Any] = {"adult": True, "start": 0, "most": 5, **more}
    return await ShelfStore(database).history(member_id, guild_id, **asked)


async def gallery(database: Database, *channels: int, guild_id: int = GUILD, **more: Any) -> Page:
    channel_ids = channels or (CHANNEL,)
    asked: dict[str, Any] = {"adult": True, "start": 0, "most": 5, **more}
    return await ShelfStore(database).gallery(guild_id, channel_ids, **asked)


async def test_a_history_is_ones_own_newest_first_and_paged(database: Database) -> None:
    """Each finished job of the member's in this guild once, by its first file with its small picture; and all count."""
    for number in range(7):
        await put(database, f"j{number}", number, files=2)
    await put(database, "minas", 50, member_id=MINA)
    await put(database, "elsewhere", 51, guild_id=OTHER_GUILD)
    await put(database, "runs", 52, state=JobState.DELIVERING)

    first, second = await history(database), await history(database, start=5)

    assert named(first) == ["j61", "j51", "j41", "j31", "j21"]
    assert named(second) == ["j11", "j01"]
    assert first.total == second.total == 7
    assert {one.thumb for one in first.items} == {SMALL}
    assert (await history(database, start=10)).items == ()


@pytest.mark.parametrize("how", ["deleted", "removed"])
async def test_what_is_gone_is_on_no_shelf(database: Database, how: str) -> None:
    """A deleted or removed picture is neither in the history nor in the gallery, nor counted there."""
    job = await put(database, "a", 1)
    await ShelfStore(database).favour(job, 1, MINA)
    await put(database, "b", 2, **{how: True})
    gone = await put(database, "c", 3)
    await ShelfStore(database).favour(gone, 1, MINA)
    assert (named(await gallery(database)), (await history(database)).total) == (["c1", "a1"], 2)
    await put(database, "d", 4, **{how: True})
    hidden = await put(database, "e", 5, **{how: True})
    await ShelfStore(database).favour(hidden, 1, MINA)

    assert named(await history(database)) == ["c1", "a1"]
    page = await gallery(database)
    assert (named(page), page.total) == (["c1", "a1"], 2)


async def test_what_was_made_among_adults_stays_there(database: Database) -> None:
    """Looked at from elsewhere, neither list has it or counts it."""
    job = await put(database, "a", 1, adult=True)
    await ShelfStore(database).favour(job, 1, MINA)

    assert (named(await history(database)), named(await gallery(database))) == (["a1"], ["a1"])
    assert await history(database, adult=False) == await gallery(database, adult=False) == Page(items=(), total=0)


async def test_the_gallery_is_what_a_guild_likes_most_liked_first(database: Database) -> None:
    """By likes, then by age; only of the channels that are named, of this guild, and never of a private reply."""
    shelf = ShelfStore(database)
    old, new = await put(database, "old", 1, files=2), await put(database, "new", 2)
    there = await put(database, "there", 3, channel_id=OTHER_CHANNEL)
    private = await put(database, "private", 4, ephemeral=True)
    foreign = await put(database, "foreign", 5, guild_id=OTHER_GUILD)
    await put(database, "unliked", 6)
    for job, number, members in ((old, 2, (MINA, NOA)), (new, 1, (MINA,)), (there, 1, (MINA,)),
                                 (private, 1, (MAX,)), (foreign, 1, (MINA,))):  # fmt: skip
        for member in members:
            assert await shelf.favour(job, number, member)

    page = await gallery(database)
    assert [(one.job.id, one.number, one.likes) for one in page.items] == [("old", 2, 2), ("new", 1, 1)]
    assert page.total == 2
    assert named(await gallery(database, CHANNEL, OTHER_CHANNEL)) == ["old2", "there1", "new1"]
    assert named(await gallery(database, start=1, most=1)) == ["new1"]
    assert (await gallery(database, 999)).total == 0
    assert named(await gallery(database, guild_id=OTHER_GUILD)) == ["foreign1"]


async def test_a_like_is_taken_back_by_the_next_press(database: Database) -> None:
    """Each member likes a file once; the second press ends that, and touches nobody else's."""
    shelf, job = ShelfStore(database), await put(database, "a", 1)

    assert [await shelf.favour(job, 1, one) for one in (MAX, MINA, MAX)] == [True, True, False]
    (shown,) = await shelf.files("a")
    assert shown.likes == 1
    assert await shelf.favour(job, 1, MAX)
    assert [one.likes for one in await shelf.files("a")] == [2]


async def test_what_is_forgotten_leaves_nothing_to_look_at(database: Database) -> None:
    """A deleted reply's small pictures and likes go; another job's stay."""
    shelf = ShelfStore(database)
    for job_id in ("a", "b"):
        await shelf.favour(await put(database, job_id, 1), 1, MINA)

    await shelf.forget("a")

    assert named(await history(database)) == named(await gallery(database)) == ["b1"]
    assert [(one.thumb, one.likes, one.job.deleted) for one in await shelf.files("a")] == [(None, 0, True)]
    assert [(one.thumb, one.likes, one.job.deleted) for one in await shelf.files("b")] == [(SMALL, 1, False)]


async def test_prompts_are_ones_own_here_whatever_became_of_them(database: Database) -> None:
    """The newest first, also of what runs or was deleted; none of others or of other guilds."""
    await put(database, "a", 1, deleted=True)
    await put(database, "b", 2, state=JobState.DELIVERING)
    await put(database, "c", 3, member_id=MINA)
    await put(database, "d", 4, guild_id=OTHER_GUILD)

    assert [job.id for job in await ShelfStore(database).prompts(MAX, GUILD, 9)] == ["b", "a"]
    assert [job.id for job in await ShelfStore(database).prompts(MAX, GUILD, 1)] == ["b"]


async def test_a_draft_is_its_members_alone(database: Database) -> None:
    """Nobody else gets it, nor its member in another guild."""
    store, made = DraftStore(database), request(negative="n", values={"cfg": 2.5})
    draft_id = await store.add(made, "seed: 4\nsede: 5")

    assert await store.get(draft_id, MAX, GUILD) == (made, "seed: 4\nsede: 5")
    assert await store.get(await store.add(made), MAX, GUILD) == (made, None)
    assert await store.get(draft_id, MINA, GUILD) is None
    assert await store.get(draft_id, MAX, OTHER_GUILD) is None
    assert await store.get("0" * 16, MAX, GUILD) is None


async def test_an_old_draft_is_forgotten(database: Database) -> None:
    """What was kept before a time goes, what was kept after it stays."""
    store = DraftStore(database)
    draft_id = await store.add(request())

    assert await KeepingStore(database).purge_drafts(time.time() - 60) == 0
    assert await store.get(draft_id, MAX, GUILD) is not None
    assert await KeepingStore(database).purge_drafts(time.time() + 1) == 1
    assert await store.get(draft_id, MAX, GUILD) is None


async def test_likes_and_drafts_are_handed_over_and_erased(database: Database) -> None:
    """A member gets what they like and have drafted, in all guilds; erased, it is gone, and others' is not."""
    shelf, store, keeping = ShelfStore(database), DraftStore(database), KeepingStore(database)
    job, there = await put(database, "a", 1), await put(database, "b", 2, guild_id=OTHER_GUILD)
    for one, member in ((job, MAX), (there, MAX), (job, MINA)):
        await shelf.favour(one, 1, member)
    await store.add(request(prompt="mine"))
    minas = await store.add(request(prompt="hers", member_id=MINA))

    liked = await keeping.favourites_of(MAX)
    assert [(one["job_id"], one["number"], one["guild_id"]) for one in liked] == [
        ("a", 1, GUILD),
        ("b", 1, OTHER_GUILD),
    ]
    assert [one["request"]["prompt"] for one in await keeping.drafts_of(MAX)] == ["mine"]

    assert await keeping.erase_touched(MAX) == 3
    assert (await keeping.favourites_of(MAX), await keeping.drafts_of(MAX)) == ([], [])
    assert len(await keeping.favourites_of(MINA)) == 1
    assert await store.get(minas, MINA, GUILD) is not None


async def test_an_erased_job_takes_everybodys_likes_with_it(database: Database) -> None:
    """What others liked of an erased member's is on no shelf any more."""
    await ShelfStore(database).favour(await put(database, "a", 1), 1, MINA)

    await KeepingStore(database).erase_member(MAX, {})

    assert (await gallery(database)).total == 0
    assert await KeepingStore(database).favourites_of(MINA) == []


def owed(ident: int, at: float, token: str = "token") -> Owed:  # noqa: S107 - none of anybody's
    return Owed(id=ident, application_id=1, token=f"{token}{ident}", locale="ja", at=at)


async def test_what_a_dead_process_owes_is_owed_until_it_is_answered(database: Database) -> None:
    """The next process gets what was given and not kept, again and again until it says that it was answered."""
    dead, next_one = PromiseStore(database), PromiseStore(database)
    then = 1000.0
    for ident in (1, 2):
        await dead.give(owed(ident, then))
    await dead.give(owed(2, then))  # given again, it is one
    await dead.kept(1)
    await next_one.give(owed(3, then + HANDLER_S - 1))

    found = await next_one.left(then + HANDLER_S)

    assert found == [owed(2, then)]
    assert "token2" not in repr(found)
    assert await next_one.left(then + HANDLER_S) == found
    await next_one.kept(2)
    assert await next_one.left(then + HANDLER_S) == []


async def test_a_handler_of_ours_that_never_answered_owes_too(database: Database) -> None:
    """What we ourselves have not answered in the longest time that a handler takes is nobody's any more."""
    store = PromiseStore(database)
    await store.give(owed(1, 1000.0))

    assert await store.left(1000.0 + HANDLER_S - 1) == []
    assert await store.left(1000.0 + HANDLER_S) == [owed(1, 1000.0)]


async def test_what_can_no_longer_be_answered_is_forgotten(database: Database) -> None:
    """After a token's life nobody tries; it is not kept for later, either."""
    await PromiseStore(database).give(owed(1, 1000.0))

    assert await PromiseStore(database).left(1000.0 + LIFE_S) == []
    assert await PromiseStore(database).left(1001.0 + HANDLER_S) == []


async def test_a_job_answers_for_itself(database: Database) -> None:
    """An interaction that became a job is nobody else's to answer."""
    job = await put(database, "a", 1)
    await PromiseStore(database).give(replace(owed(1, 1000.0), token=job.address.token))

    assert await PromiseStore(database).left(1000.0 + HANDLER_S) == []


async def test_what_another_process_may_still_be_at_is_left_to_it(database: Database) -> None:
    """Where several processes work, a young promise is another's; where one works, it is a dead one's."""
    await PromiseStore(database).give(owed(1, 1000.0))

    young = await PromiseStore(database).left(1000.0 + HANDLER_S - 1)

    assert young == ([] if database.shared else [owed(1, 1000.0)])
