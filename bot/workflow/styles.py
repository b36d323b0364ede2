"""`styles.toml`: the styles that an owner offers, one table each. Everything in a table is optional."""

import math
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from bot.model.style import SLOT, Style
from bot.workflow.graph import GraphError
from bot.workflow.manifest import ManifestFault, ShortWords, is_name, told
from bot.workflow.matching import near
from bot.workflow.prompt import WEIGHT_LIMIT

STYLES, WORDS, LORAS = 200, 500, 4
"""The most there may be: styles in the file; characters of a prompt or a negative; LoRAs of one style."""

_LORA = re.compile(r"\s*(?P<name>[^<>:\s](?:[^<>:]{0,198}[^<>:\s])?)\s*(?::(?P<weight>[^<>:]*))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class StyleEntry:
    """A style, and what it is called by language."""

    style: Style
    titles: Mapping[str, str]

    def title_in(self, locale: str) -> str:
        """What members see, in a language (`ja`) or locale (`en-GB`) if the file has it."""
        titles = self.titles
        return (
            titles.get(locale)
            or titles.get(locale.partition("-")[0])
            or titles.get("en")
            or next(iter(titles.values()), self.style.name)
        )


def _with_slot(prompt: str) -> str:
    if prompt.count(SLOT) != 1:
        reason = f"must hold {SLOT} once: there go the member's words"
        raise ValueError(reason)
    return prompt


def _weighted(lora: str) -> str:
    """Return `name:weight`; without a weight it is 1."""
    found = _LORA.fullmatch(lora)
    if found is None:
        reason = 'must be a name, or a name and its weight, such as "ink:0.8"'
        raise ValueError(reason)
    try:
        weight = float(found["weight"] or "1")
    except ValueError:
        weight = math.nan
    if not abs(weight) <= WEIGHT_LIMIT:
        reason = f"its weight must be a number from -{WEIGHT_LIMIT:g} to {WEIGHT_LIMIT:g}"
        raise ValueError(reason)
    return f"{found['name']}:{weight:g}"


class StyleTable(BaseModel):
    """All keys of one style: `[NAME]`."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    title: ShortWords = Field(default_factory=dict[str, str])
    prompt: Annotated[str, Field(max_length=WORDS), AfterValidator(_with_slot)] = SLOT
    negative: str = Field(default="", max_length=WORDS)
    loras: tuple[Annotated[str, AfterValidator(_weighted)], ...] = Field(default=(), max_length=LORAS)


_TABLES = TypeAdapter(dict[str, StyleTable])


def read_styles(path: Path) -> dict[str, StyleEntry]:
    """Read the styles by name, in the file's order; an absent file has none.

    Raises:
        GraphError: it cannot be used; each fault on a line with file, line, key and reason.
    """
    if not path.is_file():
        return {}
    tree, source = _toml(path)
    faults = _misnamed(tree)
    tables: dict[str, StyleTable] = {}
    try:
        tables = _TABLES.validate_python(tree)
    except ValidationError as error:
        faults += [_fault(one["loc"], one["type"], one["msg"]) for one in error.errors(include_input=False)]
    if faults:
        raise GraphError(told(path.name, source, faults))
    return {name: _entry(name, table) for name, table in tables.items()}


def _toml(path: Path) -> tuple[dict[str, Any], str]:
    try:
        source = path.read_text(encoding="utf-8")
        return tomllib.loads(source), source
    except tomllib.TOMLDecodeError as fault:
        raise GraphError(f"{path.name}: {fault}") from None
    except RecursionError:
        raise GraphError(f"{path.name}: it is nested too deeply") from None
    except (UnicodeDecodeError, OSError) as fault:
        raise GraphError(f"{path.name}: it cannot be read ({type(fault).__name__})") from None


def _misnamed(names: Iterable[str]) -> list[ManifestFault]:
    reason = "a style's name must be 1 to 32 letters, digits, - or _, in lower case"
    faults = [ManifestFault(key=(name,), reason=reason) for name in names if not is_name(name)]
    beyond = list(names)[STYLES : STYLES + 1]
    return faults + [ManifestFault(key=(name,), reason=f"there may be {STYLES} styles at most") for name in beyond]


def _fault(where: tuple[int | str, ...], kind: str, message: str) -> ManifestFault:
    """Return a fault in an owner's words instead of the validator's."""
    reason = message.removeprefix("Value error, ")
    if kind == "extra_forbidden":
        known = list(StyleTable.model_fields)
        alike = near(str(where[-1]), known, 1)
        reason = "unknown key; " + (f"did you mean {alike[0]}?" if alike else f"known are {', '.join(known)}")
    elif kind == "model_type":
        reason = f"must be a table that begins with [{where[0]}]"
    elif kind == "tuple_type":
        reason = 'must be a list, such as ["ink:0.8"]'
    return ManifestFault(key=tuple(map(str, where)), reason=reason)


def _entry(name: str, table: StyleTable) -> StyleEntry:
    style = Style(name=name, prompt=table.prompt, negative=table.negative, loras=table.loras)
    return StyleEntry(style=style, titles=table.title)
