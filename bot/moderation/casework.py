"""Cases, from where they are opened to what a decision does: posted for moderators, decided once, told to members."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import structlog

from bot.delivery.package import Attachment, pack
from bot.errors import EaselError, RequestError
from bot.model.audit import Act, Entry
from bot.model.case import Case, CaseKind, Decision, Outcome
from bot.model.guild import DAY_S, HOUR_S
from bot.model.job import Job
from bot.moderation.policy import Gate
from bot.moderation.sanctions import Order, Sanctions
from bot.replies.cards import CardMaker
from bot.replies.case_words import case_words
from bot.replies.catalogue import text
from bot.replies.courier import Courier, CourierError
from bot.store.audit import AuditStore
from bot.store.cases import CaseStore, Decided, Opened, Settled
from bot.store.guilds import GuildStore
from bot.store.jobs import JobStore

log = structlog.get_logger()

UPLOAD_LIMIT = 10 * 2**20
"""Bytes of one file in a moderators' channel: what every guild may upload."""
REPORTS_AN_HOUR = 5
DISMISSED_MOST = 3
DISMISSED_WITHIN_S = 7 * DAY_S
"""Who had this many reports dismissed lately has to wait: moderators' time is not a toy."""
APPEAL_AGAIN_S = DAY_S


class Casework:
    """Opens, shows and settles cases."""

    def __init__(
        self,
        gate: Gate,
        sanctions: Sanctions,
        cases: CaseStore,
        guilds: GuildStore,
        jobs: JobStore,
        audit: AuditStore,
        courier: Courier,
    ) -> None:
        self.gate, self._audit = gate, audit
        self._sanctions, self._cases, self._guilds, self._jobs = sanctions, cases, guilds, jobs
        self._courier = courier
        self.on_step: Callable[[Job], None] = lambda _job: None

    # Opening

    async def post_held(self, job: Job, made: Sequence[tuple[str, bytes]]) -> None:
        """Show a held job's pictures in the guild's review channel, veiled; without one, `/mod review` has it."""
        case = await self._cases.of_job(job.id, CaseKind.HELD)
        if case is None or case.message_id is not None or case.outcome is not None:
            return
        settings = await self._guilds.settings(case.guild_id)
        parcel = await pack(
            made, stem=f"case-{case.number}", alt="", upload_limit=UPLOAD_LIMIT, metadata=False, spoiler=True
        )
        await self._post(case, job, settings.review_channel, parcel.files)

    async def report(self, job: Job, reporter_id: int, reason: str) -> Opened:
        """Take a member's report of a picture: a case of its own, or one more voice in the open one.

        Raises:
            RequestError: they report too much, or had too many reports dismissed.
        """
        guild_id, now = job.request.guild_id or 0, time.time()
        if await self._cases.dismissed_of(reporter_id, guild_id, now - DISMISSED_WITHIN_S) >= DISMISSED_MOST:
            raise RequestError("refused.reports_dismissed")
        if await self._cases.reports_of(reporter_id, guild_id, now - HOUR_S) >= REPORTS_AN_HOUR:
            raise RequestError("refused.reports_too_many")
        opened = await self._cases.report(job, reporter_id, reason, now)
        if opened.new:
            settings = await self._guilds.settings(guild_id)
            files = [replace(one, spoiler=True) for one in await self._courier.pictures(job)]
            await self._post(opened.case, job, settings.report_channel, files)
        elif opened.joined:
            await self._update(opened.case, job)
        return opened

    async def appeal(self, guild_id: int, member_id: int, reason: str) -> Opened:
        """Take an appeal: one at a time, and after a decision one a day.

        Raises:
            RequestError: there is nothing to appeal against, or it is too soon.
        """
        record = await self._sanctions.record(member_id, guild_id)
        if not record.strikes and (record.block is None or record.block.guild_id != guild_id):
            raise RequestError("refused.nothing_to_appeal")
        last = await self._cases.last_appeal(guild_id, member_id)
        if last is not None and last.decided_at is not None and time.time() - last.decided_at < APPEAL_AGAIN_S:
            raise RequestError("refused.appeal_too_soon", when=int(last.decided_at + APPEAL_AGAIN_S))
        opened = await self._cases.appeal(guild_id, member_id, reason, time.time())
        if opened.new:
            settings = await self._guilds.settings(guild_id)
            channel = settings.report_channel or settings.review_channel
            await self._post(opened.case, None, channel, ())
        return opened

    async def _post(self, case: Case, job: Job | None, channel_id: int, files: Sequence[Attachment]) -> None:
        """Show a case to moderators; one that cannot be shown waits in `/mod review`, and the log says why."""
        if not channel_id:
            return
        locale = self._locale(case, job)
        try:
            message_id = await self._courier.post_case(channel_id, case, case_words(case, job, locale), files, locale)
        except CourierError as fault:
            log.warning("case.not_posted", case=case.number, guild=case.guild_id, channel=channel_id, fault=str(fault))
            return
        await self._cases.posted(case, channel_id, message_id)

    # Looking

    async def waiting(self, guild_id: int) -> list[Case]:
        """Return what waits for a decision in a guild, the oldest first."""
        return await self._cases.waiting(guild_id)

    async def case(self, guild_id: int, number: int) -> tuple[Case, Job | None]:
        """Return a case of a guild, and the job it is about if that is still known.

        Raises:
            RequestError: there is no such case here.
        """
        case = await self._cases.get(guild_id, number)
        if case is None:
            raise RequestError("refused.no_case", number=number)
        return case, await self._jobs.get(case.job_id) if case.job_id else None

    async def pictures(self, case: Case) -> tuple[Attachment, ...]:
        """Return the pictures of a held case, veiled; they are kept here until it is decided."""
        results = await self._jobs.results(case.job_id or "") if case.kind is CaseKind.HELD else []
        made = [(one.filename, one.data) for one in results if one.data is not None]
        parcel = await pack(
            made, stem=f"case-{case.number}", alt="", upload_limit=UPLOAD_LIMIT, metadata=False, spoiler=True
        )
        return parcel.files

    # Deciding

    async def decide(self, decided: Decided) -> tuple[Settled, Job | None]:
        """Settle a case: the first decision counts, later ones are shown what it was.

        Raises:
            RequestError: there is no such case here.
        """
        settled = await self._jobs.decide(decided)
        if settled is None:
            raise RequestError("refused.no_case", number=decided.number)
        case = settled.case
        job = await self._jobs.get(case.job_id) if case.job_id else None
        if settled.won:
            log.info("case.decided", case=case.number, guild=case.guild_id, outcome=case.outcome, by=decided.by_id)
            await self._carry_out(decided, case, job)
        await self._update(case, job)
        return settled, job

    def _locale(self, case: Case, job: Job | None) -> str:
        return self._guilds.locale(case.guild_id, job.request.guild_locale if job else "en-US")

    async def _update(self, case: Case, job: Job | None) -> None:
        locale = self._locale(case, job)
        await self._courier.update_case(case, case_words(case, job, locale), locale)

    async def _carry_out(self, decided: Decided, case: Case, job: Job | None) -> None:
        if job is not None and case.kind is CaseKind.HELD and case.outcome is not Outcome.OVERTAKEN:
            self.on_step(job)
        if job is not None and case.outcome is Outcome.REMOVED:
            await self.take_away(job)
        if case.member_id is None:
            return
        order = Order(
            guild_id=case.guild_id,
            member_id=case.member_id,
            by_id=decided.by_id,
            reason=decided.reason or f"#{case.number}",
            case=case.number,
        )
        match decided.decision:
            case Decision.REJECT_STRIKE | Decision.REMOVE_STRIKE:
                await self._sanctions.strike(order)
            case Decision.REMOVE_BAN:
                await self._sanctions.ban(order, None)
            case Decision.GRANT | Decision.UPHOLD:
                await self._answer_appeal(order, granted=decided.decision is Decision.GRANT)
            case _:
                return

    async def _answer_appeal(self, order: Order, *, granted: bool) -> None:
        if granted:
            await self._sanctions.lift_all(order)
        locale = self._guilds.locale(order.guild_id)
        await self._courier.notify(order.member_id, text("told.granted" if granted else "told.upheld", locale))

    async def note(self, act: Act, job: Job, by_id: int) -> None:
        """Keep in the trail what a moderator did to somebody's job outside a case."""
        request = job.request
        entry = Entry(
            guild_id=request.guild_id or 0,
            act=act,
            at=time.time(),
            actor_id=by_id,
            target_id=request.member_id,
            job_id=job.id,
        )
        await self._audit.add(entry)

    async def take_away(self, job: Job) -> None:
        """Take a job's pictures away from where they are shown; its buttons have nothing to work with any more."""
        cards = CardMaker(request=job.request, title=job.request.template, locale=job.address.locale)
        try:
            await self._courier.remove(job, cards.removed())
        except EaselError as fault:
            log.warning("case.not_removed", job=job.id, fault=str(fault))
