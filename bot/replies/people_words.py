"""What members read of their own standing: quota, what is kept of them. Pure."""

from bot.model.guild import DAY_S, GuildSettings, shown_span
from bot.model.job import Allowance
from bot.replies.catalogue import text


def allowance_words(allowance: Allowance, locale: str) -> str:
    """Return what a member has spent and has left."""
    window = shown_span(allowance.window_s)
    lines = [text("quota.spent", locale, spent=f"{allowance.spent:.1f}", window=window)]
    if allowance.limit is None:
        lines.append(text("quota.no_limit", locale))
    else:
        left = max(0.0, allowance.limit - allowance.spent)
        lines.append(text("quota.left", locale, left=f"{left:.1f}", limit=f"{allowance.limit:g}"))
    if allowance.guild_limit is not None:
        spent, limit = f"{allowance.guild_spent:.1f}", f"{allowance.guild_limit:g}"
        lines.append(text("quota.guild", locale, spent=spent, limit=limit))
    if allowance.frees_at is not None and allowance.limit is not None:
        lines.append(text("quota.frees", locale, when=int(allowance.frees_at)))
    return "\n".join(lines)


def privacy_words(settings: GuildSettings, days: int, locale: str) -> str:
    """Return what is kept of members, why, and for how long; `days` 0 is for ever."""
    own = settings.retention / DAY_S
    kept = min(own, days) if own and days else own or days
    jobs = text("privacy.days", locale, days=f"{kept:g}") if kept else text("privacy.for_ever", locale)
    trail = settings.audit_retention / DAY_S
    audit = text("privacy.days", locale, days=f"{trail:g}") if trail else text("privacy.for_ever", locale)
    return text("privacy.words", locale, jobs=jobs, audit=audit)
