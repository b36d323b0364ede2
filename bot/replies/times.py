"""Seconds in words."""

from bot.model.job import Eta
from bot.replies.catalogue import text

_MINUTE = 60
_STEPS_S = (5, 10, 15, 30, 60)
"""What estimates are rounded to, so that they promise no more than is known."""


def duration(seconds: float, locale: str) -> str:
    """Return seconds as people say them."""
    whole = round(seconds)
    if whole < _MINUTE:
        return text("time.seconds", locale, seconds=whole)
    return text("time.minutes", locale, minutes=whole // _MINUTE, seconds=whole % _MINUTE)


def eta_words(eta: Eta, locale: str) -> str:
    """Return when something is done, with its uncertainty."""
    low, high = _rounded(eta.low_s), _rounded(eta.high_s)
    if low == high:
        return text("time.about", locale, time=duration(high, locale))
    return text("time.between", locale, low=duration(low, locale), high=duration(high, locale))


def _rounded(seconds: float) -> int:
    step = next((step for step in _STEPS_S if seconds < 6 * step), _STEPS_S[-1])
    return max(_STEPS_S[0], round(seconds / step) * step)
