"""What Discord refuses in a message or a command, with its codes (shared facts, Discord §5)."""

import re
import unicodedata
from collections.abc import Iterator
from typing import Any

Json = dict[str, Any]
Fault = tuple[tuple[str, ...], str, str]
"""Path, code and message of one error below `errors`."""

CONTENT, EMBED_TEXT = 2000, 6000
FILES, ALT, COMPONENTS = 10, 1024, 40
V2 = 1 << 15
_BUTTON, _ROW, _SELECTS = 2, 1, range(3, 9)
_BLOCKS = (_ROW, 9, 10, 12, 13, 14, 17)
"""Rows, sections, texts, galleries, files, separators, containers."""
_LINK, _PREMIUM = 5, 6
_COMMANDS = {1: 100, 2: 15, 3: 15}
"""How many commands of each type there may be."""
_REQUIRED = "BASE_TYPE_REQUIRED"
_LENGTH = "BASE_TYPE_BAD_LENGTH"


def nested(faults: list[Fault]) -> Json:
    """Return faults as Discord nests them in `errors`."""
    tree: Json = {}
    for path, code, message in faults:
        spot = tree
        for part in path:
            spot = spot.setdefault(part, {})
        spot.setdefault("_errors", []).append({"code": code, "message": message})
    return tree


def length_faults(path: tuple[str, ...], value: object, low: int, high: int) -> Iterator[Fault]:
    """Say so where a text is missing, too short or too long."""
    if not isinstance(value, str) or not low <= len(value) <= high:
        yield path, _LENGTH, f"Must be between {low} and {high} in length."


def message_faults(body: Json, file_names: list[str]) -> list[Fault]:
    """Return what is wrong with a message's content, embeds, components and attachments."""
    faults: list[Fault] = []
    if body.get("content"):
        faults += length_faults(("content",), body["content"], 0, CONTENT)
    v2 = bool((body.get("flags") or 0) & V2)
    if v2 and (body.get("content") or body.get("embeds")):
        faults.append((("content",), "MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2", "Not with components v2."))
    faults += _embeds(body.get("embeds") or [])
    faults += _components(body.get("components") or [], v2=v2)
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


def _components(rows: list[Json], *, v2: bool) -> Iterator[Fault]:
    seen: set[str] = set()
    if len(rows) > 5 and not v2:
        yield ("components",), "BASE_TYPE_MAX_LENGTH", "Must be 5 or fewer in length."
    if v2 and sum(1 for _ in walked(rows)) > COMPONENTS:
        yield ("components",), "COMPONENT_MAX_TOTAL_COMPONENTS_EXCEEDED", "Must be 40 or fewer in total."
    for at, row in enumerate(rows):
        path = ("components", str(at))
        if not v2 and row.get("type") != _ROW:
            yield path, "UNION_TYPE_CHOICES", "Value of field 'type' must be one of (1,)."
            continue
        yield from _block(path, row, seen)


def walked(items: list[Json]) -> Iterator[Json]:
    """Return components and all that is in them, outermost first."""
    for item in items:
        yield item
        yield from walked(item.get("components") or [])
        yield from walked([item["accessory"]] if item.get("accessory") else [])


def _block(path: tuple[str, ...], block: Json, seen: set[str]) -> Iterator[Fault]:
    """Check a row, or a block of components v2 with what is in it."""
    kind, inside = block.get("type"), block.get("components") or []
    if kind == _ROW:
        if not 1 <= len(inside) <= 5:
            yield (*path, "components"), _LENGTH, "Must be between 1 and 5 in length."
        for place, item in enumerate(inside):
            yield from _item((*path, "components", str(place)), item, seen)
        return
    if kind not in _BLOCKS:
        yield path, "UNION_TYPE_CHOICES", f"Value of field 'type' must be one of {_BLOCKS}."
    yield from _own_rules(path, block, seen)
    for place, item in enumerate(inside):
        yield from _block((*path, "components", str(place)), item, seen)


def _own_rules(path: tuple[str, ...], block: Json, seen: set[str]) -> Iterator[Fault]:
    match block.get("type"):
        case 10:
            yield from length_faults((*path, "content"), block.get("content"), 1, 4000)
        case 9 if not block.get("accessory"):
            yield (*path, "accessory"), _REQUIRED, "This field is required"
        case 9 if block["accessory"].get("type") == _BUTTON:
            yield from _item((*path, "accessory"), block["accessory"], seen)
        case 12 if not 1 <= len(block.get("items") or []) <= 10:
            yield (*path, "items"), _LENGTH, "Must be between 1 and 10 in length."
        case _:
            pass


def _item(path: tuple[str, ...], item: Json, seen: set[str]) -> Iterator[Fault]:
    custom_id = item.get("custom_id")
    if item.get("type") == _BUTTON:
        if not item.get("label") and not item.get("emoji") and item.get("style") != _PREMIUM:
            yield path, "BUTTON_COMPONENT_LABEL_REQUIRED", "A label or emoji is required."
        yield from length_faults((*path, "label"), item.get("label") or "", 0, 80)
        if item.get("style") in (_LINK, _PREMIUM):
            return
    elif item.get("type") in _SELECTS and len(item.get("options") or []) > 25:
        yield (*path, "options"), "BASE_TYPE_MAX_LENGTH", "Must be 25 or fewer in length."
    if custom_id is None:
        yield (*path, "custom_id"), _REQUIRED, "This field is required"
        return
    yield from length_faults((*path, "custom_id"), custom_id, 1, 100)
    if custom_id in seen:
        yield (*path, "custom_id"), "COMPONENT_CUSTOM_ID_DUPLICATED", "Component custom id cannot be duplicated"
    seen.add(custom_id)


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
