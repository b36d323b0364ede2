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
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("changed_at", sa.Float, nullable=False),
    sa.Index("jobs_by_state", "state", "member_id"),
    sa.Index("jobs_by_member", "member_id", "created_at"),
    sa.Index("jobs_by_change", "changed_at"),
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
)

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
