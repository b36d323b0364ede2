"""The tables, as the newest migration leaves them."""

import sqlalchemy as sa

metadata = sa.MetaData()

jobs = sa.Table(
    "jobs",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False, server_default="0"),
    sa.Column("request", sa.Text, nullable=False),
    sa.Column("template", sa.Text, nullable=False),
    sa.Column("member_id", sa.BigInteger, nullable=False),
    sa.Column("guild_id", sa.BigInteger),
    sa.Column("application_id", sa.BigInteger, nullable=False),
    sa.Column("channel_id", sa.BigInteger, nullable=False),
    sa.Column("message_id", sa.BigInteger),
    sa.Column("token", sa.Text, nullable=False),
    sa.Column("token_expires_at", sa.Float, nullable=False),
    sa.Column("upload_limit", sa.BigInteger, nullable=False),
    sa.Column("locale", sa.String(16), nullable=False),
    sa.Column("prompt_id", sa.String(36)),
    sa.Column("server", sa.Text),
    sa.Column("failure", sa.Text),
    sa.Column("recipe", sa.Text),
    sa.Column("ephemeral", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("weight", sa.Float, nullable=False, server_default="1"),
    sa.Column("priority", sa.Integer, nullable=False, server_default="0"),
    sa.Column("cost", sa.Float, nullable=False, server_default="1"),
    sa.Column("spent", sa.Float, nullable=False, server_default="0"),
    sa.Column("expected_s", sa.Float),
    sa.Column("run_s", sa.Float),
    sa.Column("posted_id", sa.BigInteger),
    sa.Column("told", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("hold", sa.String(16)),
    sa.Column("spoiler", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("removed", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("running_cap", sa.Integer),
    sa.Column("adult", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("deleted", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("changed_at", sa.Float, nullable=False),
    sa.Index("jobs_by_state", "state", "member_id"),
    sa.Index("jobs_by_member", "member_id", "created_at"),
    sa.Index("jobs_by_change", "changed_at"),
    sa.Index("jobs_by_message", "message_id"),
    sa.Index("jobs_by_guild", "guild_id", "created_at"),
)

results = sa.Table(
    "results",
    metadata,
    sa.Column("job_id", sa.String(32), sa.ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("filename", sa.Text, nullable=False),
    sa.Column("subfolder", sa.Text, nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("data", sa.LargeBinary),
    sa.Column("thumb", sa.LargeBinary),
)

favourites = sa.Table(
    "favourites",
    metadata,
    sa.Column("job_id", sa.String(32), sa.ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("member_id", sa.BigInteger, primary_key=True),
    sa.Column("guild_id", sa.BigInteger, nullable=False),
    sa.Column("at", sa.Float, nullable=False),
    sa.Index("favourites_by_guild", "guild_id", "at"),
)

drafts = sa.Table(
    "drafts",
    metadata,
    sa.Column("id", sa.String(16), primary_key=True),
    sa.Column("member_id", sa.BigInteger, nullable=False),
    sa.Column("guild_id", sa.BigInteger, nullable=False),
    sa.Column("request", sa.Text, nullable=False),
    sa.Column("settings", sa.Text),
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Index("drafts_by_member", "member_id"),
)
"""Requests that members have not sent yet."""

promises = sa.Table(
    "promises",
    metadata,
    sa.Column("id", sa.BigInteger, primary_key=True),
    sa.Column("application_id", sa.BigInteger, nullable=False),
    sa.Column("token", sa.Text, nullable=False),
    sa.Column("locale", sa.String(16), nullable=False),
    sa.Column("keeper", sa.String(16), nullable=False),
    sa.Column("at", sa.Float, nullable=False),
)
"""Answers that are owed: interactions that say "thinking…", and the process that answers them."""

uploads = sa.Table(
    "uploads",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("member_id", sa.BigInteger, nullable=False),
    sa.Column("ending", sa.String(8), nullable=False),
    sa.Column("transparent", sa.Boolean, nullable=False),
    sa.Column("data", sa.LargeBinary, nullable=False),
    sa.Column("created_at", sa.Float, nullable=False),
)

notes = sa.Table(
    "notes",
    metadata,
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)
"""Small facts about ourselves, such as the hash of the commands that Discord has."""

guild_settings = sa.Table(
    "guild_settings",
    metadata,
    sa.Column("guild_id", sa.BigInteger, primary_key=True),
    sa.Column("key", sa.String(40), primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)

words = sa.Table(
    "words",
    metadata,
    sa.Column("guild_id", sa.BigInteger, primary_key=True),
    sa.Column("text", sa.String(120), primary_key=True),
    sa.Column("mode", sa.String(16), nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
)

sanctions = sa.Table(
    "sanctions",
    metadata,
    sa.Column("id", sa.String(16), primary_key=True),
    sa.Column("guild_id", sa.BigInteger, nullable=False),
    sa.Column("member_id", sa.BigInteger, nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("by_id", sa.BigInteger),
    sa.Column("expires_at", sa.Float),
    sa.Column("lifted_at", sa.Float),
    sa.Column("lifted_by", sa.BigInteger),
    sa.Index("sanctions_by_member", "member_id", "guild_id"),
)

cases = sa.Table(
    "cases",
    metadata,
    sa.Column("guild_id", sa.BigInteger, primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("member_id", sa.BigInteger),
    sa.Column("job_id", sa.String(32)),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("opened_at", sa.Float, nullable=False),
    sa.Column("outcome", sa.String(16)),
    sa.Column("decided_by", sa.BigInteger),
    sa.Column("decided_at", sa.Float),
    sa.Column("channel_id", sa.BigInteger),
    sa.Column("message_id", sa.BigInteger),
    sa.Index("cases_by_job", "job_id"),
    sa.Index("cases_by_member", "member_id", "guild_id"),
)

reports = sa.Table(
    "reports",
    metadata,
    sa.Column("guild_id", sa.BigInteger, primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("reporter_id", sa.BigInteger, primary_key=True),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
)

audit = sa.Table(
    "audit",
    metadata,
    sa.Column("guild_id", sa.BigInteger, primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("act", sa.String(32), nullable=False),
    sa.Column("actor_id", sa.BigInteger),
    sa.Column("target_id", sa.BigInteger),
    sa.Column("case_number", sa.Integer),
    sa.Column("job_id", sa.String(32)),
    sa.Column("reason", sa.Text),
    sa.Column("facts", sa.Text),
    sa.Column("salts", sa.Text, nullable=False),
    sa.Column("seals", sa.Text, nullable=False),
    sa.Column("previous", sa.String(64), nullable=False),
    sa.Column("digest", sa.String(64), nullable=False),
    sa.Index("audit_by_actor", "actor_id", "guild_id"),
    sa.Index("audit_by_target", "target_id", "guild_id"),
)

audit_heads = sa.Table(
    "audit_heads",
    metadata,
    sa.Column("guild_id", sa.BigInteger, primary_key=True),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("digest", sa.String(64), nullable=False),
    sa.Column("first", sa.Integer, nullable=False),
    sa.Column("anchor", sa.String(64), nullable=False),
)
