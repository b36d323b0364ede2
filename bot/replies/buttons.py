"""Buttons that work for ever: their state is in their id, and every one is a DynamicItem (DESIGN §4.10)."""

import re
from typing import Any, Protocol, Self, cast

import discord

from bot.model.case import CHOICES, Case, Decision
from bot.replies.cards import Action
from bot.replies.catalogue import text

_STYLES = {
    Action.AGAIN: discord.ButtonStyle.primary,
    Action.DELETE: discord.ButtonStyle.secondary,
    Action.CANCEL: discord.ButtonStyle.danger,
    Action.REPORT: discord.ButtonStyle.secondary,
}
_DECISION_STYLES = {
    Decision.APPROVE: discord.ButtonStyle.success,
    Decision.GRANT: discord.ButtonStyle.success,
    Decision.DISMISS: discord.ButtonStyle.secondary,
    Decision.UPHOLD: discord.ButtonStyle.secondary,
}


class HandlesButtons(Protocol):
    """The client, as a button sees it."""

    async def press(self, interaction: discord.Interaction[Any], action: Action, job_id: str) -> None:
        """Do what the button says."""
        ...

    async def decide(self, interaction: discord.Interaction[Any], decision: Decision, number: int) -> None:
        """Decide a case of the guild where the button was pressed."""
        ...


class JobButton(
    discord.ui.DynamicItem[discord.ui.Button[discord.ui.View]],
    template=r"easel:(?P<action>again|delete|cancel|report):(?P<job>[0-9a-f]{16})",
):
    """A button of a job; its id is `easel:ACTION:JOB`."""

    def __init__(self, action: Action, job_id: str, label: str | None = None) -> None:
        custom_id = f"easel:{action}:{job_id}"
        super().__init__(discord.ui.Button(style=_STYLES[action], label=label or action, custom_id=custom_id))
        self.action, self.job_id = action, job_id

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction[Any], item: discord.ui.Item[Any], match: re.Match[str], /
    ) -> Self:
        """Read the button's state from its id."""
        del interaction, item
        return cls(Action(match["action"]), match["job"])

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        """Hand the click to the client."""
        await cast("HandlesButtons", interaction.client).press(interaction, self.action, self.job_id)


class CaseButton(
    discord.ui.DynamicItem[discord.ui.Button[discord.ui.View]],
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
        await cast("HandlesButtons", interaction.client).decide(interaction, self.decision, self.number)


def view_of(actions: tuple[Action, ...], job_id: str, locale: str) -> discord.ui.View:
    """Return a fresh view; never keep, stop or send it twice (shared facts, Discord §4.7)."""
    view = discord.ui.View(timeout=None)
    for action in actions:
        view.add_item(JobButton(action, job_id, text(f"buttons.{action}", locale)))
    return view


def case_view(case: Case, locale: str) -> discord.ui.View | None:
    """Return a fresh view of what can be decided; None once it is."""
    if case.outcome is not None:
        return None
    view = discord.ui.View(timeout=None)
    for decision in CHOICES[case.kind]:
        view.add_item(CaseButton(decision, case.number, text(f"decisions.{decision}", locale)))
    return view
