"""Cases, from where they are opened to what a decision does: posted for moderators, decided once, told to members."""

import time
from collections.abc import Callable, Sequence

import sqlalchemy as sa
import structlog

from bot.delivery.package import Attachment, number_of, pack
from bot.errors import RequestError
from bot.model.audit import Act, Entry
from bot.model.case import Case, CaseKind, Decision, Outcome, Sanction, SanctionKind
from bot.model.guild import DAY_S
from bot.model.job import Job, Result
from bot.moderation.policy import Gate
from bot.moderation.sanctions import Order, Sanctions, lift_all
from bot.replies.cards import CardMaker
from bot.replies.case_words import case_words
from bot.replies.catalogue import text
from bot.replies.courier import CardRefused, Courier, CourierError, FileRefused, OutOfReach, ReplyGone
from bot.replies.safe import alt_text
from bot.store.audit import AuditStore
from bot.store.cases import CaseStore, Consequences, Decided, Opened, Settled
from bot.store.guilds import GuildStore
from bot.store.jobs import JobStore
from bot.store.sanctions import impose

log = structlog.get_logger()

UPLOAD_LIMIT = 10 * 2**20
"""Bytes of one file in a moderators' channel: what every guild may upload."""
REPORTS_AN_HOUR = 5
DISMISSED_MOST = 3
DISMISSED_WITHIN_S = 7 * DAY_S
"""Who had this many reports dismissed lately has to wait: moderators' time is not a toy."""
APPEAL_AGAIN_S = DAY_S
UNPOSTED_S = 10.0
"""Seconds after which a case that no channel shows is posted by whoever leads."""
AGAIN_S = 600.0
"""Seconds that a channel is left alone which refused a case."""


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
        self._tried: dict[tuple[int, int], float] = {}
        """Cases whose channel refused them, and when to try again."""

    # Opening

    async def post_held(self, job: Job) -> None:
        """Show a held job's pictures in the guild's review channel, veiled; without one, `/mod review` has it."""
        case = await self._cases.of_job(job.id, CaseKind.HELD)
        if case is not None:
            await self._post(case, job)

    async def post_unposted(self) -> None:
        """Show moderators what could not be shown when it was opened; a channel that refuses is left alone a while."""
        for case in await self._cases.unposted(time.time() - UNPOSTED_S):
            await self._post(case, await self._jobs.get(case.job_id) if case.job_id else None)

    async def report(self, job: Job, reporter_id: int, reason: str) -> Opened:
        """Take a member's report of a picture: a case of its own, or one more voice in the open one.

        Raises:
            RequestError: they report too much, or had too many reports dismissed.
        """
        guild_id, now = job.request.guild_id or 0, time.time()
        if await self._cases.dismissed_of(reporter_id, guild_id, now - DISMISSED_WITHIN_S) >= DISMISSED_MOST:
            raise RequestError("refused.reports_dismissed")
        opened = await self._cases.report(job, reporter_id, reason, now, REPORTS_AN_HOUR)
        if opened is None:
            raise RequestError("refused.reports_too_many")
        if opened.new:
            await self._keep_evidence(job)
            await self._post(opened.case, job)
        elif opened.joined:
            await self._update(opened.case, job)
        return opened

    async def _keep_evidence(self, job: Job) -> None:
        """Keep a reported picture until the case is decided, whatever becomes of the message."""
        shown = await self._courier.pictures(job)
        kept = {number_of(one.filename) or at: one for at, one in enumerate(shown, 1)}
        found = {number: Result(filename=one.filename, data=one.data) for number, one in kept.items()}
        await self._jobs.keep_evidence(job.id, found)

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
            await self._post(opened.case, None)
        return opened

    async def _post(self, case: Case, job: Job | None) -> None:
        """Show a case to moderators; one that cannot be shown waits in `/mod review`, and is tried again later."""
        key = (case.guild_id, case.number)
        if case.message_id is not None or case.outcome is not None or self._tried.get(key, 0.0) > time.time():
            return
        settings = await self._guilds.settings(case.guild_id)
        own, other = settings.review_channel, settings.report_channel
        channel_id = (own or other) if case.kind is CaseKind.HELD else (other or own)
        if not channel_id:
            return
        try:
            message_id = await self._posted(case, job, channel_id)
        except CourierError as fault:
            log.warning("case.not_posted", case=case.number, guild=case.guild_id, channel=channel_id, fault=str(fault))
            self._tried[key] = time.time() + (AGAIN_S if isinstance(fault, CardRefused) else 0.0)
        else:
            self._tried.pop(key, None)
            await self._cases.posted(case, channel_id, message_id)

    async def _posted(self, case: Case, job: Job | None, channel_id: int) -> int:
        locale = self._locale(case, job)
        words = case_words(case, job, locale)
        try:
            return await self._courier.post_case(channel_id, case, words, await self.pictures(case), locale)
        except FileRefused:  # the words at least; `/mod case` may have room for the pictures
            return await self._courier.post_case(channel_id, case, words, (), locale)

    def templates_of(self, guild_id: int | None) -> frozenset[str]:
        """Return the templates that a guild allows, as last read; none: all."""
        return self._guilds.last_known(guild_id).templates

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
        """Return the pictures of a case, veiled; they are kept here until it is decided."""
        if case.job_id is None or (job := await self._jobs.get(case.job_id)) is None:
            return ()
        results = await self._jobs.results(case.job_id)
        made = [(one.filename, one.data) for one in results if one.data is not None]
        parcel = await pack(
            made,
            stem=f"case-{case.number}",
            alt=alt_text(job.request.prompt or job.request.template),
            upload_limit=UPLOAD_LIMIT,
            metadata=False,
            spoiler=True,
        )
        return parcel.files

    # Deciding

    async def decide(self, decided: Decided) -> tuple[Settled, bool]:
        """Settle a case: the first decision counts, later ones are shown what it was. What it means comes with it.

        Return also whether all of it is done: a picture that cannot be taken away now is tried for again.

        Raises:
            RequestError: there is no such case here.
        """
        case, _ = await self.case(decided.guild_id, decided.number)
        order = self._order(decided, case)
        settled = await self._jobs.decide(decided, await self._consequences(decided.decision, order))
        if settled is None:
            raise RequestError("refused.no_case", number=decided.number)
        case = settled.case
        job = await self._jobs.get(case.job_id) if case.job_id else None
        done = True
        if settled.won:
            log.info("case.decided", case=case.number, guild=case.guild_id, outcome=case.outcome, by=decided.by_id)
            done = await self._carry_out(settled, order, job)
        await self._update(case, job)
        return settled, done

    @staticmethod
    def _order(decided: Decided, case: Case) -> Order:
        return Order(
            guild_id=case.guild_id,
            member_id=case.member_id or 0,
            by_id=decided.by_id,
            reason=decided.reason or f"#{case.number}",
            case=case.number,
        )

    async def _consequences(self, decision: Decision, order: Order) -> Consequences:
        """Return what a decision does to its member, to be done in its own transaction."""
        match decision:
            case Decision.REJECT_STRIKE | Decision.REMOVE_STRIKE:
                measure = await self._sanctions.measured(order, SanctionKind.STRIKE)
            case Decision.REMOVE_BAN:
                measure = await self._sanctions.measured(order, SanctionKind.BAN)
            case _:
                measure = None

        def consequences(connection: sa.Connection, case: Case) -> Sequence[Sanction]:
            if case.member_id is None or case.outcome is Outcome.OVERTAKEN:
                return ()
            if decision is Decision.GRANT:
                lift_all(connection, order)
            return impose(connection, measure) if measure is not None else ()

        return consequences

    async def _carry_out(self, settled: Settled, order: Order, job: Job | None) -> bool:
        """Do what is left to do after the commit; what fails here is swept up later."""
        case = settled.case
        if job is not None and case.kind is CaseKind.HELD and case.outcome is not Outcome.OVERTAKEN:
            self.on_step(job)
        done = await self.take_away(job) if job is not None and case.outcome is Outcome.REMOVED else True
        if job is not None and case.kind is CaseKind.REPORT:
            await self._jobs.drop_kept(job.id)
        await self._sanctions.settle(order, settled.imposed)
        if case.kind is CaseKind.APPEAL and case.member_id is not None:
            key = "told.granted" if case.outcome is Outcome.GRANTED else "told.upheld"
            await self._courier.notify(case.member_id, text(key, self._guilds.locale(case.guild_id)))
        return done

    def _locale(self, case: Case, job: Job | None) -> str:
        return self._guilds.locale(case.guild_id, job.request.guild_locale if job else "en-US")

    async def _update(self, case: Case, job: Job | None) -> None:
        locale = self._locale(case, job)
        await self._courier.update_case(case, case_words(case, job, locale), locale)

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

    async def take_away(self, job: Job) -> bool:
        """Take a job's pictures away from where they are shown; False if that cannot be done now."""
        cards = CardMaker(request=job.request, title=job.request.template, locale=job.address.locale)
        try:
            await self._courier.remove(job, cards.removed())
        except OutOfReach as fault:
            log.warning("case.not_removed", job=job.id, fault=str(fault))
            return False
        except ReplyGone:
            log.info("case.picture_gone", job=job.id)
        except CourierError as fault:
            log.warning("case.not_removed", job=job.id, fault=str(fault))
            return False
        await self._jobs.tell(job.id)
        return True
