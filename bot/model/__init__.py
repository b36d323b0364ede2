"""Frozen records that every room shares; standard library only."""
