"""What the screens of the back office show of what happened: an object's trail as a table, JSON indented."""

from typing import Any, Final

import orjson
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from events.models import AuditEntry
from users.staff_screens import NOTHING, Panel, actor, moment

MAY_READ_TRAIL: Final = "audit:read"


def change_of(entry: AuditEntry) -> str | SafeString:
    """Show what became of the object's state, where it has one."""
    if not entry.from_state and not entry.to_state:
        return NOTHING
    return f"{entry.from_state or '–'} → {entry.to_state or '–'}"


def audit_panel(object_type: str, object_id: object, *, has_looks: bool = True) -> Panel:
    """Show the latest entries of the audit trail about one object; without `has_looks` only what changed it."""
    about = AuditEntry.objects.filter(object_type=object_type, object_id=str(object_id))
    if not has_looks:
        about = about.exclude(action__endswith=".viewed").exclude(action__endswith=".read")
    entries = about.order_by("-id")[:20]
    columns = (("When", ""), ("Action", ""), ("Change", ""), ("By", ""), ("Reason", "words"))
    rows = [
        (
            moment(entry.at),
            entry.action,
            change_of(entry),
            actor(entry.actor),
            entry.reason,
        )
        for entry in entries
    ]
    whole = f"{reverse('admin:events_auditentry_changelist')}?q={object_id}"
    return Panel("Audit trail", columns, rows, more_url=whole, more_needs=MAY_READ_TRAIL)


def document(value: Any) -> SafeString:
    """Show a JSON document, indented."""
    if value is None:
        return NOTHING
    return format_html(
        '<pre class="document" tabindex="0">{}</pre>',
        orjson.dumps(value, option=orjson.OPT_INDENT_2).decode(),
    )
