"""Mishaps on demand, and Discord's rate-limit headers."""

import re
import time
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

WINDOW_S, WINDOW_CALLS = 2.0, 5
"""Calls that one interaction token or channel has in a window; Discord publishes none, these are folklore's."""


@dataclass(slots=True, kw_only=True)
class Fault:
    """The next `times` calls whose `METHOD /path` matches `pattern` go wrong."""

    pattern: str
    times: int = 1
    status: int | None = None
    code: int = 0
    delay_s: float = 0.0
    drop: bool = False
    """Break the connection instead of answering."""
    after: bool = False
    """Do what was asked first, then go wrong: the answer alone is lost."""

    needs_files: bool = False
    """Only calls that bring files."""

    def matches(self, call: str, *, files: bool) -> bool:
        """Tell whether this call is one of those."""
        return self.times > 0 and re.search(self.pattern, call) is not None and (files or not self.needs_files)


def refusal(status: int, code: int, message: str, errors: dict[str, Any] | None = None) -> web.Response:
    """Return an error as Discord words it; the content type has no charset, for discord.py compares it."""
    body: dict[str, Any] = {"message": message, "code": code}
    return json_answer(body | ({"errors": errors} if errors else {}), status)


def json_answer(body: Any, status: int = 200) -> web.Response:
    """Return JSON with exactly the content type that Discord sends."""
    response = web.json_response(body, status=status)
    response.headers["Content-Type"] = "application/json"
    return response


@dataclass(slots=True)
class Buckets:
    """Fixed windows per bucket; with `enforced` off only the headers are sent."""

    enforced: bool = True
    _windows: dict[str, tuple[float, int]] = field(default_factory=dict[str, tuple[float, int]])

    def take(self, bucket: str) -> tuple[dict[str, str], float | None]:
        """Count a call; return its headers, and the seconds to wait if there were too many."""
        now = time.monotonic()
        since, count = self._windows.get(bucket, (now, 0))
        if now - since >= WINDOW_S:
            since, count = now, 0
        self._windows[bucket] = (since, count + 1)
        left = max(0, WINDOW_CALLS - count - 1)
        after = max(0.0, since + WINDOW_S - now)
        headers = {
            "X-RateLimit-Limit": str(WINDOW_CALLS),
            "X-RateLimit-Remaining": str(left),
            "X-RateLimit-Reset": f"{time.time() + after:.3f}",
            "X-RateLimit-Reset-After": f"{after:.3f}",
            "X-RateLimit-Bucket": f"{abs(hash(bucket)):x}",
            "Via": "1.1 sandbox",
        }
        return headers, after if self.enforced and count >= WINDOW_CALLS else None
