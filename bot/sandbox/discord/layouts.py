"""What Discord refuses in a message's components, of the older kind and of v2 (shared facts, Discord §5)."""

from collections.abc import Iterator
from typing import Any

Json = dict[str, Any]
Fault = tuple[tuple[str, ...], str, str]
"""Path, code and message of one error below `errors`."""

COMPONENTS, LETTERS, ALT = 40, 4000, 1024
_BUTTON, ROW, _SELECTS = 2, 1, range(3, 9)
_STRING_SELECT, _TEXT, _THUMBNAIL = 3, 10, 11
_IN_ROW = (_BUTTON, 3, 5, 6, 7, 8)
_IN_BOX = (ROW, 9, _TEXT, 12, 13, 14)
"""Rows, sections, texts, galleries, files, separators."""
_BLOCKS = (*_IN_BOX, 17)
"""The same, and containers, which stand in none."""
_INSIDE = {17: _IN_BOX, 9: (_TEXT,)}
_LINK, _PREMIUM = 5, 6
_REQUIRED = "BASE_TYPE_REQUIRED"
_LENGTH = "BASE_TYPE_BAD_LENGTH"
_MOST = "BASE_TYPE_MAX_LENGTH"


def length_faults(path: tuple[str, ...], value: object, low: int, high: int) -> Iterator[Fault]:
    """Say so where a text is missing, too short or too long."""
    if not isinstance(value, str) or not low <= len(value) <= high:
        yield path, _LENGTH, f"Must be between {low} and {high} in length."


def walked(items: list[Json]) -> Iterator[Json]:
    """Return components and all that is in them, outermost first."""
    for item in items:
        yield item
        yield from walked(item.get("components") or [])
        yield from walked([item["accessory"]] if item.get("accessory") else [])


def component_faults(rows: list[Json], *, v2: bool) -> Iterator[Fault]:
    """Return what is wrong with the components of a message."""
    seen: set[str] = set()
    if len(rows) > 5 and not v2:
        yield ("components",), _MOST, "Must be 5 or fewer in length."
    if v2:
        yield from _totals(rows)
    for at, row in enumerate(rows):
        path = ("components", str(at))
        if not v2 and row.get("type") != ROW:
            yield path, "UNION_TYPE_CHOICES", f"Value of field 'type' must be one of ({ROW},)."
            continue
        yield from _block(path, row, seen, _BLOCKS)


def _totals(rows: list[Json]) -> Iterator[Fault]:
    everything = list(walked(rows))
    if len(everything) > COMPONENTS:
        yield ("components",), "COMPONENT_MAX_TOTAL_COMPONENTS_EXCEEDED", f"Must be {COMPONENTS} or fewer in total."
    texts = (item.get("content") for item in everything if item.get("type") == _TEXT)
    if sum(len(text) for text in texts if isinstance(text, str)) > LETTERS:
        words = f"Total displayable text size exceeds maximum size of {LETTERS}"
        yield ("components",), "COMPONENT_DISPLAYABLE_TEXT_SIZE_EXCEEDED", words


def _block(path: tuple[str, ...], block: Json, seen: set[str], allowed: tuple[int, ...]) -> Iterator[Fault]:
    """Check a row, or a block of components v2 with what is in it."""
    kind, inside = block.get("type"), block.get("components") or []
    if kind not in allowed:
        yield path, "UNION_TYPE_CHOICES", f"Value of field 'type' must be one of {allowed}."
        return
    if kind == ROW:
        yield from _row(path, inside, seen)
        return
    yield from _own_rules(path, block, seen)
    for place, item in enumerate(inside):
        yield from _block((*path, "components", str(place)), item, seen, _INSIDE.get(kind, ()))


def _row(path: tuple[str, ...], inside: list[Json], seen: set[str]) -> Iterator[Fault]:
    if not 1 <= len(inside) <= 5:
        yield (*path, "components"), _LENGTH, "Must be between 1 and 5 in length."
    if len(inside) > 1 and any(item.get("type") in _SELECTS for item in inside):
        words = "The specified component exceeds the maximum width"
        yield (*path, "components", "1"), "COMPONENT_LAYOUT_WIDTH_EXCEEDED", words
    for place, item in enumerate(inside):
        here = (*path, "components", str(place))
        if item.get("type") not in _IN_ROW:
            yield here, "UNION_TYPE_CHOICES", f"Value of field 'type' must be one of {_IN_ROW}."
        else:
            yield from _item(here, item, seen)


