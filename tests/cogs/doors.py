"""Every way into the running bot, found by asking it."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import discord
from discord import app_commands
from discord.enums import AppCommandOptionType as Type
from discord.enums import ComponentType
from hypothesis import Phase, find, settings
from hypothesis.strategies import from_regex
from simcord.results import InteractionResult, ResponseMessage

from bot.bot import EaselBot
from bot.model.case import CHOICES, CaseKind
from bot.replies.buttons import CaseButton, DraftButton, JobButton, PagePick, PageTurn
from bot.replies.press import STRONG, SUBTLE, Action, DraftPress, Press, Turn

JOB, DONE, DRAFT = "0123456789abcdef", "d" * 16, "e" * 16
"""What buttons and dialogs name: a job that runs, one that is done, a draft."""
LIVE = frozenset({Action.CANCEL})
"""Buttons of jobs that run; all others are of those that are done."""
HOWS: Mapping[Action, Sequence[str]] = {Action.VARY: (SUBTLE, STRONG), Action.FOLLOW: ("upscale", "img2img")}
"""What the last part of a button's id says."""
OF_A_FILE = frozenset({Action.VARY, Action.FOLLOW, Action.FAVOURITE})
"""Buttons that name one file of a job."""
BOOKS = ("history", "gallery")
CASES = {CaseKind.HELD: 1, CaseKind.REPORT: 2, CaseKind.APPEAL: 3}
"""The case under each kind of case button."""
_ANY = settings(database=None, phases=[Phase.generate])
_FIELDS = {
    ComponentType.text_input: Type.string,
    ComponentType.select: Type.string,
    ComponentType.file_upload: Type.attachment,
    ComponentType.checkbox: Type.boolean,
}
"""What is given in a dialog, as Discord calls it in commands."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A way in: a command, a menu, an option that completes, a button, a list to choose from, or a dialog."""

    kind: str
    name: str
    """`mod ban`, `Report picture`, `imagine.template`; of buttons and dialogs the custom_id, of a list what is chosen.
    """
    options: Sequence[Mapping[str, Any]] = field(default=(), repr=False)
    """Options as Discord is told them; of a dialog its fields in the same form, with what they begin with."""
    menu: int = 0
    """What kind of menu it is."""

    @property
    def texts(self) -> list[str]:
        """Return the options into which anything can be typed."""
        return [one["name"] for one in self.options if one["type"] == Type.string.value and not one.get("choices")]

    @property
    def family(self) -> str:
        """Return what all dialogs of one kind, or the ways of one command, have in common: `easel:remix`, `mod ban`."""
        return self.name.rpartition(":")[0] or self.name


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
    found += [Entry("button", one) for one in buttons(bot)]
    found += [Entry("choice", one) for one in choices(bot)]
    return [*found, *dialogs]


def _known(bot: EaselBot) -> Mapping[re.Pattern[str], Any]:
    return bot._connection._view_store._dynamic_items


def buttons(bot: EaselBot) -> Iterator[str]:
    """Return the ids of all buttons that the client knows; of a class that is new here, one that fits its pattern."""
    for pattern, item in _known(bot).items():
        if item is JobButton:
            yield from _presses()
        elif item is PageTurn:
            yield from (Turn(book=book, page=page, label="").custom_id for book in BOOKS for page in (0, 1))
        elif item is DraftButton:
            yield from (
                DraftPress(what=what, draft_id=one).custom_id
                for what in ("run", "edit")
                for one in (DRAFT, f"{DRAFT}p")
            )
        elif item is CaseButton:
            yield from (f"easel:case:{one}:{CASES[kind]}" for kind, outcomes in CHOICES.items() for one in outcomes)
        elif item is not PagePick:
            yield _fitting(pattern)


def _presses() -> Iterator[str]:
    """Return a job's buttons: as earlier releases had them, and for everybody's replies and for private ones."""
    for action in Action:
        job_id, number = JOB if action in LIVE else DONE, 1 if action in OF_A_FILE else 0
        yield f"easel:{action}:{job_id}"
        for how in HOWS.get(action, ("",)):
            for private in (False, True):
                yield Press(action=action, job_id=job_id, number=number, what=how, private=private).custom_id


def choices(bot: EaselBot) -> Iterator[str]:
    """Return what can be chosen in lists of pictures: a picture, and what no list ever had."""
    if PagePick in _known(bot).values():
        yield from (f"{DONE}:1", f"{DONE}:9", "a stranger's")


@cache
def _fitting(pattern: re.Pattern[str]) -> str:
    return find(from_regex(pattern, fullmatch=True), lambda _: True, settings=_ANY)


def dialog_of(modal: Mapping[str, Any]) -> Entry:
    """Return a dialog as a way in."""
    parts = [one.get("component") or one["components"][0] for one in modal["components"]]
    fields = [
        {
            "name": one["custom_id"],
            "type": _FIELDS[ComponentType(one["type"])].value,
            "component": one["type"],
            "begins": one.get("value") or _chosen(one),
        }
        for one in parts
    ]  # fmt: skip
    return Entry("dialog", modal["custom_id"], fields)


def _chosen(select: Mapping[str, Any]) -> str:
    return next((one["value"] for one in select.get("options", ()) if one.get("default")), "")


def words(result: InteractionResult) -> str:
    """Return everything that somebody gets to read as an answer: words, parts of cards, files' names, dialogs."""
    messages = [*([result.response] if result.response and not _untouched(result) else []), *result.followups]
    said = [part for one in messages for part in _read(one)]
    said += [_json(one) for one in result.autocomplete_choices or []]
    said += [_json(result.modal)] if result.modal else []
    return "\n".join(one for one in said if one)


def _untouched(result: InteractionResult) -> bool:
    """Tell whether the message that stands for the answer is the one that was clicked, as it was."""
    record, shown = result._interaction, result.response
    return shown is not None and shown.id == record.source_message_id and shown._message.edited_timestamp is None


def _read(message: ResponseMessage) -> list[str]:
    files = [_json([one.filename, one.description]) for one in message.attachments]
    return [message.content, *([_json(message.components)] if message.components else []), *files]


def _json(made: Any) -> str:
    return json.dumps(made, ensure_ascii=False, default=str)
