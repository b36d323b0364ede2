"""Every way into Easel passes the gate; the list of ways is read from the running bot, so a new one is tried, too."""

import asyncio
import re
from collections.abc import AsyncGenerator, Generator
from dataclasses import replace
from typing import Any, cast

import discord
import pytest
import simcord
import structlog
from discord import app_commands

from bot.bot import EaselBot, EaselTree
from bot.filled import Filled
from bot.model.case import CaseKind
from bot.model.guild import EVERYWHERE
from bot.model.job import JobState
from bot.moderation import policy
from bot.moderation.sanctions import Order
from bot.replies.catalogue import text
from bot.replies.press import Action, Press
from bot.store.tables import jobs
from tests.cogs.checks import (
    LISTED,
    SPARED,
    Watch,
    admitted,
    kept_out,
    list_word,
    listed,
    retold,
    strays,
    unanswered,
)
from tests.cogs.doors import DONE, DRAFT, Entry, dialog_of, entries, words
from tests.cogs.furniture import USUAL, decide, furnish, put_draft, request_of
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


@pytest.fixture
async def house(simcord_env: simcord.Env, simcord_bot: EaselBot) -> House:
    """A guild of the bot's, with a card that has every button."""
    guild = simcord_env.create_guild()
    max_, mina = (guild.add_member(simcord_env.create_user(name)) for name in ("max", "mina"))
    places = [guild.create_text_channel(name) for name in ("pictures", "review")]
    house = House(simcord_env, simcord_bot, guild, *places, victim=max_, reporter=mina)
    house.put_card()
    await decide(house, "commands_per_minute", "600")
    return house


async def banned(house: House, name: str, guild_id: int, **permissions: bool) -> Any:
    """Return a member who is kept out."""
    member = house.another(name, **permissions)
    await house.bot.services.bench.sanctions.ban(Order(guild_id=guild_id, member_id=member.id, by_id=None), None)
    return member


def ruler(house: House) -> Any:
    """Return a member who may everything: administrator, and owner of Easel."""
    member = house.another("ruler", administrator=True)
    house.bot.services = replace(house.bot.services, owner_ids=frozenset({member.id}))
    return member


DIALOGS: list[Entry] = []
"""Dialogs as the first test found them: to find them, everything has to be tried."""


async def dialogs_of(house: House) -> list[Entry]:
    """Return every dialog, found by opening them all; the guild is as it was, afterwards."""
    if not DIALOGS:
        opener = house.another("opener", administrator=True)
        await furnish(house, opener.id)
        found = await opened(house, opener)
        await _emptied(house)
        await furnish(house, opener.id)
        with pytest.MonkeyPatch.context() as patch:  # a dialog has other fields where there is no helper
            patch.setattr(house.bot.services.rewording, "_enhancer", None)
            plain = await house.send(Entry("button", f"easel:remix:{DONE}:0"), opener)
        assert plain.modal is not None
        DIALOGS.extend([*found, dialog_of(plain.modal)])
        await _emptied(house)
    return DIALOGS


async def _emptied(house: House) -> None:
    await house.emptied()
    house.put_card()
    await decide(house, "commands_per_minute", "600")


async def furnished(house: House) -> list[Entry]:
    """Furnish the guild, and return every way in."""
    found = await dialogs_of(house)
    await furnish(house, house.victim.id)
    return entries(house.bot, found)


async def test_nothing_but_what_is_known_leads_in(house: House) -> None:
    """Commands, menus, buttons, dialogs: no other listener, view or prefix command; and all of them are found."""
    dialogs = await dialogs_of(house)

    assert strays(house.bot, dialogs) == []
    found = entries(house.bot, dialogs)
    kinds = [one.kind for one in found]
    counts = {kind: kinds.count(kind) for kind in ("command", "complete", "menu", "button", "choice", "dialog")}
    assert counts["command"] >= 40
    assert counts["complete"] >= 17
    assert counts["menu"] >= 4
    assert counts["button"] >= 45
    assert (counts["choice"], counts["dialog"]) >= (3, 5)
    assert {one.name for one in found if one.name in SPARED} == set(SPARED)


@pytest.mark.parametrize("everywhere", [False, True])
async def test_who_is_banned_gets_nowhere(house: House, everywhere: bool) -> None:  # noqa: FBT001 - a parameter of a test
    """A ban of the guild, and the owner's even against an administrator, refuse everything but what is spared."""
    found = await furnished(house)
    if everywhere:
        member = await banned(house, "bad", EVERYWHERE, administrator=True)
    else:
        member = await banned(house, "bad", house.guild.id, manage_messages=True)

    key = "refused.banned_everywhere" if everywhere else "refused.banned"
    assert await kept_out(house, found, member, key, spared=SPARED) == []


