"""The state: people, guild, channels, commands, messages, interactions, files. Routes are thin checks on it."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import IntFlag
from typing import Any

from bot.sandbox.discord.faults import Fault

Json = dict[str, Any]

EPOCH_MS = 1_420_070_400_000
TOKEN_LIFE_S = 15 * 60.0
ACK_S = 3.0
BOT_TOKEN = "MTAwMDAwMDAwMDAwMDAwMDAwMQ.GsAnDb.this-token-opens-only-the-sandbox-0001"  # noqa: S105 - opens nothing real


class Permission(IntFlag):
    """The bits that the sandbox uses."""

    ADMINISTRATOR = 1 << 3
    MANAGE_GUILD = 1 << 5
    VIEW_CHANNEL = 1 << 10
    SEND_MESSAGES = 1 << 11
    MANAGE_MESSAGES = 1 << 13
    EMBED_LINKS = 1 << 14
    ATTACH_FILES = 1 << 15
    USE_APPLICATION_COMMANDS = 1 << 31


MEMBER = (
    Permission.VIEW_CHANNEL
    | Permission.SEND_MESSAGES
    | Permission.EMBED_LINKS
    | Permission.ATTACH_FILES
    | Permission.USE_APPLICATION_COMMANDS
)
MODERATOR = MEMBER | Permission.MANAGE_MESSAGES
EVERYTHING = MODERATOR | Permission.ADMINISTRATOR | Permission.MANAGE_GUILD


_PLAIN_GUILD: Json = {
    "icon": None,
    "splash": None,
    "discovery_splash": None,
    "banner": None,
    "description": None,
    "features": [],
    "emojis": [],
    "stickers": [],
    "afk_channel_id": None,
    "afk_timeout": 300,
    "application_id": None,
    "presences": [],
    "voice_states": [],
    "stage_instances": [],
    "guild_scheduled_events": [],
    "soundboard_sounds": [],
    "preferred_locale": "en-US",
    "premium_tier": 0,
    "premium_subscription_count": 0,
    "premium_progress_bar_enabled": False,
    "verification_level": 1,
    "default_message_notifications": 1,
    "explicit_content_filter": 2,
    "mfa_level": 0,
    "nsfw_level": 0,
    "nsfw": False,
    "system_channel_id": None,
    "system_channel_flags": 0,
    "rules_channel_id": None,
    "public_updates_channel_id": None,
    "safety_alerts_channel_id": None,
    "vanity_url_code": None,
    "max_members": 250000,
    "max_video_channel_users": 25,
    "region": "deprecated",
    "widget_enabled": False,
    "widget_channel_id": None,
    "hub_type": None,
    "incidents_data": None,
    "lazy": True,
}
"""What a guild has that plays no part here."""


@dataclass(slots=True)
class Person:
    """A member of the sandbox's guild (or the bot)."""

    id: str
    name: str
    display: str
    locale: str
    permissions: Permission
    role: str | None
    joined: str
    bot: bool = False

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

    def member(self, permissions: Permission | None = None) -> Json:
        """Return the member object; with permissions, as interactions carry it."""
        member: Json = {
            "user": self.user(),
            "roles": [self.role] if self.role else [],
            "joined_at": self.joined,
            "deaf": False,
            "mute": False,
            "flags": 0,
            "nick": None,
            "avatar": None,
            "premium_since": None,
            "pending": False,
        }
        return member if permissions is None else member | {"permissions": str(int(permissions))}


@dataclass(slots=True)
class Channel:
    """A text channel."""

    id: str
    name: str
    topic: str
    nsfw: bool = False
    moderators_only: bool = False
    recipient: str | None = None
    """The person whose direct messages these are."""

    def json(self, guild_id: str, position: int) -> Json:
        """Return the channel object."""
        if self.recipient is not None:
            return {"id": self.id, "type": 1, "last_message_id": None, "flags": 0, "recipients": []}
        return {
            "id": self.id,
            "type": 0,
            "guild_id": guild_id,
            "name": self.name,
            "topic": self.topic,
            "nsfw": self.nsfw,
            "position": position,
            "permission_overwrites": [],
            "last_message_id": None,
            "rate_limit_per_user": 0,
            "flags": 0,
        }


