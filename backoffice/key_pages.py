"""Pages of a list by its key: the last page of a hundred million rows costs what the first one does."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from uuid import UUID

from django.db.models import Model, QuerySet
from django.http import HttpRequest

from users.staff_screens import NEWER_THAN, OLDER_THAN

PAGE_SIZE = 50
Row = TypeVar("Row", bound=Model)


@dataclass(frozen=True, slots=True)
class KeyPage(Generic[Row]):
    """One page, the newest row first; the queries lead to its neighbours and are empty where there is none."""

    rows: Sequence[Row]
    newer_query: str = ""
    older_query: str = ""


def key_page(request: HttpRequest, queryset: QuerySet[Row], *, size: int = PAGE_SIZE) -> KeyPage[Row]:
    """Read the page that `?older_than=` or `?newer_than=` asks for (UUIDs; others give the first page).

    `queryset` is filtered and unordered; its index has to begin with what it is filtered by and end with the key.
    """
    older_than, newer_than = _key(request, OLDER_THAN), _key(request, NEWER_THAN)
    if newer_than:
        found = list(queryset.filter(pk__gt=newer_than).order_by("pk")[: size + 1])
        rows, has_newer, has_older = found[:size][::-1], len(found) > size, True
    else:
        bounded = queryset.filter(pk__lt=older_than) if older_than else queryset
        found = list(bounded.order_by("-pk")[: size + 1])
        rows, has_newer, has_older = found[:size], older_than is not None, len(found) > size
    return KeyPage(
        rows,
        newer_query=_query(request, NEWER_THAN, rows[0].pk) if rows and has_newer else "",
        older_query=_query(request, OLDER_THAN, rows[-1].pk) if rows and has_older else "",
    )


def _key(request: HttpRequest, name: str) -> UUID | None:
    try:
        return UUID(request.GET.get(name, ""))
    except ValueError:
        return None


def _query(request: HttpRequest, name: str, key: Any) -> str:
    query = request.GET.copy()
    for cursor in (OLDER_THAN, NEWER_THAN):
        query.pop(cursor, None)
    query[name] = str(key)
    return f"?{query.urlencode()}"
