"""What members look through: pages of finished pictures that are still there, and one of them with its buttons."""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from bot.delivery.package import Attachment, pack, stem_of
from bot.errors import RequestError
from bot.jobs.library import Library
from bot.jobs.pictures import Attached, Pictures
from bot.model.job import Job
from bot.model.verdict import Allow
from bot.moderation.policy import Gate
from bot.replies.cards import Card, CardMaker, kind_of_name
from bot.replies.courier import Courier
from bot.replies.safe import alt_text
from bot.store.guilds import GuildStore
from bot.store.shelf import Page, ShelfStore, Shown

_ROUNDS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewer:
    """Who looks, and from where."""

    member_id: int
    guild_id: int
    adult: bool
    """Whether they look from a channel that is surely for adults."""
    channel_ids: Collection[int] = ()
    """The channels of the guild that they can see."""


class Viewing:
    """Shows what was made."""

    def __init__(
        self, shelf: ShelfStore, library: Library, pictures: Pictures, gate: Gate, guilds: GuildStore, courier: Courier
    ) -> None:
        self._shelf, self._library, self._pictures = shelf, library, pictures
        self._gate, self._guilds, self._courier = gate, guilds, courier

    async def page(self, book: str, page: int, viewer: Viewer, most: int) -> Page:
        """Return a page of `history` or `gallery`; what was deleted by hand in Discord is noticed here and left out."""
        found = await self._read(book, page, viewer, most)
        for _ in range(_ROUNDS):
            gone = await self._gone(found.items)
            if not gone:
                break
            for job_id in gone:
                await self._shelf.forget(job_id)
            found = await self._read(book, page, viewer, most)
        items = [await self._readable(one, viewer.guild_id) for one in found.items]
        return replace(found, items=tuple(items))

    async def _readable(self, one: Shown, guild_id: int) -> Shown:
        """Return a picture without its words where this guild does not want to read these any more."""
        request = one.job.request
        if isinstance(await self._gate.text(request.prompt, guild_id, negative=request.negative), Allow):
            return one
        return replace(one, job=replace(one.job, request=replace(request, prompt="", negative=None)))

    async def _read(self, book: str, page: int, viewer: Viewer, most: int) -> Page:
        start = page * most
        if book == "gallery":
            return await self._shelf.gallery(
                viewer.guild_id, viewer.channel_ids, adult=viewer.adult, start=start, most=most
            )
        return await self._shelf.history(viewer.member_id, viewer.guild_id, adult=viewer.adult, start=start, most=most)

    async def _gone(self, items: Sequence[Shown]) -> set[str]:
        jobs = {one.job.id: one.job for one in items if not one.job.address.ephemeral}
        answers = await asyncio.gather(*(self._courier.is_gone(job) for job in jobs.values()))
        return {job_id for job_id, gone in zip(jobs, answers, strict=True) if gone}

    async def picked(
        self, job: Job, number: int, locale: str, upload_limit: int, shown: Sequence[Attached] = ()
    ) -> Card:
        """Return one file of a job with its buttons; where the file cannot be had any more, with words instead.

        Raises:
            RequestError: the job has no such file.
        """
        files = await self._shelf.files(job.id)
        chosen = next((one for one in files if one.number == number), None)
        if chosen is None:
            raise RequestError("refused.picture_gone")
        chosen = await self._readable(chosen, job.request.guild_id or 0)
        job = chosen.job
        cards = self._cards(job, locale)
        picture = await self._picture(job, number, upload_limit, shown, metadata=cards.metadata)
        return cards.picked(picture, number, kind_of_name(chosen.filename))

    def _cards(self, job: Job, locale: str) -> CardMaker:
        template = self._library.by_name.get(job.request.template)
        allowed = self._guilds.last_known(job.request.guild_id).templates
        return CardMaker(
            request=job.request,
            title=template.title_in(locale) if template else job.request.template,
            locale=locale,
            job_id=job.id,
            private=job.address.ephemeral,
            offers=self._library.offers(locale, allowed),
            metadata=template is not None and template.manifest.metadata,
        )

    async def _picture(
        self, job: Job, number: int, upload_limit: int, shown: Sequence[Attached], *, metadata: bool
    ) -> Attachment | None:
        try:
            made = await self._pictures.fetch(job, number, shown)
        except RequestError:
            return None
        if kind_of_name(made[0]) != "image":
            return None  # making a video fit takes minutes; it is seen where it was posted
        parcel = await pack(
            [made],
            stem=stem_of(job.id),
            alt=alt_text(job.request.prompt or job.request.template),
            upload_limit=upload_limit,
            metadata=metadata and await self._gate.keeps_metadata(job),
            spoiler=job.spoiler,
        )
        return next(iter(parcel.files), None)
