"""A guild never sees, changes or finds out about what is another's: ids of guild A, tried everywhere in guild B."""

import importlib
import time
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from dataclasses import replace
from typing import Any

import discord
import pytest
import simcord
import sqlalchemy as sa
import structlog
from discord import app_commands

from bot.bot import EaselBot
from bot.jobs import follow, remix
from bot.model.audit import Act, Entry
from bot.model.job import Job
from bot.model.request import Request
from bot.model.words import Word
from bot.moderation.council import Council
from bot.store import cases as case_store
from bot.store.audit import AuditStore
from bot.store.cases import CaseStore
from bot.store.drafts import DraftStore
from bot.store.jobs import JobStore
from bot.store.sanctions import SanctionStore, _sanction
from bot.store.shelf import ShelfStore
from bot.store.tables import cases, drafts, jobs, sanctions
from bot.store.tables import words as word_table
from tests.cogs.apart import MINE_THERE, OWN, SECRET, Twins, crossings, foreign, trespasses, twins, unknown
from tests.cogs.doors import DONE, DRAFT, entries, words
from tests.cogs.doors import Entry as Door
from tests.cogs.furniture import LONG, USUAL, decide, furnish
from tests.cogs.house import House, opened
from tests.cogs.test_cogs import SyncedBot
from tests.fakes import desk_services

pytestmark = pytest.mark.simcord(check_errors=False)


@pytest.fixture(autouse=True)
def _quiet() -> Generator[None]:
    with structlog.testing.capture_logs():
        yield


@pytest.fixture
async def simcord_bot() -> AsyncGenerator[EaselBot]:
    """The real bot with the real desk and gate."""
    bot = SyncedBot()
    async with desk_services(bot) as bot.services:
        yield bot


DIALOGS: list[Door] = []
"""Dialogs as the first test found them: to find them, everything has to be tried."""


class Town:
    """Guild A with its secrets, guild B, and the administrator of B, who is an ordinary member of A."""

    def __init__(self, env: simcord.Env, bot: EaselBot) -> None:
        user = env.create_user("prober")
        self.theirs, self.ours = _house(env, bot, "A"), _house(env, bot, "B")
        self.theirs.guild.add_member(user)
        role = self.ours.guild.create_role("admin", permissions=discord.Permissions(administrator=True))
        self.prober = self.ours.guild.add_member(user, roles=[role])
        self.tried: list[Twins] = []
        self.unknown: list[str] = []

    async def furnish(self) -> None:
        """Fill guild A: with a member's things, and with what the one who tries has there; and say what to try."""
        theirs, ours = self.theirs, self.ours
        bench = ours.bot.services.bench
        if not DIALOGS:
            opener = ours.another("opener", administrator=True)
            await furnish(ours, opener.id)
            DIALOGS.extend(await opened(ours, opener))
            await ours.emptied()
            ours.put_card()
        for house in (theirs, ours):
            await decide(house, "commands_per_minute", "600")
        await furnish(theirs, theirs.victim.id, SECRET)
        await furnish(theirs, self.prober.id, f"{OWN}{LONG}", MINE_THERE)
        entry = Entry(guild_id=theirs.guild.id, act=Act.WORD, at=time.time())
        await bench.guilds.put_words(theirs.guild.id, [Word(text=SECRET, reason=SECRET)], [], entry)
        record = await bench.sanctions.record(theirs.victim.id, theirs.guild.id)
        given = foreign(ours, theirs, record.sanctions[0].id)
        found = entries(ours.bot, DIALOGS)
        self.unknown = unknown(found, given)
        self.tried = twins(found, given, (theirs.card, ours.card))

    async def crossings(self, *names: str) -> list[str]:
        """Try all, or the ways in of these names."""
        tried = [one for one in self.tried if not names or one.name in names]
        assert {one.name for one in tried} >= set(names)
        return await crossings(self.ours, self.theirs, self.prober, tried)


async def unlist(house: House) -> None:
    """Take the guild's word from its list."""
    entry = Entry(guild_id=house.guild.id, act=Act.WORD, at=time.time())
    await house.bot.services.bench.guilds.put_words(house.guild.id, [], [SECRET], entry)


def _house(env: simcord.Env, bot: EaselBot, name: str) -> House:
    guild = env.create_guild(name=name)
    people = (guild.add_member(env.create_user(f"{one}-{name}")) for one in ("max", "mina"))
    places = [guild.create_text_channel(f"{one}-{name}") for one in ("pictures", "review")]
    victim, reporter = people
    house = House(env, bot, guild, *places, victim=victim, reporter=reporter)
    house.put_card()
    return house


@pytest.fixture
async def town(simcord_env: simcord.Env, simcord_bot: EaselBot) -> Town:
    """Two guilds."""
    town = Town(simcord_env, simcord_bot)
    await town.furnish()
    return town


