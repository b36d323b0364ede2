"""Dialogs as Discord has them: at most five fields, each with a label; what is typed comes back by the field's id."""

from collections.abc import Sequence
from typing import Any

import discord

from bot.model.request import PROMPT_LIMIT
from bot.replies.catalogue import text

PROMPT, NEGATIVE, SETTINGS, TEMPLATE, FILE, ENHANCE = "prompt", "negative", "settings", "template", "file", "enhance"
_OPTIONS = 25
_SETTINGS = 4000
"""Characters of all settings: as many as Discord takes."""
_LIFE_S = 900.0
"""Seconds that discord.py remembers an open dialog; we read it without that."""


def remix_dialog(
    state: str,
    locale: str,
    *,
    prompt: str,
    negative: str,
    settings: str,
    template: str,
    titles: Sequence[tuple[str, str]] = (),
    file: bool,
    helper: bool,
) -> discord.ui.Modal:
    """Return the dialog of a remix; `titles` are the templates (name, title) to choose from, none: do not ask.

    With a `helper` there is a tick to let it reword the prompt first.
    """
    dialog = discord.ui.Modal(title=text("remix.title", locale)[:45], custom_id=f"easel:remix:{state}", timeout=_LIFE_S)
    _add(dialog, "remix.prompt", locale, _paragraph(PROMPT, prompt, PROMPT_LIMIT))
    _add(dialog, "remix.negative", locale, _paragraph(NEGATIVE, negative, PROMPT_LIMIT))
    _add(dialog, "remix.settings", locale, _paragraph(SETTINGS, settings[:_SETTINGS], _SETTINGS), about=True)
    if titles:
        _add(dialog, "remix.template", locale, _list(titles, template))
    if file:
        upload: discord.ui.FileUpload[Any] = discord.ui.FileUpload(
            custom_id=FILE, required=False, min_values=0, max_values=1
        )
        _add(dialog, "remix.file", locale, upload, about=True)
    if helper:
        _add(dialog, "remix.enhance", locale, discord.ui.Checkbox[Any](custom_id=ENHANCE), about=True)
    return dialog


def _add(
    dialog: discord.ui.Modal, key: str, locale: str, component: discord.ui.Item[Any], *, about: bool = False
) -> None:
    description = text(f"{key}_about", locale)[:100] if about else None
    dialog.add_item(discord.ui.Label(text=text(key, locale)[:45], description=description, component=component))


def _paragraph(name: str, value: str, most: int) -> discord.ui.TextInput[Any]:
    return discord.ui.TextInput(
        custom_id=name,
        style=discord.TextStyle.paragraph,
        default=value or None,
        required=False,
        max_length=most,
    )


def _list(titles: Sequence[tuple[str, str]], chosen: str) -> discord.ui.Select[Any]:
    """Return templates to choose from; the one that is chosen now is always among them."""
    first = [pair for pair in titles if pair[0] == chosen]
    listed = sorted([*first, *(pair for pair in titles if pair[0] != chosen)][:_OPTIONS])
    select: discord.ui.Select[Any] = discord.ui.Select(custom_id=TEMPLATE, required=False)
    for name, title in listed:
        select.add_option(label=title[:100] or name[:100], value=name[:100], default=name == chosen)
    return select
