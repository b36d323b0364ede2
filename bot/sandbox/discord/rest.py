"""The routes that a bot calls, with Discord's checks and codes. Paths are written as in Discord's OpenAPI file."""

import io
import json
import re
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import BodyPartReader, MultipartReader, web
from PIL import Image, UnidentifiedImageError

from bot.sandbox.discord.checks import CONTENT, command_faults, message_faults, nested, pings
from bot.sandbox.discord.faults import json_answer, refusal
from bot.sandbox.discord.interactions import COMPONENT, People
from bot.sandbox.discord.world import ACK_S, TOKEN_LIFE_S, Interaction, Json, Message, World, stamp

Handler = Callable[[web.Request], Awaitable[web.Response]]
Files = dict[int, tuple[str, bytes]]

BODY = web.RequestKey("body", object)
FILES = web.RequestKey("files", int)
"""What a request held, kept for the record of calls."""

EPHEMERAL = 64
_TOTAL = 25 * 2**20


class Refused(Exception):
    """A request that Discord refuses."""

    def __init__(self, status: int, code: int, message: str, errors: Json | None = None) -> None:
        super().__init__(message)
        self.answer = refusal(status, code, message, errors)


class Rest:
    """The handlers."""

    def __init__(self, world: World, people: People) -> None:
        self._world, self._people = world, people

    def routes(self) -> list[tuple[str, str, Handler]]:
        """Return method, path below /api/v10 and handler."""
        own = "/webhooks/{webhook_id}/{webhook_token}"
        message = "/channels/{channel_id}/messages/{message_id}"
        return [
            ("GET", "/users/@me", self.me),
            ("GET", "/oauth2/applications/@me", self.application),
            ("GET", "/applications/@me", self.application),
            ("GET", "/gateway/bot", self.gateway),
            ("POST", "/users/@me/channels", self.open_direct),
            ("GET", "/applications/{application_id}/commands", self.commands),
            ("PUT", "/applications/{application_id}/commands", self.set_commands),
            ("POST", "/interactions/{interaction_id}/{interaction_token}/callback", self.callback),
            ("POST", own, self.followup),
            ("GET", own + "/messages/@original", self.webhook_message),
            ("PATCH", own + "/messages/@original", self.edit_webhook_message),
            ("DELETE", own + "/messages/@original", self.delete_webhook_message),
            ("GET", own + "/messages/{message_id}", self.webhook_message),
            ("PATCH", own + "/messages/{message_id}", self.edit_webhook_message),
            ("DELETE", own + "/messages/{message_id}", self.delete_webhook_message),
            ("POST", "/channels/{channel_id}/messages", self.send),
            ("GET", "/channels/{channel_id}/messages", self.channel_messages),
            ("GET", message, self.channel_message),
            ("PATCH", message, self.edit_channel_message),
            ("DELETE", message, self.delete_channel_message),
        ]

    # Who we are

    async def me(self, _request: web.Request) -> web.Response:
        """GET /users/@me."""
        return json_answer(
            self._world.bot.user() | {"mfa_enabled": False, "locale": "en-US", "verified": True, "email": None}
        )

    async def open_direct(self, request: web.Request) -> web.Response:
        """POST /users/@me/channels: the channel of direct messages with a person."""
        body, _ = await _read(request)
        person = self._world.people.get(str(body.get("recipient_id")))
        if person is None:
            raise Refused(400, 50033, "Invalid Recipient(s)")
        return json_answer(self._world.direct_channel(person).json("", 0) | {"recipients": [person.user()]})

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
                "approximate_guild_count": 1,
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
            raise Refused(400, 50035, "Invalid Form Body", nested(faults))
        world = self._world
        known = {command["name"]: command["id"] for command in world.commands}
        world.commands = [
            {
                "type": 1,
                "options": [],
                "nsfw": False,
                **{name: value for name, value in command.items() if value is not None},
                "default_member_permissions": _permissions(command),
                "id": known.get(command["name"]) or world.new_id(),
                "application_id": world.application_id,
                "version": world.new_id(),
            }
            for command in body
        ]
        world.tell("COMMANDS", {})
        return json_answer(world.commands)

    # Interactions

    async def callback(self, request: web.Request) -> web.Response:
        """POST the initial response."""
        world = self._world
        interaction = world.interactions.get(request.match_info["interaction_id"])
        if interaction is None or interaction.token != request.match_info["interaction_token"]:
            raise Refused(404, 10062, "Unknown interaction")
        if interaction.acked:
            raise Refused(400, 40060, "Interaction has already been acknowledged.")
        if world.now() - interaction.born > ACK_S:
            raise Refused(404, 10062, "Unknown interaction")
        body, files = await _read(request)
        kind, data = body.get("type"), body.get("data") or {}
        resource = self._respond(interaction, int(kind or 0), data, files)
        interaction.acked = True
        self._people.answered(interaction)
        if "with_response" not in request.query:
            return web.Response(status=204)
        answer: Json = {"id": interaction.id, "type": interaction.type}
        if interaction.original is not None:
            original = world.messages[interaction.original]
            answer |= {
                "response_message_id": original.id,
                "response_message_loading": original.loading,
                "response_message_ephemeral": original.only_for is not None,
            }
        return json_answer({"interaction": answer} | ({"resource": resource} if resource else {}))

    def _respond(self, interaction: Interaction, kind: int, data: Json, files: Files) -> Json | None:
        world = self._world
        if kind in (4, 5):
            ephemeral = bool((data.get("flags") or 0) & EPHEMERAL)
            message = self._reply(interaction, ephemeral=ephemeral)
            message.loading = kind == 5
            if kind == 4:
                self._fill(message, data, files, webhook=True)
            interaction.original = message.id
            world.messages[message.id] = message
            world.show(message, "MESSAGE_CREATE")
            return {"type": 4, "message": message.json()} if kind == 4 else None
        if kind in (6, 7) and interaction.type == COMPONENT and interaction.source is not None:
            interaction.original = interaction.source.id
            if kind == 7:
                self._change(interaction.source, data, files)
                return {"type": 7, "message": interaction.source.json()}
            return None
        if kind in (8, 9):
            interaction.answer = {"type": kind, "data": data}
            if kind == 9:
                world.tell("MODAL", {"interaction": interaction.id, "modal": data}, interaction.person.id)
            return None
        raise Refused(
            400, 50035, "Invalid Form Body", nested([(("type",), "BASE_TYPE_CHOICES", "Value is not allowed here.")])
        )

    def _reply(self, interaction: Interaction, *, ephemeral: bool) -> Message:
        world = self._world
        metadata: Json = {
            "id": interaction.id,
            "type": interaction.type,
            "user": interaction.person.user(),
            "authorizing_integration_owners": {"0": world.guild_id},
        }
        if interaction.source is not None:
            metadata["interacted_message_id"] = interaction.source.id
        return Message(
            world.new_id(),
            interaction.channel_id,
            world.bot.user(),
            flags=EPHEMERAL if ephemeral else 0,
            type=20 if interaction.source is None else 19,
            only_for=interaction.person.id if ephemeral else None,
            interaction=metadata,
            application_id=world.application_id,
        )

    def _webhook(self, request: web.Request) -> Interaction:
        """Return the living, acknowledged interaction of a token."""
        world = self._world
        interaction = world.interaction(request.match_info["webhook_token"])
        if interaction is None or request.match_info["webhook_id"] != world.application_id:
            raise Refused(404, 10015, "Unknown Webhook")
        if world.now() - interaction.born > TOKEN_LIFE_S:
            raise Refused(401, 50027, "Invalid Webhook Token")
        if not interaction.acked:
            raise Refused(404, 10015, "Unknown Webhook")
        return interaction

    def _webhook_target(self, request: web.Request) -> Message:
        interaction = self._webhook(request)
        wanted = request.match_info.get("message_id", interaction.original)
        message = self._world.messages.get(str(wanted))
        ours = message is not None and not message.deleted and message.application_id == self._world.application_id
        if message is None or not ours:
            raise Refused(404, 10008, "Unknown Message")
        return message

    async def webhook_message(self, request: web.Request) -> web.Response:
        """GET a reply."""
        return json_answer(self._webhook_target(request).json())

    async def edit_webhook_message(self, request: web.Request) -> web.Response:
        """PATCH a reply."""
        message = self._webhook_target(request)
        body, files = await _read(request)
        self._change(message, body, files)
        return json_answer(message.json())

    async def delete_webhook_message(self, request: web.Request) -> web.Response:
        """DELETE a reply."""
        self._delete(self._webhook_target(request))
        return web.Response(status=204)

    async def followup(self, request: web.Request) -> web.Response:
        """POST a further reply."""
        interaction = self._webhook(request)
        body, files = await _read(request)
        message = self._reply(interaction, ephemeral=bool((body.get("flags") or 0) & EPHEMERAL))
        message.type = 0 if message.type == 20 else message.type
        self._fill(message, body, files, webhook=True)
        self._world.messages[message.id] = message
        self._world.show(message, "MESSAGE_CREATE")
        return json_answer(message.json())

    # Channels, by the bot's own token

    async def send(self, request: web.Request) -> web.Response:
        """POST a message."""
        channel = self._visible_channel(request)
        body, files = await _read(request)
        nonce = str(body["nonce"]) if body.get("nonce") is not None else None
        if nonce is not None and body.get("enforce_nonce"):
            for known in self._world.messages.values():
                if known.nonce == nonce and known.channel_id == channel:
                    return json_answer(known.json())
        message = Message(self._world.new_id(), channel, self._world.bot.user(), nonce=nonce)
        self._fill(message, body, files, webhook=False)
        self._world.messages[message.id] = message
        self._world.show(message, "MESSAGE_CREATE")
        return json_answer(message.json())

    def _visible_channel(self, request: web.Request) -> str:
        channel = self._world.channels.get(request.match_info["channel_id"])
        if channel is None:
            raise Refused(404, 10003, "Unknown Channel")
        if not self._world.sees(self._world.bot, channel):
            raise Refused(403, 50001, "Missing Access")
        return channel.id

    def _channel_target(self, request: web.Request) -> Message:
        """Return a message that the channel's own routes know: ephemeral ones they do not."""
        channel = self._visible_channel(request)
        message = self._world.messages.get(request.match_info["message_id"])
        if message is None or message.deleted or message.channel_id != channel or message.only_for is not None:
            raise Refused(404, 10008, "Unknown Message")
        return message

    async def channel_messages(self, request: web.Request) -> web.Response:
        """GET messages of a channel, newest first: the newest, or those that come right after a given one."""
        channel = self._visible_channel(request)
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
        body, files = await _read(request)
        self._change(message, body, files)
        return json_answer(message.json())

    async def delete_channel_message(self, request: web.Request) -> web.Response:
        """DELETE a message."""
        message = self._channel_target(request)
        if message.author["id"] != self._world.bot.id:
            raise Refused(403, 50013, "Missing Permissions")
        self._delete(message)
        return web.Response(status=204)

    # Messages

    def _delete(self, message: Message) -> None:
        message.deleted = True
        self._world.tell("MESSAGE_DELETE", {"id": message.id, "channel": message.channel_id}, message.only_for)

    def _change(self, message: Message, body: Json, files: Files) -> None:
        if message.loading:
            message.loading = False
        else:
            message.edited = stamp(self._world.now())
        message.edits += 1
        self._fill(message, body, files, webhook=True)
        self._world.show(message, "MESSAGE_UPDATE")

    def _fill(self, message: Message, body: Json, files: Files, *, webhook: bool) -> None:
        names = [name for name, _ in files.values()]
        if faults := message_faults(body, names):
            raise Refused(400, 50035, "Invalid Form Body", nested(faults))
        if any(len(data) > self._world.upload_limit for _, data in files.values()):
            raise Refused(413, 40005, "Request entity too large")
        if sum(len(data) for _, data in files.values()) > _TOTAL:
            raise Refused(413, 40005, "Request entity too large")
        attachments = self._attachments(message, body, files)
        content = message.content if body.get("content", ...) is ... else body["content"] or ""
        components = message.components if body.get("components") is None else _numbered(body["components"])
        embeds = message.embeds if body.get("embeds") is None else body["embeds"]
        if not (content or attachments or embeds or components):
            raise Refused(400, 50006, "Cannot send an empty message")
        message.attachments, message.content = attachments, content[:CONTENT]
        message.components, message.embeds = components, embeds
        message.flags |= (body.get("flags") or 0) & ~128
        message.pings = pings(content, body.get("allowed_mentions"), webhook=webhook)

    def _attachments(self, message: Message, body: Json, files: Files) -> list[Json]:
        world = self._world
        listed = body.get("attachments")
        if listed is None:
            listed = [*message.attachments, *({"id": index} for index in files)]
        had = {attachment["id"]: attachment for attachment in message.attachments}
        result: list[Json] = []
        for entry in listed:
            if str(entry["id"]) in had:
                result.append(had[str(entry["id"])])
                continue
            if int(entry["id"]) not in files:
                raise Refused(
                    400,
                    50035,
                    "Invalid Form Body",
                    nested([(("attachments",), "ATTACHMENT_NOT_FOUND", "No such file.")]),
                )
            name, data = files[int(entry["id"])]
            name = re.sub(r"[^\w.-]", "_", str(entry.get("filename") or name))
            file_id = world.new_id()
            world.files[file_id] = (name, data)
            url = f"{world.base_url}/attachments/{message.channel_id}/{file_id}/{name}"
            made: Json = {"id": file_id, "filename": name, "size": len(data), "url": url, "proxy_url": url}
            made |= {"description": entry["description"]} if entry.get("description") else {}
            result.append(made | _dimensions(data))
        return result


