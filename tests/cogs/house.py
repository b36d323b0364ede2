"""A guild, and the wire to the bot: how to take a way in over SimCord's gateway.

What is sent is raw: no client of Discord's hides a command, checks a permission or refuses a direct message here.
"""

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import discord
import simcord
from discord.enums import AppCommandOptionType as Type
from discord.enums import ComponentType
from PIL import Image
from simcord import interactions as wire
from simcord.backend import serializers
from simcord.enums import InteractionType
from simcord.results import InteractionResult

from bot.bot import EaselBot
from bot.delivery.package import stem_of
from bot.moderation import policy
from bot.replies.buttons import PICK
from bot.store.tables import metadata
from tests.cogs.doors import DONE, Entry, buttons, dialog_of, entries

WORDS = {
    "setting": "language",
    "duration": "1d",
    "word": "plumvek",
}  # what is typed into options where any word will not do
SETTLE_S = 60.0
"""Seconds for an answer; the first chart takes a slow machine that long."""
_EPHEMERAL = 64
_USER_MENU, _MESSAGE_MENU = 2, 3
_KINDS = {
    "command": InteractionType.APPLICATION_COMMAND,
    "menu": InteractionType.APPLICATION_COMMAND,
    "complete": InteractionType.APPLICATION_COMMAND_AUTOCOMPLETE,
    "button": InteractionType.MESSAGE_COMPONENT,
    "choice": InteractionType.MESSAGE_COMPONENT,
    "dialog": InteractionType.MODAL_SUBMIT,
}


def png() -> bytes:
    """Return a small picture with transparency."""
    out = io.BytesIO()
    Image.new("RGBA", (64, 64), (200, 30, 30, 0)).save(out, "PNG")
    return out.getvalue()


PICTURE = png()


