"""What a guild's admins decided: settings and word lists. Guild 0 is everywhere, the bot's owner's."""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
import structlog
from sqlalchemy.dialects import postgresql, sqlite

from bot.errors import RequestError
from bot.model.audit import Act, Entry
from bot.model.guild import EVERYWHERE, SETTINGS, GuildSettings, read_value
from bot.model.languages import AUTO
from bot.model.words import Word, WordMode
from bot.store.audit import append
from bot.store.database import Database
from bot.store.tables import guild_settings, words

log = structlog.get_logger()

ALLOWED = "allow"
"""The mode of an entry that is no rule but an exception."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WordLists:
    """What counts in a guild: its own entries and the owner's."""

    words: tuple[Word, ...] = ()
    allowed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """All that a guild decided."""

    settings: GuildSettings
    lists: WordLists
    unreadable: tuple[str, ...] = ()
    """Settings that are stored and cannot be read: the defaults in their place are not what the guild decided."""


class GuildStore:
    """Reads what a guild decided, and changes it together with its audit entry."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[int, GuildSettings] = {}
        self._locales: dict[int, str] = {}

    def last_known(self, guild_id: int | None) -> GuildSettings:
        """Return a guild's settings as they were last read here, for what cannot wait for the database."""
        return self._known.get(guild_id or EVERYWHERE) or GuildSettings()

    def note_locale(self, guild_id: int, locale: str) -> None:
        """Keep in mind what Discord says is a guild's language."""
        self._locales[guild_id] = locale

    def locale(self, guild_id: int, otherwise: str = "en-US") -> str:
        """Return the language in which a guild is written to: what it chose, else what Discord said."""
        chosen = self.last_known(guild_id).language
        return self._locales.get(guild_id, otherwise) if chosen == AUTO else chosen

    async def settings(self, guild_id: int) -> GuildSettings:
        """Return a guild's settings as they are now."""
        return (await self.policy(guild_id)).settings

    async def policy(self, guild_id: int) -> Policy:
        """Return all that counts in a guild now; one way to the database."""

        def question(connection: sa.Connection) -> Policy:
            stored = connection.execute(guild_settings.select().where(guild_settings.c.guild_id == guild_id)).all()
            listed = connection.execute(
                words.select().where(words.c.guild_id.in_((guild_id, EVERYWHERE))).order_by(words.c.text)
            ).all()
            settings, unreadable = _settings(stored)
            return Policy(settings=settings, lists=_lists(listed), unreadable=unreadable)

        policy = await self._database.read(question)
        self._known[guild_id] = policy.settings
        return policy

    async def set(self, guild_id: int, key: str, value: str | None, entry: Entry) -> None:
        """Set a setting to a value as `read_value` reads it, or (None) back to its default."""
        where = (guild_settings.c.guild_id == guild_id, guild_settings.c.key == key)

        def change(connection: sa.Connection) -> None:
            connection.execute(guild_settings.delete().where(*where))
            if value is not None:
                connection.execute(guild_settings.insert(), {"guild_id": guild_id, "key": key, "value": value})
            append(connection, entry)

        await self._database.write(change)
        await self.settings(guild_id)

    async def entries(self, guild_id: int) -> WordLists:
        """Return the entries of one list alone: a guild's, or (guild 0) the owner's."""
        query = words.select().where(words.c.guild_id == guild_id).order_by(words.c.text)
        return await self._database.read(lambda one: _lists(one.execute(query).all()))

    async def put_words(self, guild_id: int, entries: list[Word], allowed: list[str], entry: Entry) -> None:
        """Add entries, or change those that are there."""
        rows = [{"text": one.text, "mode": one.mode, "reason": one.reason} for one in entries]
        rows += [{"text": one, "mode": ALLOWED, "reason": ""} for one in allowed]
        insert = (postgresql if self._database.shared else sqlite).insert(words)
        upsert = insert.on_conflict_do_update(
            index_elements=[words.c.guild_id, words.c.text],
            set_={"mode": insert.excluded.mode, "reason": insert.excluded.reason},
        )

        def change(connection: sa.Connection) -> None:
            for row in rows:
                connection.execute(upsert, {"guild_id": guild_id, **row})
            append(connection, entry)

        await self._database.write(change)

    async def remove_word(self, guild_id: int, text: str, entry: Entry) -> bool:
        """Take an entry out; False if there is none."""
        gone = words.delete().where(words.c.guild_id == guild_id, words.c.text == text)

        def change(connection: sa.Connection) -> bool:
            if connection.execute(gone).rowcount == 0:
                return False
            append(connection, entry)
            return True

        return await self._database.write(change)

    async def with_setting(self, key: str) -> dict[int, str]:
        """Return the guilds that have set something, with what is stored."""
        query = sa.select(guild_settings.c.guild_id, guild_settings.c.value).where(guild_settings.c.key == key)
        rows = await self._database.read(lambda one: one.execute(query).all())
        return {row.guild_id: row.value for row in rows}


def entry_of(guild_id: int, act: Act, at: float, actor_id: int, **facts: str) -> Entry:
    """Return the audit entry of a change to what a guild decided."""
    return Entry(guild_id=guild_id, act=act, at=at, actor_id=actor_id, facts=facts)


def _settings(rows: Any) -> tuple[GuildSettings, tuple[str, ...]]:
    """Return settings as they are stored, and the keys of those that cannot be read."""
    known: dict[str, Any] = {}
    unreadable: list[str] = []
    for row in rows:
        if (setting := SETTINGS.get(row.key)) is None:
            continue  # of a newer version
        try:
            known[row.key] = read_value(setting, row.value)
        except RequestError:
            log.exception("guild.setting_unreadable", guild=row.guild_id, key=row.key)
            unreadable.append(row.key)
    return GuildSettings(**known), tuple(unreadable)


def _lists(rows: Any) -> WordLists:
    return WordLists(
        words=tuple(
            Word(text=row.text, mode=WordMode(row.mode), reason=row.reason) for row in rows if row.mode != ALLOWED
        ),
        allowed=tuple(row.text for row in rows if row.mode == ALLOWED),
    )
