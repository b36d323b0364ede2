"""What a job may claim and has cost, how long it ran, and where its picture went when its reply was out of reach."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Give jobs these columns, and indexes for counting who waits and for purging what is old."""
    op.add_column("jobs", sa.Column("ephemeral", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("jobs", sa.Column("weight", sa.Float, nullable=False, server_default="1"))
    op.add_column("jobs", sa.Column("priority", sa.Integer, nullable=False, server_default="0"))
    op.add_column("jobs", sa.Column("cost", sa.Float, nullable=False, server_default="1"))
    op.add_column("jobs", sa.Column("spent", sa.Float, nullable=False, server_default="0"))
    op.add_column("jobs", sa.Column("expected_s", sa.Float))
    op.add_column("jobs", sa.Column("run_s", sa.Float))
    op.add_column("jobs", sa.Column("posted_id", sa.BigInteger))
    op.drop_index("jobs_by_state", "jobs")
    op.create_index("jobs_by_state", "jobs", ["state", "member_id"])
    op.create_index("jobs_by_change", "jobs", ["changed_at"])
    op.add_column("results", sa.Column("data", sa.LargeBinary))