@dataclass(slots=True)
class Message:
    """A message; `only_for` is the person who alone sees an ephemeral one."""

    id: str
    channel_id: str
    author: Json
    content: str = ""
    components: list[Json] = field(default_factory=list[Json])
    attachments: list[Json] = field(default_factory=list[Json])
    embeds: list[Json] = field(default_factory=list[Json])
    flags: int = 0
    type: int = 0
    edited: str | None = None
    only_for: str | None = None
    loading: bool = False
    deleted: bool = False
    pings: list[str] = field(default_factory=list[str])
    interaction: Json | None = None
    application_id: str | None = None
    edits: int = 0
    nonce: str | None = None

    def json(self) -> Json:
        """Return the message object."""
        message: Json = {
            "id": self.id,
            "channel_id": self.channel_id,
            "author": self.author,
            "type": self.type,
            "content": self.content,
            "timestamp": stamp(snowflake_time(self.id)),
            "edited_timestamp": self.edited,
            "tts": False,
            "mention_everyone": "everyone" in self.pings,
            "mentions": [],
            "mention_roles": [],
            "attachments": self.attachments,
            "embeds": self.embeds,
            "components": self.components,
            "pinned": False,
            "flags": self.flags | (128 if self.loading else 0),
        }
        if self.interaction is not None:
            message |= {"interaction_metadata": self.interaction}
        if self.application_id is not None:
            message |= {"application_id": self.application_id, "webhook_id": self.application_id}
        return message


@dataclass(slots=True)
class Interaction:
    """One interaction, from the click to the end of its token."""

    id: str
    token: str
    type: int
    person: Person
    channel_id: str
    born: float
    payload: Json
    acked: bool = False
    ephemeral: bool = False
    original: str | None = None
    """The id of the message that @original is."""
    source: Message | None = None
    answer: Json | None = None
    """What autocomplete or a modal was answered with."""


def snowflake_time(snowflake: str) -> float:
    """Return when a snowflake was made, in seconds since 1970."""
    return ((int(snowflake) >> 22) + EPOCH_MS) / 1000


def stamp(when: float) -> str:
    """Return a time as Discord writes it."""
    return datetime.fromtimestamp(when, UTC).isoformat()


@dataclass(slots=True, kw_only=True)
class Call:
    """One REST call, for tests and the curious."""

    method: str
    route: str
    path: str
    status: int
    body: Any = None
    answer: Any = None
    files: int = 0
    at: float = 0.0


