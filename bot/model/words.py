"""The words that a guild does not want to read in a request."""

from dataclasses import dataclass
from enum import StrEnum


class WordMode(StrEnum):
    """What follows when a listed word is in a text, severest first in the order STRIKE, REFUSE, HOLD."""

    REFUSE = "refuse"
    HOLD = "hold"
    STRIKE = "strike"


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """An entry of a list: `cat` a whole word, `cat*` its beginning, `*cat` its end, `*cat*` anywhere."""

    text: str
    mode: WordMode = WordMode.REFUSE
    reason: str = ""
    """Why, in a moderator's words."""
