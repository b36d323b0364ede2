"""What a moderated guild needs: settings, word lists, sanctions, cases, the audit trail; and what jobs keep of it."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Create the tables, and give jobs why they are held, whether they are veiled or removed, and their cap."""
    _guilds()
    _cases()
    _audit()
    op.add_column("jobs", sa.Column("hold", sa.String(16)))
    op.add_column("jobs", sa.Column("spoiler", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("jobs", sa.Column("removed", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("jobs", sa.Column("running_cap", sa.Integer))
    op.create_index("jobs_by_message", "jobs", ["message_id"])
    op.create_index("jobs_by_guild", "jobs", ["guild_id", "created_at"])


def _guilds() -> None:
    op.create_table(
        "guild_settings",
        sa.Column("guild_id", sa.BigInteger, primary_key=True),
        sa.Column("key", sa.String(40), primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
    )
    op.create_table(
        "words",
        sa.Column("guild_id", sa.BigInteger, primary_key=True),
        sa.Column("text", sa.String(120), primary_key=True),
        sa.Column("mode", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
    )
    op.create_table(
        "sanctions",
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
    )
    op.create_index("sanctions_by_member", "sanctions", ["member_id", "guild_id"])


def _cases() -> None:
    op.create_table(
        "cases",
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
    )
    op.create_index("cases_by_job", "cases", ["job_id"])
    op.create_index("cases_by_member", "cases", ["member_id", "guild_id"])
    op.create_table(
        "reports",
        sa.Column("guild_id", sa.BigInteger, primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("reporter_id", sa.BigInteger, primary_key=True),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
    )


def _audit() -> None:
    op.create_table(
        "audit",
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
    )
    op.create_index("audit_by_actor", "audit", ["actor_id", "guild_id"])
    op.create_index("audit_by_target", "audit", ["target_id", "guild_id"])
    op.create_table(
        "audit_heads",
        sa.Column("guild_id", sa.BigInteger, primary_key=True),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("first", sa.Integer, nullable=False),
        sa.Column("anchor", sa.String(64), nullable=False),
    )
