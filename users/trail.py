"""Where changes of people, and looks at what is private, are written down: the audit trail of a higher floor.

The setting AUDIT_TRAIL names it. Whoever records does so in the transaction that makes the change. What was typed is
written down without card numbers: somebody will paste one into a search box.
"""

from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string

# Whoever has a shell on the server: nobody has logged in.
OPERATOR = "operator"
# Whoever tries to log in: they may be anybody.
ANYBODY = "anybody"


def record(*, actor: str, action: str, object_type: str, object_id: object = "", **facts: Any) -> None:
    """Append one entry; `actor` is a principal's name, `facts` are what else `events.audit.record` takes."""
    import_string(settings.AUDIT_TRAIL)(
        actor=actor, action=action, object_type=object_type, object_id=object_id, **facts
    )


def without_secrets(text: str) -> str:
    """Mask card numbers and secrets in what somebody has typed, by what the setting REDACTION names."""
    masked: str = import_string(settings.REDACTION)(text)
    return masked
