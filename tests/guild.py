"""What a guild of the sandbox decided, as tests set it."""

import time

from bot.model.audit import Act, Entry
from bot.model.words import Word, WordMode
from bot.sandbox.run import Sandbox


async def decides(sandbox: Sandbox, guild: str | None = None, **settings: str) -> None:
    """Set settings of a guild, the first one unless it is named, as they are stored."""
    for key, value in settings.items():
        guild_id = guild_of(sandbox, guild)
        entry = Entry(guild_id=guild_id, act=Act.SETTING, at=time.time())
        await sandbox.app.bench.guilds.set(guild_id, key, value, entry)


async def lists(sandbox: Sandbox, *words: str, mode: WordMode = WordMode.REFUSE, reason: str = "") -> None:
    """Put words on the list of the first guild."""
    guild_id = guild_of(sandbox)
    entry = Entry(guild_id=guild_id, act=Act.WORD, at=time.time())
    entries = [Word(text=word, mode=mode, reason=reason) for word in words]
    await sandbox.app.bench.guilds.put_words(guild_id, entries, [], entry)


def guild_of(sandbox: Sandbox, name: str | None = None) -> int:
    """Return a guild's id."""
    world = sandbox.discord.world
    return int(world.guild_named(name).id if name else world.guild_id)


def channel_of(sandbox: Sandbox, name: str) -> str:
    """Return a channel's id as it is stored."""
    return sandbox.discord.world.channel_named(name).id
