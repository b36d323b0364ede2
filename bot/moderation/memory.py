"""What is kept of members, for how long, and how they get it or have it erased. Every store that keeps some is here."""

import time
from typing import Any

import structlog

from bot.errors import RequestError
from bot.model.audit import Act, Entry
from bot.model.guild import DAY_S, EVERYWHERE, SETTINGS, Kind, read_value
from bot.model.job import LIVE
from bot.model.jsontree import is_list, is_object
from bot.store.audit import AuditStore
from bot.store.cases import CaseStore
from bot.store.guilds import GuildStore
from bot.store.jobs import JobStore
from bot.store.keeping import KeepingStore
from bot.store.sanctions import SanctionStore
from bot.store.uploads import UploadStore

log = structlog.get_logger()

_QUOTAS = ("member_quota", "role_quotas", "guild_quota")


class Memory:
    """All that Easel remembers of people."""

    def __init__(
        self,
        jobs: JobStore,
        keeping: KeepingStore,
        uploads: UploadStore,
        sanctions: SanctionStore,
        cases: CaseStore,
        guilds: GuildStore,
        audit: AuditStore,
        days: int,
    ) -> None:
        self.days = days
        """How long jobs and files are kept where a guild does not say less; 0 is for ever."""
        self._jobs, self._keeping, self._uploads = jobs, keeping, uploads
        self._sanctions, self._cases = sanctions, cases
        self._guilds, self._audit = guilds, audit

    async def export(self, member_id: int, guild_id: int) -> dict[str, Any]:
        """Return everything that is kept of a member, in all guilds, as a JSON object; ids as text."""
        kept = {
            "member_id": str(member_id),
            "jobs": await self._keeping.export_member(member_id),
            "favourites": await self._keeping.favourites_of(member_id),
            "drafts": await self._keeping.drafts_of(member_id),
            "uploads": await self._uploads.export_member(member_id),
            "sanctions": await self._sanctions.export_member(member_id),
            "cases": await self._cases.export_member(member_id),
            "audit": await self._audit.export_member(member_id),
        }
        await self._note(Act.DATA_EXPORTED, member_id, guild_id)
        return _with_text_ids(kept)

    async def erase(self, member_id: int, guild_id: int) -> int:
        """Erase what is kept of a member; return how many records. Measures in force stay, without their reasons.

        Raises:
            RequestError: something of theirs waits or runs, or a case about them is open.
        """
        if await self._jobs.of_member(member_id, LIVE):
            raise RequestError("refused.erase_live")
        if await self._cases.open_about(member_id):
            raise RequestError("refused.erase_case")
        gone = await self._keeping.erase_member(member_id, await self._counted())
        gone += await self._keeping.erase_touched(member_id)
        gone += await self._uploads.erase_member(member_id)
        gone += await self._sanctions.erase_member(member_id, time.time())
        gone += await self._cases.erase_member(member_id)
        gone += await self._audit.erase_member(member_id)
        await self._audit.add(Entry(guild_id=guild_id, act=Act.DATA_ERASED, at=time.time()))
        log.info("data.erased", records=gone)
        return gone

    async def _counted(self) -> dict[int, float]:
        """Return the guilds that have quotas, and since when these count."""
        guilds = {guild for key in _QUOTAS for guild in await self._guilds.with_setting(key)}
        settings = {guild: await self._guilds.settings(guild) for guild in guilds}
        return {guild: time.time() - one.quota_window for guild, one in settings.items()}

    async def _note(self, act: Act, member_id: int, guild_id: int) -> None:
        await self._audit.add(Entry(guild_id=guild_id, act=act, at=time.time(), actor_id=member_id))

    async def purge(self) -> None:
        """Forget what is older than the owner and each guild want it kept."""
        now = time.time()
        await self._keeping.purge_drafts(now - DAY_S)
        if self.days:
            before = now - self.days * DAY_S
            gone = await self._keeping.purge(before), await self._uploads.purge(before)
            log.info("retention.purged", jobs=gone[0], uploads=gone[1])
        for guild_id, span in (await self._spans("retention")).items():
            window = (await self._guilds.settings(guild_id)).quota_window  # quotas count what is kept
            gone = await self._keeping.purge(now - max(span, window), guild_id)
            log.info("retention.guild_purged", guild=guild_id, jobs=gone)
        for guild_id, span in (await self._spans("audit_retention")).items():
            count = await self._audit.prune(guild_id, now - span)
            if count:
                pruned = Entry(guild_id=guild_id, act=Act.PRUNED, at=now, facts={"entries": str(count)})
                await self._audit.add(pruned)

    async def _spans(self, key: str) -> dict[int, float]:
        """Return the guilds that limit how long something is kept, with their seconds."""
        setting = SETTINGS[key]
        if setting.kind is not Kind.SPAN:
            raise ValueError("only spans limit time")
        stored = await self._guilds.with_setting(key)
        spans: dict[int, float] = {}
        for guild_id, value in stored.items():
            try:
                spans[guild_id] = read_value(setting, value)
            except RequestError:  # of one guild; the others' are kept to
                log.exception("retention.unreadable", guild=guild_id, key=key)
        return {guild_id: span for guild_id, span in spans.items() if span and guild_id != EVERYWHERE}


def _with_text_ids(value: Any) -> Any:
    """Return a JSON tree with Discord's ids as text: as numbers, readers lose their last digits."""
    if is_object(value):
        return {
            key: str(one) if key.endswith("_id") and isinstance(one, int) else _with_text_ids(one)
            for key, one in value.items()
        }
    return [_with_text_ids(one) for one in value] if is_list(value) else value
