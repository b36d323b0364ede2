"""The one gate: whatever reaches a server or a member passes it and gets a verdict. What goes wrong in it refuses.

Nobody is let in by silence: a check that raises, or takes too long, is a refusal, told and logged.
"""

import asyncio
import functools
import time
from collections import deque
from collections.abc import Awaitable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import structlog

from bot.model.audit import Act, Entry
from bot.model.guild import GuildSettings
from bot.model.job import Job
from bot.model.request import Standing
from bot.model.verdict import Allow, Ask, Hold, HoldReason, Refuse, Verdict
from bot.model.words import Word, WordMode
from bot.moderation.blocklist import Blocklist
from bot.moderation.images import PictureCheck, blurred, worst_score
from bot.moderation.sanctions import Order, Sanctions
from bot.store.audit import AuditStore
from bot.store.guilds import GuildStore, Policy, WordLists

log = structlog.get_logger()

ENTER_S = 1.5
"""Seconds for who comes in: it happens before the acknowledgement, which Discord wants within three."""
REQUEST_S = 20.0
FINISHED_S = 120.0
PREVIEW_S = 5.0
_MINUTE_S = 60.0
_PEOPLE = 10_000
"""Members whose last minute is remembered."""

Found = TypeVar("Found")


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """Who uses a command, a button or a dialog."""

    member_id: int
    guild_id: int | None
    manager: bool = False
    """May manage the guild: its own moderators cannot lock them out."""
    spared: bool = False
    """What they use is open to those who are kept out, such as appeals."""
    counted: bool = True
    """Whether it counts for the pace; what is typed letter by letter does not."""


