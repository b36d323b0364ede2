"""Dialogs (modals): what a bot may ask in one, and what a person's client sends when it is filled in."""

from collections.abc import Iterator
from typing import Any

from bot.sandbox.discord.layouts import Fault, Json, length_faults, option_faults, select_faults
from bot.sandbox.discord.options import within
from bot.sandbox.discord.picks import FILE_UPLOAD, OF_SELECT, NotSent, Picks

ROW, STRING_SELECT, TEXT_INPUT, TEXT, LABEL = 1, 3, 4, 10, 18
RADIO, CHECKBOXES, CHECKBOX = 21, 22, 23
_IN_LABEL = (STRING_SELECT, TEXT_INPUT, *OF_SELECT, FILE_UPLOAD, RADIO, CHECKBOXES, CHECKBOX)
_MOST = 5


def dialog_faults(data: Json) -> list[Fault]:
    """Return what Discord refuses in a dialog."""
    rows = data.get("components") or []
    faults = [
        *length_faults(("data", "title"), data.get("title"), 1, 45),
        *length_faults(("data", "custom_id"), data.get("custom_id"), 1, 100),
    ]
    if not 1 <= len(rows) <= _MOST:
        faults.append((("data", "components"), "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 5 in length."))
    seen: set[str] = set()
    for at, row in enumerate(rows):
        faults += _row_faults(("data", "components", str(at)), row, seen)
    return faults


def _row_faults(path: tuple[str, ...], row: Json, seen: set[str]) -> Iterator[Fault]:
    if row.get("type") == TEXT:
        yield from length_faults((*path, "content"), row.get("content"), 1, 4000)
        return
    if row.get("type") == LABEL:
        yield from length_faults((*path, "label"), row.get("label"), 1, 45)
        if row.get("description") is not None:
            yield from length_faults((*path, "description"), row["description"], 1, 100)
        inside, allowed = row.get("component") or {}, _IN_LABEL
    else:
        items = row.get("components") or [] if row.get("type") == ROW else []
        inside, allowed = (items[0] if len(items) == 1 else {}), (TEXT_INPUT,)
        if inside.get("type") == TEXT_INPUT:
            yield from length_faults((*path, "components", "0", "label"), inside.get("label"), 1, 45)
    if inside.get("type") not in allowed:
        yield path, "UNION_TYPE_CHOICES", f"Value of field 'type' must be one of {allowed}."
        return
    custom_id = inside.get("custom_id")
    yield from length_faults((*path, "custom_id"), custom_id, 1, 100)
    if str(custom_id) in seen:
        yield (*path, "custom_id"), "COMPONENT_CUSTOM_ID_DUPLICATED", "Component custom id cannot be duplicated"
    seen.add(str(custom_id))
    if inside.get("disabled"):
        yield (*path, "disabled"), "COMPONENT_DISABLED_IN_MODAL", "Components in a modal cannot be disabled"
    yield from _field_faults(path, inside)


def _field_faults(path: tuple[str, ...], field: Json) -> Iterator[Fault]:
    match field["type"]:
        case 4:
            high = field.get("max_length") or 4000
            if not (field.get("min_length") or 0) <= high <= 4000:
                yield (*path, "max_length"), "NUMBER_TYPE_MAX", "int value should be less than or equal to 4000."
            if field.get("value") is not None:
                yield from length_faults((*path, "value"), field["value"], 0, high)
            if field.get("placeholder") is not None:
                yield from length_faults((*path, "placeholder"), field["placeholder"], 0, 100)
        case 19:
            if not 0 <= (field.get("min_values") or 0) <= (field.get("max_values") or 1) <= 10:
                yield (*path, "max_values"), "NUMBER_TYPE_MAX", "int value should be less than or equal to 10."
        case 21 | 22:
            if not (2 if field["type"] == RADIO else 1) <= len(field.get("options") or []) <= 10:
                yield (*path, "options"), "BASE_TYPE_BAD_LENGTH", "Must be 10 or fewer in length."
            yield from option_faults((*path, "options"), field.get("options") or [])
        case 23:
            pass
        case _:
            yield from select_faults(path, field)


