"""A person at the stand-in Discord, as tests play them."""

import asyncio
import re
from collections.abc import Callable
from typing import Any

from bot.replies.press import read_press
from bot.sandbox.discord import people as standin
from bot.sandbox.discord.checks import walked
from bot.sandbox.discord.server import Discord
from bot.sandbox.discord.world import Interaction, Message
from bot.sandbox.run import Sandbox

WAIT_S = 60.0


class Person:
    """Sends commands, presses buttons, fills in dialogs, and waits for what the reply says."""

    def __init__(self, place: Sandbox | Discord, name: str, channel: str = "pictures") -> None:
        discord = place.discord if isinstance(place, Sandbox) else place
        self._people, self.world = discord.people, discord.world
        self.person = self.world.person_named(name)
        self.channel = self.world.channel_named(channel)

    def offered(self) -> set[str]:
        """Return the names of the slash commands that they are offered here, `mod ban` for a subcommand."""
        return {one["name"] for one in self._people.commands_for(self.person, self.channel)}

    def menus(self) -> set[str]:
        """Return the names of the menu commands that they are offered here, on messages and on people."""
        return {one["name"] for one in self._people.menus_for(self.person, self.channel)}

    def _command(self, name: str) -> dict[str, Any]:
        offered = self._people.commands_for(self.person, self.channel)
        found = next((one for one in offered if one["name"] == name), None)
        assert found is not None, f"/{name} is not offered to {self.person.name} in #{self.channel.name}"
        return found

    async def says(self, name: str, /, **options: Any) -> Interaction:
        """Send a slash command, `mod ban` for a subcommand, and wait for its acknowledgement.

        People, channels and roles are given by id, mention or name, files by the id that `brings` returns.
        """
        command = self._command(name)
        return await self._acknowledged(await self._people.slash(self.person, self.channel, command, options))

    async def types(self, name: str, option: str, text: str) -> list[dict[str, Any]]:
        """Type into an option and return what is offered."""
        return await self._people.complete(self.person, self.channel, self._command(name), {option: text}, option)

    async def uses(self, name: str, target: "Message | Person | standin.Person") -> Interaction:
        """Use a command of the menu on a message or a person, by any of its names, and wait for its acknowledgement."""
        aim = target.person if isinstance(target, Person) else target
        kind = 3 if isinstance(aim, Message) else 2
        offered = self._people.menus_for(self.person, self.channel)
        found = next((one for one in offered if one["type"] == kind and name in _names(one)), None)
        assert found is not None, f"{name!r} is not offered to {self.person.name} in #{self.channel.name}"
        return await self._acknowledged(await self._people.menu(self.person, self.channel, found, aim))

    async def presses(self, message: Message, action: str) -> Interaction:
        """Press the button of an action, or of a whole custom_id, and wait for its acknowledgement."""
        return await self.chooses(message, action)

    async def chooses(self, message: Message, action: str, *values: str) -> Interaction:
        """Choose values in the select of an action, or of a whole custom_id, and wait for its acknowledgement."""
        ids = custom_ids(message)
        custom_id = next((one for one in ids if re.search(rf":{re.escape(action)}(:|$)", one) or one == action), None)
        assert custom_id is not None, f"no {action!r} among {ids}"
        return await self._acknowledged(await self._people.click(self.person, message, custom_id, list(values)))

    def dialog(self, interaction: Interaction) -> dict[str, Any]:
        """Return the dialog that an interaction opened: custom_id, title, components."""
        assert interaction.answer is not None, "no dialog was opened"
        assert interaction.answer["type"] == 9, interaction.answer
        return interaction.answer["data"]

    async def fills(self, interaction: Interaction, fields: dict[str, Any]) -> Interaction:
        """Send the dialog that an interaction opened, its fields by custom_id or label; return the new interaction."""
        self.dialog(interaction)
        return await self._acknowledged(await self._people.submit(interaction, fields))

    def brings(self, data: bytes, name: str = "mine.png") -> str:
        """Upload a file and return its id, which is the value of a file option or field."""
        file_id = self.world.new_id()
        self.world.files[file_id] = (name, data)
        return file_id

    def writes(self, content: str, *files: str) -> Message:
        """Say something in the channel, with files that `brings` returned."""
        return self._people.say(self.person, self.channel, content, files)

    async def _acknowledged(self, interaction: Interaction) -> Interaction:
        assert await self._people.acknowledged(interaction)
        return interaction

    def reply(self, interaction: Interaction) -> Message:
        """Return the message that answers an interaction."""
        assert interaction.original is not None
        return self.world.messages[interaction.original]

    async def until(
        self, fact: Callable[[Message], bool], interaction: Interaction, within_s: float = WAIT_S
    ) -> Message:
        """Wait until a reply fulfils a fact."""
        news = asyncio.Event()

        def hear(_event: str, _data: Any, _only: str | None) -> None:
            news.set()

        self.world.listeners.append(hear)
        try:
            async with asyncio.timeout(within_s):
                while not fact(self.reply(interaction)):
                    await news.wait()
                    news.clear()
        except TimeoutError:
            raise AssertionError(f"the reply stays at: {self.reply(interaction)}") from None
        finally:
            self.world.listeners.remove(hear)
        return self.reply(interaction)

    async def picture(self, interaction: Interaction, within_s: float = WAIT_S) -> Message:
        """Wait for the last card, and check that it has a picture."""
        message = await self.until(at_rest, interaction, within_s)
        assert message.attachments, message.words
        return message


def _names(command: dict[str, Any]) -> list[str]:
    return [command["name"], *(command.get("name_localizations") or {}).values()]


def custom_ids(message: Message) -> list[str]:
    """Return the custom_ids of a message's buttons and selects."""
    return [item["custom_id"] for item in walked(message.components) if item.get("custom_id")]


def job_id_of(message: Message) -> str:
    """Return the id of the job whose card a message shows."""
    return next(press.job_id for one in custom_ids(message) if (press := read_press(one)))


def at_rest(message: Message) -> bool:
    """Tell whether a reply is a last card, or plain words."""
    return not message.loading and not any(":cancel:" in one for one in custom_ids(message))
