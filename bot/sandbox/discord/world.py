"""The state: people, guilds, channels, commands, messages, interactions, files. Routes are thin checks on it."""

import time
from collections.abc import Callable, Iterable

from bot.sandbox.discord.faults import Fault
from bot.sandbox.discord.guilds import Channel, Guild
from bot.sandbox.discord.people import SEES_PRIVATE, Json, Permission, Person, Standing
from bot.sandbox.discord.records import EPOCH_MS, Call, Interaction, Message
from bot.sandbox.discord.scenery import automod_rules, scenery

__all__ = ["Call", "Channel", "Guild", "Interaction", "Json", "Message", "Permission", "Person", "Standing", "World"]

TOKEN_LIFE_S = 15 * 60.0
ACK_S = 3.0
BOT_TOKEN = "MTAwMDAwMDAwMDAwMDAwMDAwMQ.GsAnDb.this-token-opens-only-the-sandbox-0001"  # noqa: S105 - opens nothing real


class World:
    """Everything there is. `listeners` hear (event, data, person or None for all)."""

    def __init__(self) -> None:
        self._count = 0
        self.offset_s = 0.0
        """Added to the clock: lets a test jump past a token's life."""
        self.upload_limit = 10 * 2**20
        self.token = BOT_TOKEN
        begin = scenery(time.time(), self.new_id)
        self.guilds = {guild.id: guild for guild in (begin.home, begin.neighbours)}
        self.guild_id, self.mod_role, self.owner_role = begin.home.id, begin.home.mod_role, begin.home.owner_role
        self.bot = begin.bot
        self.application_id = self.bot.id
        self.people = {person.id: person for person in begin.people}
        self.channels = {channel.id: channel for channel in begin.channels}
        self.automod_rules = automod_rules(begin.home, self.new_id)
        """Every guild's rules, told apart by `guild_id`."""
        self.closed_direct: set[str] = set()
        """The ids of people who take no direct messages."""
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

    def new_id(self, when: float | None = None) -> str:
        """Return a new snowflake, of now or of another time (in seconds since 1970)."""
        self._count += 1
        made_ms = int((time.time() if when is None else when) * 1000)
        return str((made_ms - EPOCH_MS) << 22 | (self._count & 0x3FFFFF))

    def tell(self, event: str, data: Json, only_for: str | None = None) -> None:
        """Tell all listeners."""
        for listener in list(self.listeners):
            listener(event, data, only_for)

    def sees(self, person: Person, channel: Channel) -> bool:
        """Tell whether a person may see a channel."""
        if channel.guild is None:
            return person.id in (channel.recipient, self.bot.id)
        if channel.parent is not None:
            return self.sees(person, channel.parent)
        if person.standing(channel.guild.id) is None:
            return False
        if person.bot:
            return channel.bot_sees
        return not channel.moderators_only or bool(person.allowed(channel.guild.id) & SEES_PRIVATE)

    def allowed(self, person: Person, channel: Channel) -> Permission:
        """Return what a person may do in a channel."""
        return person.allowed(channel.guild.id) if channel.guild is not None else person.permissions

    def everybody(self) -> dict[str, Person]:
        """Return the people and the bot, by id."""
        return {**self.people, self.bot.id: self.bot}

    def members(self, guild: Guild) -> Iterable[Person]:
        """Return who is in a guild, the bot included."""
        return (person for person in self.everybody().values() if person.standing(guild.id) is not None)

    def person_named(self, name: str) -> Person:
        """Return a person by name."""
        return next(person for person in self.people.values() if person.name == name)

    def guild_named(self, name: str) -> Guild:
        """Return a guild by name."""
        return next(guild for guild in self.guilds.values() if guild.name == name)

    def direct_channel(self, person: Person) -> Channel:
        """Return the channel of a person's direct messages with the bot, made at its first use."""
        found = next((one for one in self.channels.values() if one.recipient == person.id), None)
        if found is None:
            found = Channel(self.new_id(), f"direct-{person.name}", "Direct messages.", None, recipient=person.id)
            self.channels[found.id] = found
            self.tell("CHANNELS", {}, person.id)
        return found

    def channel_named(self, name: str) -> Channel:
        """Return a channel by name."""
        return next(channel for channel in self.channels.values() if channel.name == name)

    def interaction(self, token: str) -> Interaction | None:
        """Return the interaction with a token."""
        return next((one for one in self.interactions.values() if one.token == token), None)

    def guild(self, guild: Guild) -> Json:
        """Return a guild as GUILD_CREATE carries it."""
        return guild.json(self.bot, len(list(self.members(guild))), self.channels.values())

    def show(self, message: Message, event: str) -> None:
        """Tell the page of a message: ephemeral ones only to whom they are for."""
        data = {"message": message.json(), "ephemeral": message.only_for is not None, "pings": message.pings}
        self.tell(event, data, message.only_for)
