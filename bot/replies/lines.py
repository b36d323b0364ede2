"""Lists that fit into one message."""

from bot.replies.catalogue import text

LETTERS = 1900
"""Characters of a message (Discord takes 2000), with room for the words that some were left out."""


def within(lines: list[str], locale: str, letters: int = LETTERS) -> str:
    """Return as many lines as fit in so many characters, and how many were left out."""
    taken: list[str] = []
    for line in lines:
        if sum(len(one) + 1 for one in taken) + len(line) > letters:
            return "\n".join([*taken, text("lists.more", locale, count=len(lines) - len(taken))])
        taken.append(line)
    return "\n".join(taken)
