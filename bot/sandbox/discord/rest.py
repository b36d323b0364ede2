"""The routes that a bot calls by its own token, with Discord's checks and codes; paths as in the OpenAPI file."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from bot.sandbox.discord.checks import command_faults
from bot.sandbox.discord.faults import json_answer
from bot.sandbox.discord.guilds import Channel, Guild
from bot.sandbox.discord.interactions import People
from bot.sandbox.discord.options import SLASH
from bot.sandbox.discord.people import Json, Permission
from bot.sandbox.discord.posting import Posting, Refused, invalid, read
from bot.sandbox.discord.records import Message
from bot.sandbox.discord.replies import Replies
from bot.sandbox.discord.world import World

Handler = Callable[[web.Request], Awaitable[web.Response]]


class Rest:
    """The handlers."""

    def __init__(self, world: World, people: People) -> None:
        self._world, self._posting = world, Posting(world)
        self._replies = Replies(world, people, self._posting)

    def routes(self) -> list[tuple[str, str, Handler]]:
        """Return method, path below /api/v10 and handler."""
        message = "/channels/{channel_id}/messages/{message_id}"
        return [
            ("GET", "/users/@me", self.me),
            ("GET", "/oauth2/applications/@me", self.application),
            ("GET", "/applications/@me", self.application),
            ("GET", "/gateway/bot", self.gateway),
            ("POST", "/users/@me/channels", self.open_direct),
            ("GET", "/users/{user_id}", self.user),
            ("GET", "/applications/{application_id}/commands", self.commands),
            ("PUT", "/applications/{application_id}/commands", self.set_commands),
            ("GET", "/guilds/{guild_id}/auto-moderation/rules", self.automod_rules),
            ("GET", "/guilds/{guild_id}/members/{user_id}", self.member),
            ("GET", "/channels/{channel_id}", self.channel),
            ("POST", "/channels/{channel_id}/messages", self.send),
            ("GET", "/channels/{channel_id}/messages", self.channel_messages),
            ("GET", message, self.channel_message),
            ("PATCH", message, self.edit_channel_message),
            ("DELETE", message, self.delete_channel_message),
            *self._replies.routes(),
        ]

    # Who we are

    async def me(self, _request: web.Request) -> web.Response:
        """GET /users/@me."""
        return json_answer(
            self._world.bot.user() | {"mfa_enabled": False, "locale": "en-US", "verified": True, "email": None}
        )

    async def open_direct(self, request: web.Request) -> web.Response:
        """POST /users/@me/channels: the channel of direct messages with a person."""
        body, _ = await read(request)
        person = self._world.people.get(str(body.get("recipient_id")))
        if person is None:
            raise Refused(400, 50033, "Invalid Recipient(s)")
        return json_answer(self._world.direct_channel(person).json() | {"recipients": [person.user()]})

    async def user(self, request: web.Request) -> web.Response:
        """GET /users/{id}."""
        person = self._world.everybody().get(request.match_info["user_id"])
        if person is None:
            raise Refused(404, 10013, "Unknown User")
        return json_answer(person.user())

    async def application(self, _request: web.Request) -> web.Response:
        """GET /oauth2/applications/@me and /applications/@me."""
        world = self._world
        return json_answer(
            {
                "id": world.application_id,
                "name": "Easel",
                "icon": None,
                "description": "",
                "summary": "",
                "type": None,
                "verify_key": "0" * 64,
                "flags": 0,
                "flags_new": "0",
                "bot_public": True,
                "bot_require_code_grant": False,
                "redirect_uris": [],
                "interactions_endpoint_url": None,
                "role_connections_verification_url": None,
                "owner": world.person_named("olive").user(),
                "approximate_guild_count": len(world.guilds),
                "approximate_user_install_count": 0,
                "approximate_user_authorization_count": 0,
                "explicit_content_filter": 0,
                "team": None,
                "eligible_oauth2_scopes": [],
            }
        )

    async def gateway(self, _request: web.Request) -> web.Response:
        """GET /gateway/bot."""
        limit = {"total": 1000, "remaining": 999, "reset_after": 86_400_000, "max_concurrency": 1}
        url = self._world.base_url.replace("http", "ws", 1)
        return json_answer({"url": url, "shards": 1, "session_start_limit": limit})

    # Commands

    async def commands(self, _request: web.Request) -> web.Response:
        """GET /applications/{id}/commands."""
        return json_answer(self._world.commands)

    async def set_commands(self, request: web.Request) -> web.Response:
        """PUT /applications/{id}/commands: all of them at once."""
        body = await request.json()
        if faults := command_faults(body):
            raise invalid(faults)
        world = self._world
        known = {(command["type"], command["name"]): command["id"] for command in world.commands}
        world.commands = [
            {
                "type": SLASH,
                "nsfw": False,
                **_own_fields(command),
                **{name: value for name, value in command.items() if value is not None},
                "default_member_permissions": _permissions(command),
                "id": known.get((command.get("type") or SLASH, command["name"])) or world.new_id(),
                "application_id": world.application_id,
                "version": world.new_id(),
            }
            for command in body
        ]
        world.tell("COMMANDS", {})
        return json_answer(world.commands)

    # Guilds

    async def automod_rules(self, request: web.Request) -> web.Response:
        """GET /guilds/{id}/auto-moderation/rules, for bots that may manage the guild."""
        guild = self._guild(request)
        if Permission.MANAGE_GUILD not in self._world.bot.permissions:
            raise Refused(403, 50013, "Missing Permissions")
        return json_answer([rule for rule in self._world.automod_rules if rule["guild_id"] == guild.id])

    async def member(self, request: web.Request) -> web.Response:
        """GET /guilds/{id}/members/{id}."""
        guild, person = self._guild(request), self._world.everybody().get(request.match_info["user_id"])
        if person is None or person.standing(guild.id) is None:
            raise Refused(404, 10007, "Unknown Member")
        return json_answer(guild.member(person))

    def _guild(self, request: web.Request) -> Guild:
        guild = self._world.guilds.get(request.match_info["guild_id"])
        if guild is None:
            raise Refused(404, 10004, "Unknown Guild")
        return guild

    # Channels, by the bot's own token

    async def channel(self, request: web.Request) -> web.Response:
        """GET /channels/{id}."""
        channel = self._visible_channel(request)
        direct = {} if channel.recipient is None else {"recipients": [self._world.people[channel.recipient].user()]}
        return json_answer(channel.json() | direct)

    async def send(self, request: web.Request) -> web.Response:
        """POST a message."""
        place = self._visible_channel(request)
        channel = place.id
        if place.recipient in self._world.closed_direct:
            raise Refused(403, 50007, "Cannot send messages to this user")
        body, files = await read(request)
        nonce = str(body["nonce"]) if body.get("nonce") is not None else None
        if nonce is not None and body.get("enforce_nonce"):
            for known in self._world.messages.values():
                if known.nonce == nonce and known.channel_id == channel:
                    return json_answer(known.json())
        message = Message(self._world.new_id(), channel, self._world.bot.user(), nonce=nonce)
        self._posting.fill(message, body, files, webhook=False)
        self._posting.post(message)
        return json_answer(message.json())

    def _visible_channel(self, request: web.Request) -> Channel:
        channel = self._world.channels.get(request.match_info["channel_id"])
        if channel is None:
            raise Refused(404, 10003, "Unknown Channel")
        if not self._world.sees(self._world.bot, channel):
            raise Refused(403, 50001, "Missing Access")
        return channel

    def _channel_target(self, request: web.Request) -> Message:
        """Return a message that the channel's own routes know: ephemeral ones they do not."""
        channel = self._visible_channel(request).id
        message = self._world.messages.get(request.match_info["message_id"])
        if message is None or message.deleted or message.channel_id != channel or message.only_for is not None:
            raise Refused(404, 10008, "Unknown Message")
        return message

    async def channel_messages(self, request: web.Request) -> web.Response:
        """GET messages of a channel, newest first: the newest, or those that come right after a given one."""
        channel = self._visible_channel(request).id
        limit, after = int(request.query.get("limit", 50)), int(request.query.get("after", 0))
        seen = [
            message
            for message in self._world.messages.values()
            if message.channel_id == channel and not message.deleted and message.only_for is None
        ]
        seen = sorted((one for one in seen if int(one.id) > after), key=lambda message: int(message.id))
        page = seen[:limit] if after else seen[-limit:]
        return json_answer([message.json() for message in reversed(page)])

    async def channel_message(self, request: web.Request) -> web.Response:
        """GET a message."""
        return json_answer(self._channel_target(request).json())

    async def edit_channel_message(self, request: web.Request) -> web.Response:
        """PATCH a message."""
        message = self._channel_target(request)
        if message.author["id"] != self._world.bot.id:
            raise Refused(403, 50005, "Cannot edit a message authored by another user")
        body, files = await read(request)
        self._posting.change(message, body, files)
        return json_answer(message.json())

    async def delete_channel_message(self, request: web.Request) -> web.Response:
        """DELETE a message."""
        message = self._channel_target(request)
        own = message.author["id"] == self._world.bot.id
        if not own and Permission.MANAGE_MESSAGES not in self._world.bot.permissions:
            raise Refused(403, 50013, "Missing Permissions")
        self._posting.delete(message)
        return web.Response(status=204)


def _own_fields(command: Json) -> Json:
    """Return what Discord adds to a command where the bot says nothing."""
    return {"options": []} if (command.get("type") or SLASH) == SLASH else {"description": ""}


def _permissions(command: Json) -> str | None:
    given = command.get("default_member_permissions")
    return None if given is None else str(given)
