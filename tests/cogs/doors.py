"""Every way into the running bot, found by asking it, and how to take one over SimCord's gateway.

What is sent is raw: no client of Discord's hides a command, checks a permission or refuses a direct message here.
"""

import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import discord
import simcord
from discord import app_commands
from discord.enums import AppCommandOptionType as Type
from hypothesis import Phase, find, settings
from hypothesis.strategies import from_regex
from PIL import Image
from simcord import interactions as wire
from simcord.backend import serializers
from simcord.enums import InteractionType
from simcord.results import InteractionResult

from bot.bot import EaselBot
from bot.model.case import CHOICES, CaseKind
from bot.replies.buttons import CaseButton, JobButton
from bot.replies.cards import Action
from bot.store.tables import metadata

JOB, DONE = "0123456789abcdef", "d" * 16
"""The jobs of buttons and of dialogs: one that runs, one that is done."""
CASES = {CaseKind.HELD: 1, CaseKind.REPORT: 2, CaseKind.APPEAL: 3}
"""The case under each kind of case button."""
WORDS = {"setting": "language", "duration": "1d"}  # what is typed into options where any word will not do
_EPHEMERAL = 64
_ANY = settings(database=None, phases=[Phase.generate])
_USER_MENU, _MESSAGE_MENU = 2, 3


def png() -> bytes:
    """Return a small picture with transparency."""
    out = io.BytesIO()
    Image.new("RGBA", (64, 64), (200, 30, 30, 0)).save(out, "PNG")
    return out.getvalue()


PICTURE = png()


@dataclass(frozen=True, slots=True)
class Entry:
    """A way in: a command, a menu, an option that completes, a button, or a dialog."""

    kind: str
    name: str
    """`mod ban`, `Report picture`, `imagine.template`; of buttons and dialogs the custom_id."""
    options: Sequence[Mapping[str, Any]] = field(default=(), repr=False)
    """Options as Discord is told them; of a dialog its fields."""
    menu: int = 0
    """What kind of menu it is."""

    @property
    def texts(self) -> list[str]:
        """Return the options into which anything can be typed."""
        return [one["name"] for one in self.options if one["type"] == Type.string.value and not one.get("choices")]


def entries(bot: EaselBot, dialogs: Sequence[Entry] = ()) -> list[Entry]:
    """Return every way into a bot; `dialogs` are those found by `opened`."""
    found: list[Entry] = []
    for command in bot.tree.walk_commands():
        if isinstance(command, app_commands.Command):
            options = command.to_dict(bot.tree)["options"]
            found.append(Entry("command", command.qualified_name, options))
            found += [
                Entry("complete", f"{command.qualified_name}.{one['name']}", options)
                for one in options
                if one.get("autocomplete")
            ]
    for kind in (discord.AppCommandType.user, discord.AppCommandType.message):
        found += [Entry("menu", str(menu.name), menu=kind.value) for menu in bot.tree.get_commands(type=kind)]
    return [*found, *(Entry("button", one) for one in buttons(bot)), *dialogs]


def buttons(bot: EaselBot) -> Iterator[str]:
    """Return the ids of all buttons that the client knows; of a class that is new here, one that fits its pattern."""
    for pattern, item in bot._connection._view_store._dynamic_items.items():
        if item is JobButton:
            yield from (f"easel:{action}:{JOB}" for action in Action)
        elif item is CaseButton:
            yield from (f"easel:case:{one}:{CASES[kind]}" for kind, choices in CHOICES.items() for one in choices)
        else:
            yield _fitting(pattern)


