"""What people do: slash commands, clicks, autocomplete, dialogs. Each becomes an INTERACTION_CREATE for the bot."""

import asyncio
import re
import secrets
from typing import Any

from bot.sandbox.discord.gateway import Gateway
from bot.sandbox.discord.world import (
    ACK_S,
    MEMBER,
    Channel,
    Interaction,
    Json,
    Message,
    Permission,
    Person,
    World,
)

COMMAND, COMPONENT, AUTOCOMPLETE, MODAL = 2, 3, 4, 5
STRING, INTEGER, BOOLEAN, NUMBER, ATTACHMENT = 3, 4, 5, 10, 11


class NotSent(Exception):
    """Discord's own client would not send this; the text says why."""


class People:
    """The people's hands."""

    def __init__(self, world: World, gateway: Gateway) -> None:
        self._world, self._gateway = world, gateway
        self._answered: dict[str, asyncio.Event] = {}
        self._watches: set[asyncio.Task[None]] = set()

    def commands_for(self, person: Person, channel: Channel) -> list[Json]:
        """Return the commands that a person is offered in a channel; `/server status` is one, with its `path`."""
        if channel.recipient is not None:
            return []
        offered = (command for command in self._world.commands if _offered(command, person, channel))
        return [leaf for command in offered for leaf in _leaves(command)]

    def read_line(self, line: str, person: Person, channel: Channel) -> tuple[Json, Json]:
        """Read `/imagine prompt:a red fox seed:5` into a command and its options.

        Raises:
            NotSent: no such command, or words that belong to no option.
        """
        commands: dict[str, Json] = {}
        for command in self.commands_for(person, channel):
            commands |= dict.fromkeys(_names(command, person.locale), command)
        written = [name for name in commands if re.match(rf"\s*/{re.escape(name)}(\s|$)", line)]
        if not written:
            raise NotSent(
                f"There is no command here like {line.split(maxsplit=1)[0] if line.split() else '(nothing)'}."
            )
        name = max(written, key=len)
        command, rest = commands[name], line.split(f"/{name}", 1)[1]
        own = {name: one["name"] for one in command.get("options") or [] for name in _names(one, person.locale)}
        parts = re.split(rf"(?:^|\s)({'|'.join(map(re.escape, own))}):", rest) if own else [rest]
        if parts[0].strip():
            raise NotSent(f"'{parts[0].strip()}' belongs to no option; write /{name} option:value.")
        return command, {own[name]: value.strip() for name, value in zip(parts[1::2], parts[2::2], strict=True)}

    async def slash(self, person: Person, channel: Channel, command: Json, given: Json) -> Interaction:
        """Send a slash command.

        Raises:
            NotSent: an option is missing, unknown or not of its type.
        """
        options = _checked(command, given, self._world)
        data = _called(command, options) | {"guild_id": self._world.guild_id}
        attachments = {
            option["value"]: _file(self._world, option["value"]) for option in options if option["type"] == ATTACHMENT
        }
        data |= {"resolved": {"attachments": attachments}} if attachments else {}
        return await self._send(COMMAND, person, channel, data)

    async def complete(self, person: Person, channel: Channel, command: Json, given: Json, focused: str) -> list[Json]:
        """Ask for the choices of an option while it is typed; an empty list if no answer comes in time."""
        kinds = {option["name"]: option["type"] for option in command.get("options") or []}
        options = [
            {"name": name, "type": kinds[name], "value": str(value)} | ({"focused": True} if name == focused else {})
            for name, value in {**given, focused: given.get(focused, "")}.items()
            if name in kinds and (name == focused or kinds[name] != ATTACHMENT)
        ]
        interaction = await self._send(AUTOCOMPLETE, person, channel, _called(command, options))
        try:
            await asyncio.wait_for(self._answered[interaction.id].wait(), ACK_S)
        except TimeoutError:
            return []
        return ((interaction.answer or {}).get("data") or {}).get("choices") or []

    async def click(self, person: Person, message: Message, custom_id: str, values: list[str]) -> Interaction:
        """Press a button, or choose in a select.

        Raises:
            NotSent: the message has no such component, or it is disabled.
        """
        items = [item for row in message.components for item in row.get("components") or [row]]
        item = next((item for item in items if item.get("custom_id") == custom_id), None)
        if item is None or item.get("disabled") or message.deleted:
            raise NotSent("That button is not there any more.")
        data: Json = {"custom_id": custom_id, "component_type": item["type"], "id": item.get("id", 0)}
        data |= {"values": values} if values else {}
        channel = self._world.channels[message.channel_id]
        return await self._send(COMPONENT, person, channel, data, message)

    async def submit(self, opened: Interaction, fields: Json) -> Interaction:
        """Send a dialog that an interaction opened."""
        asked = ((opened.answer or {}).get("data")) or {}
        rows = [
            {"type": row["type"], "id": at, **_filled(row, fields)}
            for at, row in enumerate(asked.get("components") or [])
        ]
        data = {"custom_id": asked.get("custom_id", ""), "components": rows}
        channel = self._world.channels[opened.channel_id]
        return await self._send(MODAL, opened.person, channel, data, opened.source)

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
        self, kind: int, person: Person, channel: Channel, data: Json, message: Message | None = None
    ) -> Interaction:
        world = self._world
        interaction = Interaction(
            world.new_id(), secrets.token_urlsafe(80), kind, person, channel.id, world.now(), data, source=message
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
            "guild_id": world.guild_id,
            "guild": {"id": world.guild_id, "locale": "en-US", "features": []},
            "guild_locale": "en-US",
            "channel_id": channel.id,
            "channel": channel.json(world.guild_id, 0) | {"permissions": str(int(person.permissions))},
            "member": person.member(person.permissions),
            "locale": person.locale,
            "app_permissions": str(int(MEMBER)),
            "entitlements": [],
            "authorizing_integration_owners": {"0": world.guild_id},
            "context": 0,
            "attachment_size_limit": world.upload_limit,
        }
        if message is not None:
            payload["message"] = message.json()
        await self._gateway.dispatch("INTERACTION_CREATE", payload)
        if kind != AUTOCOMPLETE:
            watch = asyncio.create_task(self._watch(interaction), name=f"interaction-{interaction.id}")
            self._watches.add(watch)
            watch.add_done_callback(self._watches.discard)
        return interaction

    async def _watch(self, interaction: Interaction) -> None:
        if not await self.acknowledged(interaction):
            data = {"interaction": interaction.id, "words": "The application did not respond"}
            self._world.tell("INTERACTION_FAILED", data, interaction.person.id)

    async def close(self) -> None:
        """End the watches."""
        for watch in list(self._watches):
            watch.cancel()
        await asyncio.gather(*self._watches, return_exceptions=True)


