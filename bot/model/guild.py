"""What a guild's admins decide, as one table: each setting's kind, bounds and default; words are in the catalogue.

Screens, storage, validation and help all come from this table. A value is stored as the text that `shown_value` gives
and `read_value` reads back.
"""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any, TypeAlias

from bot.errors import RequestError
from bot.model.languages import AUTO, LANGUAGES

HOUR_S, DAY_S = 3600.0, 86_400.0
EVERYWHERE = 0
"""The guild id of what the bot's owner decides for all guilds."""


class Kind(StrEnum):
    """What kind of value a setting has."""

    SWITCH = "switch"
    WHOLE = "whole"
    NUMBER = "number"
    SPAN = "span"
    CHOICE = "choice"
    CHANNEL = "channel"
    CHANNELS = "channels"
    ROLES = "roles"
    ROLE_NUMBERS = "role_numbers"
    TEMPLATE = "template"
    TEMPLATES = "templates"
    LADDER = "ladder"


class Measure(StrEnum):
    """What strikes lead to."""

    WARN = "warn"
    TIMEOUT = "timeout"
    BAN = "ban"


@dataclass(frozen=True, slots=True)
class Rung:
    """From this many strikes on: a measure, and how many seconds it lasts (None: until it is lifted)."""

    strikes: int
    measure: Measure
    seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One row of the table."""

    key: str
    kind: Kind
    default: Any
    low: float = 0.0
    high: float = math.inf
    choices: tuple[str, ...] = ()


Named: TypeAlias = Mapping[str, Mapping[str, int | str]]
"""What names mean in this guild: by `channel`, `role` and `template`, lower-case name → id (or file name)."""


def _row(kind: Kind, default: Any, *, low: float = 0.0, high: float = math.inf, choices: tuple[str, ...] = ()) -> Any:
    about = {"kind": kind, "low": low, "high": high, "choices": choices}
    if kind is Kind.ROLE_NUMBERS:
        return field(default_factory=dict[int, float], metadata=about)
    return field(default=default, metadata=about)


_LADDER = (Rung(1, Measure.WARN), Rung(3, Measure.TIMEOUT, DAY_S), Rung(5, Measure.BAN, 30 * DAY_S))


@dataclass(frozen=True, slots=True, kw_only=True)
class GuildSettings:
    """All settings of one guild. Lists that are empty mean "all"; spans are in seconds, 0 means "none"."""

    channels: frozenset[int] = _row(Kind.CHANNELS, frozenset())
    templates: frozenset[str] = _row(Kind.TEMPLATES, frozenset())
    default_template: str = _row(Kind.TEMPLATE, "")
    account_age: float = _row(Kind.SPAN, 0.0)
    membership_age: float = _row(Kind.SPAN, 0.0)
    member_quota: float = _row(Kind.NUMBER, 0.0, high=1e6)
    role_quotas: Mapping[int, float] = _row(Kind.ROLE_NUMBERS, {}, high=1e6)
    guild_quota: float = _row(Kind.NUMBER, 0.0, high=1e9)
    quota_window: float = _row(Kind.SPAN, DAY_S, low=60.0, high=90 * DAY_S)
    role_weights: Mapping[int, float] = _row(Kind.ROLE_NUMBERS, {}, low=0.01, high=100.0)
    member_waiting: int = _row(Kind.WHOLE, 0, high=1000)
    member_running: int = _row(Kind.WHOLE, 0, high=100)
    commands_per_minute: int = _row(Kind.WHOLE, 30, low=1, high=600)
    review: str = _row(Kind.CHOICE, "off", choices=("off", "newcomers", "suspected", "all"))
    newcomer_age: float = _row(Kind.SPAN, 7 * DAY_S)
    review_channel: int = _row(Kind.CHANNEL, 0)
    report_channel: int = _row(Kind.CHANNEL, 0)
    log_channel: int = _row(Kind.CHANNEL, 0)
    moderator_roles: frozenset[int] = _row(Kind.ROLES, frozenset())
    spoilers: str = _row(Kind.CHOICE, "flagged", choices=("off", "flagged", "all"))
    previews: str = _row(Kind.CHOICE, "shown", choices=("shown", "blurred", "off"))
    private_results: str = _row(Kind.CHOICE, "allowed", choices=("off", "allowed", "always"))
    picture_spoiler: float = _row(Kind.NUMBER, 0.5, high=1.0)
    picture_hold: float = _row(Kind.NUMBER, 0.0, high=1.0)
    picture_block: float = _row(Kind.NUMBER, 0.8, high=1.0)
    check_adult_channels: bool = _row(Kind.SWITCH, default=False)
    word_mode: str = _row(Kind.CHOICE, "refuse", choices=("refuse", "hold", "strike"))
    check_negative: bool = _row(Kind.SWITCH, default=True)
    strike_life: float = _row(Kind.SPAN, 30 * DAY_S)
    ladder: tuple[Rung, ...] = _row(Kind.LADDER, _LADDER)
    language: str = _row(Kind.CHOICE, AUTO, choices=(AUTO, *LANGUAGES))
    metadata: bool = _row(Kind.SWITCH, default=True)
    workflows: bool = _row(Kind.SWITCH, default=True)
    retention: float = _row(Kind.SPAN, 0.0)
    audit_retention: float = _row(Kind.SPAN, 0.0)

    def quota_of(self, role_ids: frozenset[int]) -> float | None:
        """Return the cost that a member of these roles may spend in a window, at best; None without a limit."""
        own = [quota for role, quota in self.role_quotas.items() if role in role_ids]
        quota = max(own) if own else self.member_quota
        return quota or None

    def rung(self, strikes: int) -> Rung | None:
        """Return what so many strikes lead to: the highest rung reached."""
        reached = [rung for rung in self.ladder if rung.strikes <= strikes]
        return max(reached, key=lambda rung: rung.strikes, default=None)


_DEFAULTS = GuildSettings()
SETTINGS: Mapping[str, Setting] = {
    one.name: Setting(key=one.name, default=getattr(_DEFAULTS, one.name), **one.metadata)
    for one in fields(GuildSettings)
}
"""The table, by key."""

_UNITS = {"m": 60.0, "h": HOUR_S, "d": DAY_S, "w": 7 * DAY_S}
_SPAN = re.compile(r"(\d{1,6}(?:\.\d{1,3})?)\s*([mhdw])", re.IGNORECASE)
_ON, _OFF = frozenset({"on", "yes", "true", "1"}), frozenset({"off", "no", "false", "0"})
_NONE = frozenset({"", "none", "off", "-"})
_ID = re.compile(r"<?(?:#|@&)?(\d{15,20})>?")
_LISTED = 50


def read_span(text: str) -> float | None:
    """Read `30m`, `12h`, `7d`, `2w` as seconds, and `0` or `none` as 0; None if it is no span."""
    if text.strip().casefold() in _NONE | {"0"}:
        return 0.0
    found = _SPAN.fullmatch(text.strip())
    return float(found[1]) * _UNITS[found[2].lower()] if found else None


def shown_span(seconds: float) -> str:
    """Return seconds as `read_span` reads them, in the largest unit that is whole."""
    if seconds == 0:
        return "0"
    unit = next((name for name in "wdhm" if seconds % _UNITS[name] == 0), "m")
    return f"{seconds / _UNITS[unit]:.3f}".rstrip("0").rstrip(".") + unit


def read_value(setting: Setting, text: str, named: Named | None = None) -> Any:
    """Read a setting's value from what an admin typed, or from what is stored.

    Raises:
        RequestError: it is not of its kind, or out of bounds; the words say how it is written.
    """
    return _READERS[setting.kind](setting, text.strip(), named or {})


def shown_value(setting: Setting, value: Any) -> str:
    """Return a value as text that `read_value` reads back; empty for an empty list."""
    match setting.kind:
        case Kind.SWITCH:
            return "on" if value else "off"
        case Kind.SPAN:
            return shown_span(value)
        case Kind.NUMBER | Kind.WHOLE:
            return f"{value:g}" if value < 1e6 else str(value)
        case Kind.CHANNEL:
            return str(value) if value else ""
        case Kind.CHANNELS | Kind.ROLES | Kind.TEMPLATES:
            return ", ".join(str(one) for one in sorted(value))
        case Kind.ROLE_NUMBERS:
            return ", ".join(f"{role}={number:g}" for role, number in sorted(value.items()))
        case Kind.LADDER:
            return ", ".join(_shown_rung(rung) for rung in value)
        case Kind.CHOICE | Kind.TEMPLATE:
            return str(value)


def _wrong(setting: Setting, text: str) -> RequestError:
    bounds = {"low": f"{setting.low:g}", "high": f"{setting.high:g}", "choices": ", ".join(setting.choices)}
    return RequestError(f"refused.setting_{setting.kind}", value=text, **bounds)


def _number(setting: Setting, text: str, _named: Named) -> float:
    try:
        value = 0.0 if text.casefold() in _NONE else float(text)
    except ValueError:
        raise _wrong(setting, text) from None
    if not setting.low <= value <= setting.high:
        raise _wrong(setting, text)
    return value


def _whole(setting: Setting, text: str, named: Named) -> int:
    value = _number(setting, text, named)
    if value != int(value):
        raise _wrong(setting, text)
    return int(value)


def _span(setting: Setting, text: str, _named: Named) -> float:
    seconds = read_span(text)
    if seconds is None or not setting.low <= seconds <= min(setting.high, 3650 * DAY_S):
        raise _wrong(setting, text)
    return seconds


def _switch(setting: Setting, text: str, _named: Named) -> bool:
    if text.casefold() not in _ON | _OFF:
        raise _wrong(setting, text)
    return text.casefold() in _ON


def _choice(setting: Setting, text: str, _named: Named) -> str:
    if text.casefold() not in setting.choices:
        raise _wrong(setting, text)
    return text.casefold()


def _id(setting: Setting, text: str, names: Mapping[str, int | str]) -> int:
    """Return the id of a mention, an id or a name; where names are known, the id must be one of them."""
    found = _ID.fullmatch(text)
    ident = int(found[1]) if found else names.get(text.lstrip("#@").casefold())
    if not isinstance(ident, int) or (names and ident not in names.values()):
        raise _wrong(setting, text)
    return ident


def _parts(setting: Setting, text: str) -> list[str]:
    if text.casefold() in _NONE | {"all"}:
        return []
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if len(parts) > _LISTED:
        raise _wrong(setting, f"{text[:50]}…")
    return parts


def _channel(setting: Setting, text: str, named: Named) -> int:
    return 0 if text.casefold() in _NONE else _id(setting, text, named.get("channel", {}))


def _channels(setting: Setting, text: str, named: Named) -> frozenset[int]:
    return frozenset(_id(setting, part, named.get("channel", {})) for part in _parts(setting, text))


def _roles(setting: Setting, text: str, named: Named) -> frozenset[int]:
    return frozenset(_id(setting, part, named.get("role", {})) for part in _parts(setting, text))


def _role_numbers(setting: Setting, text: str, named: Named) -> Mapping[int, float]:
    pairs: dict[int, float] = {}
    for part in _parts(setting, text):
        role, equals, number = part.rpartition("=")
        if not equals:
            raise _wrong(setting, part)
        pairs[_id(setting, role.strip(), named.get("role", {}))] = _number(setting, number.strip(), named)
    return pairs


def _template(setting: Setting, text: str, named: Named) -> str:
    if text.casefold() in _NONE:
        return ""
    if "template" not in named:
        return text
    found = named["template"].get(text.casefold())
    if found is None:
        raise _wrong(setting, text)
    return str(found)


def _templates(setting: Setting, text: str, named: Named) -> frozenset[str]:
    return frozenset(_template(setting, part, named) for part in _parts(setting, text))


def _ladder(setting: Setting, text: str, _named: Named) -> tuple[Rung, ...]:
    rungs = sorted((_rung(setting, part) for part in _parts(setting, text)), key=lambda rung: rung.strikes)
    if len({rung.strikes for rung in rungs}) != len(rungs):
        raise _wrong(setting, text)
    return tuple(rungs)


def _rung(setting: Setting, part: str) -> Rung:
    """Read `3=timeout:24h`, `1=warn`, `5=ban`."""
    count, _, what = part.partition("=")
    name, _, length = what.strip().partition(":")
    seconds = read_span(length) if length else None
    wrong_length = (seconds is None or seconds == 0) if length else name == Measure.TIMEOUT
    if not count.strip().isdecimal() or not 1 <= int(count) <= 100 or name not in list(Measure) or wrong_length:
        raise _wrong(setting, part)
    return Rung(int(count), Measure(name), seconds)


def _shown_rung(rung: Rung) -> str:
    length = f":{shown_span(rung.seconds)}" if rung.seconds else ""
    return f"{rung.strikes}={rung.measure}{length}"


_READERS: Mapping[Kind, Callable[[Setting, str, Named], Any]] = {
    Kind.SWITCH: _switch,
    Kind.WHOLE: _whole,
    Kind.NUMBER: _number,
    Kind.SPAN: _span,
    Kind.CHOICE: _choice,
    Kind.CHANNEL: _channel,
    Kind.CHANNELS: _channels,
    Kind.ROLES: _roles,
    Kind.ROLE_NUMBERS: _role_numbers,
    Kind.TEMPLATE: _template,
    Kind.TEMPLATES: _templates,
    Kind.LADDER: _ladder,
}