@pytest.mark.timeout(600)  # every id of one guild, on every way into another
async def test_nothing_crosses_over(town: Town) -> None:
    """Members, cases, strikes, jobs, words, channels of A, named by B's administrator: as if they were nowhere."""
    assert town.unknown == []
    assert len(town.tried) > 400
    assert await town.crossings() == []


async def test_what_is_spent_elsewhere_is_not_spent_here(town: Town) -> None:
    """Quotas are a guild's own: who has spent something in A has spent nothing in B."""
    (quota,) = (one.real[0] for one in town.tried if one.name == "quota")
    member = town.theirs.guild.id, town.prober.id
    assert (await town.ours.bot.services.bench.jobs.spent(member[1], member[0], 0.0))[0] > 0

    assert "0.0" in words(await town.ours.send(quota, town.prober))


@pytest.mark.parametrize("who", ["member", "moderator"])
async def test_what_is_one_members_alone_is_nobody_elses(town: Town, who: str) -> None:
    """A private request and a draft are nowhere for others of the same guild, its moderators too, whatever they press.

    Every member can read the ids of what they see; these they cannot know, and knowing them would not help.
    """
    house = town.theirs
    await unlist(house)
    actor = house.another("mod", manage_messages=True) if who == "moderator" else house.another("noa")

    assert await trespasses(house, entries(house.bot, DIALOGS), actor) == []


