"""The time that money goes by."""

from datetime import UTC, datetime


def now() -> datetime:
    """Tell the present moment in UTC."""
    return datetime.now(UTC)
