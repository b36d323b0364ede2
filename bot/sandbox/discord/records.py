"""What happens: messages, interactions, calls, and the ids and times of it all."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from bot.sandbox.discord.people import Json, Person

EPOCH_MS = 1_420_070_400_000
TEXT = 10
"""The type of a text among components."""


def snowflake_time(snowflake: str) -> float:
    """Return when a snowflake was made, in seconds since 1970."""
    return ((int(snowflake) >> 22) + EPOCH_MS) / 1000


def stamp(when: float) -> str:
    """Return a time as Discord writes it."""
    return datetime.fromtimestamp(when, UTC).isoformat()


def words_of(content: str, components: list[Json]) -> str:
    """Return what is written in a message: its content, then the texts among its components."""
    found = [content] if content else []
    for item in components:
        found += [item["content"]] if item["type"] == TEXT else [words_of("", item.get("components", []))]
    return "\n".join(part for part in found if part)


@dataclass(slots=True)
class Message:
    """A message; `only_for` is the person who alone sees an ephemeral one."""

    id: str
    channel_id: str
    author: Json
    content: str = ""
    components: list[Json] = field(default_factory=list[Json])
    attachments: list[Json] = field(default_factory=list[Json])
    embeds: list[Json] = field(default_factory=list[Json])
    flags: int = 0
    type: int = 0
    edited: str | None = None
    only_for: str | None = None
    loading: bool = False
    deleted: bool = False
    pings: list[str] = field(default_factory=list[str])
    interaction: Json | None = None
    application_id: str | None = None
    edits: int = 0
    nonce: str | None = None

    @property
    def words(self) -> str:
        """All that is written in it, be it content or the texts of components."""
        return words_of(self.content, self.components)

    def json(self) -> Json:
        """Return the message object."""
        message: Json = {
            "id": self.id,
            "channel_id": self.channel_id,
            "author": self.author,
            "type": self.type,
            "content": self.content,
            "timestamp": stamp(snowflake_time(self.id)),
            "edited_timestamp": self.edited,
            "tts": False,
            "mention_everyone": "everyone" in self.pings,
            "mentions": [],
            "mention_roles": [],
            "attachments": self.attachments,
            "embeds": self.embeds,
            "components": self.components,
            "pinned": False,
            "flags": self.flags | (128 if self.loading else 0),
        }
        if self.interaction is not None:
            message |= {"interaction_metadata": self.interaction}
        if self.application_id is not None:
            message |= {"application_id": self.application_id, "webhook_id": self.application_id}
        return message


@dataclass(slots=True)
class Interaction:
    """One interaction, from the click to the end of its token."""

    id: str
    token: str
    type: int
    person: Person
    channel_id: str
    born: float
    payload: Json
    acked: bool = False
    ephemeral: bool = False
    original: str | None = None
    """The id of the message that @original is."""
    source: Message | None = None
    """The message whose component was used, also below a dialog that it opened."""
    answer: Json | None = None
    """What autocomplete or a modal was answered with."""
    opener: "Interaction | None" = None
    """The interaction whose dialog this one sends."""


@dataclass(slots=True, kw_only=True)
class Call:
    """One REST call, for tests and the curious."""

    method: str
    route: str
    path: str
    status: int
    body: Any = None
    answer: Any = None
    files: int = 0
    at: float = 0.0
