"""The people's side: what the page and tests call. The page does nothing that a test cannot do by the same calls."""

import asyncio
import re
from typing import Any
from urllib.parse import urlsplit

from aiohttp import BodyPartReader, web

from bot.sandbox.discord.gateway import Gateway
from bot.sandbox.discord.guilds import Channel, Guild
from bot.sandbox.discord.interactions import NotSent, People
from bot.sandbox.discord.people import Json, Person
from bot.sandbox.discord.records import Message
from bot.sandbox.discord.world import World

_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
_UPLOAD = 26 * 2**20


@web.middleware
async def same_site(request: web.Request, handler: Any) -> web.StreamResponse:
    """Only our own page may use the control side: other sites in the same browser reach loopback, too."""
    host = request.headers.get("Host", "")
    origin = request.headers.get("Origin")
    name = host.rsplit(":", 1)[0] if ":" in host else host
    if name not in _LOOPBACK or (origin is not None and urlsplit(origin).netloc != host):
        return web.Response(status=403, text="only from the sandbox's own page")
    return await handler(request)


class Control:
    """Handlers below /_ctl."""

    def __init__(self, world: World, gateway: Gateway, people: People) -> None:
        self._world, self._gateway, self._people = world, gateway, people

    def app(self) -> web.Application:
        """Return the sub-application."""
        app = web.Application(middlewares=[same_site], client_max_size=_UPLOAD)
        app.router.add_get("/events", self.events)
        for path, handler in (
            ("/slash", self.slash),
            ("/complete", self.complete),
            ("/click", self.click),
            ("/menu", self.menu),
            ("/submit", self.submit),
            ("/say", self.say),
        ):
            app.router.add_post(path, _telling(handler))
        app.router.add_post("/upload", self.upload)
        return app

    async def events(self, request: web.Request) -> web.WebSocketResponse:
        """Everything one person sees, as it happens; first a snapshot."""
        person = self._world.people.get(request.query.get("person", ""), next(iter(self._world.people.values())))
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        news: asyncio.Queue[Json] = asyncio.Queue()

        def hear(event: str, data: Json, only_for: str | None) -> None:
            if only_for not in (None, person.id):
                return
            message = data.get("message") or {}
            place = self._world.channels.get(str(message.get("channel_id") or data.get("channel")))
            if place is not None and not self._world.sees(person, place):
                return
            if event == "CHANNELS":
                news.put_nowait(self._snapshot(person))
                return
            if event == "COMMANDS":
                data = self._commands(person)
            news.put_nowait({"event": event, **data})

        self._world.listeners.append(hear)
        news.put_nowait(self._snapshot(person))
        sender = asyncio.create_task(_forward(news, socket), name="page-events")
        try:
            async for _ in socket:
                pass
        finally:
            self._world.listeners.remove(hear)
            sender.cancel()
            await asyncio.gather(sender, return_exceptions=True)
        return socket

    def _snapshot(self, person: Person) -> Json:
        world = self._world
        shown = [message for message in world.messages.values() if self._people.reads(person, message)]
        return {
            "event": "SNAPSHOT",
            "online": self._gateway.connected,
            "person": person.id,
            "people": [
                {"id": one.id, "display": one.display, "name": one.name, "locale": one.locale, "home": one.home}
                for one in world.people.values()
            ],
            "bot": world.bot.id,
            "guilds": [self._guild(guild) for guild in world.guilds.values()],
            "channels": [_channel(one) for one in world.channels.values() if world.sees(person, one)],
            **self._commands(person),
            "messages": [
                {"message": message.json(), "ephemeral": message.only_for is not None, "pings": message.pings}
                for message in shown
            ],
        }

    def _guild(self, guild: Guild) -> Json:
        members = [{"id": one.id, "name": one.display} for one in self._world.members(guild)]
        roles = [{"id": one["id"], "name": one["name"]} for one in guild.roles(self._world.bot)]
        return {"id": guild.id, "name": guild.name, "members": members, "roles": roles}

    def _commands(self, person: Person) -> Json:
        channels = [one for one in self._world.channels.values() if self._world.sees(person, one)]
        return {
            "commands": {channel.id: self._people.commands_for(person, channel) for channel in channels},
            "menus": {channel.id: self._people.menus_for(person, channel) for channel in channels},
        }

    async def slash(self, body: Json) -> Json:
        """A slash command: `line`, or `command` with `options`."""
        person, channel = self._who(body)
        if "line" in body:
            command, options = self._people.read_line(body["line"], person, channel)
        else:
            command, options = self._command(body, person, channel), body.get("options") or {}
        interaction = await self._people.slash(person, channel, command, options)
        return {"interaction": interaction.id, "acknowledged": await self._people.acknowledged(interaction)}

    async def complete(self, body: Json) -> Json:
        """Autocomplete."""
        person, channel = self._who(body)
        command = self._command(body, person, channel)
        choices = await self._people.complete(person, channel, command, body.get("options") or {}, body["focused"])
        return {"choices": choices}

    async def click(self, body: Json) -> Json:
        """A button or a select."""
        person, _ = self._who(body)
        message = self._message(body.get("message"), person)
        interaction = await self._people.click(person, message, body["custom_id"], body.get("values") or [])
        return {"interaction": interaction.id, "acknowledged": await self._people.acknowledged(interaction)}

    async def menu(self, body: Json) -> Json:
        """A command of the menu on a message or on a person; `target` is the id."""
        person, channel = self._who(body)
        offered = self._people.menus_for(person, channel)
        command = next((one for one in offered if one["id"] == body.get("command")), None)
        if command is None:
            raise NotSent("That command is not offered here.")
        target = self._world.everybody().get(str(body.get("target"))) or self._message(body.get("target"), person)
        interaction = await self._people.menu(person, channel, command, target)
        return {"interaction": interaction.id, "acknowledged": await self._people.acknowledged(interaction)}

    def _message(self, message_id: object, person: Person) -> Message:
        message = self._world.messages.get(str(message_id))
        if message is None or not self._people.reads(person, message):
            raise NotSent("You do not see that message.")
        return message

    async def submit(self, body: Json) -> Json:
        """A dialog."""
        opened = self._world.interactions.get(body["interaction"])
        if opened is None or opened.person.id != body["person"]:
            raise NotSent("That dialog is not yours.")
        interaction = await self._people.submit(opened, body.get("fields") or {})
        return {"interaction": interaction.id, "acknowledged": await self._people.acknowledged(interaction)}

    async def say(self, body: Json) -> Json:
        """An ordinary message; the bot has no intent to read it."""
        person, channel = self._who(body)
        message = self._people.say(person, channel, str(body.get("content") or ""), tuple(body.get("files") or ()))
        return {"message": message.id}

    async def upload(self, request: web.Request) -> web.Response:
        """A file for an option; its id is the option's value."""
        reader = await request.multipart()
        part = await reader.next()
        if not isinstance(part, BodyPartReader):
            return web.json_response({"words": "A file is wanted."}, status=400)
        name = re.sub(r"[^\w.-]", "_", part.filename or "file")
        file_id = self._world.new_id()
        self._world.files[file_id] = (name, bytes(await part.read(decode=False)))
        return web.json_response({"id": file_id, "name": name})

    def _who(self, body: Json) -> tuple[Person, Channel]:
        person, channel = (
            self._world.people.get(str(body.get("person"))),
            self._world.channels.get(str(body.get("channel"))),
        )
        if person is None or channel is None or not self._world.sees(person, channel):
            raise NotSent("There is no such person or channel.")
        return person, channel

    def _command(self, body: Json, person: Person, channel: Channel) -> Json:
        offered = self._people.commands_for(person, channel)
        found = next((command for command in offered if command["name"] == body.get("command")), None)
        if found is None:
            raise NotSent("That command is not offered here.")
        return found


def _channel(channel: Channel) -> Json:
    return {
        "id": channel.id,
        "name": channel.name,
        "topic": channel.topic,
        "nsfw": channel.age_restricted,
        "private": channel.moderators_only,
        "guild": channel.guild and channel.guild.id,
        "parent": channel.parent and channel.parent.id,
        "type": channel.json()["type"],
    }


def _telling(handler: Any) -> Any:
    async def answer(request: web.Request) -> web.Response:
        try:
            return web.json_response(await handler(await request.json()))
        except NotSent as reason:
            return web.json_response({"words": str(reason)}, status=400)

    return answer


async def _forward(news: "asyncio.Queue[Json]", socket: web.WebSocketResponse) -> None:
    while True:
        await socket.send_json(await news.get())