class World:
    """Everything there is. `listeners` hear (event, data, person or None for all)."""

    def __init__(self) -> None:
        self._count = 0
        self.offset_s = 0.0
        """Added to the clock: lets a test jump past a token's life."""
        self.upload_limit = 10 * 2**20
        self.token = BOT_TOKEN
        joined = stamp(time.time() - 400 * 86400)
        self.guild_id, self.mod_role, self.owner_role = self.new_id(), self.new_id(), self.new_id()
        self.bot = Person(self.new_id(), "easel", "Easel", "en-US", MEMBER, None, joined, bot=True)
        self.application_id = self.bot.id
        self.people = {
            person.id: person
            for person in (
                Person(self.new_id(), "max", "Max", "en-US", MEMBER, None, joined),
                Person(self.new_id(), "haruka", "はるか", "ja", MEMBER, None, joined),
                Person(self.new_id(), "mina", "Mina (moderator)", "en-US", MODERATOR, self.mod_role, joined),
                Person(self.new_id(), "olive", "Olive (owner)", "en-GB", EVERYTHING, self.owner_role, joined),
                Person(self.new_id(), "noa", "Noa (newcomer)", "en-US", MEMBER, None, stamp(time.time())),
            )
        }
        channels = (
            Channel(self.new_id(), "pictures", "Write /imagine and see what comes."),
            Channel(self.new_id(), "pictures-18", "Age-restricted.", nsfw=True),
            Channel(self.new_id(), "moderators", "Only moderators see this.", moderators_only=True),
        )
        self.channels = {channel.id: channel for channel in channels}
        self.commands: list[Json] = []
        self.messages: dict[str, Message] = {}
        self.interactions: dict[str, Interaction] = {}
        self.files: dict[str, tuple[str, bytes]] = {}
        self.calls: list[Call] = []
        self.unknown_routes: list[str] = []
        self.faults: list[Fault] = []
        self.base_url = ""
        self.listeners: list[Callable[[str, Json, str | None], None]] = []

    def now(self) -> float:
        """Return the stand-in's time."""
        return time.time() + self.offset_s

    def new_id(self) -> str:
        """Return a new snowflake."""
        self._count += 1
        return str((int(time.time() * 1000) - EPOCH_MS) << 22 | (self._count & 0x3FFFFF))

    def tell(self, event: str, data: Json, only_for: str | None = None) -> None:
        """Tell all listeners."""
        for listener in list(self.listeners):
            listener(event, data, only_for)

    def sees(self, person: Person, channel: Channel) -> bool:
        """Tell whether a person may see a channel."""
        if channel.recipient is not None:
            return person.id in (channel.recipient, self.bot.id)
        return not channel.moderators_only or Permission.MANAGE_MESSAGES in person.permissions

    def person_named(self, name: str) -> Person:
        """Return a person by name."""
        return next(person for person in self.people.values() if person.name == name)

    def direct_channel(self, person: Person) -> Channel:
        """Return the channel of a person's direct messages with the bot, made at its first use."""
        found = next((one for one in self.channels.values() if one.recipient == person.id), None)
        if found is None:
            found = Channel(self.new_id(), f"direct-{person.name}", "Direct messages.", recipient=person.id)
            self.channels[found.id] = found
            self.tell("CHANNELS", {}, person.id)
        return found

    def channel_named(self, name: str) -> Channel:
        """Return a channel by name."""
        return next(channel for channel in self.channels.values() if channel.name == name)

    def interaction(self, token: str) -> Interaction | None:
        """Return the interaction with a token."""
        return next((one for one in self.interactions.values() if one.token == token), None)

    def guild(self) -> Json:
        """Return the guild as GUILD_CREATE carries it."""
        owner = self.person_named("olive")
        members = [person.member() for person in (self.bot, *self.people.values())]
        everyone = _role(self.guild_id, "@everyone", MEMBER, 0)
        roles = [
            everyone,
            _role(self.mod_role, "moderators", MODERATOR, 1),
            _role(self.owner_role, "owner", EVERYTHING, 2),
        ]
        return {
            **_PLAIN_GUILD,
            "id": self.guild_id,
            "name": "Easel's sandbox",
            "owner_id": owner.id,
            "roles": roles,
            "channels": [
                channel.json(self.guild_id, at)
                for at, channel in enumerate(self.channels.values())
                if channel.recipient is None
            ],
            "members": members[:1],
            "member_count": len(members),
            "threads": [],
            "joined_at": self.bot.joined,
            "large": False,
            "unavailable": False,
        }

    def show(self, message: Message, event: str) -> None:
        """Tell the page of a message: ephemeral ones only to whom they are for."""
        data = {"message": message.json(), "ephemeral": message.only_for is not None, "pings": message.pings}
        self.tell(event, data, message.only_for)


def _role(role_id: str, name: str, permissions: Permission, position: int) -> Json:
    return {
        "id": role_id,
        "name": name,
        "description": None,
        "permissions": str(int(permissions)),
        "position": position,
        "color": 0,
        "colors": {"primary_color": 0, "secondary_color": None, "tertiary_color": None},
        "hoist": False,
        "managed": False,
        "mentionable": False,
        "icon": None,
        "unicode_emoji": None,
        "flags": 0,
    }
