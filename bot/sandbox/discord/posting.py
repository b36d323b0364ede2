"""What becomes of a message that a bot sends or changes: Discord's checks and codes, its files, its components."""

import io
import json
import re
from typing import Any

from aiohttp import BodyPartReader, MultipartReader, web
from PIL import Image, UnidentifiedImageError

from bot.sandbox.discord.checks import CONTENT, V2, Fault, message_faults, nested, pings, walked
from bot.sandbox.discord.components import Missing, completed
from bot.sandbox.discord.faults import refusal
from bot.sandbox.discord.people import Json
from bot.sandbox.discord.records import TEXT, Message, stamp
from bot.sandbox.discord.world import World

Files = dict[int, tuple[str, bytes]]

BODY = web.RequestKey("body", object)
FILES = web.RequestKey("files", int)
"""What a request held, kept for the record of calls."""

EPHEMERAL = 64
_TOTAL = 25 * 2**20
_V2_BYTES, _V2_EACH = 10_170, 12
"""UTF-8 bytes of all texts and 12 for each: beyond, Discord answers 500 (discord-api-docs#8554, open)."""


class Refused(Exception):
    """A request that Discord refuses."""

    def __init__(self, status: int, code: int, message: str, errors: Json | None = None) -> None:
        super().__init__(message)
        self.answer = refusal(status, code, message, errors)


def invalid(faults: list[Fault]) -> Refused:
    """Return the refusal of a body with faults."""
    return Refused(400, 50035, "Invalid Form Body", nested(faults))


class Posting:
    """Fills, changes and deletes messages."""

    def __init__(self, world: World) -> None:
        self._world = world

    def delete(self, message: Message) -> None:
        """Delete a message."""
        message.deleted = True
        self._world.tell("MESSAGE_DELETE", {"id": message.id, "channel": message.channel_id}, message.only_for)

    def change(self, message: Message, body: Json, files: Files) -> None:
        """Change a message; a first change ends its `is thinking`."""
        if message.loading:
            message.loading = False
        else:
            message.edited = stamp(self._world.now())
        message.edits += 1
        self.fill(message, body, files, webhook=True)
        self._world.show(message, "MESSAGE_UPDATE")

    def post(self, message: Message) -> None:
        """Show a new message."""
        self._world.messages[message.id] = message
        self._world.show(message, "MESSAGE_CREATE")

    def fill(self, message: Message, body: Json, files: Files, *, webhook: bool) -> None:
        """Give a message what a body holds, or refuse all of it."""
        names = [name for name, _ in files.values()]
        flags = message.flags | (body.get("flags") or 0)  # once v2, always v2
        if flags & V2:  # what a message has had before must be taken away by name: `content: null`
            kept = {"content": message.content, "embeds": message.embeds}
            body = {**{name: value for name, value in kept.items() if value}, **body}
        if faults := message_faults({**body, "flags": flags}, names):
            raise invalid(faults)
        if flags & V2 and _weight(body.get("components") or []) > _V2_BYTES:
            raise Refused(500, 0, "500: Internal Server Error")
        if any(len(data) > self._world.upload_limit for _, data in files.values()):
            raise Refused(413, 40005, "Request entity too large")
        if sum(len(data) for _, data in files.values()) > _TOTAL:
            raise Refused(413, 40005, "Request entity too large")
        attachments = self._attachments(message, body, files)
        content = message.content if body.get("content", ...) is ... else body["content"] or ""
        components = message.components if body.get("components") is None else _completed(body, attachments)
        embeds = message.embeds if body.get("embeds", ...) is ... else body["embeds"] or []
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
                raise invalid([(("attachments",), "ATTACHMENT_NOT_FOUND", "No such file.")])
            name, data = files[int(entry["id"])]
            name = re.sub(r"[^\w.-]", "_", str(entry.get("filename") or name))
            file_id = world.new_id()
            world.files[file_id] = (name, data)
            url = f"{world.base_url}/attachments/{message.channel_id}/{file_id}/{name}"
            made: Json = {"id": file_id, "filename": name, "size": len(data), "url": url, "proxy_url": url}
            made |= {"description": entry["description"]} if entry.get("description") else {}
            result.append(made | dimensions(data))
        return result


def _weight(components: list[Json]) -> int:
    texts = [item["content"] for item in walked(components) if item["type"] == TEXT]
    return sum(len(text.encode()) + _V2_EACH for text in texts)


def _completed(body: Json, attachments: list[Json]) -> list[Json]:
    try:
        return completed(body["components"], attachments)
    except Missing as missing:
        raise invalid([missing.fault]) from None


def dimensions(data: bytes) -> Json:
    """Return what Discord says of a file's content: its type, and a picture's sides."""
    try:
        with Image.open(io.BytesIO(data)) as picture:
            kind = Image.MIME.get(picture.format or "", "application/octet-stream")
            return {"width": picture.width, "height": picture.height, "content_type": kind}
    except (UnidentifiedImageError, OSError):
        return {"content_type": "application/octet-stream"}


async def read(request: web.Request) -> tuple[Json, Files]:
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
