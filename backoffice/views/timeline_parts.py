"""The timeline as pages of customers and wallets show it: narrowed, from a day back, and by one request."""

from collections.abc import Sequence
from datetime import datetime, time, timedelta
from typing import Any
from uuid import UUID

from django.http import HttpRequest
from django.utils.dateparse import parse_date
from django.utils.timezone import get_current_timezone

from backoffice.form_calls import uuid_or_none
from backoffice.timelines import KINDS, Subject, timeline
from events.partitions import first_id_of
from events.screens import MAY_READ_TRAIL
from users.staff_screens import OLDER_THAN, principal_of


def timeline_context(
    request: HttpRequest, *, user_id: UUID, wallet_ids: Sequence[UUID], is_one_wallet: bool = False
) -> dict[str, Any]:
    """Read the page of the timeline that the query asks for: `kind`, `request`, `until` (a day) and the cursor."""
    kind = request.GET.get("kind", "")
    wanted = request.GET.get("request", "").strip().replace("\0", "")[:128]
    until = _day(request.GET.get("until", ""))
    cursor = uuid_or_none(request.GET.get(OLDER_THAN, ""))
    page = timeline(
        Subject(
            user_id=user_id,
            wallet_ids=wallet_ids,
            is_one_wallet=is_one_wallet,
            request_id=wanted,
            may_read_trail=principal_of(request).may(MAY_READ_TRAIL),
        ),
        kind=kind,
        older_than=cursor or (first_id_of(until + timedelta(days=1)) if until else None),
    )
    query = request.GET.copy()
    query.pop(OLDER_THAN, None)
    newest = query.urlencode()
    if page.older_than is not None:
        query[OLDER_THAN] = str(page.older_than)
    return {
        "timeline": page,
        "kinds": KINDS.items(),
        "kind": kind,
        "wanted_request": wanted,
        "until": until.date().isoformat() if until else "",
        "older_query": f"?{query.urlencode()}#timeline" if page.older_than else "",
        "newest_query": f"?{newest}#timeline" if cursor else "",
    }


def _day(text: str) -> datetime | None:
    try:
        day = parse_date(text)
    except ValueError:
        return None
    if day is None or not 2000 <= day.year <= 2999:
        return None
    return datetime.combine(day, time.min, tzinfo=get_current_timezone())
