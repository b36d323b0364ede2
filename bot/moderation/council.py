"""What a guild's admins and moderators decide in advance: settings and word lists, audited, in force at once."""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from bot.errors import RequestError
from bot.model.audit import Act, Entry
from bot.model.guild import SETTINGS, GuildSettings, Named, Setting, read_value, shown_value
from bot.model.words import Word, WordMode
from bot.moderation.blocklist import WORDS_MOST, fault_of
from bot.moderation.notices import Notices
from bot.moderation.policy import Gate
from bot.replies.guild_words import change_line
from bot.store.guilds import GuildStore, WordLists

REASON_LETTERS = 100


@dataclass(frozen=True, slots=True)
class Author:
    """Who decides for which guild."""

    guild_id: int
    by_id: int


class Council:
    """Changes what counts in a guild."""

    def __init__(self, guilds: GuildStore, gate: Gate, notices: Notices) -> None:
        self._guilds, self._gate, self._notices = guilds, gate, notices

    async def settings(self, guild_id: int) -> GuildSettings:
        """Return a guild's settings."""
        return await self._guilds.settings(guild_id)

    async def change(self, author: Author, key: str, text: str, named: Named) -> tuple[Setting, Any]:
        """Set a setting to what an admin typed; return it and its value.

        Raises:
            RequestError: there is no such setting, or the value is not of its kind.
        """
        setting = setting_of(key)
        value = read_value(setting, text, named)
        await self._check(author.guild_id, key, value)
        await self._put(author, setting, shown_value(setting, value))
        return setting, value

    async def reset(self, author: Author, key: str) -> tuple[Setting, Any]:
        """Set a setting back to its default; raises as `change`."""
        setting = setting_of(key)
        await self._check(author.guild_id, key, setting.default)
        await self._put(author, setting, None)
        return setting, setting.default

    async def _check(self, guild_id: int, key: str, value: Any) -> None:
        """Held pictures need a place where moderators see them."""
        now = await self._guilds.settings(guild_id)
        review = value if key == "review" else now.review
        channel = value if key == "review_channel" else now.review_channel
        if key in ("review", "review_channel") and review != "off" and not channel:
            raise RequestError("refused.review_needs_channel")

    async def _put(self, author: Author, setting: Setting, text: str | None) -> None:
        facts = {"key": setting.key, "value": "default" if text is None else text}
        await self._guilds.set(author.guild_id, setting.key, text, _entry(author, Act.SETTING, facts))
        locale = self._guilds.locale(author.guild_id)
        await self._notices.log(author.guild_id, change_line(setting, facts["value"], author.by_id, locale))

    # Words

    async def words(self, guild_id: int) -> WordLists:
        """Return a guild's own lists, or (guild 0) the owner's."""
        return await self._guilds.entries(guild_id)

    async def add_word(self, author: Author, text: str, mode: str, reason: str) -> Word:
        """Put a word on the list, or change what it leads to; raises RequestError if it can be no entry."""
        default = (await self._guilds.settings(author.guild_id)).word_mode
        word = Word(text=_entry_text(text), mode=WordMode(mode or default), reason=reason.strip()[:REASON_LETTERS])
        await self._put_words(author, [word], [])
        return word

    async def allow_word(self, author: Author, text: str) -> str:
        """Put a word or phrase among the exceptions; raises as `add_word`."""
        exception = _entry_text(text)
        await self._put_words(author, [], [exception])
        return exception

    async def remove_word(self, author: Author, text: str) -> None:
        """Take a word off the list or out of the exceptions; raises RequestError if it is in neither."""
        facts = {"removed": text}
        wanted = " ".join(text.split()).casefold()
        if not await self._guilds.remove_word(author.guild_id, wanted, _entry(author, Act.WORD, facts)):
            raise RequestError("refused.no_such_word")

    async def import_words(self, author: Author, words: Iterable[str], allowed: Iterable[str]) -> tuple[int, int]:
        """Take over another list's words and exceptions as far as they can be entries; return how many of each."""
        mode = WordMode((await self._guilds.settings(author.guild_id)).word_mode)
        entries = [Word(text=text, mode=mode, reason="AutoMod") for text in _usable(words)]
        exceptions = _usable(allowed)
        if entries or exceptions:
            await self._put_words(author, entries, exceptions)
        return len(entries), len(exceptions)

    async def _put_words(self, author: Author, words: list[Word], allowed: list[str]) -> None:
        there = await self._guilds.entries(author.guild_id)
        known = {word.text for word in there.words} | set(there.allowed)
        if len(known | {word.text for word in words} | set(allowed)) > WORDS_MOST:
            raise RequestError("refused.word_list_full", most=WORDS_MOST)
        facts = {"added": ", ".join(f"{word.text} ({word.mode})" for word in words), "allowed": ", ".join(allowed)}
        await self._guilds.put_words(author.guild_id, words, allowed, _entry(author, Act.WORD, facts))

    async def hits(self, guild_id: int, text: str) -> tuple[Word, ...]:
        """Return what a text would hit in a guild."""
        return await self._gate.texts(await self._guilds.policy(guild_id), (text,))


def setting_of(key: str) -> Setting:
    """Return the setting of a key; raises RequestError if there is none."""
    setting = SETTINGS.get(key.strip())
    if setting is None:
        raise RequestError("refused.no_such_setting", name=key)
    return setting


def _entry_text(text: str) -> str:
    plain = " ".join(text.split()).casefold()
    if (fault := fault_of(plain)) is not None:
        raise RequestError(f"refused.word_{fault}")
    return plain


def _usable(texts: Iterable[str]) -> list[str]:
    plain = {" ".join(text.split()).casefold() for text in texts}
    return sorted(text for text in plain if fault_of(text) is None)


def _entry(author: Author, act: Act, facts: dict[str, str]) -> Entry:
    return Entry(guild_id=author.guild_id, act=act, at=time.time(), actor_id=author.by_id, facts=facts)
