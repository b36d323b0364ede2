"""Faults → words. No exception text, path or traceback of anybody comes through here."""

from bot.comfy.errors import SocketLost, Unreachable
from bot.errors import EaselError, RequestError
from bot.model.job import Failure, FailureCode
from bot.replies.catalogue import text
from bot.replies.safe import shown

_FACT_LETTERS = 60
_WORDED = {
    FailureCode.REJECTED: ("node", "input"),
    FailureCode.NODE_FAILED: ("node_type",),
    FailureCode.TIMED_OUT: ("minutes",),
    FailureCode.TEMPLATE_GONE: ("template",),
    FailureCode.BUG: ("reference",),
}
"""Facts that words use; every other fact stays in the log."""


def words_for(failure: Failure, locale: str) -> str:
    """Return what a member is told of a failure, and what they can do."""
    names = _WORDED.get(failure.code, ())
    facts = {name: shown(failure.facts.get(name) or "?", _FACT_LETTERS) for name in names}
    return text(f"failure.{failure.code}", locale, **facts)


def words_for_error(error: EaselError, locale: str) -> str:
    """Return what a member is told of a refusal."""
    if isinstance(error, RequestError):
        return text(error.key, locale, **{name: shown(fact, _FACT_LETTERS) for name, fact in error.facts.items()})
    away = isinstance(error, Unreachable | SocketLost)
    return text("refused.server_away" if away else "failure.server_fault", locale)


def words_for_bug(reference: str, locale: str) -> str:
    """Return what a member is told of an unexpected fault."""
    return text("failure.bug", locale, reference=reference)