class Gate:
    """Asks all that there is to ask; every answer is a `Verdict`."""

    def __init__(
        self, guilds: GuildStore, sanctions: Sanctions, audit: AuditStore, check: PictureCheck | None = None
    ) -> None:
        self._guilds, self._sanctions, self._audit, self._check = guilds, sanctions, audit, check
        self._pace = _Pace()

    @property
    def checks_pictures(self) -> bool:
        """Whether the owner has set up a check of pictures."""
        return self._check is not None

    # Who comes in

    async def enter(self, visitor: Visitor) -> Verdict:
        """Judge whether somebody may use Easel here at all."""
        return await _closed(self._enter(visitor), ENTER_S, Refuse(key="refused.check_failed"))

    async def _enter(self, visitor: Visitor) -> Verdict:
        if visitor.guild_id is None:
            return Refuse(key="refused.guild_only")
        settings = await self._guilds.settings(visitor.guild_id)
        if visitor.counted and not self._pace.allows(
            (visitor.guild_id, visitor.member_id), settings.commands_per_minute
        ):
            return Refuse(key="refused.too_fast", facts={"most": settings.commands_per_minute})
        if visitor.spared:
            return Allow()
        return await self._unblocked(visitor.member_id, visitor.guild_id, manager=visitor.manager)

    async def _unblocked(self, member_id: int, guild_id: int, *, manager: bool) -> Verdict:
        block = await self._sanctions.block(member_id, guild_id, manager=manager)
        if block is None:
            return Allow()
        where = "" if block.guild_id == guild_id else "_everywhere"
        if block.expires_at is None:
            return Refuse(key=f"refused.banned{where}")
        return Refuse(key=f"refused.banned_until{where}", facts={"until": int(block.expires_at)})

    # What is asked for

    async def welcome(self, ask: Ask, member_id: int, guild_id: int | None, standing: Standing) -> Verdict:
        """Judge place, ages and template, before anything of a member's is fetched or kept."""
        work = self._welcome(ask, member_id, guild_id, standing)
        return await _closed(work, REQUEST_S, Refuse(key="refused.check_failed"))

    async def _welcome(self, ask: Ask, member_id: int, guild_id: int | None, standing: Standing) -> Verdict:
        if guild_id is None:
            return Refuse(key="refused.guild_only")
        policy = await self._guilds.policy(guild_id)
        settings = policy.settings
        if policy.unreadable:
            return Refuse(key="refused.setting_unreadable", facts={"names": ", ".join(policy.unreadable)})
        refusal = _place(settings, standing) or _age(settings, standing)
        if refusal is None and settings.templates and ask.template not in settings.templates:
            refusal = Refuse(key="refused.template_not_here", facts={"template": ask.template})
        return refusal or await self._unblocked(member_id, guild_id, manager=standing.manager)

    async def request(self, ask: Ask, member_id: int, guild_id: int | None, standing: Standing) -> Verdict:
        """Judge a whole request: everything of it that a member can change, with its files."""
        work = self._request(ask, member_id, guild_id, standing)
        return await _closed(work, REQUEST_S, Refuse(key="refused.check_failed"))

    async def _request(self, ask: Ask, member_id: int, guild_id: int | None, standing: Standing) -> Verdict:
        welcome = await self._welcome(ask, member_id, guild_id, standing)
        if not isinstance(welcome, Allow) or guild_id is None:
            return welcome
        policy = await self._guilds.policy(guild_id)
        words = await self.texts(policy, (*ask.texts, *(ask.negatives if policy.settings.check_negative else ())))
        if words and words[0].mode is not WordMode.HOLD:
            return await self._word_refused(words[0], ask, member_id, guild_id)
        score = await self._score(policy.settings, ask.pictures, adult=standing.adult_channel)
        if _reaches(score, policy.settings.picture_block):
            await self._note(Act.REFUSED, member_id, guild_id, rule="picture", score=f"{score:.2f}")
            return Refuse(key="refused.picture_rule")
        if words:
            return Hold(reason=HoldReason.WORDS)
        if _reaches(score, policy.settings.picture_hold):
            return Hold(reason=HoldReason.PICTURE)
        return await self._reviewed(policy.settings, member_id, guild_id, standing)

    async def _reviewed(self, settings: GuildSettings, member_id: int, guild_id: int, standing: Standing) -> Verdict:
        """Hold what the guild's review mode holds, whatever it shows."""
        match settings.review:
            case "all":
                return Hold(reason=HoldReason.ALL)
            case "newcomers" if _is_younger(standing.joined_at, settings.newcomer_age):
                return Hold(reason=HoldReason.NEWCOMER)
            case "newcomers" | "suspected" if await self._sanctions.strikes(member_id, guild_id):
                return Hold(reason=HoldReason.SUSPECTED)
            case _:
                return Allow()

    async def texts(self, policy: Policy, texts: Iterable[str]) -> tuple[Word, ...]:
        """Return the listed words that texts hold, the severest first."""
        blocklist = compiled(policy.lists)
        found = await asyncio.to_thread(lambda: [word for text in texts for word in blocklist.hits(text)])
        return tuple(sorted(found, key=lambda word: _SEVERITY[word.mode]))

    async def text(self, text: str, guild_id: int, *, negative: str | None = None) -> Verdict:
        """Judge a text by itself, such as one that moderators did not write and members will read.

        `negative`: a negative prompt beside it, which counts where the guild checks those.
        """

        async def work() -> Verdict:
            policy = await self._guilds.policy(guild_id)
            avoided = (negative,) if negative and policy.settings.check_negative else ()
            words = await self.texts(policy, (text, *avoided))
            return Refuse(key="refused.word_rule") if words else Allow()

        return await _closed(work(), REQUEST_S, Refuse(key="refused.check_failed"))

    async def tellable(self, texts: Collection[str], guild_id: int) -> frozenset[str]:
        """Return those of some old texts that may be told here again: the list may have grown. In doubt, none."""

        async def work() -> frozenset[str]:
            blocklist = compiled((await self._guilds.policy(guild_id)).lists)
            return await asyncio.to_thread(lambda: frozenset(text for text in texts if not blocklist.hits(text)))

        return await _closed(work(), ENTER_S, frozenset[str]())

    async def _word_refused(self, word: Word, ask: Ask, member_id: int, guild_id: int) -> Verdict:
        """Refuse, with what kind of rule it was; the entry itself only the audit trail tells."""
        facts = {"rule": "words", "entry": word.text, "template": ask.template, "asked": "\n".join(ask.texts)}
        await self._note(Act.REFUSED, member_id, guild_id, **facts)
        key = "refused.word_rule"
        if word.mode is WordMode.STRIKE:
            order = Order(guild_id=guild_id, member_id=member_id, by_id=None, reason=word.reason or "words")
            await self._sanctions.strike(order)
            key = "refused.word_strike"
        policy = await self._guilds.policy(guild_id)
        if word.reason and not compiled(policy.lists).hits(word.reason):
            return Refuse(key=f"{key}_kind", facts={"kind": word.reason})
        return Refuse(key=key)

    async def _note(self, act: Act, member_id: int, guild_id: int, **facts: str) -> None:
        await self._audit.add(Entry(guild_id=guild_id, act=act, at=time.time(), target_id=member_id, facts=facts))

    # What was made

    async def begins(self, job: Job) -> Verdict:
        """Judge once more what was asked for, before a machine gets it: lists and people may have changed meanwhile."""
        return await _closed(self._begins(job), FINISHED_S, Refuse(key="failure.unjudged"))

    async def _begins(self, job: Job) -> Verdict:
        request = job.request
        policy = await self._readable(request.guild_id)
        asked = [request.prompt, *(str(value) for value in request.values.values())]
        asked += [request.negative] if request.negative and policy.settings.check_negative else []
        words = await self.texts(policy, asked)
        blocked = await self._sanctions.block(request.member_id, request.guild_id or 0)
        if blocked or (words and words[0].mode is not WordMode.HOLD):
            await self._note(Act.BLOCKED, request.member_id, request.guild_id or 0, rule="words" if words else "block")
            return Refuse(key="failure.blocked")
        return Allow()

    async def finished(self, job: Job, made: Sequence[tuple[str, bytes]], texts: Sequence[str] = ()) -> Verdict:
        """Judge what a job has made: every picture, frames of every video, every text. The worst one counts."""
        return await _closed(self._finished(job, made, texts), FINISHED_S, Refuse(key="failure.unjudged"))

    async def _finished(self, job: Job, made: Sequence[tuple[str, bytes]], texts: Sequence[str]) -> Verdict:
        policy = await self._readable(job.request.guild_id)
        settings = policy.settings
        if await self._sanctions.block(job.request.member_id, job.request.guild_id or 0):
            return Refuse(key="failure.blocked")  # kept out since it was asked for
        words = await self.texts(policy, texts)
        score = await self._score(settings, made, adult=job.request.adult)
        if (words and words[0].mode is not WordMode.HOLD) or _reaches(score, settings.picture_block):
            facts = {"rule": "words" if words else "picture", "score": f"{score:.2f}"}
            entry = Entry(
                guild_id=job.request.guild_id or 0,
                act=Act.BLOCKED,
                at=time.time(),
                target_id=job.request.member_id,
                job_id=job.id,
                facts=facts,
            )
            await self._audit.add(entry)
            return Refuse(key="failure.blocked")
        flagged = settings.spoilers == "flagged" and _reaches(score, settings.picture_spoiler)
        spoiler = flagged or settings.spoilers == "all"
        reason = _held(job, settings, score, words)
        return Allow(spoiler=spoiler) if reason is None else Hold(reason=reason, spoiler=spoiler)

    async def preview(self, job: Job, picture: bytes) -> bytes | None:
        """Return what may be shown of a preview: itself, a blur of it, or nothing."""
        return await _closed(self._preview(job, picture), PREVIEW_S, None)

    async def _preview(self, job: Job, picture: bytes) -> bytes | None:
        settings = (await self._readable(job.request.guild_id)).settings
        if settings.previews == "off" or _held(job, settings, 0.0, ()) is not None or settings.spoilers == "all":
            return None
        if settings.previews == "blurred":
            return await asyncio.to_thread(blurred, picture)
        score = await self._score(settings, (("preview.png", picture),), adult=job.request.adult)
        limits = [one for one in (settings.picture_spoiler, settings.picture_hold, settings.picture_block) if one]
        return None if limits and score >= min(limits) else picture

    async def keeps_metadata(self, job: Job) -> bool:
        """Tell whether a job's pictures may say how they were made."""

        async def work() -> bool:
            return (await self._readable(job.request.guild_id)).settings.metadata

        return await _closed(work(), REQUEST_S, refusal=False)

    async def _readable(self, guild_id: int | None) -> Policy:
        """Return what a guild decided; raise if a part of it cannot be read, which no default can stand for."""
        policy = await self._guilds.policy(guild_id or 0)
        if policy.unreadable:
            raise ValueError(f"unreadable settings: {policy.unreadable}")
        return policy

    async def _score(self, settings: GuildSettings, files: Sequence[tuple[str, bytes]], *, adult: bool) -> float:
        """Return the worst score of files; 0 where nothing is judged."""
        if self._check is None or (adult and not settings.check_adult_channels):
            return 0.0
        scores = [await worst_score(self._check, name, data) for name, data in files]
        return max((score for score in scores if score is not None), default=0.0)


