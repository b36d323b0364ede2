"""Settings: read once from the environment and `.env`, checked, frozen, handed down (DESIGN §5)."""

import json
import re
from pathlib import Path
from typing import Annotated, Any, Literal, cast
from urllib.parse import urlsplit

from pydantic import (
    AnyHttpUrl,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from bot.errors import SettingsError

PROJECT = Path(__file__).parents[1]
DISCORD_API = "https://discord.com/api/v10"
_SECRETS = ("DISCORD_TOKEN", "DATABASE_URL")
_TOKEN_SHAPE = re.compile(r"[\w-]{18,}\.[\w-]{6,}\.[\w-]{20,}")


def _http_address(url: str) -> str:
    """Return an http(s) address without its trailing slash."""
    try:
        TypeAdapter(AnyHttpUrl).validate_python(url)
    except ValidationError:
        reason = "must be an address that begins with http:// or https://, such as http://127.0.0.1:8188"
        raise ValueError(reason) from None
    return url.rstrip("/")


def _printable(headers: dict[str, str]) -> dict[str, str]:
    if any(not part.isprintable() for pair in headers.items() for part in pair):
        reason = "must be single lines of printable characters"
        raise ValueError(reason)
    return headers


class ComfyServer(BaseModel):
    """One ComfyUI process: `slots` is how many prompts of ours it may hold at a time."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    name: str = Field(min_length=1, max_length=60)
    url: str
    slots: int = Field(default=1, ge=1, le=16)
    headers: dict[str, str] = Field(default_factory=dict[str, str], repr=False)
    ca_file: Path | None = None

    _one_line = field_validator("headers")(_printable)

    @field_validator("url")
    @classmethod
    def _plain_http(cls, url: str) -> str:
        return _http_address(url)


def _json(value: object) -> object:
    """Read JSON; what is no text stays."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except RecursionError:
        reason = "is nested too deeply"
        raise ValueError(reason) from None
    except json.JSONDecodeError as fault:
        reason = f"is not valid JSON ({fault.msg} at character {fault.pos + 1})"
        raise ValueError(reason) from None


def _servers(value: object) -> object:
    """Read a JSON list of servers, or a comma-separated list of URLs."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    if text.startswith(("[", "{")):
        read = _json(text)
        return cast("list[Any]", read) if isinstance(read, list) else [read]
    urls = [part.strip() for part in text.split(",") if part.strip()]
    return [{"name": re.sub(r"^\w+://([^@/]*@)?", "", url).rstrip("/"), "url": url} for url in urls]


def _numbers(value: object) -> object:
    """Read a comma-separated list of whole numbers."""
    if not isinstance(value, str):
        return value
    return [part.strip() for part in value.strip("[] ").split(",") if part.strip()]


def _pairs(value: object) -> object:
    """Read `id=number` pairs with commas between."""
    if not isinstance(value, str):
        return value
    pairs = [part.split("=") for part in value.split(",") if part.strip()]
    if any(len(pair) != 2 for pair in pairs):
        reason = "must be pairs of a Discord id and a number with commas between, such as 123=2, 456=0.5"
        raise ValueError(reason)
    return {key.strip(): number.strip() for key, number in pairs}


class Settings(BaseSettings):
    """All that an operator can set; every field is an environment variable of the same name in capitals."""

    model_config = SettingsConfigDict(
        env_file=".env", frozen=True, extra="ignore", hide_input_in_errors=True, env_ignore_empty=True
    )

    discord_token: SecretStr = SecretStr("")
    discord_api_url: str = DISCORD_API
    discord_gateway_url: str | None = None
    discord_proxy: str | None = None
    discord_shard_ids: Annotated[tuple[int, ...] | None, NoDecode] = None
    discord_shard_count: int | None = Field(default=None, ge=1)
    comfyui_servers: Annotated[tuple[ComfyServer, ...], NoDecode] = (
        ComfyServer(name="local", url="http://127.0.0.1:8188"),
    )
    database_url: SecretStr | None = None
    data_dir: Path = Path("data")
    templates_dir: Path = PROJECT / "templates"
    default_template: str | None = None
    owner_ids: Annotated[tuple[int, ...], NoDecode] = ()
    member_waiting: int = Field(default=20, ge=1)
    member_running: int = Field(default=2, ge=1)
    guild_waiting: int = Field(default=500, ge=1)
    guild_running: int | None = Field(default=None, ge=1)
    role_weights: Annotated[dict[int, Annotated[float, Field(ge=0.01, le=100)]], NoDecode] = Field(
        default_factory=dict[int, float]
    )
    role_priorities: Annotated[dict[int, Annotated[int, Field(ge=-9, le=9)]], NoDecode] = Field(
        default_factory=dict[int, int]
    )
    guild_shares: Annotated[dict[int, Annotated[float, Field(ge=0.01, le=100)]], NoDecode] = Field(
        default_factory=dict[int, float]
    )
    retention_days: int = Field(default=90, ge=0)
    picture_check: Literal["none", "nudenet", "http"] = "none"
    picture_check_url: str | None = Field(default=None, repr=False, validate_default=True)
    picture_check_headers: Annotated[dict[str, str], NoDecode] = Field(default_factory=dict[str, str], repr=False)
    prompt_helper_url: str | None = None
    prompt_helper_key: SecretStr | None = None
    prompt_helper_model: str | None = Field(default=None, validate_default=True)
    http_host: str = "127.0.0.1"
    http_port: int | None = Field(default=None, ge=1, le=65535)
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["console", "json"] = "console"

    _read_servers = field_validator("comfyui_servers", mode="before")(_servers)
    _read_pairs = field_validator("role_weights", "role_priorities", "guild_shares", mode="before")(_pairs)
    _read_headers = field_validator("picture_check_headers", mode="before")(_json)
    _one_line = field_validator("picture_check_headers")(_printable)
    _read_numbers = field_validator("discord_shard_ids", "owner_ids", mode="before")(_numbers)

    @field_validator("log_level", mode="before")
    @classmethod
    def _capitals(cls, level: object) -> object:
        return level.upper() if isinstance(level, str) else level

    @field_validator("discord_api_url")
    @classmethod
    def _with_version(cls, url: str) -> str:
        """Accept a host, `…/api` or `…/api/v10`, and return the form that routes are appended to."""
        url = _http_address(url)
        if urlsplit(url).username is not None:
            reason = "must not hold a user name or a password"
            raise ValueError(reason)
        if re.search(r"/v\d+$", url):
            return url
        return f"{url}/v10" if url.endswith("/api") else f"{url}/api/v10"

    @field_validator("picture_check_url")
    @classmethod
    def _classifier(cls, url: str | None, others: ValidationInfo) -> str | None:
        reason = None
        if url is None and others.data.get("picture_check") == "http":
            reason = "must be set to the address of your classifier where PICTURE_CHECK is http"
        elif url is not None and urlsplit(_http_address(url)).username is not None:
            reason = "must not hold a user name or a password; put them into PICTURE_CHECK_HEADERS"
        if reason is not None:
            raise ValueError(reason)
        return url

    @field_validator("prompt_helper_url")
    @classmethod
    def _helper(cls, url: str | None) -> str | None:
        if url is None:
            return None
        if urlsplit(_http_address(url)).username is not None or set("?#") & set(url):
            raise ValueError("must be the base address alone: no password, no ?…; a key goes into PROMPT_HELPER_KEY")
        return url.rstrip("/")

    @field_validator("prompt_helper_key")
    @classmethod
    def _header(cls, key: SecretStr | None) -> SecretStr | None:
        _printable({"key": key.get_secret_value() if key else ""})
        return key

    @field_validator("prompt_helper_model")
    @classmethod
    def _asked(cls, model: str | None, others: ValidationInfo) -> str | None:
        if not (model or "").strip() and others.data.get("prompt_helper_url"):
            raise ValueError("must name the model to ask where PROMPT_HELPER_URL is set")
        return model

    @field_validator("discord_gateway_url")
    @classmethod
    def _websocket(cls, url: str | None) -> str | None:
        if url is not None and not re.fullmatch(r"wss?://[\w.\-\[\]]+(:\d+)?(/\S*)?", url):
            reason = "must be a ws:// or wss:// address"
            raise ValueError(reason)
        return url

    @field_validator("discord_proxy")
    @classmethod
    def _proxy(cls, url: str | None) -> str | None:
        return None if url is None else _http_address(url)

    @field_validator("comfyui_servers")
    @classmethod
    def _distinct(cls, servers: tuple[ComfyServer, ...]) -> tuple[ComfyServer, ...]:
        names = [server.name for server in servers]
        if not servers or len(set(names)) != len(names):
            reason = "needs at least one server, and every name only once"
            raise ValueError(reason)
        return servers

    @model_validator(mode="after")
    def _whole_shards(self) -> "Settings":
        ids, count = self.discord_shard_ids, self.discord_shard_count
        if ids is None:
            return self
        reason = None
        if not ids:
            reason = "must name at least one shard, such as 0"
        elif count is None:
            reason = "needs DISCORD_SHARD_COUNT as well: how many shards there are in all"
        elif not all(0 <= one < count for one in ids):
            reason = f"must lie from 0 to {count - 1}, one less than DISCORD_SHARD_COUNT"
        if reason is not None:
            raise PydanticCustomError("shards", "{reason}", {"reason": reason})
        return self

    @property
    def store_url(self) -> str:
        """The database address for SQLAlchemy; a file in `DATA_DIR` unless `DATABASE_URL` says otherwise."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return f"sqlite:///{self.data_dir / 'easel.sqlite3'}"

    @property
    def shares_database(self) -> bool:
        """Whether the database is one that several processes may use at the same time."""
        return self.store_url.startswith("postgres")

    @property
    def secrets(self) -> list[str]:
        """Texts that no log line may hold."""
        headers = [value for server in self.comfyui_servers for value in server.headers.values()]
        headers += self.picture_check_headers.values()
        headers += [word for server in self.comfyui_servers if (word := urlsplit(server.url).password)]
        optional = [one.get_secret_value() for one in (self.database_url, self.prompt_helper_key) if one]
        return [self.discord_token.get_secret_value(), *optional, *headers]

    def token(self) -> str:
        """Return the bot token.

        Raises:
            SettingsError: there is none.
        """
        token = self.discord_token.get_secret_value().strip()
        if not token:
            raise SettingsError(["DISCORD_TOKEN: is not set; copy .env.example to .env and put your bot's token in it"])
        return token

    def token_shape_fault(self) -> str | None:
        """Return what is odd about the token's shape, or None; Discord alone knows whether it is valid."""
        token = self.discord_token.get_secret_value().strip()
        if not token:
            return "DISCORD_TOKEN: is not set"
        if _TOKEN_SHAPE.fullmatch(token):
            return None
        return (
            "DISCORD_TOKEN: does not look like a bot token (three parts with dots between; Developer Portal, page Bot)"
        )


def load_settings(**overrides: Any) -> Settings:
    """Read the settings; `overrides` win over the environment.

    Raises:
        SettingsError: something is malformed; one line for each fault, naming the variable, without its value.
    """
    try:
        return Settings(**overrides)
    except UnicodeDecodeError:
        raise SettingsError([".env: is not UTF-8 text; save it as UTF-8"]) from None
    except ValidationError as error:
        raise SettingsError(
            [_line(fault["loc"], fault["msg"]) for fault in error.errors(include_input=False)]
        ) from None


def _line(where: tuple[int | str, ...], message: str) -> str:
    name, *rest = (str(part) for part in where or ("discord_shard_ids",))  # the only check of several together
    inside = "".join(f"[{part}]" if part.isdigit() else f".{part}" for part in rest)
    return f"{name.upper()}{inside}: {message.removeprefix('Value error, ')}"