@dataclass
class House:
    """A guild with what its people use, and the wire to the bot."""

    env: simcord.Env
    bot: EaselBot
    guild: Any
    channel: Any
    review: Any
    """The moderators' channel."""
    victim: Any
    """Whom options of people name."""
    reporter: Any
    """A moderator."""
    card: Any = None
    """A message of the bot's with a picture and the list; with it are all buttons, as many as fit into a message."""
    cards: Sequence[Any] = ()
    patience_s: float = 0.0
    """Seconds that pass after each thing that is sent, on SimCord's clock."""

    def put_card(self) -> None:
        """Post messages with every button that there is."""
        ids = list(buttons(self.bot))
        self.card = self.posted([PICK], f"{stem_of(DONE)}-1.png")
        self.cards = [self.card, *(self.posted(ids[start : start + 25]) for start in range(0, len(ids), 25))]

    def posted(self, ids: Sequence[str], picture: str = "") -> Any:
        """Return a new message of the bot's, with buttons of these ids (or the list), and with a picture."""
        rows: list[dict[str, Any]] = [
            {"type": 1, "components": [{"type": 2, "style": 1, "label": one[-20:], "custom_id": one} for one in row]}
            for row in ([one for one in ids if one != PICK][start : start + 5] for start in range(0, len(ids), 5))
            if row
        ]
        if PICK in ids:
            options = [{"label": "1", "value": f"{DONE}:1"}]
            rows.append({"type": 1, "components": [{"type": 3, "custom_id": PICK, "options": options}]})
        backend = self.env.backend
        number = backend.snowflake()
        files = [backend.cdn.store_attachment(number, self.channel.id, picture, PICTURE, None)] if picture else []
        return backend.create_message(
            self.channel.id, backend.bot_user.id, "a card", components=rows, attachments=files
        )

    def another(self, name: str, **permissions: bool) -> Any:
        """Return another member, with a role of these permissions."""
        roles = [self.guild.create_role(name, permissions=discord.Permissions(**permissions))] if permissions else []
        return self.guild.add_member(self.env.create_user(name), roles=roles)

    async def send(
        self, entry: Entry, actor: Any, typed: Mapping[str, Any] | None = None, *, direct: bool = False
    ) -> InteractionResult:
        """Take a way in, as a member, in the channel or as a direct message; `typed` by option or field."""
        backend = self.env.backend
        self.bot.services.bench.gate._pace = policy._Pace()  # nobody is as fast as this
        channel = actor.user.dm_channel if direct else self.channel
        record, payload = wire.base_payload(
            backend,
            type=_KINDS[entry.kind],
            channel_id=channel.id,
            guild_id=None if direct else self.guild.id,
            user_id=actor.id,
            data=self._data(entry, actor.user if direct else actor, channel, typed or {}),
        )
        if entry.kind in ("button", "choice"):
            custom_id = PICK if entry.kind == "choice" else entry.name
            card = self._with(custom_id) or self.posted([custom_id])
            payload["message"] = dict(serializers.message_payload(backend, card))
            record.source_message_id = card.id
        backend.emit("INTERACTION_CREATE", payload)
        await self.env.settle(timeout=SETTLE_S, idle=0.001)
        if self.patience_s:
            await self.env.advance_time(self.patience_s)
        return InteractionResult(self.env, record)

    def _with(self, custom_id: str) -> Any:
        """Return the card with a button or list; None if it is not there any more."""
        there = self.env.backend.messages.get(self.channel.id, {})
        fitting = (one for one in self.cards if one.id in there and f"'{custom_id}'" in str(one.components))
        return next(fitting, None)

    def _data(self, entry: Entry, actor: Any, channel: Any, typed: Mapping[str, Any]) -> dict[str, Any]:
        match entry.kind:
            case "button":
                return {"custom_id": entry.name, "component_type": 2}
            case "choice":
                return {"custom_id": PICK, "component_type": 3, "values": [entry.name]}
            case "dialog":
                return self._dialog(entry, channel, typed)
            case "menu":
                return self._menu(entry, actor, channel, typed)
            case _:
                return self._command(entry, actor, channel, typed)

    def _dialog(self, entry: Entry, channel: Any, typed: Mapping[str, Any]) -> dict[str, Any]:
        """Return a dialog as it is sent: with what it began with, where nothing else is typed."""
        resolved: dict[str, Any] = {}
        fields: list[dict[str, Any]] = []
        for one in entry.options:
            value = typed.get(one["name"], one["begins"])
            made: dict[str, Any] = {"type": one["component"], "custom_id": one["name"]}
            match ComponentType(one["component"]):
                case ComponentType.text_input:
                    made["value"] = value
                case ComponentType.checkbox:
                    made["value"] = bool(value)
                case ComponentType.file_upload:
                    made["values"] = [self._upload(channel, value, resolved)] if value else []
                case _:
                    made["values"] = [value] if value else []
            fields.append({"type": 18, "component": made})
        return {"custom_id": entry.name, "components": fields, "resolved": resolved}

    def _upload(self, channel: Any, data: bytes, resolved: dict[str, Any]) -> str:
        return wire.store_interaction_attachment(self.env.backend, channel.id, "mine.png", data, resolved)

    def _menu(self, entry: Entry, actor: Any, channel: Any, typed: Mapping[str, Any]) -> dict[str, Any]:
        resolved: dict[str, Any] = {}
        if entry.menu == _MESSAGE_MENU:
            target = typed.get("message", self.card)
            payload = dict(serializers.message_payload(self.env.backend, target))
            resolved["messages"] = {str(target.id): payload}
        else:
            target = typed.get("member", self.victim)
            wire.resolve_handle(actor, target, resolved, channel_id=channel.id)
        about = {"id": "1", "name": entry.name, "type": entry.menu}
        return {**about, "target_id": str(target.id), "resolved": resolved}

    def _command(self, entry: Entry, actor: Any, channel: Any, typed: Mapping[str, Any]) -> dict[str, Any]:
        name, _, focus = entry.name.partition(".")
        resolved: dict[str, Any] = {}
        options: list[dict[str, Any]] = []
        for option in entry.options:
            if option["name"] == focus or option.get("required") or option["name"] in typed:
                value = self._value(option, typed.get(option["name"], "" if option["name"] == focus else None))
                value = self._sent(option, value, actor, channel, resolved)
                focused = {"focused": True} if option["name"] == focus else {}
                options.append({"name": option["name"], "type": option["type"], "value": value, **focused})
        root, *path = name.split(" ")
        for depth, part in enumerate(reversed(path)):
            options = [{"name": part, "type": 1 if depth == 0 else 2, "options": options}]
        return {"id": "1", "name": root, "type": 1, "options": options, "resolved": resolved}

    def _value(self, option: Mapping[str, Any], typed: Any) -> Any:
        if typed is not None:
            return typed
        if option.get("choices"):
            return option["choices"][0]["value"]
        match Type(option["type"]):
            case Type.string:
                return WORDS.get(option["name"], "a fox")
            case Type.integer | Type.number:
                return option.get("min_value", 1)
            case Type.boolean:
                return True
            case Type.user | Type.mentionable:
                return self.victim
            case Type.channel:
                return self.channel
            case Type.attachment:
                return PICTURE
            case other:
                raise AssertionError(f"say what is given for an option of type {other}")

    def _sent(self, option: Mapping[str, Any], value: Any, actor: Any, channel: Any, resolved: dict[str, Any]) -> Any:
        if option["type"] == Type.attachment.value:
            return self._upload(channel, value, resolved)
        if hasattr(value, "id"):
            wire.resolve_handle(actor, value, resolved, channel_id=channel.id)
            return str(value.id)
        return value

    async def rows(self) -> dict[str, list[tuple[Any, ...]]]:
        """Return all that is stored."""
        tables = metadata.sorted_tables
        return await self.bot.services.bench.jobs._database.read(
            lambda one: {table.name: [tuple(row) for row in one.execute(table.select())] for table in tables}
        )

    async def emptied(self) -> None:
        """Forget all that is stored."""
        tables = metadata.sorted_tables[::-1]
        await self.bot.services.bench.jobs._database.write(
            lambda one: [one.execute(table.delete()).rowcount for table in tables]
        )

    def public(self, channel: Any = None) -> list[str]:
        """Return what everybody can read in a channel, message by message."""
        there = self.env.backend.messages.get((channel or self.channel).id, {}).values()
        shown = [one for one in there if not one.flags & _EPHEMERAL]
        return [json.dumps([one.id, one.content, one.components, one.attachments], default=str) for one in shown]

    async def state(self) -> tuple[Any, ...]:
        """Return everything that an entry could change."""
        return await self.rows(), self.public()


async def opened(house: House, actor: Any) -> list[Entry]:
    """Return the dialogs that buttons, menus and commands open, with their fields; each is tried once."""
    found: list[Entry] = []
    for entry in sorted(entries(house.bot), key=lambda one: one.kind == "command"):  # some commands erase all
        if entry.kind in ("button", "choice", "menu", "command"):
            result = await house.send(entry, actor)
            if result.modal is not None:
                found.append(dialog_of(result.modal))
    return [one for number, one in enumerate(found) if one not in found[:number]]
