"""Whether a guild stays out of another's: ids of guild A, tried in guild B on every way in."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from simcord.results import InteractionResult

from bot.model.guild import EVERYWHERE
from bot.replies.catalogue import text
from bot.store.tables import metadata
from tests.cogs.doors import Entry, words
from tests.cogs.furniture import USUAL, Ids
from tests.cogs.house import House

SECRET, OWN = "quoxel", "wumbrel"
"""What only guild A may read; and of that, what the one who tries wrote there as a member."""
MINE_THERE = Ids(live="a" * 16, done="b" * 16, held="c" * 16, private="8" * 16, draft="6" * 16)
"""What the one who tries has in guild A."""
IDS = USUAL.all | MINE_THERE.all
_BUG = text("failure.bug", "en-US", reference="`").split("`", maxsplit=1)[0]
_WHOSE = re.compile("|".join(sorted(IDS)))
NOBODY, NOTHING = 777_000_000_000_000_777, "0" * 16

INERT: Mapping[str, str] = {
    **dict.fromkeys(("prompt", "negative", "reason", "appeal.text", "idea"), "words of one's own"),
    **dict.fromkeys(("words add.word", "words allow.word"), "words of one's own"),
    **dict.fromkeys(("seed", "count", "size", "cfg", "denoise", "steps", "days", "duration", "private"), "a quantity"),
    "period": "a quantity",
    **dict.fromkeys(("model", "sampler", "scheduler", "template", "folder", "file", "node", "server"), "the owner's"),
    **dict.fromkeys(("style", "lora"), "the owner's"),
    **dict.fromkeys(("image", "mask"), "a file that Discord hands over with the command"),
    **dict.fromkeys(("mode", "what", "sure", "kind", "setting"), "a choice, or a name that is the same everywhere"),
}
"""Options in which nothing that belongs to a guild can be named, and what is named there."""
MINE = {"mydata export": "one's own data, from everywhere, is one's own; nobody else reads the answer"}
"""Ways in that show what one wrote in another guild, and why."""


@dataclass(frozen=True)
class Twins:
    """A way in, taken with something of guild A's; and where that was named, with what is nowhere."""

    name: str
    real: tuple[Entry, Mapping[str, Any]]
    unreal: tuple[Entry, Mapping[str, Any]] | None = None
    """The answer to it must be the same."""


Foreign = Mapping[str, Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]]]
"""By option (of one command: `words remove.word`), what of guild A's is given, and what nobody has."""


def foreign(ours: House, theirs: House, strike_id: str) -> Foreign:
    """Return what of guild A's (`theirs`) can be named in each option, beside what is nowhere."""
    known, stranger = theirs.victim.user, ours.env.create_user("stranger")
    rooms = [("review_channel", theirs.review.id), ("channels", theirs.channel.id)]
    rooms.append(("moderator_roles", theirs.guild.create_role("theirs").id))
    return {
        "member": [({"member": known}, {"member": stranger})],
        "moderator": [({"moderator": theirs.reporter.user}, {"moderator": stranger})],
        "case": [({"case": number}, {"case": 777}) for number in (1, 2, 3)],
        "request": [({"request": one}, {"request": NOTHING}) for one in (USUAL.live, USUAL.done, MINE_THERE.live)],
        "picture": [({"picture": one}, {"picture": NOTHING}) for one in (USUAL.done, MINE_THERE.done)],
        "imagine.prompt": [
            ({"prompt": f"recent:{one}"}, {"prompt": f"recent:{'7' * 16}"}) for one in (USUAL.done, MINE_THERE.done)
        ],
        "strike": [({"strike": strike_id, "member": known}, {"strike": "0" * 8, "member": known})],
        "words remove.word": [({"word": SECRET}, {"word": "plumvek"})],
        "words test.text": [({"text": f"a {SECRET}"}, {"text": "a plumvek"})],
        "value": [({"setting": key, "value": str(one)}, {"setting": key, "value": str(NOBODY)}) for key, one in rooms],
        "everywhere": [({"everywhere": True}, {"everywhere": True})],
    }


