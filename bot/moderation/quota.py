"""What members, roles and guilds may spend in a window. Pure; the sums are the store's, in one transaction."""

from bot.model.guild import GuildSettings
from bot.model.job import Quota
from bot.model.request import Standing


def quota_for(settings: GuildSettings, standing: Standing) -> Quota | None:
    """Return the quota that counts for a member; None where nothing is limited."""
    member, guild = settings.quota_of(standing.role_ids), settings.guild_quota or None
    if member is None and guild is None:
        return None
    return Quota(window_s=settings.quota_window, member=member, guild=guild)
