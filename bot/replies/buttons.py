"""Buttons that work for ever: their state is in their id, and every one is a DynamicItem (DESIGN §4.10)."""

import re
from typing import Any, Protocol, Self, cast

import discord

from bot.replies.cards import Action
from bot.replies.catalogue import text

_STYLES = {
    Action.AGAIN: discord.ButtonStyle.primary,
    Action.DELETE: discord.ButtonStyle.secondary,
    Action.CANCEL: discord.ButtonStyle.danger,
}


class HandlesButtons(Protocol):
    """The client, as a button sees it."""

    async def press(self, interaction: discord.Interaction[Any], action: Action, job_id: str) -> None:
        """Do what the button says."""
        ...


class JobButton(
    discord.ui.DynamicItem[discord.ui.Button[discord.ui.View]],
    template=r"easel:(?P<action>again|delete|cancel):(?P<job>[0-9a-f]{16})",
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


def view_of(actions: tuple[Action, ...], job_id: str, locale: str) -> discord.ui.View:
    """Return a fresh view; never keep, stop or send it twice (shared facts, Discord §4.7)."""
    view = discord.ui.View(timeout=None)
    for action in actions:
        view.add_item(JobButton(action, job_id, text(f"buttons.{action}", locale)))
    return view
