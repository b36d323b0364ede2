"""Words by key and locale. English is complete; every other language falls back to it key by key."""

import importlib.resources
import tomllib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import discord
from discord import app_commands

FALLBACK = "en"
_LETTERS = 100
"""What a command's or option's description may have."""


def _flat(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in tree.items():
        if isinstance(value, str):
            yield prefix + key, value
        else:
            yield from _flat(value, f"{prefix}{key}.")


def _load() -> dict[str, dict[str, str]]:
    folder = importlib.resources.files("bot.replies") / "locales"
    return {
        entry.name.removesuffix(".toml"): dict(_flat(tomllib.loads(entry.read_text(encoding="utf-8"))))
        for entry in folder.iterdir()
        if entry.name.endswith(".toml")
    }


CATALOGUES: Mapping[str, Mapping[str, str]] = _load()
"""Words by language and key."""


def language(locale: str) -> str:
    """Return the catalogue for one of Discord's locales, such as `ja` or `en-GB`."""
    short = locale.split("-", maxsplit=1)[0]
    return short if short in CATALOGUES else FALLBACK


def text(key: str, locale: str, **fields: object) -> str:
    """Return the words for a key. Fields are put in as they are: make members' and servers' words safe before.

    Raises:
        KeyError: no such key, or a field is missing; both are bugs that a test would have found.
    """
    words = CATALOGUES[language(locale)].get(key) or CATALOGUES[FALLBACK][key]
    return words.format_map(fields)


def has(key: str) -> bool:
    """Tell whether there are words for a key."""
    return key in CATALOGUES[FALLBACK]


def keys_by_word(table: str) -> dict[str, str]:
    """Return what every language calls the keys of a table, casefolded: typed in any language, it is understood."""
    return {
        words.casefold(): key.removeprefix(f"{table}.")
        for catalogue in CATALOGUES.values()
        for key, words in catalogue.items()
        if key.startswith(f"{table}.")
    }


def localised(key: str) -> app_commands.locale_str:
    """Return a command's or option's name or description for discord.py: English, with its key for the translator."""
    return app_commands.locale_str(CATALOGUES[FALLBACK][key], key=key)


def localised_with(key: str, *, suffix: str) -> app_commands.locale_str:
    """Return a name with something after it, such as the number of a second picture."""
    return app_commands.locale_str(CATALOGUES[FALLBACK][key] + suffix, key=key, suffix=suffix)


def worded(words: Mapping[str, str], key: str, **fields: str) -> app_commands.locale_str:
    """Return an owner's own words by language, or where there are none the catalogue's; at most 100 characters."""
    own = words.get(FALLBACK) or next(iter(words.values()), None)
    english = own or CATALOGUES[FALLBACK][key].format_map(fields)
    return app_commands.locale_str(english[:_LETTERS], key=key, words=words, fields=fields)


def guild_command(key: str, *options: str, spared: bool = False) -> Callable[[Any], Any]:
    """Make a coroutine a command of guilds alone, with the catalogue's words: `commands.KEY`, `options.OPTION`.

    `spared`: it is open to those who are kept out, such as appeals.
    """
    names = {name: localised(f"options.{name}.name") for name in options}
    descriptions = {name: localised(f"options.{name}.description") for name in options}

    def made(callback: Any) -> Any:
        worded_options = app_commands.describe(**descriptions)(app_commands.rename(**names)(callback))
        return in_guilds(
            app_commands.command(
                name=localised(f"commands.{key}.name"),
                description=localised(f"commands.{key}.description"),
                extras={"spared": spared},
            )(worded_options)
        )

    return made


def menu(key: str, callback: Any, permissions: discord.Permissions | None = None) -> app_commands.ContextMenu:
    """Make a coroutine a command of the menu on messages or people, of guilds alone, named `commands.KEY`."""
    made = app_commands.ContextMenu(
        name=localised(f"commands.{key}.name"),
        callback=callback,
        allowed_contexts=app_commands.AppCommandContext(guild=True, dm_channel=False, private_channel=False),
        allowed_installs=app_commands.AppInstallationType(guild=True, user=False),
    )
    made.default_permissions = permissions
    return made


def in_guilds(command: Any) -> Any:
    """Offer a command, or a group of them, in guilds alone, where the bot is a member."""
    installed = app_commands.allowed_installs(guilds=True, users=False)(command)
    return app_commands.allowed_contexts(guilds=True, dms=False, private_channels=False)(installed)


class CatalogueTranslator(app_commands.Translator):
    """Gives Discord the names and descriptions in every language of the catalogue, when commands are synced."""

    async def translate(
        self, string: app_commands.locale_str, locale: discord.Locale, context: app_commands.TranslationContextTypes
    ) -> str | None:
        """Return the words for a locale, or None where the catalogue has no language for it."""
        del context
        short = locale.value.split("-", maxsplit=1)[0]
        extras = string.extras
        words: Mapping[str, str] = extras.get("words") or {}
        own = words.get(locale.value) or (words.get(short) if short != FALLBACK else None)
        if own is not None:
            return own[:_LETTERS]
        found = CATALOGUES.get(short, {}).get(extras.get("key", ""))
        if short == FALLBACK or words or found is None:
            return None
        return (found.format_map(extras.get("fields") or {}) + extras.get("suffix", ""))[:_LETTERS]