def _own_rules(path: tuple[str, ...], block: Json, seen: set[str]) -> Iterator[Fault]:
    count = len(block.get("components") or [])
    match block.get("type"):
        case 9:
            if not 1 <= count <= 3:
                yield (*path, "components"), _LENGTH, "Must be between 1 and 3 in length."
            yield from _accessory((*path, "accessory"), block.get("accessory"), seen)
        case 10:
            yield from length_faults((*path, "content"), block.get("content"), 1, LETTERS)
        case 12:
            yield from _gallery((*path, "items"), block.get("items") or [])
        case 13 if not str((block.get("file") or {}).get("url")).startswith("attachment://"):
            yield (*path, "file", "url"), "URL_TYPE_INVALID_SCHEME", "Scheme must be one of ('attachment',)."
        case 17 if not count:
            yield (*path, "components"), _LENGTH, f"Must be between 1 and {COMPONENTS} in length."
        case _:
            pass


def _accessory(path: tuple[str, ...], item: Json | None, seen: set[str]) -> Iterator[Fault]:
    if not item:
        yield path, _REQUIRED, "This field is required"
    elif item.get("type") == _BUTTON:
        yield from _item(path, item, seen)
    elif item.get("type") == _THUMBNAIL:
        yield from _shown(path, item)
    else:
        yield path, "UNION_TYPE_CHOICES", f"Value of field 'type' must be one of {(_BUTTON, _THUMBNAIL)}."


def _gallery(path: tuple[str, ...], pictures: list[Json]) -> Iterator[Fault]:
    if not 1 <= len(pictures) <= 10:
        yield path, _LENGTH, "Must be between 1 and 10 in length."
    for at, picture in enumerate(pictures):
        yield from _shown((*path, str(at)), picture)


def _shown(path: tuple[str, ...], picture: Json) -> Iterator[Fault]:
    if not (picture.get("media") or {}).get("url"):
        yield (*path, "media", "url"), _REQUIRED, "This field is required"
    if picture.get("description") is not None:
        yield from length_faults((*path, "description"), picture["description"], 0, ALT)


def _item(path: tuple[str, ...], item: Json, seen: set[str]) -> Iterator[Fault]:
    custom_id = item.get("custom_id")
    if item.get("type") == _BUTTON:
        if not item.get("label") and not item.get("emoji") and item.get("style") != _PREMIUM:
            yield path, "BUTTON_COMPONENT_LABEL_REQUIRED", "A label or emoji is required."
        yield from length_faults((*path, "label"), item.get("label") or "", 0, 80)
        if item.get("style") in (_LINK, _PREMIUM):
            return
    else:
        yield from select_faults(path, item)
    if custom_id is None:
        yield (*path, "custom_id"), _REQUIRED, "This field is required"
        return
    yield from length_faults((*path, "custom_id"), custom_id, 1, 100)
    if custom_id in seen:
        yield (*path, "custom_id"), "COMPONENT_CUSTOM_ID_DUPLICATED", "Component custom id cannot be duplicated"
    seen.add(custom_id)


def select_faults(path: tuple[str, ...], item: Json) -> Iterator[Fault]:
    """Return what is wrong with a select, in a message or in a dialog."""
    if item.get("placeholder") is not None:
        yield from length_faults((*path, "placeholder"), item["placeholder"], 0, 150)
    low, high = item.get("min_values", 1), item.get("max_values", 1)
    if not (0 <= low <= 25 and 1 <= high <= 25 and low <= high):
        yield (*path, "max_values"), "NUMBER_TYPE_MIN", "Must be greater than or equal to min_values."
    if item.get("type") != _STRING_SELECT:
        return
    options = item.get("options") or []
    if not 1 <= len(options) <= 25:
        yield (*path, "options"), _LENGTH, "Must be between 1 and 25 in length."
    yield from option_faults((*path, "options"), options)
    if sum(bool(option.get("default")) for option in options) > high:
        yield (*path, "options"), "SELECT_COMPONENT_TOO_MANY_DEFAULT_VALUES", "Too many default values."


def option_faults(path: tuple[str, ...], options: list[Json]) -> Iterator[Fault]:
    """Return what is wrong with the options of a select or of a group of buttons or boxes."""
    known: set[object] = set()
    for at, option in enumerate(options):
        for name, low in (("label", 1), ("value", 1), ("description", 0)):
            if low or option.get(name) is not None:
                yield from length_faults((*path, str(at), name), option.get(name), low, 100)
        if option.get("value") in known:
            words = "The specified option value is already used"
            yield (*path, str(at), "value"), "SELECT_COMPONENT_OPTION_VALUE_DUPLICATED", words
        known.add(option.get("value"))
