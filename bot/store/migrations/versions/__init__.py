"""Numbered, forward-only migrations (Alembic)."""
