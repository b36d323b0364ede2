"""Logging, set up once: structlog in front, discord.py's and aiohttp's loggers through the same door."""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, Literal

import structlog

_TOKEN_IN_URL = re.compile(r"(/webhooks/\d+/|/interactions/\d+/)[^/\s?\"']+")
"""Interaction tokens stand in Discord's paths, and discord.py logs paths."""

_TOKEN_FIELD = re.compile(r"""(["']token["']\s*:\s*["'])[^"']+""")
"""… and at DEBUG the gateway's messages, in which tokens are fields."""


SECRET_LETTERS = 6
"""What is shorter hides nothing, and stands in ordinary words."""


class Redactor:
    """A structlog processor that takes secrets out of every text it passes on."""

    def __init__(self, secrets: list[str]) -> None:
        self._secrets = [secret for secret in secrets if len(secret) >= SECRET_LETTERS]

    def __call__(self, _logger: object, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """Return the event with tokens replaced; values that are no text are left as they are."""
        for key, value in event.items():
            if isinstance(value, str):
                event[key] = self.clean(value)
        return event

    def clean(self, text: str) -> str:
        """Return the text without secrets and without interaction tokens."""
        for secret in self._secrets:
            text = text.replace(secret, "[secret]")
        return _TOKEN_FIELD.sub(r"\1[token]", _TOKEN_IN_URL.sub(r"\1[token]", text))


def configure(level: str, form: Literal["console", "json"], secrets: list[str]) -> None:
    """Send all logs to standard error as lines for people or as JSON; call once."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
    ]
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if form == "json"
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, Redactor(secrets), renderer],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for noisy in ("alembic", "asyncio", "sqlalchemy.engine", "PIL", "matplotlib", "procrastinate", "psycopg"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, root.level))
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
