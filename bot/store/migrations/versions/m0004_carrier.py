"""Procrastinate's own tables, where PostgreSQL is used. A new version of it comes with a migration of its own here."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Create them as Procrastinate 3.10 wants them."""
    connection = op.get_bind()
    if connection.dialect.name != "postgresql":
        return
    from procrastinate.schema import SchemaManager  # noqa: PLC0415 - only the extra `postgres` brings it

    if connection.exec_driver_sql("SELECT to_regclass('procrastinate_jobs')").scalar() is None:
        connection.exec_driver_sql(SchemaManager.get_schema().replace("%", "%%"))
