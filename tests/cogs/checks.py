"""What has to be true of every way in: each check returns what is wrong, way by way; nothing if all is well."""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import pytest
from discord.enums import AppCommandOptionType as Type
from simcord.backend.models.interaction import ResponseKind

from bot.bot import EaselBot
from bot.model.audit import Act
from bot.model.case import CHOICES, Decision
from bot.model.verdict import Refuse
from bot.model.words import Word
from bot.moderation.policy import Visitor
from bot.replies.catalogue import text
from bot.replies.press import Action, read_press
from bot.store.guilds import entry_of
from tests.cogs.doors import BOOKS, Entry, buttons, words
from tests.cogs.house import House

SPARED: Mapping[str, str] = {
    "help": "says what there is, to whoever may not use it, too",
    "appeal": "is the way back in",
    "privacy": "is everybody's right to know",
    "mydata export": "is everybody's right, above all of those who are sent away",
    "mydata erase": "is everybody's right; measures in force stay",
}
"""Commands that are open to who is banned, and why. No other is."""

LISTED = "zorblat"
"""A word that the guild has on its list."""

_MODERATORS = "moderators' own words, and for moderators; members read it as their moderators wrote it"
_LIST = "it is the list that is edited here, and only moderators read it"
_NAME = "it is compared with names that are known, and never shown: who asks is an owner"
FREE: Mapping[str, str] = {
    "mod strike.reason": _MODERATORS,
    "mod pardon.reason": _MODERATORS,
    "mod pardon.strike": "it is compared with the ids of strikes, and never shown",
    "mod ban.reason": _MODERATORS,
    "mod unban.reason": _MODERATORS,
    "words add.word": _LIST,
    "words add.kind": _LIST,
    "words allow.word": _LIST,
    "words remove.word": _LIST,
    "words test.text": "trying what a text would hit is what it is for; only the moderator reads the answer",
    "settings show.setting": "it is compared with the names of settings; of any other word, all are shown",
    "cancel.request": "it is compared with the ids of one's own requests, and never shown",
    "recipe.picture": "it is compared with the ids of one's own pictures, and never shown",
    "appeal.text": "it goes to moderators only, who should read what it says",
    "easel:report.reason": "it goes to moderators only, who should read what it says",
    "server nodes.node": _NAME,
    "models list.folder": _NAME,
    "models info.file": _NAME,
    "models info.folder": _NAME,
}
"""Options and fields in which a listed word is not refused, and why."""

_OWN = "one's own words, for oneself alone, of what is still under way"
TOLD: Mapping[str, str] = {
    "queue": _OWN,
    "cancel": _OWN,
    "cancel.request": _OWN,
    "easel:draft:edit": "one's own words, for oneself alone, to be mended",
    "mydata export": "everybody has a right to what is kept of them",
}
"""Ways in on which members read their own words though these were listed since, and why."""


def strays(bot: EaselBot, dialogs: Sequence[Entry]) -> list[str]:
    """Return ways in that are none of those in `entries`, and buttons and dialogs that do not fit together."""
    heard = [(name, one) for name, listeners in bot.extra_events.items() for one in listeners]
    stray = [f"listener {name}" for name, one in heard if not one.__module__.startswith("simcord.")]
    stray += [f"prefix command {one.name}" for one in bot.commands]
    stray += [f"view {type(one).__name__}" for one in bot.persistent_views]
    stray += [f"button {one} does nothing" for one in Action if one not in bot.presses]
    pressed = {press.action for one in buttons(bot) if (press := read_press(one)) is not None}
    stray += [f"button {one} has no id" for one in Action if one not in pressed]
    stray += [f"pages of {one} are not turned" for one in BOOKS if one not in bot.books]
    stray += [f"pages of {one} are not tried" for one in bot.books if one not in BOOKS]
    takers = {"case buttons": bot._decide, "draft buttons": bot._draft, "lists": bot._pick}
    stray += [f"{what} do nothing" for what, taker in takers.items() if taker is None]
    stray += [f"button {one} is under no case" for one in set(Decision).difference(*CHOICES.values())]
    names = {one.name.split(":")[1] if one.name.startswith("easel:") else one.name for one in dialogs}
    stray += [f"dialog {name} is not of the bot's table" for name in names - set(bot.dialogs)]
    stray += [f"nothing opens dialog {name}" for name in set(bot.dialogs) - names]
    return stray


async def kept_out(
    house: House,
    found: Sequence[Entry],
    actor: Any,
    key: str | None,
    *,
    spared: Collection[str] = (),
    direct: bool = False,
) -> list[str]:
    """Find the ways on which somebody is not refused with these words (None: a bug's), or something happens."""
    faults: list[str] = []
    refusal = text(key or "failure.bug", "en-US", reference="######")
    before = await house.state()
    for entry in found:
        said = words(await house.send(entry, actor, direct=direct))
        refused = said == "" if entry.kind == "complete" else re.sub(r"`[0-9A-F]{6}`", "`######`", said) == refusal
        was, before = before, await house.state()
        if entry.name in spared:
            faults += [f"{entry.name}: is spared, and yet refused"] if refused else []
            continue
        if not refused:
            faults.append(f"{entry.name}: says {said[:80]!r}")
        if before != was:
            faults.append(f"{entry.name}: changes something")
    return faults


