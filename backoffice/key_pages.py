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
    """One page in the list's order; the queries lead to its neighbours and are empty where there is none."""

    rows: Sequence[Row]
    newer_query: str = ""
    older_query: str = ""


def key_page(
    request: HttpRequest, queryset: QuerySet[Row], *, size: int = PAGE_SIZE, is_oldest_first: bool = False
) -> KeyPage[Row]:
    """Read the page that `?older_than=` or `?newer_than=` asks for (UUIDs; others give the first page).

    The newest row stands first, in a queue (`is_oldest_first`) the one that has waited longest. `queryset` is
    filtered and unordered; its index has to begin with what it is filtered by and end with the key.
    """
    older_than, newer_than = _key(request, OLDER_THAN), _key(request, NEWER_THAN)
    goes_to_newer = newer_than is not None or (is_oldest_first and older_than is None)
    if newer_than is not None:
        queryset = queryset.filter(pk__gt=newer_than)
    elif older_than is not None:
        queryset = queryset.filter(pk__lt=older_than)
    found = list(queryset.order_by("pk" if goes_to_newer else "-pk")[: size + 1])
    rows, has_more = found[:size], len(found) > size
    came_from_elsewhere = newer_than is not None or older_than is not None
    has_newer, has_older = (
        (has_more, came_from_elsewhere) if goes_to_newer else (came_from_elsewhere, has_more)
    )
    if goes_to_newer:
        rows.reverse()
    newer = _query(request, NEWER_THAN, rows[0].pk) if rows and has_newer else ""
    older = _query(request, OLDER_THAN, rows[-1].pk) if rows and has_older else ""
    return KeyPage(rows[::-1] if is_oldest_first else rows, newer_query=newer, older_query=older)


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
