"""A file that a member brought, after it was looked at."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """`ending` is by content, without a dot; `transparent` tells of holes in a picture that may serve as a mask."""

    id: str
    ending: str
    data: bytes = field(repr=False)
    transparent: bool = False

    @property
    def filename(self) -> str:
        """The name it has on servers: random, and nothing of the member's."""
        return f"{self.id}.{self.ending}"
