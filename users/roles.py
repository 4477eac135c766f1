"""The roles and the closed list of permissions that each one holds."""

from typing import Final

from django.db import models

# What a view declares of an action that needs no permission: nobody signed in, or anybody signed in.
PUBLIC: Final = "public"
AUTHENTICATED: Final = "authenticated"

SERVICE: Final = "service"


class Role(models.TextChoices):
    """The roles of people; programs have the role `service`."""

    USER = "user"
    SUPPORT = "support"
    FINANCE = "finance"
    AUDITOR = "auditor"
    ADMIN = "admin"


STAFF_ROLES: Final = frozenset({Role.SUPPORT.value, Role.FINANCE.value, Role.AUDITOR.value, Role.ADMIN.value})

_USER = frozenset(
    {
        "wallet:read",
        "wallet:write",
        "payment:read",
        "payment:write",
        "token:read",
        "token:write",
        "transaction:read",
        "refund:read",
        "refund:request",
        "event:read",
    }
)
_SERVICE = _USER | {
    "wallet:manage",
    "transaction:reverse",
    "customer:read",
    "customer:write",
    "webhook:manage",
}
_SUPPORT = frozenset(
    {
        "wallet:read",
        "wallet:manage",
        "payment:read",
        "token:read",
        "transaction:read",
        "refund:read",
        "refund:request",
        "adjustment:request",
        "customer:read",
        "customer:write",
        "event:read",
    }
)
_FINANCE = frozenset(
    {
        "wallet:read",
        "payment:read",
        "token:read",
        "transaction:read",
        "transaction:reverse",
        "refund:read",
        "refund:request",
        "refund:decide",
        "adjustment:request",
        "adjustment:decide",
        "customer:read",
        "event:read",
        "report:read",
    }
)
_AUDITOR = frozenset(
    {
        "wallet:read",
        "payment:read",
        "token:read",
        "transaction:read",
        "refund:read",
        "customer:read",
        "event:read",
        "report:read",
        "audit:read",
    }
)
_ADMIN = _SERVICE | _SUPPORT | _FINANCE | _AUDITOR | {"staff:manage", "webhook:manage", "settings:manage"}

ROLES: Final[dict[str, frozenset[str]]] = {
    Role.USER.value: _USER,
    SERVICE: _SERVICE,
    Role.SUPPORT.value: _SUPPORT,
    Role.FINANCE.value: _FINANCE,
    Role.AUDITOR.value: _AUDITOR,
    Role.ADMIN.value: _ADMIN,
}
PERMISSIONS: Final = frozenset().union(*ROLES.values())
