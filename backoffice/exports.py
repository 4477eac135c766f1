"""Files that are too large to wait for: asked for on a page, made on the reports queue, kept for some days.

The row is the queue. Each part is committed together with how far the file has come, so that a worker that dies
costs a part at most, and no row stands in the file twice.
"""

from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import transaction
from django.http import QueryDict
from django.utils import timezone

from backoffice.explorers.registry import EXPLORERS, explorer_for
from backoffice.models import Export, ExportPart
from events import audit
from events.clock import now
from users.api.csv_files import csv_lines
from users.models import User
from users.refusals import NotFound

ROWS_IN_PART = 5000
LEASE = timedelta(seconds=120)
KEPT = timedelta(days=7)


def request_export(*, person: User, explorer: str, query: str, time_zone: str) -> Export:
    """Ask for a file of all rows that an explorer is narrowed to, days in `time_zone`.

    Refuses with NotFound an explorer that isn't, or isn't for them, and what it can't understand.
    """
    found = explorer_for(person, explorer)
    if found is None or found.narrowed(QueryDict(query))[0].errors:
        raise NotFound
    with transaction.atomic():
        export = Export.objects.create(
            requested_by=person,
            explorer=explorer,
            query=query,
            time_zone=time_zone,
            due_at=now(),
            created_at=now(),
        )
        audit.record(
            actor=f"{person.role}:{person.id}",
            action="export.requested",
            object_type="export",
            object_id=export.id,
            after={"explorer": explorer, "query": query},
        )
    return export


def make_due_exports(*, export_id: UUID | None = None, limit: int = 20) -> int:
    """Make the files that are due, or the one that is named where it is; tells how many were worked on."""
    worked_on = 0
    while worked_on < limit and (claimed := _claim(export_id)) is not None:
        while _write_part(claimed):
            pass
        worked_on += 1
    return worked_on


def contents_of(export: Export) -> Iterator[bytes]:
    """Read a finished file, part by part."""
    for number in range(export.parts):
        yield bytes(ExportPart.objects.values_list("body", flat=True).get(export=export, number=number))


def export_of(*, person: User, export_id: UUID) -> Export:
    """Give one of the person's own files. Refuses with NotFound."""
    export = Export.objects.filter(id=export_id, requested_by=person).first()
    if export is None:
        raise NotFound
    return export


def forget_old_exports() -> int:
    """Delete the files that are kept no longer; tells how many."""
    old = Export.objects.filter(finished_at__lt=now() - KEPT)
    return old.delete()[1].get("backoffice.Export", 0)


def _claim(export_id: UUID | None) -> UUID | None:
    with transaction.atomic():
        due = Export.objects.filter(due_at__lte=now())
        if export_id is not None:
            due = due.filter(id=export_id)
        export = due.order_by("due_at").select_for_update(skip_locked=True).first()
        if export is None:
            return None
        export.due_at = now() + LEASE
        export.save(update_fields=["due_at"])
    return export.id


def _write_part(export_id: UUID) -> bool:
    """Add the next rows to the file, and the end of the lease; tells whether there may be more."""
    with transaction.atomic():
        export = Export.objects.select_for_update().get(id=export_id)
        if export.finished_at is not None:
            return False
        explorer = EXPLORERS[export.explorer]
        with timezone.override(ZoneInfo(export.time_zone)):
            _form, found = explorer.narrowed(QueryDict(export.query))
        found = found.filter(created_at__lte=export.created_at)
        if export.after is not None:
            found = found.filter(pk__lt=export.after)
        rows = list(found.order_by("-pk")[:ROWS_IN_PART])
        heads = [explorer.columns] if export.parts == 0 else []
        body = b"".join(csv_lines([*heads, *map(explorer.cells, rows)]))
        ExportPart.objects.create(export=export, number=export.parts, body=body)
        export.parts += 1
        export.rows += len(rows)
        export.after = rows[-1].pk if rows else export.after
        has_more = len(rows) == ROWS_IN_PART
        export.due_at = now() + LEASE if has_more else None
        export.finished_at = None if has_more else now()
        export.save(update_fields=["parts", "rows", "after", "due_at", "finished_at"])
    return has_more
