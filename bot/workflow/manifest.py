"""`NAME.toml`: what tracing cannot know of a workflow, and what its owner wants otherwise. Everything is optional."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from bot.model.request import Value
from bot.workflow.graph import GraphError
from bot.workflow.matching import near

NAME = re.compile(r"[-_'\w]{1,32}")
"""Names of commands and options: letters of any script, digits, - and _; in lower case, at most 32 (Discord)."""

ROLES = (
    *("prompt", "negative", "seed", "size", "count", "steps", "cfg", "sampler", "scheduler", "denoise", "model"),
    *("image", "mask", "video", "audio"),
)
"""Names of the roles that a manifest may give an option; a further one of a kind has a number: image2."""

LISTS: Mapping[str, tuple[str, str]] = {
    "checkpoints": ("CheckpointLoaderSimple", "ckpt_name"),
    "diffusion_models": ("UNETLoader", "unet_name"),
    "loras": ("LoraLoader", "lora_name"),
    "vaes": ("VAELoader", "vae_name"),
    "samplers": ("KSampler", "sampler_name"),
    "schedulers": ("KSampler", "scheduler"),
    "upscale_models": ("UpscaleModelLoader", "model_name"),
    "controlnets": ("ControlNetLoader", "control_net_name"),
}
"""Lists that servers keep, and the node input that shows each."""


def _by_language(words: object) -> object:
    return {"en": words} if isinstance(words, str) else words


Words = Annotated[dict[str, str], BeforeValidator(_by_language)]
"""One text, or a table of texts by language: `{en = "…", ja = "…"}`."""

_STRICT = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


def _short(words: dict[str, str]) -> dict[str, str]:
    if any(not text.strip() or len(text) > 100 for text in words.values()):
        reason = "must be 1 to 100 characters in every language"
        raise ValueError(reason)
    return words


ShortWords = Annotated[Words, AfterValidator(_short)]
"""Words that Discord shows beside a name."""


class OptionEntry(BaseModel):
    """One option: `[options.NAME]`. It is for a role that was traced, or for places that it names."""

    model_config = _STRICT

    role: str | None = None
    places: tuple[tuple[str, str], ...] = ()
    type: Literal["text", "integer", "number", "switch", "image", "video", "audio"] | None = None
    description: ShortWords = Field(default_factory=dict[str, str])
    required: bool | None = None
    default: Value | None = None
    min: float | None = None
    max: float | None = None
    step: float | None = Field(default=None, gt=0)
    choices: tuple[Value, ...] | None = Field(default=None, min_length=1)
    list: str | None = None
    hidden: bool = False

    @field_validator("role")
    @classmethod
    def _known_role(cls, role: str | None) -> str | None:
        role = "prompt" if role == "positive" else role
        if role is not None and role.rstrip("0123456789") not in ROLES:
            reason = f"must be one of {', '.join(ROLES)}"
            raise ValueError(reason)
        return role

    @field_validator("list")
    @classmethod
    def _known_list(cls, name: str | None) -> str | None:
        if name is not None and name not in LISTS:
            reason = f"must be one of {', '.join(LISTS)}"
            raise ValueError(reason)
        return name

    @model_validator(mode="after")
    def _makes_sense(self) -> "OptionEntry":
        if self.min is not None and self.max is not None and self.min > self.max:
            reason = f"min {self.min:g} is larger than max {self.max:g}"
            raise ValueError(reason)
        if self.choices is not None and self.list is not None:
            reason = "give choices or a list, not both"
            raise ValueError(reason)
        if self.choices and self.default is not None and str(self.default) not in map(str, self.choices):
            reason = "default is not one of the choices"
            raise ValueError(reason)
        return self


class Manifest(BaseModel):
    """All keys of a manifest."""

    model_config = _STRICT

    title: ShortWords = Field(default_factory=dict[str, str])
    description: ShortWords = Field(default_factory=dict[str, str])
    command: str | bool | None = None
    """Name of the slash command; `false`: none of its own, only `/imagine template:`."""
    options: dict[str, OptionEntry] = Field(default_factory=dict[str, OptionEntry])
    fixed: dict[str, dict[str, Any]] = Field(default_factory=dict[str, dict[str, Any]])
    """Values by node and input that replace what the file has: `[fixed."3"]`, `cfg = 7`."""
    outputs: tuple[str, ...] | None = None
    """Ids of the nodes whose files members get; left out, what was traced."""
    follow_up: tuple[str, ...] = ()
    """What it makes of a finished picture (`vary`, `upscale`, `animate`, or a name of the owner's): a button each."""
    cost: float = Field(default=1.0, gt=0, le=1000)
    """What one run costs, an ordinary picture being 1."""
    servers: tuple[str, ...] | None = None
    """Names of the servers it may run on; left out, all."""
    age_restricted: bool = False
    roles_allowed: tuple[int, ...] = ()
    """Ids of the Discord roles whose members may use it; none: everybody."""
    time_limit: int | None = Field(default=None, ge=10, le=86400)
    """Seconds it may run on a server."""
    prompt_syntax: bool = True
    """Whether `<lora:…>`, BREAK, AND and embedding: in a prompt are understood."""
    metadata: bool = True
    """Whether pictures carry the recipe that made them."""
    model: Literal["auto"] | None = None
    """`auto`: put in the first fitting model that the server lists."""
    model_fits: tuple[str, ...] = ()
    """Parts of file names, one of which a fitting model has (any case); none given: every model fits."""
    model_avoids: tuple[str, ...] = ()
    """Parts of file names that a fitting model does not have."""

    @field_validator("command")
    @classmethod
    def _usable(cls, name: str | bool | None) -> str | bool | None:  # noqa: FBT001 - a validator's shape
        if name is True:
            reason = "must be a name, or false"
            raise ValueError(reason)
        if isinstance(name, str) and not is_name(name):
            reason = "must be 1 to 32 letters, digits, - or _, in lower case"
            raise ValueError(reason)
        return name

    @field_validator("follow_up")
    @classmethod
    def _follows(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if not is_name(name):
                reason = f"{name!r} is no name for a follow-up: 1 to 32 letters, digits, - or _, in lower case"
                raise ValueError(reason)
        return names

    @field_validator("options")
    @classmethod
    def _named(cls, options: dict[str, OptionEntry]) -> dict[str, OptionEntry]:
        for name in options:
            if not is_name(name):
                reason = f"{name!r} is no name for an option: 1 to 32 letters, digits, - or _, in lower case"
                raise ValueError(reason)
        return options


def is_name(name: str) -> bool:
    """Tell whether Discord takes a name for a command or an option."""
    return NAME.fullmatch(name) is not None and name == name.lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestFault:
    """Where in a manifest something is wrong (`key` as a path), and why."""

    key: tuple[str, ...]
    reason: str


def read_manifest(path: Path) -> tuple[Manifest, str]:
    """Read a manifest and return it with its text; an absent file is an empty one.

    Raises:
        GraphError: it cannot be used; each fault on a line with file, line, key and reason.
    """
    if not path.is_file():
        return Manifest(), ""
    try:
        source = path.read_text(encoding="utf-8")
        tree = tomllib.loads(source)
    except tomllib.TOMLDecodeError as fault:
        hint = "; texts stand in quotes" if "Invalid value" in str(fault) else ""
        raise GraphError(f"{path.name}: {fault}{hint}") from None
    except (UnicodeDecodeError, OSError) as fault:
        raise GraphError(f"{path.name}: it cannot be read ({type(fault).__name__})") from None
    try:
        return Manifest.model_validate(tree), source
    except ValidationError as error:
        faults = [
            ManifestFault(
                key=tuple(str(part) for part in one["loc"]), reason=_reason(one["type"], one["msg"], one["loc"])
            )
            for one in error.errors(include_input=False)
        ]
        raise GraphError(told(path.name, source, faults)) from None


def _reason(kind: str, message: str, where: tuple[int | str, ...]) -> str:
    """Return a fault in an owner's words instead of the validator's."""
    *_, last = ("", *map(str, where))
    if kind == "extra_forbidden":
        model = OptionEntry if len(where) > 1 and where[0] == "options" else Manifest
        known = list(model.model_fields)
        alike = near(last, known, 1)
        return "unknown key; " + (f"did you mean {alike[0]}?" if alike else f"known are {', '.join(known)}")
    if kind in ("tuple_type", "list_type"):
        return 'must be a list, such as ["a", "b"]'
    return message.removeprefix("Value error, ")


def told(file: str, source: str, faults: list[ManifestFault]) -> str:
    """Return faults in an operator's words, one a line: file, line, key, reason."""
    return "\n".join(_line(file, source, fault) for fault in faults)


def _line(file: str, source: str, fault: ManifestFault) -> str:
    number = line_of(source, fault.key)
    where = f"{file}:{number}" if number else file
    return f"{where}: {'.'.join(fault.key) or 'manifest'}: {fault.reason}"


def line_of(source: str, key: tuple[str, ...]) -> int | None:
    """Return the line where a key stands, or the nearest table that holds it; None if neither is found."""
    best: tuple[int, int] | None = None
    for number, path in _keys(source):
        if best is None and path[: len(key)] == key:
            best = (len(key), number)  # a table below the key opens it
        length = len(path)
        if path == key[:length] and (best is None or length > best[0]):
            best = (length, number)
    return best[1] if best else None


def _keys(source: str) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Yield every line that begins a table or a key, with the path that it opens."""
    table: tuple[str, ...] = ()
    for number, line in enumerate(source.splitlines(), 1):
        if found := re.match(r"\s*\[\[?([^\]]+)\]", line):
            table = _path(found[1])
            yield number, table
        elif found := re.match(r"""\s*((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"))*)\s*=""", line):
            yield number, table + _path(found[1])


def _path(dotted: str) -> tuple[str, ...]:
    return tuple(
        part.strip().strip("\"'") for part in re.findall(r"""[^."']+|"[^"]*"|'[^']*'""", dotted) if part.strip()
    )