def fields(dialog: Json) -> list[tuple[str, Json]]:
    """Return the fields of a dialog, each with the label over it."""
    found: list[tuple[str, Json]] = []
    for row in dialog.get("components") or []:
        if "component" in row:
            found.append((row.get("label") or "", row["component"]))
        else:
            found += [(item.get("label") or "", item) for item in row.get("components") or []]
    return found


def filled(dialog: Json, given: Json, picks: Picks) -> list[Json]:
    """Return the components of a dialog as they are sent, with what a person gave by custom_id (or by label).

    Raises:
        NotSent: a field is missing, unknown, or not filled in as it asks.
    """
    known = fields(dialog)
    names = {name for label, field in known for name in (label, field["custom_id"])}
    unknown = [name for name in given if name not in names]
    if unknown:
        raise NotSent(f"The dialog has no field {unknown[0]}.")
    sent: dict[str, Json] = {}
    for number, (label, field) in enumerate(known):
        value = given.get(field["custom_id"], given.get(label))
        common = {"type": field["type"], "id": 100 + number, "custom_id": field["custom_id"]}
        sent[field["custom_id"]] = common | _answer(label or field["custom_id"], field, value, picks)
    return [_sent_row(at, row, sent) for at, row in enumerate(dialog.get("components") or [], 1)]


def _sent_row(at: int, row: Json, sent: dict[str, Json]) -> Json:
    whole: Json = {"type": row["type"], "id": row.get("id") or at}
    if "component" in row:
        return whole | {"component": sent[row["component"]["custom_id"]]}
    if "components" in row:
        return whole | {"components": [sent[item["custom_id"]] for item in row["components"]]}
    return whole


def _answer(name: str, field: Json, value: Any, picks: Picks) -> Json:
    required = field.get("required") is not False
    match field["type"]:
        case 4:
            text = str((field.get("value") or "") if value is None else value)
            if not text and required:
                raise NotSent(f"{name}: this field is required.")
            low, high = field.get("min_length") or 0, field.get("max_length") or 4000
            return {"value": within(name, text, low, high) if text else ""}
        case 21:
            chosen = _choices(name, field, _listed(value), required=required)
            return {"value": chosen[0] if chosen else None}
        case 23:
            return {"value": bool(field.get("default")) if value is None else str(value).lower() in ("true", "1")}
        case _:
            return {"values": chosen_values(name, field, _listed(value), picks, required=required)}


def _listed(value: Any) -> list[Any] | None:
    if value is None or isinstance(value, list):
        return value
    return [] if value == "" else [value]


def chosen_values(name: str, item: Json, given: list[Any] | None, picks: Picks, *, required: bool) -> list[str]:
    """Return what is chosen in a select (or a field of files or boxes), each of it resolved.

    Raises:
        NotSent: too few or too many, or none of what is offered.
    """
    if item["type"] in (STRING_SELECT, CHECKBOXES):
        return _choices(name, item, given, required=required)
    values = [str(one["id"]) for one in item.get("default_values") or []] if given is None else given
    _count(name, item, len(values), required=required)
    if item["type"] == FILE_UPLOAD:
        return [picks.file(name, one) for one in values]
    return [picks.pick(OF_SELECT[item["type"]], name, one, item.get("channel_types")) for one in values]


def _choices(name: str, item: Json, given: list[Any] | None, *, required: bool) -> list[str]:
    options = item.get("options") or []
    values = [one["value"] for one in options if one.get("default")] if given is None else given
    known = {text: one["value"] for one in options for text in (one["label"], one["value"])}
    if wrong := [one for one in values if str(one) not in known]:
        raise NotSent(f"{name}: {wrong[0]} is not one of the list.")
    _count(name, item, len(values), required=required)
    return [known[str(one)] for one in values]


def _count(name: str, item: Json, count: int, *, required: bool) -> None:
    if count == 0:
        if required and item.get("min_values") != 0:
            raise NotSent(f"{name}: this field is required.")
        return
    all_of_them = len(item["options"]) if item["type"] == CHECKBOXES else 1
    low, high = item.get("min_values") or 0, item.get("max_values") or all_of_them
    if not low <= count <= high:
        raise NotSent(f"{name}: {low} to {high} are wanted.")
