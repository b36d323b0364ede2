"""Slash commands as people see them: which are offered, under which names, and what their options take."""

import re
from typing import Any

from bot.sandbox.discord.guilds import Channel
from bot.sandbox.discord.layouts import Fault, length_faults
from bot.sandbox.discord.people import Json, Permission, Person
from bot.sandbox.discord.picks import ATTACHMENT, PICKED, NotSent, Picks

SLASH, USER_MENU, MESSAGE_MENU = 1, 2, 3
"""Types of commands."""
_SUB, _GROUP = 1, 2
_INTEGER, _BOOLEAN, _NUMBER = 4, 5, 10
_CHOICES = 25


def offered(command: Json, permissions: Permission, channel: Channel) -> bool:
    """Tell whether somebody is offered a command in a channel."""
    if command.get("nsfw") and not channel.age_restricted:
        return False
    needed = command.get("default_member_permissions")
    if needed is None or permissions & Permission.ADMINISTRATOR:
        return True
    return int(needed) != 0 and int(needed) & int(permissions) == int(needed)


def leaves(command: Json) -> list[Json]:
    """Return a command itself, or its subcommands of up to two levels, each as a command of several words."""
    subs = [option for option in command.get("options") or [] if option["type"] in (_SUB, _GROUP)]
    if not subs:
        return [command]
    return [_below(command, leaf) for sub in subs for leaf in leaves(sub)]


def _below(command: Json, leaf: Json) -> Json:
    outer, inner = command.get("name_localizations") or {}, leaf.get("name_localizations") or {}
    return {
        **leaf,
        "id": command.get("id"),
        "path": [command["name"], *leaf.get("path", [leaf["name"]])],
        "name": f"{command['name']} {leaf['name']}",
        "name_localizations": {
            locale: f"{outer.get(locale, command['name'])} {inner.get(locale, leaf['name'])}"
            for locale in [*outer, *(one for one in inner if one not in outer)]
        },
    }


def called(command: Json, options: list[Json]) -> Json:
    """Return the data of a command that was sent: a subcommand stands in its command (and group) as an option."""
    first, *rest = command.get("path") or [command["name"]]
    inside = options
    for depth, name in enumerate(reversed(rest)):
        inside = [{"name": name, "type": _SUB if depth == 0 else _GROUP, "options": inside}]
    return {"id": command["id"], "name": first, "type": SLASH, **({"options": inside} if inside else {})}


def names(thing: Json, locale: str) -> list[str]:
    """Return the names by which a person may call a command or option."""
    return list(dict.fromkeys([thing["name"], (thing.get("name_localizations") or {}).get(locale, thing["name"])]))


def read_line(line: str, commands: list[Json], person: Person) -> tuple[Json, Json]:
    """Read `/mod ban member:max reason:x` into one of the commands and its options.

    Raises:
        NotSent: no such command, or words that belong to no option.
    """
    known: dict[str, Json] = {}
    for command in commands:
        known |= dict.fromkeys(names(command, person.locale), command)
    written = [name for name in known if re.match(rf"\s*/{re.escape(name)}(\s|$)", line)]
    if not written:
        raise NotSent(f"There is no command here like {line.split(maxsplit=1)[0] if line.split() else '(nothing)'}.")
    name = max(written, key=len)
    command, rest = known[name], line.split(f"/{name}", 1)[1]
    own = {name: one["name"] for one in command.get("options") or [] for name in names(one, person.locale)}
    parts = re.split(rf"(?:^|\s)({'|'.join(map(re.escape, own))}):", rest) if own else [rest]
    if parts[0].strip():
        raise NotSent(f"'{parts[0].strip()}' belongs to no option; write /{name} option:value.")
    return command, {own[name]: value.strip() for name, value in zip(parts[1::2], parts[2::2], strict=True)}


def checked(command: Json, given: Json, picks: Picks) -> list[Json]:
    """Return the options of a command with values of their types.

    Raises:
        NotSent: an option is missing, unknown or not of its type.
    """
    declared = {option["name"]: option for option in command.get("options") or []}
    unknown = [name for name in given if name not in declared]
    if unknown:
        raise NotSent(f"{command['name']} has no option {unknown[0]}.")
    missing = [name for name, one in declared.items() if one.get("required") and given.get(name) in (None, "")]
    if missing:
        raise NotSent(f"{missing[0]}: this option is required.")
    chosen = [(option, given[name]) for name, option in declared.items() if given.get(name) not in (None, "")]
    return [
        {"name": option["name"], "type": option["type"], "value": _typed(option, value, picks)}
        for option, value in chosen
    ]


def choice_faults(data: Json) -> list[Fault]:
    """Return what Discord refuses in the answer to an autocomplete."""
    choices, path = data.get("choices") or [], ("data", "choices")
    faults: list[Fault] = []
    if len(choices) > _CHOICES:
        faults.append((path, "BASE_TYPE_MAX_LENGTH", f"Must be {_CHOICES} or fewer in length."))
    for at, choice in enumerate(choices):
        faults += length_faults((*path, str(at), "name"), choice.get("name"), 1, 100)
        if isinstance(choice.get("value"), str):
            faults += length_faults((*path, str(at), "value"), choice["value"], 1, 100)
    return faults


def half_typed(command: Json, given: Json, focused: str) -> list[Json]:
    """Return the options of a command while one of them is being typed."""
    kinds = {option["name"]: option["type"] for option in command.get("options") or []}
    return [
        {"name": name, "type": kinds[name], "value": str(value)} | ({"focused": True} if name == focused else {})
        for name, value in {**given, focused: given.get(focused, "")}.items()
        if name in kinds and (name == focused or _goes_half_typed(kinds[name], value))
    ]


def _goes_half_typed(kind: int, value: Any) -> bool:
    return kind != ATTACHMENT and (kind not in PICKED or str(value).isdigit())


def _typed(option: Json, value: Any, picks: Picks) -> Any:
    name, kind = option["name"], option["type"]
    choices = option.get("choices")
    if choices:
        hit = next((one for one in choices if str(value) in (str(one["value"]), one["name"])), None)
        if hit is None:
            raise NotSent(f"{name}: choose one of the list.")
        return hit["value"]
    if kind == ATTACHMENT:
        return picks.file(name, value)
    if kind in PICKED:
        return picks.pick(kind, name, value, option.get("channel_types"))
    if kind in (_INTEGER, _NUMBER):
        return _number(option, value)
    if kind == _BOOLEAN:
        return str(value).lower() in ("true", "1", "yes")
    return within(name, str(value), option.get("min_length") or 0, option.get("max_length") or 6000)


def _number(option: Json, value: Any) -> int | float:
    name = option["name"]
    try:
        number = int(value) if option["type"] == _INTEGER else float(value)
    except ValueError:
        raise NotSent(f"{name}: a number is wanted.") from None
    low, high = option.get("min_value", float("-inf")), option.get("max_value", float("inf"))
    if not low <= number <= high:
        raise NotSent(f"{name}: a number from {low} to {high} is wanted.")
    return number


def within(name: str, text: str, low: int, high: int) -> str:
    """Return a text whose length is right.

    Raises:
        NotSent: it is too short or too long.
    """
    if not low <= len(text) <= high:
        raise NotSent(f"{name}: {low} to {high} characters are wanted.")
    return text
