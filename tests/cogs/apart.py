"""Whether a guild stays out of another's: ids of guild A, tried in guild B on every way in."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from simcord.results import InteractionResult

from bot.model.guild import EVERYWHERE
from bot.store.tables import metadata
from tests.cogs.doors import DONE, JOB, Entry, House, words
from tests.cogs.furniture import HELD

SECRET, OWN = "quoxel", "wumbrel"
"""What only guild A may read; and of that, what the one who tries wrote there as a member."""
MY_LIVE, MY_DONE, MY_HELD = "a" * 16, "b" * 16, "c" * 16
"""Requests that the one who tries made in guild A."""
NOBODY, NOTHING = 777_000_000_000_000_777, "0" * 16

INERT: Mapping[str, str] = {
    **dict.fromkeys(("prompt", "negative", "reason", "appeal.text"), "words of one's own"),
    **dict.fromkeys(("words add.word", "words allow.word"), "words of one's own"),
    **dict.fromkeys(("seed", "count", "size", "cfg", "denoise", "steps", "days", "duration", "private"), "a quantity"),
    **dict.fromkeys(("model", "sampler", "scheduler", "template", "folder", "file", "node", "server"), "the owner's"),
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
        "request": [({"request": one}, {"request": NOTHING}) for one in (JOB, DONE, MY_LIVE)],
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
            case "button" | "dialog":
                names = {entry.name, entry.name.replace(JOB, MY_LIVE).replace(DONE, MY_DONE)}
                other = replace(entry, name=_unreal(entry.name))
                made += [Twins(name, (replace(entry, name=name), {}), (other, {})) for name in sorted(names)]
            case "menu":
                (known, stranger), (theirs, ours) = given["member"][0], cards
                real, unreal = {**known, "message": theirs}, {**stranger, "message": ours}
                made.append(Twins(entry.name, (entry, real), (entry, unreal)))
            case _:
                made.append(Twins(entry.name, (entry, {})))
                made += [Twins(entry.name, (entry, real), (entry, other)) for real, other in _pairs(entry, given)]
    return made


def _unreal(custom_id: str) -> str:
    """Return the id of a button or dialog whose job or case is nowhere."""
    head, _, last = custom_id.rpartition(":")
    return f"{head}:{777 if last.isdecimal() and len(last) < len(NOTHING) else NOTHING}"


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
    ours, mine = {theirs.guild.id, EVERYWHERE}, {JOB, DONE, HELD, MY_LIVE, MY_DONE, MY_HELD}
    kept: dict[str, list[tuple[Any, ...]]] = {}
    for table, rows in (await theirs.rows()).items():
        names = metadata.tables[table].columns.keys()
        at = names.index("guild_id") if "guild_id" in names else None
        kept[table] = [row for row in rows if (mine & set(row) if at is None else row[at] in ours)]
    return kept, theirs.public(theirs.channel), theirs.public(theirs.review)


async def crossings(ours: House, theirs: House, actor: Any, tried: Sequence[Twins]) -> list[str]:
    """Find the ways in on which something of guild A's is shown, changed, or confirmed to be there."""
    faults: list[str] = []
    given: list[str] = []  # what was named here before may be found here again
    before = await belongings(theirs)
    for one in tried:
        entry, typed = one.real
        given += _given(typed)
        result = await ours.send(entry, actor, typed)
        said = words(result)
        other = words(await ours.send(one.unreal[0], actor, one.unreal[1])) if one.unreal else None
        about = f"{one.name} {typed}"
        hidden = [SECRET, str(theirs.reporter.id), str(theirs.victim.id)]
        hidden += [] if one.name in MINE else [OWN, str(theirs.channel.id), str(theirs.review.id)]
        shown = f"{said}\n{await _files(result)}"
        faults += [f"{about}: shows {word}" for word in hidden if word in shown and word not in given]
        if other is not None and one.unreal and _plain(said, one.real) != _plain(other, one.unreal):
            faults.append(f"{about}: says {said[:90]!r}, and of what is nowhere {other[:90]!r}")
        was, before = before, await belongings(theirs)
        if was != before:
            faults.append(f"{about}: changes something")
    return faults


def _given(typed: Mapping[str, Any]) -> list[str]:
    return [str(getattr(value, "id", value)) for value in typed.values()]


def _plain(said: str, made: tuple[Entry, Mapping[str, Any]]) -> str:
    """Return an answer without what was typed, and without times, seeds and numbers of records."""
    entry, typed = made
    for word in (entry.name.rpartition(":")[2], *_given(typed)):
        said = re.sub(rf"\b{re.escape(word)}\b", "?", said)
    return re.sub(r"<t:\d+:\w>|`\w+`", "?", said)
