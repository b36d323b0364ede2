"""What Discord refuses in a message or a command, with its codes (shared facts, Discord §5)."""

import re
import unicodedata
from collections.abc import Iterator
from typing import Any

from bot.sandbox.discord.layouts import ALT, Fault, Json, component_faults, length_faults, walked

__all__ = [
    "CONTENT",
    "V2",
    "Fault",
    "Json",
    "command_faults",
    "length_faults",
    "message_faults",
    "nested",
    "pings",
    "walked",
]

CONTENT, EMBED_TEXT = 2000, 6000
FILES = 10
V2 = 1 << 15
_LEGACY = ("content", "embeds", "poll", "sticker_ids")
"""What a message with components v2 cannot have."""
_COMMANDS = {1: 100, 2: 15, 3: 15}
"""How many commands of each type there may be."""


def nested(faults: list[Fault]) -> Json:
    """Return faults as Discord nests them in `errors`."""
    tree: Json = {}
    for path, code, message in faults:
        spot = tree
        for part in path:
            spot = spot.setdefault(part, {})
        spot.setdefault("_errors", []).append({"code": code, "message": message})
    return tree


def message_faults(body: Json, file_names: list[str]) -> list[Fault]:
    """Return what is wrong with a message's content, embeds, components and attachments."""
    faults: list[Fault] = []
    if body.get("content"):
        faults += length_faults(("content",), body["content"], 0, CONTENT)
    v2 = bool((body.get("flags") or 0) & V2)
    legacy = "MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2"
    faults += [((name,), legacy, "Not with components v2.") for name in _LEGACY if v2 and body.get(name)]
    faults += _embeds(body.get("embeds") or [])
    faults += component_faults(body.get("components") or [], v2=v2)
    attachments = body.get("attachments") or []
    if len(attachments) > FILES or len(file_names) > FILES:
        faults.append((("attachments",), "BASE_TYPE_MAX_LENGTH", "Must be 10 or fewer in length."))
    for at, attachment in enumerate(attachments):
        if attachment.get("description"):
            faults += length_faults(("attachments", str(at), "description"), attachment["description"], 0, ALT)
    return faults


def _embeds(embeds: list[Json]) -> Iterator[Fault]:
    total = 0
    for at, embed in enumerate(embeds):
        for name, most in (("title", 256), ("description", 4096)):
            if embed.get(name):
                total += len(embed[name])
                yield from length_faults(("embeds", str(at), name), embed[name], 0, most)
    if total > EMBED_TEXT:
        yield ("embeds",), "MAX_EMBED_SIZE_EXCEEDED", "Embed size exceeds maximum size of 6000"
    if len(embeds) > 10:
        yield ("embeds",), "BASE_TYPE_MAX_LENGTH", "Must be 10 or fewer in length."


def command_faults(commands: list[Json]) -> list[Fault]:
    """Return what is wrong with a bulk overwrite of commands."""
    faults: list[Fault] = []
    for kind, most in _COMMANDS.items():
        if sum(command.get("type", 1) == kind for command in commands) > most:
            faults.append((("commands",), "APPLICATION_COMMANDS_MAX", f"Not more than {most} of type {kind}."))
    names = [(command.get("type", 1), command.get("name")) for command in commands]
    for at, command in enumerate(commands):
        path = (str(at),)
        if names.count(names[at]) > 1:
            faults.append(
                ((*path, "name"), "APPLICATION_COMMANDS_DUPLICATE_NAME", "Application command names must be unique")
            )
        if command.get("type", 1) == 1:
            faults += _named(path, command)
            faults += _options((*path, "options"), command.get("options") or [])
        else:
            faults += _menu(path, command)
        if _letters(command) > 8000:
            faults.append((path, "APPLICATION_COMMAND_TOO_LARGE", "Command exceeds maximum size (8000)"))
    return faults