_SEVERITY: Mapping[WordMode, int] = {WordMode.STRIKE: 0, WordMode.REFUSE: 1, WordMode.HOLD: 2}


@functools.lru_cache(maxsize=64)
def compiled(lists: WordLists) -> Blocklist:
    """Return the compiled form of lists; made once for each state of them."""
    return Blocklist(lists.words, lists.allowed)


async def _closed(work: Awaitable[Found], limit_s: float, refusal: Found) -> Found:
    """Return what a check says, or the refusal: for whatever goes wrong in it, and for silence."""
    try:
        async with asyncio.timeout(limit_s):
            return await work
    except Exception:  # a check that fails refuses, whatever failed; the log has it in full
        log.exception("gate.check_failed")
        return refusal


def _place(settings: GuildSettings, standing: Standing) -> Refuse | None:
    if not settings.channels or settings.channels & standing.place_ids:
        return None
    return Refuse(key="refused.not_in_this_channel")


def _age(settings: GuildSettings, standing: Standing) -> Refuse | None:
    """Refuse accounts and memberships that are too young; one whose age nobody knows is."""
    for born, least, what in (
        (standing.born_at, settings.account_age, "account"),
        (standing.joined_at, settings.membership_age, "membership"),
    ):
        if least and _is_younger(born, least):
            if born is None:
                return Refuse(key=f"refused.{what}_unknown")
            return Refuse(key=f"refused.{what}_too_young", facts={"when": int(born + least)})
    return None


