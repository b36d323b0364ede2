"""Where people meet: guilds with their roles, channels, threads, direct messages, as Discord writes them."""

from collections.abc import Iterable
from dataclasses import dataclass

from bot.sandbox.discord.people import EVERYTHING, MEMBER, MODERATOR, Json, Permission, Person
from bot.sandbox.discord.records import snowflake_time, stamp

TEXT, DIRECT, THREAD = 0, 1, 11
"""Types of channels."""


@dataclass(slots=True)
class Guild:
    """A server with its roles."""

    id: str
    name: str
    owner: str
    mod_role: str
    owner_role: str
    bot_role: str

    def roles(self, bot: Person) -> list[Json]:
        """Return the role objects, lowest first."""
        return [
            _role(self.id, "@everyone", MEMBER, 0),
            _role(self.bot_role, bot.display, bot.permissions, 1) | {"managed": True, "tags": {"bot_id": bot.id}},
            _role(self.mod_role, "moderators", MODERATOR, 2),
            _role(self.owner_role, "owner", EVERYTHING, 3),
        ]

    def member(self, person: Person, *, permissions: bool = False) -> Json:
        """Return the member object; with permissions, as interactions carry it."""
        standing = person.standing(self.id)
        role = self.bot_role if person.bot else standing and standing.role
        member: Json = {
            "user": person.user(),
            "roles": [role] if role else [],
            "joined_at": standing.joined if standing else person.joined,
            "deaf": False,
            "mute": False,
            "flags": 0,
            "nick": None,
            "avatar": None,
            "banner": None,
            "communication_disabled_until": None,
            "premium_since": None,
            "pending": False,
        }
        return member | {"permissions": str(int(person.allowed(self.id)))} if permissions else member

    def json(self, bot: Person, members: int, channels: "Iterable[Channel]") -> Json:
        """Return the guild as GUILD_CREATE carries it: of its members only the bot."""
        own = [channel for channel in channels if channel.guild is self]
        return {
            **_PLAIN_GUILD,
            "id": self.id,
            "name": self.name,
            "owner_id": self.owner,
            "roles": self.roles(bot),
            "channels": [one.json(at) for at, one in enumerate(own) if one.parent is None],
            "threads": [one.json() for one in own if one.parent is not None],
            "members": [self.member(bot)],
            "member_count": members,
            "joined_at": bot.joined,
            "large": False,
            "unavailable": False,
        }


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


@dataclass(slots=True)
class Channel:
    """A text channel, a thread below one, or somebody's direct messages."""

    id: str
    name: str
    topic: str
    guild: Guild | None
    nsfw: bool = False
    moderators_only: bool = False
    bot_sees: bool = True
    """Whether the bot sees a moderators' channel."""
    parent: "Channel | None" = None
    """The channel whose thread this is."""
    recipient: str | None = None
    """The person whose direct messages these are."""

    @property
    def age_restricted(self) -> bool:
        """Whether the channel is, or the one whose thread it is."""
        return self.nsfw or (self.parent is not None and self.parent.age_restricted)

    def json(self, position: int = 0) -> Json:
        """Return the channel object."""
        if self.guild is None:
            return {"id": self.id, "type": DIRECT, "last_message_id": None, "flags": 0, "recipients": []}
        if self.parent is not None:
            return self._thread(self.guild, self.parent)
        return {
            "id": self.id,
            "type": TEXT,
            "guild_id": self.guild.id,
            "name": self.name,
            "topic": self.topic,
            "nsfw": self.nsfw,
            "position": position,
            "parent_id": None,
            "permission_overwrites": self._overwrites(self.guild),
            "last_message_id": None,
            "rate_limit_per_user": 0,
            "flags": 0,
        }

    def _overwrites(self, guild: Guild) -> list[Json]:
        """Return who sees a moderators' channel, as the bot's client reckons it."""
        if not self.moderators_only:
            return []
        view = str(int(Permission.VIEW_CHANNEL))
        seeing = [guild.mod_role, *([guild.bot_role] if self.bot_sees else [])]
        return [
            {"id": guild.id, "type": 0, "allow": "0", "deny": view},
            *({"id": role, "type": 0, "allow": view, "deny": "0"} for role in seeing),
        ]

    def _thread(self, guild: Guild, parent: "Channel") -> Json:
        made = stamp(snowflake_time(self.id))
        return {
            "id": self.id,
            "type": THREAD,
            "guild_id": guild.id,
            "parent_id": parent.id,
            "owner_id": guild.owner,
            "name": self.name,
            "last_message_id": None,
            "message_count": 0,
            "member_count": 1,
            "total_message_sent": 0,
            "rate_limit_per_user": 0,
            "flags": 0,
            "thread_metadata": {
                "archived": False,
                "archive_timestamp": made,
                "auto_archive_duration": 10080,
                "locked": False,
                "create_timestamp": made,
            },
        }


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
