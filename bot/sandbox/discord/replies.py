"""Answers to interactions: the callback, @original, followups, by their token alone."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from bot.sandbox.discord.dialogs import dialog_faults
from bot.sandbox.discord.faults import json_answer
from bot.sandbox.discord.interactions import AUTOCOMPLETE, COMMAND, COMPONENT, MODAL, People
from bot.sandbox.discord.options import MESSAGE_MENU, SLASH, USER_MENU, choice_faults
from bot.sandbox.discord.people import Json
from bot.sandbox.discord.posting import EPHEMERAL, Files, Posting, Refused, invalid, read
from bot.sandbox.discord.records import Interaction, Message
from bot.sandbox.discord.world import ACK_S, TOKEN_LIFE_S, World

Handler = Callable[[web.Request], Awaitable[web.Response]]

_ALLOWED = {COMMAND: (4, 5, 9), COMPONENT: (4, 5, 6, 7, 9), MODAL: (4, 5, 6, 7), AUTOCOMPLETE: (8,)}
"""What each type of interaction may be answered with; 6 and 7 want a message that was clicked."""


class Replies:
    """The handlers."""

    def __init__(self, world: World, people: People, posting: Posting) -> None:
        self._world, self._people, self._posting = world, people, posting

    def routes(self) -> list[tuple[str, str, Handler]]:
        """Return method, path below /api/v10 and handler."""
        own = "/webhooks/{webhook_id}/{webhook_token}"
        return [
            ("POST", "/interactions/{interaction_id}/{interaction_token}/callback", self.callback),
            ("POST", own, self.followup),
            ("GET", own + "/messages/@original", self.webhook_message),
            ("PATCH", own + "/messages/@original", self.edit_webhook_message),
            ("DELETE", own + "/messages/@original", self.delete_webhook_message),
            ("GET", own + "/messages/{message_id}", self.webhook_message),
            ("PATCH", own + "/messages/{message_id}", self.edit_webhook_message),
            ("DELETE", own + "/messages/{message_id}", self.delete_webhook_message),
        ]

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
        body, files = await read(request)
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
        world, source = self._world, interaction.source
        if kind not in _ALLOWED[interaction.type] or (kind in (6, 7) and source is None):
            raise invalid([(("type",), "BASE_TYPE_CHOICES", "Value is not allowed here.")])
        if kind in (4, 5):
            message = self._reply(interaction, ephemeral=bool((data.get("flags") or 0) & EPHEMERAL))
            message.loading = kind == 5
            if kind == 4:
                self._posting.fill(message, data, files, webhook=True)
            interaction.original = message.id
            self._posting.post(message)
            return {"type": 4, "message": message.json()} if kind == 4 else None
        if kind in (6, 7) and source is not None:
            interaction.original = source.id
            if kind == 6:
                return None
            self._posting.change(source, data, files)
            return {"type": 7, "message": source.json()}
        if kind == 8 and (faults := choice_faults(data)):
            raise invalid(faults)
        if kind == 9:
            if faults := dialog_faults(data):
                raise invalid(faults)
            shown = {"interaction": interaction.id, "channel": interaction.channel_id, "modal": data}
            world.tell("MODAL", shown, interaction.person.id)
        interaction.answer = {"type": kind, "data": data}
        return None

    def _reply(self, interaction: Interaction, *, ephemeral: bool) -> Message:
        world = self._world
        return Message(
            world.new_id(),
            interaction.channel_id,
            world.bot.user(),
            flags=EPHEMERAL if ephemeral else 0,
            type=_message_type(interaction),
            only_for=interaction.person.id if ephemeral else None,
            interaction=self._metadata(interaction),
            application_id=world.application_id,
        )

    def _metadata(self, interaction: Interaction) -> Json:
        guild = self._world.channels[interaction.channel_id].guild
        data: Json = {
            "id": interaction.id,
            "type": interaction.type,
            "user": interaction.person.user(),
            "authorizing_integration_owners": {"0": guild.id if guild is not None else "0"},
        }
        if interaction.opener is not None:
            return data | {"triggering_interaction_metadata": self._metadata(interaction.opener)}
        if interaction.source is not None:
            return data | {"interacted_message_id": interaction.source.id}
        target = interaction.payload.get("target_id")
        if interaction.payload.get("type") == MESSAGE_MENU:
            return data | {"target_message_id": target}
        if interaction.payload.get("type") == USER_MENU:
            return data | {"target_user": self._world.everybody()[str(target)].user()}
        return data

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
        ours = (
            message is not None
            and not message.deleted
            and (message.application_id == self._world.application_id or message is interaction.source)
        )
        if message is None or not ours:
            raise Refused(404, 10008, "Unknown Message")
        return message

    async def webhook_message(self, request: web.Request) -> web.Response:
        """GET a reply."""
        return json_answer(self._webhook_target(request).json())

    async def edit_webhook_message(self, request: web.Request) -> web.Response:
        """PATCH a reply."""
        message = self._webhook_target(request)
        body, files = await read(request)
        self._posting.change(message, body, files)
        return json_answer(message.json())

    async def delete_webhook_message(self, request: web.Request) -> web.Response:
        """DELETE a reply."""
        self._posting.delete(self._webhook_target(request))
        return web.Response(status=204)

    async def followup(self, request: web.Request) -> web.Response:
        """POST a further reply."""
        interaction = self._webhook(request)
        body, files = await read(request)
        message = self._reply(interaction, ephemeral=bool((body.get("flags") or 0) & EPHEMERAL))
        message.type = 0 if message.type in (20, 23) else message.type
        self._posting.fill(message, body, files, webhook=True)
        self._posting.post(message)
        return json_answer(message.json())


def _message_type(interaction: Interaction) -> int:
    """Return REPLY below a message that was clicked, else CHAT_INPUT_COMMAND or CONTEXT_MENU_COMMAND."""
    if interaction.source is not None:
        return 19
    first = interaction.opener or interaction
    return 20 if first.payload.get("type", SLASH) == SLASH else 23
