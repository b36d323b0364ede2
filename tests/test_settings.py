"""Settings: every fault is one readable line, and no secret is in it."""

import os
import re
from pathlib import Path

import pytest

from bot.errors import SettingsError
from bot.settings import Settings, load_settings
from tests.conftest import PROJECT


def faults(monkeypatch: pytest.MonkeyPatch, **variables: str) -> list[str]:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    return caught.value.faults


def test_defaults_need_nothing() -> None:
    """Without any variable there are settings, and only the token is missing."""
    settings = load_settings()

    assert settings.comfyui_servers[0].url == "http://127.0.0.1:8188"
    with pytest.raises(SettingsError, match="DISCORD_TOKEN"):
        settings.token()


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("COMFYUI_SERVERS", "[{]", "not valid JSON"),
        ("COMFYUI_SERVERS", "ftp://host", "http"),
        ("COMFYUI_SERVERS", "not an address", "such as http://127.0.0.1:8188"),
        ("COMFYUI_SERVERS", '[{"name": "a", "url": "http://a", "slot": 2}]', "slot"),
        ("COMFYUI_SERVERS", '[{"name": "a", "url": "http://a", "slots": 0}]', "slots"),
        ("COMFYUI_SERVERS", "http://a,http://a", "only once"),
        ("COMFYUI_SERVERS", "[]", "at least one"),
        ("COMFYUI_SERVERS", "7", "address"),
        ("LOG_FORMAT", "xml", "console"),
        ("ROLE_WEIGHTS", "12", "such as 123=2"),
        ("ROLE_WEIGHTS", "12=0", "greater"),
        ("DISCORD_SHARD_IDS", "0", "DISCORD_SHARD_COUNT as well"),
        ("DISCORD_SHARD_IDS", ",", "at least one shard"),
        ("ROLE_PRIORITIES", "12=high", "integer"),
        ("GUILD_SHARES", "me=2", "integer"),
        ("MEMBER_WAITING", "0", "greater"),
        ("RETENTION_DAYS", "-1", "greater"),
        ("LOG_LEVEL", "loud", "DEBUG"),
        ("HTTP_PORT", "99999", "65535"),
        ("OWNER_IDS", "me", "integer"),
        ("DISCORD_API_URL", "discord", "address"),
        ("DISCORD_GATEWAY_URL", "http://x", "ws://"),
        ("DISCORD_SHARD_COUNT", "0", "greater"),
        ("DISCORD_GATEWAY_URL", "ws://:::", "ws://"),
        ("DISCORD_API_URL", "http://me:pw@h", "password"),
        ("DISCORD_PROXY", "junk", "address"),
        ("COMFYUI_SERVERS", "[" * 100_000, "nested"),
        ("COMFYUI_SERVERS", '[{"name": "a", "url": "http://a", "headers": {"A": "b\\nc"}}]', "single lines"),
        ("PICTURE_CHECK", "maybe", "nudenet"),
        ("PICTURE_CHECK_URL", "classifier", "address"),
        ("PICTURE_CHECK_URL", "http://me:pw@h", "PICTURE_CHECK_HEADERS"),
        ("PICTURE_CHECK_HEADERS", "Authorization: x", "not valid JSON"),
        ("PICTURE_CHECK_HEADERS", '["a"]', "dictionary"),
        ("PICTURE_CHECK_HEADERS", '{"a": 7}', "string"),
        ("PICTURE_CHECK_HEADERS", '{"a": "b\\nc"}', "single lines"),
        ("PROMPT_HELPER_URL", "ollama:11434", "http://"),
        ("PROMPT_HELPER_URL", "ftp://h/v1", "http://"),
        ("PROMPT_HELPER_URL", "http://me:pw@h/v1", "PROMPT_HELPER_KEY"),
        ("PROMPT_HELPER_URL", "http://h/v1?key=pw", "PROMPT_HELPER_KEY"),
        ("PROMPT_HELPER_URL", "http://h/v1?", "base address"),
        ("PROMPT_HELPER_KEY", "a\nb", "single lines"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_wrong_value_is_one_line_naming_the_variable(
    variable: str, value: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each malformed value gives one line that begins with the variable's name and says what is wanted."""
    (line,) = faults(monkeypatch, **{variable: value})

    assert line.startswith(variable)
    assert words in line
    assert "\n" not in line


def test_several_faults_are_several_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """All faults are told at once."""
    assert len(faults(monkeypatch, LOG_FORMAT="x", HTTP_PORT="x", OWNER_IDS="x")) == 3


def test_no_secret_is_ever_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither repr nor a fault shows the token, the database's password or a server's header."""
    monkeypatch.setenv("DISCORD_TOKEN", "tokensecret")
    monkeypatch.setenv("DATABASE_URL", "postgresql://u:passsecret@h/d")
    monkeypatch.setenv(
        "COMFYUI_SERVERS", '[{"name": "a", "url": "http://a", "headers": {"Authorization": "headsecret"}}]'
    )
    assert "secret" not in repr(load_settings()).replace("SecretStr", "")
    monkeypatch.setenv(
        "COMFYUI_SERVERS", '[{"name": "a", "url": "x", "headers": {"Authorization": 7, "k": "headsecret"}}]'
    )
    assert "secret" not in " ".join(faults(monkeypatch, DISCORD_SHARD_IDS="secretx"))


def test_a_classifier_needs_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """PICTURE_CHECK=http without an address is one line that names the address."""
    (line,) = faults(monkeypatch, PICTURE_CHECK="http")
    assert line.startswith("PICTURE_CHECK_URL: must be set")
    monkeypatch.setenv("PICTURE_CHECK_URL", "http://c:9/score?top=5")
    assert load_settings().picture_check_url == "http://c:9/score?top=5"


def test_a_classifiers_headers_stay_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """What goes with pictures is in neither repr nor a fault, and logs know that they may not show it."""
    monkeypatch.setenv("PICTURE_CHECK_HEADERS", '{"Authorization": "Bearer headsecret"}')
    settings = load_settings()
    assert "headsecret" not in repr(settings)
    assert "Bearer headsecret" in settings.secrets
    for value in ('{"Authorization": "headsecret\\n"}', '{"Authorization": ["headsecret"]}', '{"A": headsecret}'):
        assert "headsecret" not in " ".join(faults(monkeypatch, PICTURE_CHECK_HEADERS=value))


def test_a_prompt_helper_needs_a_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """An address without a model is one line that names the model; without an address, no model is asked for."""
    (line,) = faults(monkeypatch, PROMPT_HELPER_URL="http://127.0.0.1:11434/v1/")
    assert line.startswith("PROMPT_HELPER_MODEL: must name")
    monkeypatch.setenv("PROMPT_HELPER_MODEL", "llama3.2")
    settings = load_settings()
    assert (settings.prompt_helper_url, settings.prompt_helper_model) == ("http://127.0.0.1:11434/v1", "llama3.2")
    monkeypatch.delenv("PROMPT_HELPER_URL")
    assert load_settings().prompt_helper_url is None


def test_a_prompt_helpers_key_stays_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """The key is in neither repr nor a fault, and logs know that they may not show it."""
    monkeypatch.setenv("PROMPT_HELPER_KEY", "helpkey")
    settings = load_settings()
    assert "helpkey" not in repr(settings)
    assert "helpkey" in settings.secrets
    assert "helpkey" not in " ".join(faults(monkeypatch, PROMPT_HELPER_KEY="helpkey\n.", HTTP_PORT="x"))


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("http://h:1", "http://h:1/api/v10"),
        ("http://h:1/", "http://h:1/api/v10"),
        ("http://h:1/api", "http://h:1/api/v10"),
        ("http://h:1/api/v10", "http://h:1/api/v10"),
        ("http://h:1/proxy/api/v9/", "http://h:1/proxy/api/v9"),
    ],
)
def test_the_api_address_may_be_a_host_or_complete(given: str, used: str) -> None:
    """A proxy or stand-in may be named by its host, with /api, or with the version."""
    assert load_settings(discord_api_url=given).discord_api_url == used


def test_passwords_in_addresses_stay_secret() -> None:
    """A password in a server's address is in neither its name nor in what logs may show."""
    settings = load_settings(comfyui_servers="http://user:s3cret@host:1")
    assert settings.comfyui_servers[0].name == "host:1"
    assert "s3cret" in settings.secrets


def test_lists_in_both_forms(monkeypatch: pytest.MonkeyPatch) -> None:
    """Servers come as JSON or as addresses with commas, numbers with commas."""
    monkeypatch.setenv("COMFYUI_SERVERS", "http://a:1/, https://b")
    monkeypatch.setenv("OWNER_IDS", "1, 2")
    settings = load_settings()

    assert [(one.name, one.url) for one in settings.comfyui_servers] == [("a:1", "http://a:1"), ("b", "https://b")]
    assert settings.owner_ids == (1, 2)
    monkeypatch.setenv("COMFYUI_SERVERS", '[{"name": "gpu", "url": "http://a:1", "slots": 2}]')
    assert load_settings().comfyui_servers[0].slots == 2


def test_a_shard_that_is_none_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """A shard's number lies below their count."""
    (line,) = faults(monkeypatch, DISCORD_SHARD_IDS="1,2", DISCORD_SHARD_COUNT="2")
    assert line == "DISCORD_SHARD_IDS: must lie from 0 to 1, one less than DISCORD_SHARD_COUNT"


def test_roles_and_guilds_come_as_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights, classes and shares are pairs of an id and a number, with commas between."""
    monkeypatch.setenv("ROLE_WEIGHTS", "12=2, 13 = 0.5,")
    monkeypatch.setenv("ROLE_PRIORITIES", "12=1")
    settings = load_settings(guild_shares={7: 3})
    assert settings.role_weights == {12: 2.0, 13: 0.5}
    assert settings.role_priorities == {12: 1}
    assert settings.guild_shares == {7: 3.0}


def test_the_env_file_is_read(tmp_path: Path) -> None:
    """`.env` in the working folder counts, and the environment wins over it."""
    (tmp_path / ".env").write_text("DISCORD_TOKEN=abc\nLOG_LEVEL=debug\n")

    settings = load_settings()

    assert settings.token() == "abc"
    assert settings.log_level == "DEBUG"


def test_a_foreign_encoding_is_one_line(tmp_path: Path) -> None:
    """A `.env` that is no UTF-8 is told by its name."""
    (tmp_path / ".env").write_bytes(b"DISCORD_TOKEN=\xff\xfe")
    with pytest.raises(SettingsError, match="UTF-8"):
        load_settings()


def test_every_setting_is_explained() -> None:
    """`.env.example` names each setting, and no other."""
    named = set(re.findall(r"^#? ?([A-Z_]+)=", (PROJECT / ".env.example").read_text(encoding="utf-8"), re.MULTILINE))

    assert named == {name.upper() for name in Settings.model_fields}


@pytest.mark.parametrize(
    ("token", "odd"),
    [("", True), ("hello", True), ("MTAwMDAwMDAwMDAwMDAwMDAwMQ.GsAnDb.abcdefghijklmnopqrstuvwxyz0", False)],
)
def test_the_tokens_shape(token: str, *, odd: bool) -> None:
    """A token that cannot be one is told before Discord is asked."""
    assert (load_settings(discord_token=token).token_shape_fault() is not None) is odd


def test_the_environment_of_the_test_is_clean() -> None:
    """These tests read no variable of whoever runs them."""
    assert not [name for name in os.environ if name.startswith(("DISCORD_", "COMFYUI_"))]
