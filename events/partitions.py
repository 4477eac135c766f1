"""The monthly partitions of events, audit, API log and deliveries, made ahead by the tables' owner."""

from django.db import connections

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
