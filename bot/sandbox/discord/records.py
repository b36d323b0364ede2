"""What happens: messages, interactions, calls, and the ids and times of it all."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from bot.sandbox.discord.people import Json, Person

EPOCH_MS = 1_420_070_400_000


def snowflake_time(snowflake: str) -> float:
    """Return when a snowflake was made, in seconds since 1970."""
    return ((int(snowflake) >> 22) + EPOCH_MS) / 1000


def stamp(when: float) -> str:
    """Return a time as Discord writes it."""
    return datetime.fromtimestamp(when, UTC).isoformat()


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
