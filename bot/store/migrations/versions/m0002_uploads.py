"""Files that members bring, and the recipe of a job."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create the table of uploads, and give jobs a recipe."""
    op.create_table(
        "uploads",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("member_id", sa.BigInteger, nullable=False),
        sa.Column("ending", sa.String(8), nullable=False),
        sa.Column("transparent", sa.Boolean, nullable=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
    )
    op.add_column("jobs", sa.Column("recipe", sa.Text))
