"""What moderators read of a case, and what members are told of measures. Pure; who reported is for moderators only."""

import time
from collections.abc import Sequence

from bot.model.case import Case, CaseKind, Record, Sanction, SanctionKind
from bot.model.job import Job
from bot.replies.catalogue import text
from bot.replies.safe import NOBODY, shown

_REASON, _PROMPT, _NEGATIVE, _NAMES = 200, 300, 100, 10


def case_words(case: Case, job: Job | None, locale: str) -> str:
    """Return a case as moderators see it: what it is about, the recipe, who is concerned, and how it ended."""
    lines = [text(f"case.{case.kind}", locale, number=case.number, when=int(case.opened_at))]
    lines.append(outcome_words(case, locale))
    if case.member_id is not None:
        lines.append(text("case.member", locale, member=case.member_id))
    if case.reporters:
        names = ", ".join(f"<@{one}>" for one in case.reporters[:_NAMES])
        names += "" if len(case.reporters) <= _NAMES else " …"
        lines.append(text("case.reporters", locale, members=names, count=len(case.reporters)))
    if case.reason:
        reason = text(f"hold.{case.reason}", locale) if case.kind is CaseKind.HELD else shown(case.reason, _REASON)
        lines.append(text("case.reason", locale, reason=reason))
    if job is not None:
        lines += recipe_lines(job, locale)
    return "\n".join(lines)


def recipe_lines(job: Job, locale: str) -> list[str]:
    """Return what was asked for, for moderators."""
    request = job.request
    lines = [text("case.recipe", locale, template=shown(request.template, 60), seed=request.seed, job=job.id)]
    if request.prompt:
        lines.append(text("card.prompt", locale, prompt=shown(request.prompt, _PROMPT)))
    if request.negative:
        lines.append(text("card.negative", locale, negative=shown(request.negative, _NEGATIVE)))
    return lines


def outcome_words(case: Case, locale: str) -> str:
    """Return how a case stands."""
    if case.outcome is None:
        return text("case.open", locale)
    if case.decided_by is None:
        return text(f"outcome.{case.outcome}", locale)
    return text("case.decided", locale, outcome=text(f"outcome.{case.outcome}", locale), member=case.decided_by)


def case_lines(cases: Sequence[Case], locale: str) -> list[str]:
    """Return what waits for a decision, one line a case."""
    if not cases:
        return [text("case.none", locale)]
    lines = [text("case.waiting", locale, count=len(cases))]
    for case in cases:
        member = f"<@{case.member_id}>" if case.member_id else NOBODY
        kind = text(f"case.kind_{case.kind}", locale)
        facts = {"number": case.number, "kind": kind, "member": member, "when": int(case.opened_at)}
        lines.append(text("case.line", locale, **facts))
    return lines


def record_lines(record: Record, member_id: int, locale: str) -> list[str]:
    """Return what a guild knows of a member, for moderators."""
    now = time.time()
    lines = [text("record.head", locale, member=member_id, strikes=record.strikes)]
    if record.block is not None:
        key = "record.blocked" if record.block.expires_at is None else "record.blocked_until"
        lines.append(text(key, locale, until=int(record.block.expires_at or 0)))
    lines += [sanction_line(one, locale, now=now) for one in record.sanctions]
    for case in record.cases:
        outcome = text(f"outcome.{case.outcome}", locale) if case.outcome else text("case.open", locale)
        kind = text(f"case.kind_{case.kind}", locale)
        lines.append(text("record.case", locale, number=case.number, kind=kind, outcome=outcome))
    return lines if len(lines) > 1 else [*lines, text("record.nothing", locale)]


def sanction_line(sanction: Sanction, locale: str, *, now: float) -> str:
    """Return one line of a member's record, for moderators."""
    state = "in_force" if sanction.in_force(now) else ("lifted" if sanction.lifted_at else "expired")
    return text(
        "record.line",
        locale,
        kind=text(f"sanction.{sanction.kind}", locale),
        id=sanction.id,
        when=int(sanction.at),
        state=text(f"record.{state}", locale),
        reason=shown(sanction.reason, 100) or text("record.no_reason", locale),
        by=f"<@{sanction.by_id}>" if sanction.by_id else text("record.by_rule", locale),
    )


def sanction_words(sanction: Sanction, strikes: int, guild: str, locale: str) -> str:
    """Return what a member is told of a measure against them: what, why, how long, and how to appeal."""
    facts = {"guild": guild, "strikes": strikes, "reason": shown(sanction.reason, _REASON) or NOBODY}
    if sanction.kind is SanctionKind.STRIKE:
        return text("told.strike", locale, **facts)
    if sanction.expires_at is None:
        return text("told.ban", locale, **facts)
    return text("told.timeout", locale, until=int(sanction.expires_at), **facts)


def log_line(sanction: Sanction, locale: str) -> str:
    """Return what a guild's log channel shows of a measure."""
    by = f"<@{sanction.by_id}>" if sanction.by_id else text("record.by_rule", locale)
    until = text("log.until", locale, when=int(sanction.expires_at)) if sanction.expires_at else ""
    kind = text(f"sanction.{sanction.kind}", locale)
    reason = shown(sanction.reason, 200) or text("record.no_reason", locale)
    return text("log.sanction", locale, kind=kind, member=sanction.member_id, by=by, until=until, reason=reason)
