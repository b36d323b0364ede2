"""The room put together: one gate, one set of stores behind it."""

from dataclasses import dataclass

from bot.moderation.casework import Casework
from bot.moderation.council import Council
from bot.moderation.images import PictureCheck
from bot.moderation.memory import Memory
from bot.moderation.notices import Notices
from bot.moderation.policy import Gate
from bot.moderation.sanctions import Sanctions
from bot.replies.courier import Courier
from bot.store.audit import AuditStore
from bot.store.cases import CaseStore
from bot.store.database import Database
from bot.store.guilds import GuildStore
from bot.store.jobs import JobStore
from bot.store.keeping import KeepingStore
from bot.store.sanctions import SanctionStore
from bot.store.uploads import UploadStore


@dataclass(frozen=True, slots=True)
class Bench:
    """All that moderators and their guilds have."""

    gate: Gate
    sanctions: Sanctions
    casework: Casework
    council: Council
    guilds: GuildStore
    audit: AuditStore
    memory: Memory
    notices: Notices
    jobs: JobStore
    uploads: UploadStore


def make_bench(database: Database, courier: Courier, check: PictureCheck | None, days: int) -> Bench:
    """Return the bench over a database; `check` judges pictures, None where there is none; see `Memory.days`."""
    jobs, uploads, guilds = JobStore(database), UploadStore(database), GuildStore(database)
    measures, cases, audit = SanctionStore(database), CaseStore(database), AuditStore(database)
    sanctions = Sanctions(measures, cases, guilds, jobs)
    notices = Notices(courier, guilds)
    sanctions.tell = notices.of_sanction
    gate = Gate(guilds, sanctions, audit, check)
    return Bench(
        gate=gate,
        sanctions=sanctions,
        casework=Casework(gate, sanctions, cases, guilds, jobs, audit, courier),
        council=Council(guilds, gate, notices),
        guilds=guilds,
        audit=audit,
        memory=Memory(jobs, KeepingStore(database), uploads, measures, cases, guilds, audit, days),
        notices=notices,
        jobs=jobs,
        uploads=uploads,
    )
