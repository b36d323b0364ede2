"""Cards → Discord's components v2: one container with text, pictures and rows, in the order in which it is read aloud.

A fresh layout for every message: never keep, stop or send one twice (shared facts, Discord §4.7).
"""

import io
from collections.abc import Iterator
from typing import Any, assert_never

import discord

from bot.delivery.package import Attachment
from bot.replies.buttons import DraftButton, JobButton, PagePick, PageTurn
from bot.replies.cards import Card, Entry, Tone
from bot.replies.press import DraftPress, Picker, Press, Row, Turn

_COLOURS = {
    Tone.WAITING: 0x8A8F98,
    Tone.RUNNING: 0x3B82F6,
    Tone.HELD: 0xC27C0E,
    Tone.DONE: 0x2E9E5B,
    Tone.FAILED: 0xD83C3E,
    Tone.GONE: 0x5C6068,
    Tone.PLAIN: 0x7C5CD6,
}
"""Accents; what they mean is always said in words, too."""

_GALLERY = frozenset({"png", "jpg", "jpeg", "webp", "gif", "mp4", "webm", "mov"})
"""Endings of what Discord shows or plays in a gallery."""


def layout_of(card: Card) -> discord.ui.LayoutView:
    """Return a card as a message's components."""
    box: discord.ui.Container[discord.ui.LayoutView] = discord.ui.Container(accent_colour=_COLOURS[card.tone])
    for item in _items(card):
        box.add_item(item)
    layout = discord.ui.LayoutView(timeout=None)
    layout.add_item(box)
    return layout


def _items(card: Card) -> Iterator[discord.ui.Item[Any]]:
    if card.text:
        yield discord.ui.TextDisplay(card.text)
    for entry in card.entries:
        yield _section(entry)
    shown = [file for file in card.files if _in_gallery(file)]
    if shown:
        yield discord.ui.MediaGallery(*(_picture(file) for file in shown))
    for file in card.files:
        if not _in_gallery(file) and not any(file is entry.thumbnail for entry in card.entries):
            yield discord.ui.File(f"attachment://{name_of(file)}", spoiler=file.spoiler)
    if card.note:
        yield discord.ui.TextDisplay(card.note)
    for row in card.rows:
        yield _row(row)


def _section(entry: Entry) -> discord.ui.Item[Any]:
    if entry.thumbnail is None:
        return discord.ui.TextDisplay(entry.text)
    picture = entry.thumbnail
    accessory = discord.ui.Thumbnail[Any](
        f"attachment://{name_of(picture)}", description=picture.alt or None, spoiler=picture.spoiler
    )
    return discord.ui.Section(discord.ui.TextDisplay(entry.text), accessory=accessory)


def _in_gallery(file: Attachment) -> bool:
    return not file.small and file.filename.rpartition(".")[2] in _GALLERY


def _picture(file: Attachment) -> discord.MediaGalleryItem:
    return discord.MediaGalleryItem(f"attachment://{name_of(file)}", description=file.alt or None, spoiler=file.spoiler)


def name_of(file: Attachment) -> str:
    """Return a file's name in its message: Discord's library puts a word before what is veiled."""
    return f"SPOILER_{file.filename}" if file.spoiler else file.filename


def file_of(file: Attachment) -> discord.File:
    """Return an attachment as discord.py sends it."""
    return discord.File(
        io.BytesIO(file.data), filename=file.filename, description=file.alt or None, spoiler=file.spoiler
    )


def _row(row: Row) -> discord.ui.Item[Any]:
    made: discord.ui.ActionRow[Any] = discord.ui.ActionRow()
    if isinstance(row, Picker):
        made.add_item(PagePick(row))
        return made
    for one in row:
        match one:
            case Press():
                made.add_item(JobButton(one))
            case Turn():
                made.add_item(PageTurn(one))
            case DraftPress():
                made.add_item(DraftButton(one))
            case _:
                assert_never(one)
    return made
