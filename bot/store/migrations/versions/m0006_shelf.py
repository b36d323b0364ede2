"""What members touch: small pictures and favourites, drafts of requests, and answers that are still owed."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Create the tables; jobs know that they were deleted, results have a small picture."""
    op.add_column("jobs", sa.Column("adult", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("jobs", sa.Column("deleted", sa.Boolean, nullable=False, server_default=sa.false()))
    op.execute(sa.text("""UPDATE jobs SET adult = true WHERE request LIKE '%"adult": true%'"""))
    op.add_column("results", sa.Column("thumb", sa.LargeBinary))
    op.create_table(
        "favourites",
        sa.Column("job_id", sa.String(32), sa.ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("member_id", sa.BigInteger, primary_key=True),
        sa.Column("guild_id", sa.BigInteger, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
    )
    op.create_index("favourites_by_guild", "favourites", ["guild_id", "at"])
    op.create_table(
        "drafts",
        sa.Column("id", sa.String(16), primary_key=True),
        sa.Column("member_id", sa.BigInteger, nullable=False),
        sa.Column("guild_id", sa.BigInteger, nullable=False),
        sa.Column("request", sa.Text, nullable=False),
        sa.Column("settings", sa.Text),
        sa.Column("created_at", sa.Float, nullable=False),
    )
    op.create_index("drafts_by_member", "drafts", ["member_id"])
    op.create_table(
        "promises",
        sa.Column("id", sa.BigInteger, primary_key=True),
        sa.Column("application_id", sa.BigInteger, nullable=False),
        sa.Column("token", sa.Text, nullable=False),
        sa.Column("locale", sa.String(16), nullable=False),
        sa.Column("keeper", sa.String(16), nullable=False),
        sa.Column("at", sa.Float, nullable=False),
    )
