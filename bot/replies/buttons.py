"""Buttons that work for ever: their state is in their id, and every one is a DynamicItem (DESIGN §4.10)."""

import re
from typing import Any, Protocol, Self, cast

import discord

from bot.model.case import CHOICES, Case, Decision
from bot.replies.catalogue import text
from bot.replies.press import CHOICE, PRESS, Action, DraftPress, Picker, Press, Turn, read_press

_STYLES = {Action.AGAIN: discord.ButtonStyle.primary, Action.CANCEL: discord.ButtonStyle.danger}
_DECISION_STYLES = {
    Decision.APPROVE: discord.ButtonStyle.success,
    Decision.GRANT: discord.ButtonStyle.success,
    Decision.DISMISS: discord.ButtonStyle.secondary,
    Decision.UPHOLD: discord.ButtonStyle.secondary,
}
PICK = "easel:pick"


class HandlesButtons(Protocol):
    """The client, as a button sees it."""

    async def press(self, interaction: discord.Interaction[Any], press: Press) -> None:
        """Do what the button says."""
        ...

    async def pick(self, interaction: discord.Interaction[Any], job_id: str, number: int) -> None:
        """Show one picture, with what can be done with it."""
        ...

    async def turn(self, interaction: discord.Interaction[Any], book: str, page: int) -> None:
        """Turn to a page of a list."""
        ...

    async def draft(self, interaction: discord.Interaction[Any], what: str, draft_id: str) -> None:
        """Send or edit a draft."""
        ...

    async def decide(self, interaction: discord.Interaction[Any], decision: Decision, number: int) -> None:
        """Decide a case of the guild where the button was pressed."""
        ...


def _client(interaction: discord.Interaction[Any]) -> HandlesButtons:
    return cast("HandlesButtons", interaction.client)


class JobButton(discord.ui.DynamicItem[discord.ui.Button[Any]], template=PRESS):
    """A button of a job; see `Press` for its id."""

    def __init__(self, press: Press) -> None:
        style = _STYLES.get(press.action, discord.ButtonStyle.secondary)
        label = (press.label or press.action)[:80]
        super().__init__(discord.ui.Button(style=style, label=label, custom_id=press.custom_id))
        self.made_of = press

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction[Any], item: discord.ui.Item[Any], match: re.Match[str], /
    ) -> Self:
        """Read the button's state from its id."""
        del interaction, item
        return cls(cast("Press", read_press(match.string)))

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        """Hand the click to the client."""
        await _client(interaction).press(interaction, self.made_of)


class PagePick(discord.ui.DynamicItem[discord.ui.Select[Any]], template=PICK):
    """A list of pictures; what is chosen says which, as `Choice.value`."""

    def __init__(self, picker: Picker | None = None) -> None:
        select: discord.ui.Select[Any] = discord.ui.Select(custom_id=PICK)
        if picker is not None:
            select.placeholder = picker.label[:150]
            for choice in picker.choices[:25]:
                select.add_option(label=choice.label[:100] or "…", value=choice.value)
        super().__init__(select)

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction[Any], item: discord.ui.Item[Any], match: re.Match[str], /
    ) -> Self:
        """Nothing is in the id; what was chosen comes with the click."""
        del interaction, item, match
        return cls()

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        """Hand the choice to the client; a foreign value is no choice."""
        values = cast("dict[str, Any]", interaction.data or {}).get("values") or [""]
        found = CHOICE.fullmatch(str(values[0]))
        job_id, number = (found["job"], int(found["number"])) if found else ("", 0)
        await _client(interaction).pick(interaction, job_id, number)


class PageTurn(
    discord.ui.DynamicItem[discord.ui.Button[Any]],
    template=r"easel:page:(?P<book>history|gallery):(?P<page>[0-9]{1,6})",
):
    """A button that turns to a page."""

    def __init__(self, turn: Turn) -> None:
        super().__init__(
            discord.ui.Button(
                style=discord.ButtonStyle.secondary,
                label=turn.label or turn.book,
                custom_id=turn.custom_id,
                disabled=not turn.enabled,
            )
        )
        self.made_of = turn

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction[Any], item: discord.ui.Item[Any], match: re.Match[str], /
    ) -> Self:
        """Read the button's state from its id."""
        del interaction, item
        return cls(Turn(book=match["book"], page=int(match["page"]), label=""))

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        """Hand the click to the client."""
        await _client(interaction).turn(interaction, self.made_of.book, self.made_of.page)


class DraftButton(
    discord.ui.DynamicItem[discord.ui.Button[Any]],
    template=r"easel:draft:(?P<what>run|edit):(?P<draft>[0-9a-f]{16}p?)",
):
    """A button of a draft."""

    def __init__(self, press: DraftPress) -> None:
        style = discord.ButtonStyle.primary if press.what == "run" else discord.ButtonStyle.secondary
        button: discord.ui.Button[Any] = discord.ui.Button(
            style=style, label=press.label or press.what, custom_id=press.custom_id
        )
        super().__init__(button)
        self.made_of = press

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction[Any], item: discord.ui.Item[Any], match: re.Match[str], /
    ) -> Self:
        """Read the button's state from its id."""
        del interaction, item
        return cls(DraftPress(what=match["what"], draft_id=match["draft"]))

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        """Hand the click to the client."""
        await _client(interaction).draft(interaction, self.made_of.what, self.made_of.draft_id)


class CaseButton(
    discord.ui.DynamicItem[discord.ui.Button[Any]],
    template=rf"easel:case:(?P<decision>{'|'.join(Decision)}):(?P<number>[0-9]{{1,9}})",
):
    """A button under a case. Its id names no guild: it is always that of the click."""

    def __init__(self, decision: Decision, number: int, label: str | None = None) -> None:
        custom_id = f"easel:case:{decision}:{number}"
        style = _DECISION_STYLES.get(decision, discord.ButtonStyle.danger)
        super().__init__(discord.ui.Button(style=style, label=label or decision, custom_id=custom_id))
        self.decision, self.number = decision, number

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction[Any], item: discord.ui.Item[Any], match: re.Match[str], /
    ) -> Self:
        """Read the button's state from its id."""
        del interaction, item
        return cls(Decision(match["decision"]), int(match["number"]))

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        """Hand the click to the client."""
        await _client(interaction).decide(interaction, self.decision, self.number)


ITEMS = (JobButton, PagePick, PageTurn, DraftButton, CaseButton)
"""All that the client must know by its id."""


def case_view(case: Case, locale: str) -> discord.ui.View | None:
    """Return a fresh view of what can be decided; None once it is."""
    if case.outcome is not None:
        return None
    view = discord.ui.View(timeout=None)
    for decision in CHOICES[case.kind]:
        view.add_item(CaseButton(decision, case.number, text(f"decisions.{decision}", locale)))
    return view