class Watch:
    """Writes down what the real gate is asked, and what it answers."""

    def __init__(self, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
        self.visitors: list[Visitor] = []
        self.refused: list[str] = []
        gate = house.bot.services.bench.gate
        enter, request, alone = gate.enter, gate.request, gate.text

        async def entered(visitor: Visitor) -> Any:
            self.visitors.append(visitor)
            return await enter(visitor)

        async def requested(ask: Any, *about: Any) -> Any:
            verdict = await request(ask, *about)
            self.refused += [*ask.texts, *ask.negatives] if isinstance(verdict, Refuse) else []
            return verdict

        async def judged(words: str, guild_id: int, *, negative: str | None = None) -> Any:
            verdict = await alone(words, guild_id, negative=negative)
            self.refused += [words, negative or ""] if isinstance(verdict, Refuse) else []
            return verdict

        for name, watched in (("enter", entered), ("request", requested), ("text", judged)):
            monkeypatch.setattr(gate, name, watched)


async def admitted(house: House, found: Sequence[Entry], actor: Any, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Find the ways on which the gate is not asked once for exactly who comes."""
    faults: list[str] = []
    watch = Watch(house, monkeypatch)
    for entry in found:
        watch.visitors.clear()
        await house.send(entry, actor)
        manager = bool(house.env.backend.compute_permissions(house.guild.id, actor.id, house.channel.id) & 1 << 5)
        wanted = Visitor(
            member_id=actor.id,
            guild_id=house.guild.id,
            manager=manager,
            spared=entry.kind == "command" and entry.name in SPARED,
            counted=entry.kind != "complete",
        )
        if watch.visitors != [wanted]:
            faults.append(f"{entry.name}: the gate saw {watch.visitors}")
    return faults


async def list_word(house: House) -> None:
    """Put the word on the guild's list."""
    entry = entry_of(house.guild.id, Act.WORD, 0.0, house.reporter.id)
    await house.bot.services.bench.guilds.put_words(house.guild.id, [Word(text=LISTED)], [], entry)


async def listed(house: House, found: Sequence[Entry], actor: Any, watch: Watch, *, known: bool = True) -> list[str]:
    """Find where a listed word gets through; `known`: also what the table has and nobody offers any more."""
    await list_word(house)
    faults: list[str] = []
    unused = set(FREE)
    for entry in found:
        for option in entry.texts if entry.kind in ("command", "dialog") else ():
            name = f"{entry.family}.{option}"
            unused.discard(name)
            for typed in _typings(entry, option):
                found_out = await _typed(house, entry, typed, actor, watch, free=name in FREE)
                faults += [f"{name}: {fault}" for fault in found_out]
    return [*faults, *(f"{name}: is not offered any more" for name in unused if known)]


def _typings(entry: Entry, option: str) -> list[Mapping[str, Any]]:
    """Return what is typed: the listed word alone, and in a dialog with a box to tick, with that ticked, too."""
    typed = {option: f"a {LISTED} b"}
    boxes = [one["name"] for one in entry.options if entry.kind == "dialog" and one["type"] == Type.boolean.value]
    return [typed, *({**typed, box: True} for box in boxes)]


async def _typed(
    house: House, entry: Entry, typed: Mapping[str, Any], actor: Any, watch: Watch, *, free: bool
) -> list[str]:
    watch.refused.clear()
    before = await house.rows()
    said = words(await house.send(entry, actor, typed))
    after = await house.rows()
    faults = ["everybody reads it"] if any(LISTED in one for one in house.public()) else []
    if free:
        return faults
    if not any(LISTED in one for one in watch.refused):
        faults.append(f"the gate did not refuse {typed}; says {said[:80]!r}")
    if LISTED in said:
        faults.append("it is echoed")
    kept = {"audit", "audit_heads", "uploads", *(("drafts",) if entry.kind == "dialog" else ())}
    changed = {table for table in after if after[table] != before[table]} - kept
    return [*faults, *(f"changes {table}" for table in sorted(changed))]


async def retold(house: House, found: Sequence[Entry], actor: Any, word: str = LISTED) -> list[str]:
    """Find where somebody reads a word that may be told no more; `TOLD` says where they may."""
    faults: list[str] = []
    for entry in found:
        said = words(await house.send(entry, actor))
        if word in said and not {entry.name, entry.family} & TOLD.keys():
            faults.append(f"{entry.name}: tells it: {said[max(0, said.index(word) - 60) : said.index(word) + 20]!r}")
        if any(word in one for one in house.public()):
            faults.append(f"{entry.name}: everybody reads it")
            house.put_card()
    return faults


async def unanswered(house: House, found: Sequence[Entry], actor: Any) -> list[str]:
    """Find the ways in on which somebody gets no answer, or is told of a bug; requests answer later, by their jobs."""
    faults: list[str] = []
    bug = text("failure.bug", "en-US", reference="`").split("`", maxsplit=1)[0]
    for entry in found:
        before = len((await house.rows())["jobs"])
        result = await house.send(entry, actor)
        said, made = words(result), len((await house.rows())["jobs"]) > before
        if not result.acknowledged:
            faults.append(f"{entry.name}: is not answered")
        elif bug in said:
            faults.append(f"{entry.name}: says {said[:80]!r}")
        elif result._interaction.response_kind is ResponseKind.DEFERRED and not said and not made:
            faults.append(f"{entry.name}: thinks for ever")
    return faults
