"""What one message may carry (shared facts, Discord §5)."""

FILES = 10
"""Attachments of one message."""

TOTAL_BYTES = 24 * 2**20
"""All files of one message: the documented 25 MiB of a request, less room for everything else in it."""

ALT_TEXT = 1024
"""Characters of an attachment's description."""


def file_limit(upload_limit: int, count: int) -> int:
    """Return the bytes each of `count` files may have, given the interaction's limit for one."""
    return min(upload_limit, TOTAL_BYTES // max(1, count))