async def test_a_trespass_is_found(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """The check names every button that asks nobody whose a request or a draft is."""
    _button(monkeypatch)
    _draft(monkeypatch)
    house = town.theirs
    await unlist(house)

    faults = await trespasses(house, entries(house.bot, DIALOGS), house.another("noa"))

    found = {one.split(": ")[0] for one in faults}
    private = USUAL.private
    assert found >= {f"easel:{action}:{private}" for action in ("again", "recipe", "remix", "favourite", "delete")}
    assert found >= {f"{private}:1", f"easel:draft:edit:{DRAFT}", f"easel:draft:run:{DRAFT}", f"easel:report:{private}"}


# The check itself is checked: with a hole in each store and cog that should keep guilds apart.
# They are spared the tracer: what they run, the tests above and those of the rooms themselves run, too.


@app_commands.command(name="lookup")
async def lookup(interaction: discord.Interaction[Any], ident: int) -> None:
    """Look something up."""
    await interaction.response.send_message(str(ident), ephemeral=True)


def _anywhere(monkeypatch: pytest.MonkeyPatch, store: type, table: sa.Table) -> None:
    """Make a store's `_select` forget what it was told of guilds."""
    select = store._select  # pyright: ignore[reportAttributeAccessIssue]

    async def selected(own: Any, *conditions: Any) -> Any:
        return await select(own, *(one for one in conditions if getattr(one, "left", None) is not table.c.guild_id))

    monkeypatch.setattr(store, "_select", selected)


def _case(monkeypatch: pytest.MonkeyPatch) -> None:
    _anywhere(monkeypatch, CaseStore, cases)


def _queue(monkeypatch: pytest.MonkeyPatch) -> None:
    _anywhere(monkeypatch, JobStore, jobs)


def _button(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("buttons", "recipe", "shelf", "cases"):
        there = importlib.import_module(f"cogs.{name}")  # discord.py has loaded it anew
        for check in ("check_here", "check_open", "check_there"):
            monkeypatch.setattr(there, check, lambda job, _asker: job, raising=False)
    for module in (remix, follow):
        for check in ("check_open", "check_there"):
            monkeypatch.setattr(module, check, lambda job, _asker: job, raising=False)


def _draft(monkeypatch: pytest.MonkeyPatch) -> None:
    async def get(own: Any, draft_id: str, *_: Any) -> Request | None:
        query = sa.select(drafts.c.request).where(drafts.c.id == draft_id)
        found = await own._database.read(lambda one: one.scalar(query))
        return Request.from_json(found) if found else None

    monkeypatch.setattr(DraftStore, "get", get)


def _shelf(monkeypatch: pytest.MonkeyPatch) -> None:
    page, prompts = ShelfStore._page, ShelfStore.prompts

    async def paged(own: Any, conditions: Any, *more: Any, **most: Any) -> Any:
        apart = (jobs.c.guild_id, jobs.c.channel_id)
        fewer = [one for one in conditions if not any(getattr(one, "left", None) is column for column in apart)]
        return await page(own, fewer, *more, **most)

    async def prompted(own: Any, member_id: int, _guild_id: int, most: int) -> list[Job]:
        query = sa.select(jobs.c.guild_id).where(jobs.c.member_id == member_id).distinct()
        guilds = await own._database.read(lambda one: list(one.scalars(query)))
        return [job for guild in guilds for job in await prompts(own, member_id, guild, most)]

    monkeypatch.setattr(ShelfStore, "_page", paged)
    monkeypatch.setattr(ShelfStore, "prompts", prompted)


def _decision(monkeypatch: pytest.MonkeyPatch) -> None:
    decide_ = case_store.decide

    def decided(connection: sa.Connection, about: Any, *more: Any) -> Any:
        found = connection.scalar(sa.select(cases.c.guild_id).where(cases.c.number == about.number))
        return decide_(connection, replace(about, guild_id=found or about.guild_id), *more)

    monkeypatch.setattr(case_store, "decide", decided)


def _record(monkeypatch: pytest.MonkeyPatch) -> None:
    async def record(own: Any, member_id: int, _guild_id: int) -> Any:
        query = sanctions.select().where(sanctions.c.member_id == member_id)
        return await own._database.read(lambda one: [_sanction(row) for row in one.execute(query)])

    monkeypatch.setattr(SanctionStore, "record", record)


def _strike(monkeypatch: pytest.MonkeyPatch) -> None:
    lift = SanctionStore.lift

    async def lifted(own: Any, sanction: Any, kinds: Any, entry: Any) -> Any:
        query = sa.select(sanctions.c.guild_id).where(sanctions.c.id == sanction.id)
        there = await own._database.read(lambda one: one.scalar(query))
        return await lift(own, replace(sanction, guild_id=there or sanction.guild_id), kinds, entry)

    monkeypatch.setattr(SanctionStore, "lift", lifted)


def _audit(monkeypatch: pytest.MonkeyPatch) -> None:
    find = AuditStore.find

    async def found(own: Any, wanted: Any, most: int | None = None) -> Any:
        guilds = await own.guilds()
        return [link for guild in guilds for link in await find(own, replace(wanted, guild_id=guild), most)][:most]

    monkeypatch.setattr(AuditStore, "find", found)


def _words(monkeypatch: pytest.MonkeyPatch) -> None:
    hits = Council.hits

    async def hit(own: Any, _guild_id: int, words: str) -> Any:
        guilds = await own._guilds._database.read(lambda one: list(one.scalars(sa.select(word_table.c.guild_id))))
        return [word for guild in guilds for word in await hits(own, guild, words)]

    monkeypatch.setattr(Council, "hits", hit)


HOLES: Mapping[str, tuple[Callable[[pytest.MonkeyPatch], None], set[str]]] = {
    "case": (_case, {"mod case", "mod review"}),
    "queue": (_queue, {"queue", "cancel", "Report picture"}),
    "typing": (_queue, {"cancel.request"}),
    "button": (
        _button,
        {
            *(f"easel:{action}:{DONE}" for action in ("again", "delete", "recipe", "favourite", "remix")),
            f"easel:cancel:{USUAL.live}",
            f"easel:vary:{DONE}:1:subtle",
            f"easel:follow:{DONE}:1p:upscale",
            f"{DONE}:1",
            f"easel:report:{DONE}",
            f"easel:remix:j{DONE}",
        },
    ),
    "draft": (_draft, {f"easel:draft:{what}:{DRAFT}" for what in ("run", "edit")} | {f"easel:remix:d{DRAFT}"}),
    "shelf": (
        _shelf,
        {
            "history",
            "gallery",
            "recipe",
            "recipe.picture",
            "imagine.prompt",
            "imagine",
            "easel:page:history:0",
            "easel:page:gallery:0",
        },
    ),
    "decision": (
        lambda patch: (_case(patch), _decision(patch))[0],
        {"easel:case:approve:1", "easel:case:removeban:2", "easel:case:grant:3"},
    ),
    "record": (_record, {"mod record", "Member record"}),
    "strike": (_strike, {"mod pardon"}),
    "audit": (_audit, {"mod audit"}),
    "words": (_words, {"words test"}),
}
"""What forgets guilds, and where that has to be found."""


@pytest.mark.no_cover
@pytest.mark.parametrize("hole", HOLES)
async def test_a_hole_is_found(town: Town, hole: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store or cog that asks for no guild is named by the check, by every way in that leads to it."""
    plant, names = HOLES[hole]
    plant(monkeypatch)

    faults = await town.crossings(*names)

    assert {name for name in names if any(one.startswith(name) for one in faults)} == names


@pytest.mark.no_cover
async def test_an_option_that_nobody_has_thought_of_is_found(town: Town) -> None:
    """A new option has to be said to name nothing of a guild's, or be tried with what another guild has."""
    town.ours.bot.tree.add_command(lookup)

    given = foreign(town.ours, town.theirs, "")
    assert unknown(entries(town.ours.bot), given) == ["lookup: say what of another guild's fits into ident"]
