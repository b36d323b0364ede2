"""A request's settings as lines that members edit, `name: value`, and back. Pure."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from bot.errors import RequestError
from bot.model.jsontree import JsonObject
from bot.model.request import SEED_LIMIT, Request, Size, Value, random_seed
from bot.workflow.matching import near
from bot.workflow.options import FILES, Kind, Option
from bot.workflow.sizes import wanted_size
from bot.workflow.template import Template

SHOWN = ("seed", "size", "steps", "cfg")
"""Roles that are always shown, if the template has them."""
TEMPLATE, STYLE = "template", "style"
_YES, _NO = frozenset({"yes", "on", "true", "1", "はい"}), frozenset({"no", "off", "false", "0", "いいえ"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What roles are called where lines are written, and what they and sizes may be called where they are read."""

    shown: Mapping[str, str] = field(default_factory=dict[str, str])
    roles: Mapping[str, str] = field(default_factory=dict[str, str])
    """Casefolded word → role, in every language."""
    sizes: Mapping[str, str] = field(default_factory=dict[str, str])


def lines_of(template: Template, request: Request, recipe: JsonObject, names: Names) -> dict[str, str]:
    """Return the settings of a request by name: what was set, else what the recipe says was used."""
    found: dict[str, str] = {"seed": str(request.seed)} if template.option("seed") else {}
    size = request.size or _recipe_size(recipe)
    if size is not None and template.option("size"):
        found["size"] = str(size)
    for role in SHOWN[2:]:
        option = template.option(role)
        if option is not None and (value := request.values.get(option.name, recipe.get(role))) is not None:
            found[option.name] = _shown(value)
    found |= {name: _shown(value) for name, value in request.values.items()}
    if request.count not in (None, 1):
        found["count"] = str(request.count)
    if request.style is not None and STYLE not in {option.name for option in template.options}:
        found[STYLE] = request.style.name
    return {names.shown.get(name, name): value for name, value in found.items()}


def _recipe_size(recipe: JsonObject) -> Size | None:
    width, height = recipe.get("width"), recipe.get("height")
    return Size(width=width, height=height) if isinstance(width, int) and isinstance(height, int) else None


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


def split(text: str) -> dict[str, str]:
    """Return lines `name: value` by name.

    Raises:
        RequestError: a line is none of that kind.
    """
    found: dict[str, str] = {}
    for line in text.splitlines():
        if not line.strip():
            continue
        name, *value = re.split("[:\uff1a]", line, maxsplit=1)
        if not value or not name.strip():
            raise RequestError("refused.bad_line", line=line.strip())
        found[name.strip()] = value[0].strip()
    return found


def changed(request: Request, template: Template, lines: Mapping[str, str], names: Names) -> Request:
    """Return a request for a template with the settings of the lines and no others; style and template stay.

    Raises:
        RequestError: a name that the template does not have, or a value that is none.
    """
    values: dict[str, Value] = {}
    fields: dict[str, object] = {"seed": random_seed(), "size": None, "count": None}
    for name, text in lines.items():
        option = _option(template, name, names)
        if not text:
            continue
        match option.role:
            case "seed":
                fields["seed"] = _whole(option, text, 0, SEED_LIMIT)
            case "count":
                fields["count"] = _whole(option, text, 1, 100)
            case "size":
                fields["size"] = _size(text, template, names)
            case _:
                values[option.name] = _value(option, text)
    return replace(request, template=template.name, values=values, **fields)  # pyright: ignore[reportArgumentType] - by name


def role_named(name: str, names: Names) -> str:
    """Return the role that a word means, or the word."""
    return names.roles.get(name.casefold(), name)


def _option(template: Template, name: str, names: Names) -> Option:
    role = role_named(name, names)
    settable = [one for one in template.options if one.kind not in FILES and one.role not in ("prompt", "negative")]
    found = next((one for one in settable if name in (one.name, one.role) or role == one.role), None)
    if found is None:
        alike = near(name, [one.name for one in settable]) or [one.name for one in settable[:4]]
        raise RequestError("refused.unknown_line", template=template.title, line=name, near=", ".join(alike))
    return found


def _whole(option: Option, text: str, low: int, high: int) -> int:
    try:
        value = int(text)
    except ValueError:
        raise RequestError("refused.bad_value", option=option.name, value=text) from None
    if not low <= value <= high:
        raise RequestError("refused.out_of_range", option=option.name, low=str(low), high=str(high))
    return value


def _size(text: str, template: Template, names: Names) -> Size:
    size = wanted_size(text, template, names.sizes)
    if size is None:
        raise RequestError("refused.bad_size", size=text)
    return size


def _value(option: Option, text: str) -> Value:
    try:
        if option.kind is Kind.WHOLE:
            return int(text)
        if option.kind is Kind.NUMBER and math.isfinite(number := float(text.replace(",", "."))):
            return number
    except ValueError:
        raise RequestError("refused.bad_value", option=option.name, value=text) from None
    if option.kind is Kind.NUMBER:
        raise RequestError("refused.bad_value", option=option.name, value=text)
    if option.kind is Kind.SWITCH:
        if text.casefold() not in _YES | _NO:
            raise RequestError("refused.bad_value", option=option.name, value=text)
        return text.casefold() in _YES
    return text
