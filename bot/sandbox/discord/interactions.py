"""What people do: slash commands, menus, clicks, autocomplete, dialogs, talk. Most of it is an event for the bot."""

import asyncio
import secrets

from bot.sandbox.discord import options
from bot.sandbox.discord.checks import walked
from bot.sandbox.discord.dialogs import STRING_SELECT, chosen_values, filled
from bot.sandbox.discord.gateway import Gateway
from bot.sandbox.discord.guilds import Channel
from bot.sandbox.discord.options import MESSAGE_MENU, SLASH, USER_MENU, called, checked, half_typed, leaves, offered
from bot.sandbox.discord.people import Json, Permission, Person
from bot.sandbox.discord.picks import OF_SELECT, NotSent, Picks, attachment
from bot.sandbox.discord.posting import dimensions
from bot.sandbox.discord.records import Interaction, Message
from bot.sandbox.discord.world import ACK_S, World

__all__ = ["NotSent", "People"]

COMMAND, COMPONENT, AUTOCOMPLETE, MODAL = 2, 3, 4, 5
"""Types of interactions."""
_SHOWS_DIALOG = 9


class People:
    """The people's hands."""

    def __init__(self, world: World, gateway: Gateway) -> None:
        self._world, self._gateway = world, gateway
        self._answered: dict[str, asyncio.Event] = {}
        self._watches: set[asyncio.Task[None]] = set()

    def commands_for(self, person: Person, channel: Channel) -> list[Json]:
        """Return the slash commands that a person is offered in a channel.

        A subcommand (`/server status`, `/words block add`) is one by itself, with its `path`.
        """
        return [leaf for command in self._offered(SLASH, person, channel) for leaf in leaves(command)]

    def menus_for(self, person: Person, channel: Channel) -> list[Json]:
        """Return the menu commands that a person is offered on messages and on people in a channel."""
        return [*self._offered(MESSAGE_MENU, person, channel), *self._offered(USER_MENU, person, channel)]

    def _offered(self, kind: int, person: Person, channel: Channel) -> list[Json]:
        if channel.guild is None or not self._world.sees(person, channel):
            return []
        permissions = self._world.allowed(person, channel)
        ours = (command for command in self._world.commands if command["type"] == kind)
        return [command for command in ours if offered(command, permissions, channel)]

    def read_line(self, line: str, person: Person, channel: Channel) -> tuple[Json, Json]:
        """Read `/imagine prompt:a red fox seed:5` into a command and its options.

        Raises:
            NotSent: no such command, or words that belong to no option.
        """
        return options.read_line(line, self.commands_for(person, channel), person)

    async def slash(self, person: Person, channel: Channel, command: Json, given: Json) -> Interaction:
        """Send a slash command.

        Raises:
            NotSent: an option is missing, unknown or not of its type.
        """
        picks = Picks(self._world, person, channel)
        data = called(command, checked(command, given, picks)) | picks.data()
        return await self._send(COMMAND, person, channel, data)

    async def menu(self, person: Person, channel: Channel, command: Json, target: Message | Person) -> Interaction:
        """Use a command of the menu on a message or on a person.

        Raises:
            NotSent: they do not see it, or the command is for the other kind.
        """
        picks = Picks(self._world, person, channel)
        if isinstance(target, Message):
            if command["type"] != MESSAGE_MENU or target.channel_id != channel.id or not self.reads(person, target):
                raise NotSent("That message does not offer this.")
            target_id = picks.message(target)
        else:
            if command["type"] != USER_MENU:
                raise NotSent("That person does not offer this.")
            target_id = picks.user(target)
        data: Json = {"id": command["id"], "name": command["name"], "type": command["type"], "target_id": target_id}
        return await self._send(COMMAND, person, channel, data | picks.data())

    def reads(self, person: Person, message: Message) -> bool:
        """Tell whether a person sees a message."""
        mine = message.only_for in (None, person.id)
        return mine and not message.deleted and self._world.sees(person, self._world.channels[message.channel_id])

    async def complete(self, person: Person, channel: Channel, command: Json, given: Json, focused: str) -> list[Json]:
        """Ask for the choices of an option while it is typed; an empty list if no answer comes in time."""
        data = called(command, half_typed(command, given, focused))
        interaction = await self._send(AUTOCOMPLETE, person, channel, data)
        try:
            await asyncio.wait_for(self._answered[interaction.id].wait(), ACK_S)
        except TimeoutError:
            return []
        return ((interaction.answer or {}).get("data") or {}).get("choices") or []

    async def click(self, person: Person, message: Message, custom_id: str, values: list[str]) -> Interaction:
        """Press a button, or choose in a select: the values of options, or people, channels and roles.

        Raises:
            NotSent: the message has no such component, it is disabled, or does not offer that.
        """
        if not self.reads(person, message):
            raise NotSent("You do not see that message.")
        item = next((item for item in walked(message.components) if item.get("custom_id") == custom_id), None)
        if item is None or item.get("disabled"):
            raise NotSent("That button is not there any more.")
        channel = self._world.channels[message.channel_id]
        picks = Picks(self._world, person, channel)
        data: Json = {"custom_id": custom_id, "component_type": item["type"], "id": item.get("id", 0)}
        if item["type"] in (STRING_SELECT, *OF_SELECT):
            data["values"] = chosen_values(custom_id, item, values, picks, required=True)
        return await self._send(COMPONENT, person, channel, data | picks.data(), source=message)

    async def submit(self, opened: Interaction, fields: Json) -> Interaction:
        """Send the dialog that an interaction opened, filled in by custom_id or label.

        Raises:
            NotSent: it opened none, or a field is missing, unknown or not as it is asked for.
        """
        if (opened.answer or {}).get("type") != _SHOWS_DIALOG:
            raise NotSent("No dialog was opened.")
        asked: Json = (opened.answer or {})["data"]
        channel = self._world.channels[opened.channel_id]
        picks = Picks(self._world, opened.person, channel)
        data: Json = {"custom_id": asked["custom_id"], "components": filled(asked, fields, picks), **picks.data()}
        return await self._send(MODAL, opened.person, channel, data, source=opened.source, opener=opened)

    def say(self, person: Person, channel: Channel, content: str, files: tuple[str, ...] = ()) -> Message:
        """Say something, with files that were uploaded; the bot has no intent to read it.

        Raises:
            NotSent: there is nothing to say.
        """
        words = content.strip()[:2000]
        if not words and not files:
            raise NotSent("There is nothing to say.")
        attached = [attachment(self._world, one) | dimensions(self._world.files[one][1]) for one in files]
        for one in attached:
            del one["ephemeral"]
        message = Message(self._world.new_id(), channel.id, person.user(), words, attachments=attached)
        self._world.messages[message.id] = message
        self._world.show(message, "MESSAGE_CREATE")
        return message

    def answered(self, interaction: Interaction) -> None:
        """Note that the bot has acknowledged."""
        if interaction.id in self._answered:
            self._answered[interaction.id].set()

    async def acknowledged(self, interaction: Interaction) -> bool:
        """Wait for the acknowledgement, as long as Discord does."""
        try:
            await asyncio.wait_for(self._answered[interaction.id].wait(), ACK_S)
        except TimeoutError:
            return False
        return True

    async def _send(
        self,
        kind: int,
        person: Person,
        channel: Channel,
        data: Json,
        *,
        source: Message | None = None,
        opener: Interaction | None = None,
    ) -> Interaction:
        world = self._world
        token = secrets.token_urlsafe(80)
        interaction = Interaction(
            world.new_id(), token, kind, person, channel.id, world.now(), data, source=source, opener=opener
        )
        world.interactions[interaction.id] = interaction
        self._answered[interaction.id] = asyncio.Event()
        payload: Json = {
            "id": interaction.id,
            "application_id": world.application_id,
            "type": kind,
            "token": interaction.token,
            "version": 1,
            "data": data,
            "channel_id": channel.id,
            "locale": person.locale,
            "entitlements": [],
            "attachment_size_limit": world.upload_limit,
            **self._where(person, channel),
        }
        if source is not None:
            payload["message"] = source.json()
        await self._gateway.dispatch("INTERACTION_CREATE", payload, channel.guild and channel.guild.id)
        if kind != AUTOCOMPLETE:
            watch = asyncio.create_task(self._watch(interaction), name=f"interaction-{interaction.id}")
            self._watches.add(watch)
            watch.add_done_callback(self._watches.discard)
        return interaction

    def _where(self, person: Person, channel: Channel) -> Json:
        """Return what an interaction says of its place and its person."""
        guild, permissions = channel.guild, str(int(self._world.allowed(person, channel)))
        if guild is None:
            return {
                "channel": channel.json() | {"recipients": [person.user()]},
                "user": person.user(),
                "app_permissions": str(int(self._world.bot.permissions & ~Permission.MANAGE_GUILD)),
                "authorizing_integration_owners": {"0": "0"},
                "context": 1,
            }
        return {
            "guild_id": guild.id,
            "guild": {"id": guild.id, "locale": "en-US", "features": []},
            "guild_locale": "en-US",
            "channel": channel.json() | {"permissions": permissions},
            "member": guild.member(person, permissions=True),
            "app_permissions": str(int(self._world.bot.permissions)),
            "authorizing_integration_owners": {"0": guild.id},
            "context": 0,
        }

    async def _watch(self, interaction: Interaction) -> None:
        if not await self.acknowledged(interaction):
            data = {"interaction": interaction.id, "words": "The application did not respond"}
            self._world.tell("INTERACTION_FAILED", data, interaction.person.id)

    async def close(self) -> None:
        """End the watches."""
        for watch in list(self._watches):
            watch.cancel()
        await asyncio.gather(*self._watches, return_exceptions=True)