def _menu(path: tuple[str, ...], command: Json) -> Iterator[Fault]:
    """Check a command of a context menu: any name of 1 to 32 characters, and nothing else."""
    named = {("name",): command.get("name")} | {
        ("name_localizations", locale): name for locale, name in (command.get("name_localizations") or {}).items()
    }
    for where, name in named.items():
        yield from length_faults((*path, *where), name, 1, 32)
    if command.get("description"):
        yield (*path, "description"), "APPLICATION_COMMAND_CONTEXT_MENU_NO_DESCRIPTION", "Must not have a description"
    if command.get("options"):
        yield (*path, "options"), "APPLICATION_COMMAND_CONTEXT_MENU_NO_OPTIONS", "Must not have options"


def _letters(tree: Any) -> int:
    if isinstance(tree, dict):
        own = sum(len(str(tree[key])) for key in ("name", "description", "value") if isinstance(tree.get(key), str))
        return own + sum(_letters(value) for key, value in tree.items() if key in ("options", "choices"))
    return sum(map(_letters, tree)) if isinstance(tree, list) else 0


def _is_name(name: object) -> bool:
    """Letters and digits of any script, `-`, `_`, `'`, 1 to 32 of them; where a script has lower case, that."""
    if not isinstance(name, str) or not 1 <= len(name) <= 32 or name != name.lower():
        return False
    return all(char in "-_'" or unicodedata.category(char)[0] in "LNM" for char in name)


def _named(path: tuple[str, ...], thing: Json) -> Iterator[Fault]:
    names = {"name": thing.get("name")} | {
        f"name_localizations.{locale}": name for locale, name in (thing.get("name_localizations") or {}).items()
    }
    for where, name in names.items():
        if not _is_name(name):
            yield (*path, *where.split(".")), "APPLICATION_COMMAND_INVALID_NAME", "Command name is invalid"
    words = {"description": thing.get("description")} | {
        f"description_localizations.{locale}": text
        for locale, text in (thing.get("description_localizations") or {}).items()
    }
    for where, text in words.items():
        yield from length_faults((*path, *where.split(".")), text, 1, 100)


def _options(path: tuple[str, ...], options: list[Json]) -> Iterator[Fault]:
    if len(options) > 25:
        yield path, "BASE_TYPE_MAX_LENGTH", "Must be 25 or fewer in length."
    optional_seen = False
    for at, option in enumerate(options):
        here = (*path, str(at))
        yield from _named(here, option)
        if option.get("required") and optional_seen:
            yield (
                here,
                "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID",
                "Required options must be placed before optional.",
            )
        optional_seen = optional_seen or not option.get("required")
        if option.get("type") in (1, 2):
            if len(path) >= 4 + (option["type"] == 1) * 2:
                yield here, "APPLICATION_COMMAND_OPTIONS_NESTED", "Subcommands go two levels deep."
            yield from _options((*here, "options"), option.get("options") or [])
        choices = option.get("choices") or []
        if len(choices) > 25:
            yield (*here, "choices"), "BASE_TYPE_MAX_LENGTH", "Must be 25 or fewer in length."
        if choices and option.get("autocomplete"):
            yield here, "APPLICATION_COMMAND_OPTIONS_AUTOCOMPLETE_CHOICES", "Not both choices and autocomplete."


_MENTION = re.compile(r"<@!?(\d+)>|@(everyone|here)")


def pings(content: str, allowed: Json | None, *, webhook: bool) -> list[str]:
    """Return whom a message pings; without `allowed_mentions` an interaction's message pings users only."""
    default = ["users"] if webhook else ["users", "roles", "everyone"]
    parse = default if allowed is None else allowed.get("parse", [])
    named = set((allowed or {}).get("users") or [])
    found: list[str] = []
    for hit in _MENTION.finditer(content):
        if hit[1] and ("users" in parse or hit[1] in named):
            found.append(hit[1])
        elif hit[2] and "everyone" in parse:
            found.append("everyone")
    return found
