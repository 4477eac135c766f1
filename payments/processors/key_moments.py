"""When an operation was begun, as its key tells: each of our keys ends in a UUIDv7, which begins with the moment.

A provider that can't be asked by our key is asked for what it made since then, and each item for the key that it
carries. Source of the form: RFC 9562, section 5.7.
"""

from datetime import UTC, datetime
from uuid import UUID

_UUID_LENGTH = 36


def begun_at(key: str) -> datetime:
    """Tell the moment within a key. Raises ValueError for a key that has none."""
    tail = UUID(key[-_UUID_LENGTH:])
    if tail.version != 7:
        raise ValueError("The key doesn't end in a UUIDv7.")
    return datetime.fromtimestamp((tail.int >> 80) / 1000, tz=UTC)