def _permissions(command: Json) -> str | None:
    given = command.get("default_member_permissions")
    return None if given is None else str(given)


def _numbered(components: list[Json]) -> list[Json]:
    """Give every component the id that Discord gives it."""
    count = 0

    def walk(item: Json) -> Json:
        nonlocal count
        count += 1
        numbered = {**item, "id": item.get("id") or count}
        if "components" in item:
            numbered["components"] = [walk(inside) for inside in item["components"]]
        return numbered

    return [walk(item) for item in components]


def _dimensions(data: bytes) -> Json:
    try:
        with Image.open(io.BytesIO(data)) as picture:
            kind = Image.MIME.get(picture.format or "", "application/octet-stream")
            return {"width": picture.width, "height": picture.height, "content_type": kind}
    except (UnidentifiedImageError, OSError):
        return {"content_type": "application/octet-stream"}


async def _read(request: web.Request) -> tuple[Json, Files]:
    """Read JSON, or a multipart body with `payload_json` and `files[n]`."""
    if not request.content_type.startswith("multipart/"):
        body: Any = await request.json() if request.can_read_body else {}
        request[BODY] = body
        return body, {}
    reader: MultipartReader = await request.multipart()
    payload: Json = {}
    files: Files = {}
    async for part in reader:
        if not isinstance(part, BodyPartReader):
            continue
        data = bytes(await part.read(decode=False))
        if part.name == "payload_json":
            payload = json.loads(data)
        elif found := re.fullmatch(r"files\[(\d+)\]", part.name or ""):
            files[int(found[1])] = (part.filename or "file", data)
    request[BODY], request[FILES] = payload, len(files)
    return payload, files
