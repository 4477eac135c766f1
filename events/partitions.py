"""The monthly partitions of events, audit, API log and deliveries, made ahead by the tables' owner."""

import re
from datetime import UTC, datetime
from uuid import UUID

from django.db import connection, connections

MONTHS_AHEAD = 3

PARTITIONED = {
    "events_event": True,
    "events_auditentry": True,
    "events_apicall": True,
    "events_webhookdelivery": False,
}
"""The partitioned tables, and whether their rows are only ever appended."""


def make_ahead(*, months: int = MONTHS_AHEAD) -> list[str]:
    """Make the missing partitions from this month to `months` ahead; return the names of the new ones."""
    made = []
    with connections["owner"].cursor() as cursor:
        for table, append_only in PARTITIONED.items():
            for ahead in range(months + 1):
                cursor.execute(
                    "SELECT open_wallet_make_partition(%s, (date_trunc('month', now() AT TIME ZONE 'UTC')"
                    " + make_interval(months => %s))::date, %s)",
                    (table, ahead, append_only),
                )
                made += [name for (name,) in cursor.fetchall() if name]
    return made


def first_id_of(moment: datetime) -> UUID:
    """Give the least UUIDv7 of a moment's millisecond; of one before 1970, when there were none, the least of all."""
    return UUID(int=max(0, int(moment.timestamp() * 1000)) << 80)


def month_of(key: UUID) -> str:
    """Tell the month in which a UUIDv7 was made, as its partition's name has it: `2026_10`."""
    return f"{datetime.fromtimestamp((key.int >> 80) / 1000, UTC):%Y_%m}"


def leaves_of(table: str) -> list[str]:
    """List the months of a table's partitions, the oldest first: `["2026_10", …]`."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = %s::regclass", [table]
        )
        names = [name for (name,) in cursor.fetchall()]
    return sorted(match[1] for name in names if (match := re.fullmatch(rf"{table}_(\d{{4}}_\d{{2}})", name)))


def missing_ahead(*, months: int = MONTHS_AHEAD) -> list[str]:
    """Name the partitions that should be there, from this month to `months` ahead, and aren't."""
    today = datetime.now(UTC)
    missing = []
    for table in PARTITIONED:
        found = set(leaves_of(table))
        for ahead in range(months + 1):
            year, month = divmod(today.year * 12 + today.month - 1 + ahead, 12)
            leaf = f"{year}_{month + 1:02}"
            if leaf not in found:
                missing.append(f"{table}_{leaf}")
    return missing
