"""People, channels and roles that somebody names: found as Discord's client finds them, sent as Discord sends them."""

import re
from typing import Any

from bot.sandbox.discord.guilds import THREAD, Channel, Guild
from bot.sandbox.discord.people import Json, Person
from bot.sandbox.discord.records import Message
from bot.sandbox.discord.world import World

USER, CHANNEL, ROLE, MENTIONABLE, ATTACHMENT = 6, 7, 8, 9, 11
"""Types of options."""
PICKED = (USER, CHANNEL, ROLE, MENTIONABLE)
OF_SELECT = {5: USER, 6: ROLE, 7: MENTIONABLE, 8: CHANNEL}
"""The option that a select of components is like."""
FILE_UPLOAD = 19

_MENTION = re.compile(r"<(?:@!?|#|@&)(\d+)>")


class NotSent(Exception):
    """Discord's own client would not send this; the text says why."""


class Picks:
    """What one person may name in one channel, and what they have named so far."""

    def __init__(self, world: World, person: Person, channel: Channel) -> None:
        self._world, self._person, self._channel = world, person, channel
        self._guild: Guild | None = channel.guild
        self.resolved: dict[str, dict[str, Json]] = {}

    def pick(self, kind: int, name: str, value: Any, channel_types: list[int] | None = None) -> str:
        """Return the id of a person, channel or role that is given by id, mention or name, and resolve it.

        Raises:
            NotSent: there is none that they see.
        """
        text = str(value).strip()
        mention = _MENTION.fullmatch(text)
        wanted = mention[1] if mention else text
        if kind in (USER, MENTIONABLE) and (person := self._user(wanted)) is not None:
            return self._take_user(person)
        if kind in (ROLE, MENTIONABLE) and (role := self._role(wanted)) is not None:
            return self._take("roles", role["id"], role)
        if kind == CHANNEL and (found := self._seen(wanted, channel_types)) is not None:
            return self._take("channels", found.id, self._partial(found))
        what = {USER: "person", CHANNEL: "channel", ROLE: "role"}.get(kind, "person or role")
        raise NotSent(f"{name}: there is no {what} {text!r} here.")

    def file(self, name: str, value: Any) -> str:
        """Return the id of a file that was uploaded before, and resolve it.

        Raises:
            NotSent: there is no such file.
        """
        file_id = str(value)
        if file_id not in self._world.files:
            raise NotSent(f"{name}: there is no such file.")
        return self._take("attachments", file_id, attachment(self._world, file_id))

    def user(self, person: Person) -> str:
        """Resolve a person."""
        return self._take_user(person)

    def message(self, message: Message) -> str:
        """Resolve a message."""
        return self._take("messages", message.id, message.json())

    def data(self) -> Json:
        """Return the part of an interaction's data that holds what was resolved."""
        return {"resolved": self.resolved} if self.resolved else {}

    def _take(self, what: str, thing_id: str, thing: Json) -> str:
        self.resolved.setdefault(what, {})[thing_id] = thing
        return thing_id

    def _take_user(self, person: Person) -> str:
        self._take("users", person.id, person.user())
        if self._guild is not None and person.standing(self._guild.id) is not None:
            member = self._guild.member(person, permissions=True)
            without = {name: value for name, value in member.items() if name not in ("user", "deaf", "mute")}
            self._take("members", person.id, without)
        return person.id

    def _user(self, wanted: str) -> Person | None:
        everybody = self._world.everybody()
        if wanted in everybody:
            return everybody[wanted]
        name = wanted.removeprefix("@")
        here = list(self._world.members(self._guild)) if self._guild is not None else []
        return next((one for one in here if name in (one.name, one.display)), None)

    def _role(self, wanted: str) -> Json | None:
        roles = self._guild.roles(self._world.bot) if self._guild is not None else []
        return next(
            (one for one in roles if wanted == one["id"] or wanted.lstrip("@") == one["name"].lstrip("@")), None
        )

    def _seen(self, wanted: str, types: list[int] | None) -> Channel | None:
        seen = (
            one
            for one in self._world.channels.values()
            if one.guild is self._guild and one.guild is not None and self._world.sees(self._person, one)
        )
        return next(
            (
                one
                for one in seen
                if wanted.removeprefix("#") in (one.id, one.name) and (not types or one.json()["type"] in types)
            ),
            None,
        )

    def _partial(self, channel: Channel) -> Json:
        whole = channel.json() | {"permissions": str(int(self._world.allowed(self._person, channel)))}
        kept = ["id", "type", "name", "permissions", "flags", "last_message_id", "rate_limit_per_user", "guild_id"]
        if whole["type"] == THREAD:
            kept += ["parent_id", "owner_id", "thread_metadata", "message_count", "member_count", "total_message_sent"]
        else:
            kept += ["parent_id", "nsfw", "topic", "position"]
        return {name: whole[name] for name in kept}


def attachment(world: World, file_id: str) -> Json:
    """Return a file that a person uploaded, as an interaction carries it."""
    name, data = world.files[file_id]
    url = f"{world.base_url}/attachments/0/{file_id}/{name}"
    return {"id": file_id, "filename": name, "size": len(data), "url": url, "proxy_url": url, "ephemeral": True}
