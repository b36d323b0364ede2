"""A small bot on the real discord.py that moderates: what its client makes of the stand-in's events is the proof."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, Self

import discord
import pytest
import yarl
from discord import app_commands, ui
from discord.app_commands import locale_str
from discord.gateway import DiscordWebSocket
from discord.http import Route

from bot.sandbox.discord.server import Discord
from tests.conftest import eventually

JAPANESE = {"Report picture": "画像を報告", "Member record": "メンバーの記録", "mod": "管理", "ban": "禁止"}


class _Translator(app_commands.Translator):
    async def translate(self, string: locale_str, locale: discord.Locale, context: Any) -> str | None:
        del context
        return JAPANESE.get(string.message) if locale is discord.Locale.japanese else None


class Clerk(discord.Client):
    """Keeps in `heard` what its handlers were given."""

    def __init__(self) -> None:
        super().__init__(intents=discord.Intents(guilds=True), guild_ready_timeout=0.1)
        self.tree = app_commands.CommandTree(self)
        self.heard: list[Any] = []

    async def setup_hook(self) -> None:
        """Offer the commands."""
        await self.tree.set_translator(_Translator())
        for command in (pick, sort, Mod(), Words(), report, record):
            self.tree.add_command(command)
        await self.tree.sync()


Interaction = discord.Interaction[Clerk]


@app_commands.command(description="Name things")
async def pick(
    interaction: Interaction,
    user: discord.Member,
    channel: discord.TextChannel,
    role: discord.Role,
    anyone: discord.Member | discord.Role,
    thread: app_commands.AppCommandThread | None = None,
) -> None:
    """Hear one of each."""
    interaction.client.heard += [user, channel, role, anyone, thread]
    await interaction.response.send_message("picked")


class Mod(app_commands.Group):
    """Moderators' commands."""

    def __init__(self) -> None:
        permissions = discord.Permissions(manage_messages=True)
        super().__init__(name=locale_str("mod"), description="Moderate", default_permissions=permissions)

    @app_commands.command(name=locale_str("ban"), description="Ban")
    async def ban(self, interaction: Interaction, member: discord.User, reason: str = "") -> None:
        """Ban somebody, or a stranger."""
        interaction.client.heard += [member, reason]
        await interaction.response.send_message(f"banned {member}", ephemeral=True)


class Words(app_commands.Group):
    """A group with a group in it."""

    def __init__(self) -> None:
        super().__init__(name="words", description="Words")

    block = app_commands.Group(name="block", description="Blocked words")

    @block.command(name="add", description="Add")
    async def add(self, interaction: Interaction, word: str) -> None:
        """Block a word."""
        interaction.client.heard.append(word)
        await interaction.response.send_message("added")

    @add.autocomplete("word")
    async def _offer(self, interaction: Interaction, typed: str) -> list[app_commands.Choice[str]]:
        interaction.client.heard.append(interaction.command and interaction.command.qualified_name)
        return [app_commands.Choice(name=f"{typed}{end}", value=f"{typed}{end}") for end in "ab"]


class Report(ui.Modal):
    """One field of every kind."""

    def __init__(self) -> None:
        super().__init__(title="Report", timeout=60, custom_id="report")

    said = ui.TextDisplay[Any]("What is wrong?")
    why = ui.Label[Self](text="Why", component=ui.TextInput(custom_id="why", max_length=20))
    kind = ui.Label[Self](
        text="Kind",
        component=ui.Select(custom_id="kind", options=[discord.SelectOption(label="Gore", value="g")]),
    )
    who = ui.Label[Self](text="Who", component=ui.UserSelect(custom_id="who", required=False))
    proof = ui.Label[Self](text="Proof", component=ui.FileUpload(custom_id="proof", required=False))

    async def on_submit(self, interaction: Interaction) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Hear all fields, think, and answer."""
        fields: list[Any] = [label.component for label in (self.why, self.kind, self.who, self.proof)]
        interaction.client.heard += [fields[0].value, *(field.values for field in fields[1:])]
        await interaction.response.defer(ephemeral=True, thinking=True)
        await interaction.edit_original_response(content="reported")


@app_commands.context_menu(name=locale_str("Report picture"))
async def report(interaction: Interaction, message: discord.Message) -> None:
    """Ask why."""
    interaction.client.heard.append(message)
    await interaction.response.send_modal(Report())


@app_commands.context_menu(name=locale_str("Member record"))
@app_commands.default_permissions(manage_messages=True)
async def record(interaction: Interaction, member: discord.Member) -> None:
    """Show a private card with a button."""
    interaction.client.heard.append(member)
    await interaction.response.send_message(f"record of {member}", view=Card(), ephemeral=True)


class Note(ui.Modal):
    """A classic dialog."""

    words = ui.TextInput["Note"](label="Note", custom_id="words", style=discord.TextStyle.paragraph)

    async def on_submit(self, interaction: Interaction) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Write the note on the card whose button opened the dialog."""
        assert interaction.message is not None
        await interaction.response.edit_message(content=f"{interaction.message.content}: {self.words.value}")


class Card(ui.View):
    """A button that opens a dialog, and a select of people."""

    @ui.button(label="Note", custom_id="note")
    async def note(self, interaction: Interaction, _button: Any) -> None:
        """Ask for a note."""
        await interaction.response.send_modal(Note(title="Note", custom_id="the-note"))

    @ui.select(cls=ui.UserSelect, custom_id="watcher", max_values=2)
    async def watcher(self, interaction: Interaction, select: ui.UserSelect[Any]) -> None:
        """Hear who shall watch."""
        interaction.client.heard += select.values
        await interaction.response.defer()
        await interaction.edit_original_response(content="watched")


@app_commands.command(description="Answer with components v2")
async def sort(interaction: Interaction) -> None:
    """Answer with a layout and a file."""
    view = ui.LayoutView()
    gallery = ui.MediaGallery[Any](discord.MediaGalleryItem("attachment://SPOILER_a.png", spoiler=True))
    section = ui.Section[Any](ui.TextDisplay("part"), accessory=ui.Button(label="Go", custom_id="go"))
    view.add_item(ui.Container(ui.TextDisplay("whole"), section, gallery, accent_colour=5))
    file = discord.File(interaction.client.heard.pop(), "a.png", spoiler=True)
    await interaction.response.send_message(view=view, file=file)


@asynccontextmanager
async def clerk_at(discord_: Discord, patch: pytest.MonkeyPatch) -> AsyncGenerator[Clerk]:
    """Run a clerk at a stand-in from the moment it is ready."""
    patch.setattr(Route, "BASE", f"{discord_.url}/api/v10")
    patch.setattr(DiscordWebSocket, "DEFAULT_GATEWAY", yarl.URL(discord_.url.replace("http", "ws", 1)))
    clerk = Clerk()
    running = asyncio.create_task(clerk.start(discord_.world.token), name="clerk")
    try:
        await eventually(clerk.is_ready, "the clerk did not get ready")
        yield clerk
    finally:
        await clerk.close()
        await asyncio.gather(running, return_exceptions=True)
