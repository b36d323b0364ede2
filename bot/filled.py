"""What came back from a dialog, read from the interaction itself: a dialog opened before a restart works after it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import discord

from bot.answers import Brought
from bot.model.jsontree import items, obj, text


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """The fields of a dialog by their ids."""

    texts: Mapping[str, str] = field(default_factory=dict[str, str])
    chosen: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    ticked: frozenset[str] = frozenset()
    files: tuple[Brought, ...] = ()

    def choice(self, name: str) -> str:
        """Return the first thing chosen in a list, or nothing."""
        return next(iter(self.chosen.get(name, ())), "")


def filled_in(interaction: discord.Interaction[Any]) -> Filled:
    """Return what was typed, chosen, ticked and brought."""
    data = cast("dict[str, Any]", interaction.data or {})
    fields = {text(one.get("custom_id")): one for one in _fields(data)}
    kept = obj(obj(data.get("resolved")).get("attachments"))
    chosen = {
        name: tuple(str(value) for value in items(one.get("values"))) for name, one in fields.items() if "values" in one
    }
    return Filled(
        texts={name: text(one.get("value")) for name, one in fields.items() if isinstance(one.get("value"), str)},
        chosen=chosen,
        ticked=frozenset(name for name, one in fields.items() if one.get("value") is True),
        files=tuple(
            Brought(_attachment(interaction, obj(kept[ident])))
            for values in chosen.values()
            for ident in values
            if ident in kept
        ),
    )


def _fields(data: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for part in items(data.get("components")):
        for one in (obj(part).get("component"), *items(obj(part).get("components"))):
            if obj(one):
                yield obj(one)


def _attachment(interaction: discord.Interaction[Any], payload: Mapping[str, Any]) -> discord.Attachment:
    """Return a file as discord.py makes it for options; for dialogs it does so only while it still knows them."""
    # (its state is what makes a file readable, and nothing public gives it)
    state = interaction._state  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    return discord.Attachment(data=cast("Any", payload), state=state)
