"""Reading the audit trail: found by who, what, which object or which request, newest first."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from events.models import AuditEntry
from events.partitions import first_id_of

ENTRIES_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFilter:
    """What to narrow the trail to; a span of time goes by when an entry was written, its end excluded."""

    actor: str | None = None
    action: str | None = None
    object_type: str | None = None
    object_id: str | None = None
    request_id: str | None = None
    created_from: datetime | None = None
    created_to: datetime | None = None

    def entries(self) -> QuerySet[AuditEntry]:
        """Give the entries that fit, in no order yet. Ids begin with their time: a span touches its months alone."""
        entries = AuditEntry.objects.all()
        for name in ("actor", "action", "object_type", "object_id", "request_id"):
            wanted = getattr(self, name)
            if wanted is not None:
                entries = entries.filter(**{name: wanted})
        if self.created_from is not None:
            entries = entries.filter(id__gte=first_id_of(self.created_from))
        if self.created_to is not None:
            entries = entries.filter(id__lt=first_id_of(self.created_to))
        return entries


def every_entry(narrowed: AuditFilter) -> Iterator[AuditEntry]:
    """Read all entries that fit, newest first, some at a time: what is written meanwhile is left out."""
    older_than: UUID | None = None
    while True:
        entries = narrowed.entries()
        if older_than is not None:
            entries = entries.filter(id__lt=older_than)
        found = list(entries.order_by("-id")[:ENTRIES_AT_ONCE])
        yield from found
        if len(found) < ENTRIES_AT_ONCE:
            return
        older_than = found[-1].id


def as_shown(entry: AuditEntry) -> dict[str, Any]:
    """Give the entry's fields as the API names them."""
    return {
        "id": entry.id,
        "at": entry.at,
        "actor": entry.actor,
        "action": entry.action,
        "object_type": entry.object_type,
        "object_id": entry.object_id,
        "from_state": entry.from_state or None,
        "to_state": entry.to_state or None,
        "reason": entry.reason,
        "before": entry.before,
        "after": entry.after,
        "request_id": entry.request_id,
        "address": entry.address,
    }
