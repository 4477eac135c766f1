"""System checks: no page of the back office is served that doesn't say who may open it."""

from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Error, register
from django.urls import URLPattern


def undeclared(patterns: Sequence[URLPattern]) -> list[str]:
    """List the names of the routes whose view isn't guarded by `staff_page`."""
    return [str(route.name) for route in patterns if not getattr(route.callback, "permissions", ())]


@register
def staff_pages_declare_permissions(app_configs: object, **kwargs: Any) -> list[CheckMessage]:
    """Every route under `/admin/` that is ours declares its permissions."""
    from backoffice.urls import STAFF_PAGES

    return [
        Error(
            f"The page “{name}” of the back office doesn't say who may open it.",
            hint="Decorate its view with backoffice.staff_pages.staff_page.",
            id="backoffice.E001",
        )
        for name in undeclared(STAFF_PAGES)
    ]