def _leaves(command: Json) -> list[Json]:
    """Return a command itself, or its subcommands, each as a command of two words."""
    subs = [option for option in command.get("options") or [] if option["type"] in (1, 2)]
    if not subs:
        return [command]
    return [
        {
            **one,
            "id": command["id"],
            "path": [command["name"], one["name"]],
            "name": f"{command['name']} {one['name']}",
            "name_localizations": {
                locale: f"{local} {(one.get('name_localizations') or {}).get(locale, one['name'])}"
                for locale, local in (command.get("name_localizations") or {}).items()
            },
        }
        for one in subs
    ]


def _called(command: Json, options: list[Json]) -> Json:
    """Return the data of a command that was sent: a subcommand stands in its command as an option."""
    given: Json = {"options": options} if options else {}
    if "path" not in command:
        return {"id": command["id"], "name": command["name"], "type": 1, **given}
    first, second = command["path"]
    return {"id": command["id"], "name": first, "type": 1, "options": [{"name": second, "type": 1, "options": options}]}


def _names(thing: Json, locale: str) -> list[str]:
    """Return the names by which a person may call a command or option."""
    return list(dict.fromkeys([thing["name"], (thing.get("name_localizations") or {}).get(locale, thing["name"])]))


def _offered(command: Json, person: Person, channel: Channel) -> bool:
    needed = command.get("default_member_permissions")
    if person.permissions & Permission.ADMINISTRATOR:
        return not command.get("nsfw") or channel.nsfw
    if needed is not None and (int(needed) == 0 or int(needed) & int(person.permissions) != int(needed)):
        return False
    return not command.get("nsfw") or channel.nsfw


def _checked(command: Json, given: Json, world: World) -> list[Json]:
    declared = {option["name"]: option for option in command.get("options") or []}
    unknown = [name for name in given if name not in declared]
    if unknown:
        raise NotSent(f"{command['name']} has no option {unknown[0]}.")
    missing = [name for name, option in declared.items() if option.get("required") and not given.get(name)]
    if missing:
        raise NotSent(f"{missing[0]}: this option is required.")
    chosen = [(option, given[name]) for name, option in declared.items() if given.get(name) not in (None, "")]
    return [
        {"name": option["name"], "type": option["type"], "value": _typed(option, value, world)}
        for option, value in chosen
    ]


def _typed(option: Json, value: Any, world: World) -> Any:
    name, kind = option["name"], option["type"]
    choices = option.get("choices")
    if choices:
        hit = next((one for one in choices if str(value) in (str(one["value"]), one["name"])), None)
        if hit is None:
            raise NotSent(f"{name}: choose one of the list.")
        return hit["value"]
    if kind == ATTACHMENT:
        if str(value) not in world.files:
            raise NotSent(f"{name}: there is no such file.")
        return str(value)
    if kind in (INTEGER, NUMBER):
        try:
            number = int(value) if kind == INTEGER else float(value)
        except ValueError:
            raise NotSent(f"{name}: a number is wanted.") from None
        low, high = option.get("min_value", float("-inf")), option.get("max_value", float("inf"))
        if not low <= number <= high:
            raise NotSent(f"{name}: a number from {low} to {high} is wanted.")
        return number
    if kind == BOOLEAN:
        return str(value).lower() in ("true", "1", "yes")
    text = str(value)
    low, high = option.get("min_length", 0), option.get("max_length", 6000)
    if not low <= len(text) <= high:
        raise NotSent(f"{name}: {low} to {high} characters are wanted.")
    return text


def _file(world: World, file_id: str) -> Json:
    name, data = world.files[file_id]
    url = f"{world.base_url}/attachments/0/{file_id}/{name}"
    return {"id": file_id, "filename": name, "size": len(data), "url": url, "proxy_url": url, "ephemeral": True}


def _filled(row: Json, fields: Json) -> Json:
    if "component" in row:
        inside = row["component"]
        value = fields.get(inside["custom_id"], "")
        return {"component": {"type": inside["type"], "custom_id": inside["custom_id"], "value": value}}
    inside = row["components"][0]
    value = fields.get(inside["custom_id"], "")
    return {"components": [{"type": inside["type"], "custom_id": inside["custom_id"], "value": value}]}