def _pairs(entry: Entry, given: Foreign) -> list[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    names = [one["name"] for one in entry.options]
    return [pair for name in names for pair in (*given.get(name, ()), *given.get(f"{entry.name}.{name}", ()))]


def twins(found: Sequence[Entry], given: Foreign, cards: tuple[Any, Any]) -> list[Twins]:
    """Return every way in with all of guild A's that fits, beside the same with nothing; `cards` are A's and ours."""
    made: list[Twins] = []
    for entry in found:
        match entry.kind:
            case "button" | "dialog" | "choice":
                other = replace(entry, name=_unreal(entry.name))
                made += [
                    Twins(name, (replace(entry, name=name), {}), (other, {})) for name in sorted(_named(entry.name))
                ]
            case "menu":
                (known, stranger), (theirs, ours) = given["member"][0], cards
                real, unreal = {**known, "message": theirs}, {**stranger, "message": ours}
                made.append(Twins(entry.name, (entry, real), (entry, unreal)))
            case _:
                made.append(Twins(entry.name, (entry, {})))
                made += [Twins(entry.name, (entry, real), (entry, other)) for real, other in _pairs(entry, given)]
    return sorted(made, key=lambda one: one.name == "imagine")  # what is typed there is offered elsewhere


def _named(custom_id: str) -> set[str]:
    """Return the id of a button, dialog or choice with everything of guild A's that it could name."""
    found = {custom_id}
    for ids in (USUAL, MINE_THERE):
        for usual in USUAL.all:
            others = {ids.draft} if usual == USUAL.draft else ids.all - {ids.draft}
            found |= {custom_id.replace(usual, one) for one in others if usual in custom_id}
    return found


def _unreal(custom_id: str) -> str:
    """Return the id of a button, dialog or choice whose job, draft or case is nowhere."""
    head, _, _ = custom_id.rpartition(":")
    if head.startswith("easel:case"):
        return f"{head}:777"
    return _WHOSE.sub(NOTHING, custom_id)


def unknown(found: Sequence[Entry], given: Foreign) -> list[str]:
    """Find options of which nobody has said what of another guild's could be named in them."""
    named = [(entry.name, one["name"]) for entry in found if entry.kind == "command" for one in entry.options]
    return [
        f"{entry}: say what of another guild's fits into {name}"
        for entry, name in named
        if not {name, f"{entry}.{name}"} & {*given, *INERT}
    ]


async def _files(result: InteractionResult) -> str:
    """Return what is in the files of an answer."""
    messages = [one for one in (result.response, *result.followups) if one is not None]
    files = [file for message in messages for file in message.attachments]
    return "\n".join([f"{file.filename}: {(await file.read()).decode(errors='replace')}" for file in files])


async def belongings(theirs: House) -> Any:
    """Return all that guild A has, and what the owner decided for everybody."""
    ours = {theirs.guild.id, EVERYWHERE}
    kept: dict[str, list[tuple[Any, ...]]] = {}
    for table, rows in (await theirs.rows()).items():
        names = metadata.tables[table].columns.keys()
        at = names.index("guild_id") if "guild_id" in names else None
        kept[table] = [row for row in rows if (IDS & set(row) if at is None else row[at] in ours)]
    return kept, theirs.public(theirs.channel), theirs.public(theirs.review)


async def strangers(theirs: House) -> list[tuple[Any, ...]]:
    """Return the jobs and drafts that are not guild A's."""
    rows, found = await theirs.rows(), list[tuple[Any, ...]]()
    for table in ("jobs", "drafts"):
        at = metadata.tables[table].columns.keys().index("guild_id")
        found += [row for row in rows[table] if row[at] != theirs.guild.id]
    return found


async def crossings(ours: House, theirs: House, actor: Any, tried: Sequence[Twins]) -> list[str]:
    """Find the ways in on which something of guild A's is shown, changed, or confirmed to be there."""
    faults: list[str] = []
    given: list[str] = []  # what was named here before may be found here again
    before = await belongings(theirs)
    for one in tried:
        entry, typed = one.real
        given += [*_given(typed), *(entry.name.split(":") if ":" in entry.name else ())]
        result = await ours.send(entry, actor, typed)
        said = words(result)
        other = words(await ours.send(one.unreal[0], actor, one.unreal[1])) if one.unreal else None
        about = f"{one.name} {typed}"
        hidden = [SECRET, str(theirs.reporter.id), str(theirs.victim.id)]
        hidden += [] if one.name in MINE else [OWN, str(theirs.channel.id), str(theirs.review.id), *IDS]
        shown = f"{said}\n{await _files(result)}"
        faults += [
            f"{about}: shows {word}" for word in hidden if word in shown and not any(word in one for one in given)
        ]
        faults += [f"{about}: says {said[:90]!r}"] if _BUG in said else []
        if other is not None and one.unreal and _plain(said, one.real) != _plain(other, one.unreal):
            faults.append(f"{about}: says {said[:90]!r}, and of what is nowhere {other[:90]!r}")
        if any(OWN in str(row) for row in await strangers(theirs)):
            faults.append(f"{about}: writes {OWN} down here")
        was, before = before, await belongings(theirs)
        if was != before:
            faults.append(f"{about}: changes something")
    return faults


async def trespasses(house: House, found: Sequence[Entry], actor: Any) -> list[str]:
    """Find the buttons, dialogs and choices that take another member's private job or draft: as if it were nowhere."""
    faults: list[str] = []
    private = {USUAL.live: USUAL.private, USUAL.done: USUAL.private}
    for entry in found:
        if entry.kind not in ("button", "choice", "dialog") or not any(one in entry.name for one in USUAL.swapped):
            continue
        real = replace(entry, name=re.sub("|".join(private), lambda one: private[one[0]], entry.name))
        unreal = replace(entry, name=_unreal(entry.name))
        before = await house.rows()
        said, other = words(await house.send(real, actor)), words(await house.send(unreal, actor))
        faults += [f"{real.name}: shows {SECRET}"] if SECRET in said else []
        if _plain(said, (real, {})) != _plain(other, (unreal, {})):
            faults.append(f"{real.name}: says {said[:90]!r}, and of what is nowhere {other[:90]!r}")
        if before != await house.rows():
            faults.append(f"{real.name}: changes something")
    return faults


def _given(typed: Mapping[str, Any]) -> list[str]:
    return [str(getattr(value, "id", value)) for value in typed.values()]


def _plain(said: str, made: tuple[Entry, Mapping[str, Any]]) -> str:
    """Return an answer without what was typed, and without times, seeds and numbers of records."""
    entry, typed = made
    for word in (entry.name.rpartition(":")[2], *_given(typed)):
        said = re.sub(rf"\b{re.escape(word)}\b", "?", said)
    said = re.sub(rf"{_WHOSE.pattern}|{NOTHING}", "?", said)
    return re.sub(r"easel:draft:edit:\w+|easel:remix:d\w+|seed: \d+|<t:\d+:\w>|`\w+`", "?", said)
