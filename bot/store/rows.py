"""Jobs as rows, and rows as jobs."""

import json
from typing import Any

import structlog

from bot.model.job import Claim, Failure, FailureCode, Job, JobState, ReplyAddress
from bot.model.request import Request
from bot.model.verdict import HoldReason

log = structlog.get_logger()


def failure_text(failure: Failure) -> str:
    """Return a failure as it is stored."""
    return json.dumps({"code": failure.code, "facts": dict(failure.facts)}, ensure_ascii=False)


def _failure(text: str | None) -> Failure | None:
    if text is None:
        return None
    stored = json.loads(text)
    return Failure(code=FailureCode(stored["code"]), facts=stored["facts"])


def row_of(job: Job) -> dict[str, Any]:
    """Return a new job's row."""
    address = job.address
    return {
        "id": job.id,
        "state": job.state,
        "attempt": job.attempt,
        "request": job.request.to_json(),
        "template": job.request.template,
        "member_id": job.request.member_id,
        "guild_id": job.request.guild_id,
        "adult": job.request.adult,
        "application_id": address.application_id,
        "channel_id": address.channel_id,
        "message_id": address.message_id,
        "token": address.token,
        "token_expires_at": address.expires_at,
        "upload_limit": address.upload_limit,
        "locale": address.locale,
        "ephemeral": address.ephemeral,
        "weight": job.claim.weight,
        "priority": job.claim.priority,
        "cost": job.claim.cost,
        "spent": job.claim.cost,
        "running_cap": job.claim.running_cap,
        "hold": job.hold,
        "created_at": job.created_at,
        "changed_at": job.created_at,
    }


def blank_of(row: Any) -> dict[str, Any]:
    """Return what a row becomes when its member erases it, but its cost must still count."""
    old = Request.from_json(row.request)
    request = Request(
        prompt="", template="", seed=0, member_id=old.member_id, guild_id=old.guild_id, channel_id=old.channel_id
    )
    return {
        "request": request.to_json(),
        "template": "",
        "message_id": None,
        "posted_id": None,
        "token": "",
        "failure": None,
        "recipe": None,
        "prompt_id": None,
    }


def readable(row: Any) -> Job | None:
    """Return the job of a row, or None for a row that nobody of us has written; it is left for a person to look at."""
    try:
        return _job(row)
    except (ValueError, KeyError, TypeError) as fault:
        log.error("store.row_unreadable", job=row.id, fault=type(fault).__name__)  # noqa: TRY400 - the row is at fault
        return None


def _job(row: Any) -> Job:
    return Job(
        id=row.id,
        request=Request.from_json(row.request),
        address=ReplyAddress(
            application_id=row.application_id,
            channel_id=row.channel_id,
            message_id=row.message_id,
            token=row.token,
            expires_at=row.token_expires_at,
            upload_limit=row.upload_limit,
            locale=row.locale,
            ephemeral=row.ephemeral,
        ),
        state=JobState(row.state),
        attempt=row.attempt,
        created_at=row.created_at,
        prompt_id=row.prompt_id,
        server=row.server,
        failure=_failure(row.failure),
        claim=Claim(weight=row.weight, priority=row.priority, cost=row.cost, running_cap=row.running_cap),
        expected_s=row.expected_s,
        run_s=row.run_s,
        posted_id=row.posted_id,
        hold=HoldReason(row.hold) if row.hold else None,
        spoiler=row.spoiler,
        removed=row.removed,
        deleted=row.deleted,
    )
