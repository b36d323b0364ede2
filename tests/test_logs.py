"""Logs hold no secrets."""

import json
import logging

import pytest
import structlog

from bot import logs


@pytest.mark.parametrize("form", ["json", "console"])
def test_no_token_reaches_the_log(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The bot's token and interaction tokens in paths are replaced, in our lines, discord.py's and in tracebacks."""
    logs.configure("DEBUG", form, ["boTTok.en", ""])  # pyright: ignore[reportArgumentType]
    structlog.get_logger().info("hello", token="boTTok.en")
    logging.getLogger("discord.webhook").debug("PATCH /webhooks/1/aSecretToken/messages/@original with %s", "boTTok.en")
    try:
        raise RuntimeError("boTTok.en")  # noqa: TRY301 - it is for the log
    except RuntimeError:
        structlog.get_logger().exception("bug", path="/interactions/12/aSecretToken/callback")

    written = capsys.readouterr().err

    assert "hello" in written
    assert "boTTok" not in written
    assert "aSecretToken" not in written
    if form == "json":
        assert all(json.loads(line) for line in written.splitlines())