@cache
def _fitting(pattern: re.Pattern[str]) -> str:
    return find(from_regex(pattern, fullmatch=True), lambda _: True, settings=_ANY)


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
    """A message of the bot's with every button."""
    patience_s: float = 0.0
    """Seconds that pass after each thing that is sent, on SimCord's clock."""

    def put_card(self) -> None:
        """Post a message with every button that there is."""
        self.card = self.posted(list(buttons(self.bot)))

    def posted(self, ids: Sequence[str]) -> Any:
        """Return a new message of the bot's, with buttons of these ids."""
        rows = [
            {"type": 1, "components": [{"type": 2, "style": 1, "label": one[-20:], "custom_id": one} for one in row]}
            for row in (ids[start : start + 5] for start in range(0, len(ids), 5))
        ]
        backend = self.env.backend
        return backend.create_message(self.channel.id, backend.bot_user.id, "a card", components=rows)

    def another(self, name: str, **permissions: bool) -> Any:
        """Return another member, with a role of these permissions."""
        roles = [self.guild.create_role(name, permissions=discord.Permissions(**permissions))] if permissions else []
        return self.guild.add_member(self.env.create_user(name), roles=roles)

    async def send(
        self, entry: Entry, actor: Any, typed: Mapping[str, Any] | None = None, *, direct: bool = False
    ) -> InteractionResult:
        """Take a way in, as a member, in the channel or as a direct message; `typed` by option or field."""
        backend = self.env.backend
        channel = actor.user.dm_channel if direct else self.channel
        kinds = {
            "command": InteractionType.APPLICATION_COMMAND,
            "menu": InteractionType.APPLICATION_COMMAND,
            "complete": InteractionType.APPLICATION_COMMAND_AUTOCOMPLETE,
            "button": InteractionType.MESSAGE_COMPONENT,
            "dialog": InteractionType.MODAL_SUBMIT,
        }
        record, payload = wire.base_payload(
            backend,
            type=kinds[entry.kind],
            channel_id=channel.id,
            guild_id=None if direct else self.guild.id,
            user_id=actor.id,
            data=self._data(entry, actor.user if direct else actor, channel, typed or {}),
        )
        if entry.kind == "button":
            card = self.card if entry.name in str(self.card.components) else self.posted([entry.name])
            payload["message"] = dict(serializers.message_payload(backend, card))
            record.source_message_id = card.id
        backend.emit("INTERACTION_CREATE", payload)
        await self.env.settle(idle=0.001)
        if self.patience_s:
            await self.env.advance_time(self.patience_s)
        return InteractionResult(self.env, record)

    def _data(self, entry: Entry, actor: Any, channel: Any, typed: Mapping[str, Any]) -> dict[str, Any]:
        match entry.kind:
            case "button":
                return {"custom_id": entry.name, "component_type": 2}
            case "dialog":
                fields = [
                    {
                        "type": 18,
                        "component": {"type": 4, "custom_id": one["name"], "value": typed.get(one["name"], "x")},
                    }
                    for one in entry.options
                ]
                return {"custom_id": entry.name, "components": fields}
            case "menu":
                return self._menu(entry, actor, channel, typed)
            case _:
                return self._command(entry, actor, channel, typed)

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
            return wire.store_interaction_attachment(self.env.backend, channel.id, "mine.png", value, resolved)
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
    for entry in entries(house.bot):
        if entry.kind in ("button", "menu", "command"):
            result = await house.send(entry, actor)
            if result.modal is not None:
                found.append(dialog_of(result.modal))
    return [one for number, one in enumerate(found) if one not in found[:number]]


def dialog_of(modal: Mapping[str, Any]) -> Entry:
    """Return a dialog as a way in."""
    parts = [one.get("component") or one["components"][0] for one in modal["components"]]
    return Entry(
        "dialog", modal["custom_id"].replace(JOB, DONE), [{"name": one["custom_id"], "type": 3} for one in parts]
    )


def words(result: InteractionResult) -> str:
    """Return everything that somebody gets to read as an answer."""
    said = [result.response.content] if result.response else []
    said += [one.content for one in result.followups]
    said += [json.dumps(one, ensure_ascii=False) for one in result.autocomplete_choices or []]
    said += [json.dumps(result.modal)] if result.modal else []
    return "\n".join(one or "" for one in said)