def _is_younger(since: float | None, least_s: float) -> bool:
    return since is None or time.time() - since < least_s


def _held(job: Job, settings: GuildSettings, score: float, words: tuple[Word, ...]) -> HoldReason | None:
    """Return why something finished is held: by what was settled when it was asked for, or by what it is."""
    if job.hold is not None:
        return job.hold
    if words:
        return HoldReason.WORDS
    if _reaches(score, settings.picture_hold):
        return HoldReason.PICTURE
    if settings.review == "all":
        return HoldReason.ALL
    if settings.review in ("newcomers", "suspected") and _reaches(score, settings.picture_spoiler):
        return HoldReason.SUSPECTED
    return None


def _reaches(score: float, threshold: float) -> bool:
    return 0 < threshold <= score


class _Pace:
    """How often members used something in the last minute."""

    def __init__(self) -> None:
        self._times: dict[tuple[int, int], deque[float]] = {}

    def allows(self, who: tuple[int, int], most: int) -> bool:
        """Count a use; False if that is more than `most` in a minute."""
        now = time.monotonic()
        times = self._times.pop(who, None) or deque[float]()
        self._times[who] = times  # the last to come is the last to be forgotten
        while len(self._times) > _PEOPLE:
            del self._times[next(iter(self._times))]
        while times and now - times[0] > _MINUTE_S:
            times.popleft()
        if len(times) >= most:
            return False
        times.append(now)
        return True
