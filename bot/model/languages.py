"""The languages there are: one for each file of words, `bot/replies/locales/LANGUAGE.toml`."""

import importlib.resources

AUTO = "auto"
"""A guild's choice of the language that Discord says is the guild's."""


def _found() -> tuple[str, ...]:
    folder = importlib.resources.files("bot") / "replies" / "locales"
    names = (entry.name for entry in folder.iterdir())
    return tuple(sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml")))


LANGUAGES = _found()
"""Sorted: the names of the files, without their ending."""
