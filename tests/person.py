"""A person at the stand-in Discord, as tests play them."""

import asyncio
from collections.abc import Callable
from typing import Any

from bot.sandbox.discord.server import Discord
from bot.sandbox.discord.world import Interaction, Message
from bot.sandbox.run import Sandbox

WAIT_S = 60.0


class Person:
    """Sends commands, presses buttons, and waits for what the reply says."""

    def __init__(self, place: Sandbox | Discord, name: str, channel: str = "pictures") -> None:
        discord = place.discord if isinstance(place, Sandbox) else place
        self._people, self.world = discord.people, discord.world
        self.person = self.world.person_named(name)
        self.channel = self.world.channel_named(channel)

    async def says(self, name: str, **options: Any) -> Interaction:
        """Send a slash command and wait for its acknowledgement."""
        offered = self._people.commands_for(self.person, self.channel)
        command = next(one for one in offered if one["name"] == name)
        interaction = await self._people.slash(self.person, self.channel, command, options)
        assert await self._people.acknowledged(interaction)
        return interaction

    async def types(self, name: str, option: str, text: str) -> list[dict[str, Any]]:
        """Type into an option and return what is offered."""
        command = next(one for one in self.world.commands if one["name"] == name)
        return await self._people.complete(self.person, self.channel, command, {option: text}, option)

    async def presses(self, message: Message, action: str) -> Interaction:
        """Press the button of an action and wait for its acknowledgement."""
        ids = [item["custom_id"] for row in message.components for item in row["components"]]
        custom_id = next(one for one in ids if f":{action}:" in one)
        interaction = await self._people.click(self.person, message, custom_id, [])
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
        assert message.attachments, message.content
        return message


def at_rest(message: Message) -> bool:
    """Tell whether a reply is a last card, or plain words."""
    buttons = [item["custom_id"] for row in message.components for item in row["components"]]
    return not message.loading and not any(":cancel:" in one for one in buttons)
