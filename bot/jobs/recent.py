"""Members' own last prompts, offered again while they type: from memory, filled from the store once."""

from collections import OrderedDict
from dataclasses import dataclass

from bot.model.request import Request
from bot.store.shelf import ShelfStore

_MEMBERS, _KEPT = 2000, 25
_TAG = "recent:"
_VALUE = 100
"""Characters of a value that Discord sends back; a longer prompt is sent as the id of its job."""


@dataclass(frozen=True, slots=True)
class Recent:
    """A prompt, and what stands for it as an option's value."""

    prompt: str
    value: str
    adult: bool
    """Whether it was asked for among adults."""


class RecentPrompts:
    """The last prompts of those who were here lately, by (member, guild)."""

    def __init__(self, shelf: ShelfStore) -> None:
        self._shelf = shelf
        self._known: OrderedDict[tuple[int, int], list[Recent]] = OrderedDict()

    async def offered(self, member_id: int, guild_id: int, typed: str, *, adult: bool) -> list[Recent]:
        """Return a member's own last prompts in a guild that hold what was typed, newest first.

        Without `adult` those asked for in channels for adults are left out.
        """
        wanted = typed.casefold()
        fitting = [one for one in await self._of(member_id, guild_id) if adult or not one.adult]
        return [one for one in fitting if wanted in one.prompt.casefold()]

    async def meant(self, member_id: int, guild_id: int, prompt: str) -> str:
        """Return the prompt that an option's value stands for; a prompt stands for itself."""
        if not prompt.startswith(_TAG):
            return prompt
        return next((one.prompt for one in await self._of(member_id, guild_id) if one.value == prompt), prompt)

    async def _of(self, member_id: int, guild_id: int) -> list[Recent]:
        key = (member_id, guild_id)
        if key not in self._known:
            jobs = await self._shelf.prompts(member_id, guild_id, 4 * _KEPT)
            found = {job.request.prompt: job for job in jobs if job.request.prompt}
            self._known[key] = [_recent(job.request, job.id) for job in list(found.values())[:_KEPT]]
            if len(self._known) > _MEMBERS:
                self._known.popitem(last=False)
        self._known.move_to_end(key)
        return self._known[key]

    def note(self, request: Request, job_id: str) -> None:
        """Remember what was just asked for."""
        key = (request.member_id, request.guild_id or 0)
        if request.prompt and key in self._known:
            others = [one for one in self._known[key] if one.prompt != request.prompt]
            self._known[key] = [_recent(request, job_id), *others][:_KEPT]

    def forget(self, member_id: int) -> None:
        """Forget a member, who has erased what was kept of them."""
        for key in [key for key in self._known if key[0] == member_id]:
            del self._known[key]


def _recent(request: Request, job_id: str) -> Recent:
    prompt = request.prompt
    return Recent(prompt, prompt if len(prompt) <= _VALUE else f"{_TAG}{job_id}", request.adult)