async def test_everybody_is_looked_at(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever takes any way in, an administrator and owner too, is shown to the gate first, once, as who they are."""
    found = await furnished(house)

    assert await admitted(house, found, ruler(house), monkeypatch) == []


@pytest.mark.parametrize("hangs", [False, True])
async def test_a_gate_that_fails_lets_nobody_in(
    house: House, monkeypatch: pytest.MonkeyPatch, hangs: bool  # noqa: FBT001 - a parameter of a test
) -> None:  # fmt: skip
    """When the gate cannot ask its questions, or gets no answer, every way in is refused in words: the spared, too."""
    found = await furnished(house)
    house.patience_s = policy.ENTER_S if hangs else 0.0

    async def policy_of(_guild_id: int) -> None:
        if hangs:
            await house.env.external_wait(asyncio.Event().wait(), reason="a check that hangs")
        raise OSError("the disk is gone")

    monkeypatch.setattr(house.bot.services.bench.guilds, "policy", policy_of)
    assert await kept_out(house, found, ruler(house), "refused.check_failed") == []


@pytest.mark.no_cover
async def test_a_gate_that_breaks_lets_nobody_in(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even a bug in the gate itself, outside of all its precautions, opens nothing, and is told as a bug."""
    found = await furnished(house)

    async def enter(_visitor: Any) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(house.bot.services.bench.gate, "enter", enter)
    assert await kept_out(house, found, ruler(house), None) == []


@pytest.mark.no_cover
async def test_direct_messages_are_refused(house: House) -> None:
    """Every way in says in a direct message that it is for servers: the spared, too, and whoever asks."""
    found = await furnished(house)

    assert await kept_out(house, found, ruler(house), "refused.guild_only", direct=True) == []


async def test_a_listed_word_gets_through_nowhere(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Typed anywhere, it meets the gate and is refused, or the table says why not; nobody else reads it, ever."""
    found, owner = await furnished(house), ruler(house)
    order = Order(guild_id=house.guild.id, member_id=owner.id, by_id=None)
    await house.bot.services.bench.sanctions.strike(order)
    await put_draft(house, DRAFT, request_of(house, owner.id))

    assert await listed(house, found, owner, Watch(house, monkeypatch)) == []
    kinds = [case.kind for case in await house.bot.services.bench.casework.waiting(house.guild.id)]
    assert kinds.count(CaseKind.APPEAL) == kinds.count(CaseKind.REPORT) + 1 == 2


async def test_what_was_listed_since_is_told_nowhere(house: House) -> None:
    """A word that the guild lists today is read by nobody who takes any way in to yesterday's pictures."""
    found = entries(house.bot, await dialogs_of(house))
    await furnish(house, house.victim.id, f"a {LISTED} fox", alone=True)
    await list_word(house)

    assert await retold(house, found, house.another("noa")) == []
    house.put_card()
    assert await retold(house, found, house.victim) == []


async def test_what_was_made_among_adults_is_shown_nowhere_else(house: House) -> None:
    """In a channel that is not for adults no way in tells of what was asked for in one."""
    found = entries(house.bot, await dialogs_of(house))
    await furnish(house, house.victim.id, "a wumbrel fox", adult=True, alone=True)

    assert await retold(house, found, house.another("noa"), "wumbrel") == []
    house.put_card()
    assert await retold(house, found, house.victim, "wumbrel") == []


async def test_every_way_in_is_answered(house: House) -> None:
    """Whoever takes any way in, with things of their own and with others', is answered, and not with a bug."""
    found = await furnished(house)
    owner = ruler(house)

    assert await unanswered(house, found, house.another("noa")) == []
    await put_draft(house, DRAFT, request_of(house, owner.id))
    assert await unanswered(house, found, owner) == []


async def test_the_helpers_words_pass_the_gate(house: House) -> None:
    """What a language model says is refused like a member's own words, shown to nobody, and kept nowhere."""
    found = entries(house.bot, await dialogs_of(house))
    await furnish(house, house.victim.id, alone=True)
    await list_word(house)
    cast("Any", house.bot.services.rewording)._enhancer.adds = LISTED
    ways = [(one, {}) for one in found if one.name == "enhance"]
    ways += [(one, {"enhance": True}) for one in found if "enhance" in {field["name"] for field in one.options}]
    assert len(ways) >= 3

    for way, typed in ways:
        said = words(await house.send(way, house.victim, typed))
        assert text("refused.word_rule", "en-US") in said, way
        assert LISTED not in said
    assert LISTED not in str((await house.rows())["drafts"])


async def test_only_what_is_there_can_be_liked(house: House) -> None:
    """A file that a job does not have, a private one and one of a job that is not finished have no likes."""
    await furnish(house, house.victim.id)
    before = (await house.rows())["favourites"]
    for job_id, number in ((DONE, 2), (DONE, 99), (USUAL.private, 1), (USUAL.live, 1), (USUAL.held, 1)):
        press = Press(action=Action.FAVOURITE, job_id=job_id, number=number)
        assert words(await house.send(Entry("button", press.custom_id), house.victim)) != ""
        assert (await house.rows())["favourites"] == before, press

    press = Press(action=Action.FAVOURITE, job_id=DONE, number=1)
    await house.send(Entry("button", press.custom_id), house.another("noa"))
    assert len((await house.rows())["favourites"]) == len(before) + 1


async def test_pages_are_shown_to_whoever_turns_them(house: House) -> None:
    """Also under what everybody reads: one's own pictures are shown to oneself alone."""
    await furnish(house, house.victim.id, "a wumbrel fox")

    for book in ("history", "gallery"):
        turned = await house.send(Entry("button", f"easel:page:{book}:0"), house.victim)
        assert "wumbrel" in words(turned)
        assert turned.ephemeral
        assert not any("wumbrel" in one for one in house.public())


async def test_a_private_request_stays_private_by_way_of_a_draft(house: House) -> None:
    """Refused and mended, or reworded first: what comes of a private picture's remix is its member's alone."""
    found = await dialogs_of(house)
    await furnish(house, house.victim.id)
    await decide(house, "private_results", "allowed")
    await house.bot.services.bench.jobs._database.write(lambda one: one.execute(jobs.delete().where(
        jobs.c.state != JobState.DONE)).rowcount)  # fmt: skip
    dialog = next(one for one in found if one.name == f"easel:remix:j{DONE}p" and one.texts)
    refused = await house.send(dialog, house.victim, {"settings": "nonsense"})
    reworded = await house.send(dialog, house.victim, {"enhance": True})

    (edit,) = re.findall(r"easel:draft:edit:\w+", words(refused))
    opened_again = (await house.send(Entry("button", edit), house.victim)).modal
    assert opened_again is not None
    mended = await house.send(dialog_of(opened_again), house.victim, {"settings": ""})
    (run,) = re.findall(r"easel:draft:run:\w+", words(reworded))
    sent = await house.send(Entry("button", run), house.victim)

    assert [one.ephemeral for one in (refused, reworded, mended, sent)] == [True] * 4
    made = [row for row in (await house.rows())["jobs"] if row[0] not in USUAL.all]
    assert [row[jobs.columns.keys().index("ephemeral")] for row in made] == [True, True]


# The checks themselves are checked: with holes.
# They are spared the tracer: what they run, the tests above and those of the rooms themselves run, too.


@app_commands.command(name="shout")
async def shout(interaction: discord.Interaction[Any], words: str) -> None:
    """Say something to everybody."""
    await interaction.response.send_message(words)


class Boost(discord.ui.DynamicItem[discord.ui.Button[discord.ui.View]], template=r"boost:(?P<job>[0-9a-f]{16})"):
    """A button that asks nobody."""

    def __init__(self, job_id: str) -> None:
        super().__init__(discord.ui.Button(custom_id=f"boost:{job_id}"))

    @classmethod
    async def from_custom_id(cls, _interaction: Any, _item: Any, match: Any, /) -> "Boost":
        return cls(match["job"])

    async def callback(self, interaction: discord.Interaction[Any]) -> Any:
        await interaction.response.send_modal(Loud(custom_id="loud"))


class Loud(discord.ui.Modal, title="loud"):
    """A dialog that is not of the bot's table, and asks nobody."""

    what: discord.ui.TextInput[Any] = discord.ui.TextInput(label="what", custom_id="what")

    async def on_submit(self, interaction: discord.Interaction[Any]) -> None:
        await interaction.response.send_message(str(self.what))


def _plant(house: House, hole: str, monkeypatch: pytest.MonkeyPatch) -> None:
    bot, check, press = house.bot, EaselTree.interaction_check, house.bot.press

    async def unchecked(tree: EaselTree, interaction: discord.Interaction[Any]) -> bool:
        return interaction.command is shout or await check(tree, interaction)

    async def pressed(interaction: discord.Interaction[Any], one: Press) -> None:
        past = one.action is Action.CANCEL
        await (bot.presses[one.action](interaction, one) if past else press(interaction, one))

    async def turned(interaction: discord.Interaction[Any], book: str, page: int) -> None:
        await bot.books[book](interaction, page)

    past: dict[str, tuple[str, Any]] = {
        "pressed": ("press", pressed),
        "turned": ("turn", turned),
        "picked": ("pick", bot._pick),
    }
    past["drafted"] = ("draft", bot._draft)
    if hole in past:
        monkeypatch.setattr(bot, *past[hole])
        return
    match hole:
        case "unchecked":
            monkeypatch.setattr(EaselTree, "interaction_check", unchecked)
            bot.tree.add_command(shout)
        case "echo":
            bot.tree.add_command(shout)
        case "spared":
            monkeypatch.setattr(shout, "extras", {"spared": True})
            bot.tree.add_command(shout)
        case "dialog":
            bot.on_dialog("note", _echo)
        case _:
            bot.add_dynamic_items(Boost)
            house.put_card()


async def _echo(interaction: discord.Interaction[Any], _state: str, filled: Filled) -> None:
    await interaction.response.send_message(filled.texts["what"])


NOTE = Entry("dialog", "easel:note:1", [{"name": "what", "type": 3, "component": 4, "begins": "x"}])
BOOST = f"boost:{'0' * 16}"
HOLES = {
    "unchecked": ("shout", {"banned", "failed", "direct", "seen", "listed"}),
    "spared": ("shout", {"banned", "seen", "listed"}),
    "echo": ("shout", {"listed"}),
    "pressed": ("easel:cancel:0123456789abcdef", {"banned", "failed", "direct", "seen"}),
    "turned": ("easel:page:history:1", {"banned", "failed", "direct", "seen"}),
    "picked": (f"{DONE}:1", {"banned", "failed", "direct", "seen"}),
    "drafted": ("easel:draft:run:eeeeeeeeeeeeeeee", {"banned", "failed", "direct", "seen"}),
    "dialog": (NOTE.name, {"listed"}),
    "button": (BOOST, {"banned", "failed", "direct", "seen"}),
}
"""Holes, the way in that has it, and which checks have to find it."""


@pytest.mark.no_cover
@pytest.mark.parametrize("hole", HOLES)
async def test_a_hole_is_found(house: House, hole: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new command, button or option that is wired past the gate is named by the checks above, and nothing else is."""
    await furnished(house)
    _plant(house, hole, monkeypatch)
    name, finders = HOLES[hole]
    found = [one for one in entries(house.bot, [*DIALOGS, NOTE]) if one.name == name]
    owner, bad = ruler(house), await banned(house, "bad", house.guild.id)

    faults = {
        "banned": await kept_out(house, found, bad, "refused.banned", spared=SPARED),
        "direct": await kept_out(house, found, owner, "refused.guild_only", direct=True),
        "seen": await admitted(house, found, owner, monkeypatch),
        "listed": await listed(house, found, owner, Watch(house, monkeypatch), known=False),
    }
    monkeypatch.setattr(house.bot.services.bench.guilds, "policy", None)
    faults["failed"] = await kept_out(house, found, owner, "refused.check_failed")
    assert {check for check, told in faults.items() if told} == finders
    assert all(name.removesuffix(":1") in one for told in faults.values() for one in told)


@pytest.mark.no_cover
async def test_a_dialog_of_its_own_is_found(house: House) -> None:
    """A dialog that answers by itself, past the bot's table, is a way in that nobody knows."""
    dialogs = await dialogs_of(house)
    house.bot.add_dynamic_items(Boost)
    house.put_card()

    loud = await opened(house, house.another("opener", administrator=True))

    assert strays(house.bot, [*dialogs, *loud]) == ["dialog loud is not of the bot's table"]


@pytest.mark.no_cover
async def test_a_listener_a_view_and_a_dialog_that_nothing_opens_are_found(house: House) -> None:
    """What discord.py would call besides commands, buttons and dialogs is a way in that nobody knows."""
    dialogs = await dialogs_of(house)

    async def on_interaction(_interaction: Any) -> None: ...

    async def submit(_interaction: Any, _state: str, _typed: Any) -> None: ...

    house.bot.add_listener(on_interaction)
    view = discord.ui.View(timeout=None)
    view.add_item(discord.ui.Button(custom_id="own"))
    house.bot.add_view(view)
    house.bot.on_dialog("note", submit)
    assert strays(house.bot, dialogs) == ["listener on_interaction", "view View", "nothing opens dialog note"]
