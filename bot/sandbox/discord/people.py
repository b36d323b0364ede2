"""Who there is: permissions, standing in guilds, people."""

from dataclasses import dataclass, field
from enum import IntFlag
from typing import Any

Json = dict[str, Any]


class Permission(IntFlag):
    """The bits that the sandbox uses."""

    KICK_MEMBERS = 1 << 1
    BAN_MEMBERS = 1 << 2
    ADMINISTRATOR = 1 << 3
    MANAGE_GUILD = 1 << 5
    VIEW_CHANNEL = 1 << 10
    SEND_MESSAGES = 1 << 11
    MANAGE_MESSAGES = 1 << 13
    EMBED_LINKS = 1 << 14
    ATTACH_FILES = 1 << 15
    READ_MESSAGE_HISTORY = 1 << 16
    USE_APPLICATION_COMMANDS = 1 << 31
    SEND_MESSAGES_IN_THREADS = 1 << 38
    MODERATE_MEMBERS = 1 << 40


MEMBER = (
    Permission.VIEW_CHANNEL
    | Permission.SEND_MESSAGES
    | Permission.EMBED_LINKS
    | Permission.ATTACH_FILES
    | Permission.READ_MESSAGE_HISTORY
    | Permission.USE_APPLICATION_COMMANDS
    | Permission.SEND_MESSAGES_IN_THREADS
)
MODERATOR = (
    MEMBER | Permission.MANAGE_MESSAGES | Permission.MODERATE_MEMBERS | Permission.KICK_MEMBERS | Permission.BAN_MEMBERS
)
EVERYTHING = MODERATOR | Permission.ADMINISTRATOR | Permission.MANAGE_GUILD
SEES_PRIVATE = Permission.MANAGE_MESSAGES | Permission.ADMINISTRATOR
"""Either of these opens a moderators' channel to a person."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What somebody is in a guild."""

    permissions: Permission
    role: str | None
    joined: str


@dataclass(slots=True)
class Person:
    """A member of one of the sandbox's guilds, or of more (or the bot)."""

    id: str
    name: str
    display: str
    locale: str
    permissions: Permission
    role: str | None
    joined: str
    home: str
    """The guild in which those three hold; the bot's hold in every guild."""
    bot: bool = False
    elsewhere: dict[str, Standing] = field(default_factory=dict[str, Standing])
    """What they are in further guilds."""

    def standing(self, guild_id: str) -> Standing | None:
        """Return what they are in a guild; None for a stranger."""
        if guild_id == self.home or self.bot:
            return Standing(self.permissions, self.role if guild_id == self.home else None, self.joined)
        return self.elsewhere.get(guild_id)

    def allowed(self, guild_id: str) -> Permission:
        """Return what they may do in a guild; a stranger may do nothing."""
        standing = self.standing(guild_id)
        return Permission(0) if standing is None else standing.permissions

    def user(self) -> Json:
        """Return the user object."""
        user: Json = {
            "id": self.id,
            "username": self.name,
            "avatar": None,
            "discriminator": "0",
            "public_flags": 0,
            "flags": 0,
            "global_name": self.display,
            "primary_guild": None,
        }
        return user | ({"bot": True} if self.bot else {})
