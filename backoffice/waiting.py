"""What waits for somebody of the staff, and since when: the first thing that they see."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db.models import QuerySet
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from backoffice.staff_pages import STAFF, is_open_to
from events.models import FailedWork
from payments.models import BreakStatus, Payment, PaymentStatus, Refund, RefundStatus, SettlementBreak
from users.models import User
from wallets.models import Adjustment, AdjustmentStatus

MOST_COUNTED: Final = 100


@dataclass(frozen=True, slots=True)
class Queue:
    """Rows that wait, since the moment in their column `since`; `permissions` show them, `route` lists them."""

    label: str | Promise
    permissions: tuple[str, ...]
    rows: Callable[[], QuerySet[Any]]
    route: str
    query: str = ""
    since: str = "created_at"


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many wait, `MOST_COUNTED` at most, and since when the first of them does."""

    label: str | Promise
    url: str
    count: int
    since: datetime | None

    @property
    def has_more(self) -> bool:
        """Whether there may be more than were counted."""
        return self.count >= MOST_COUNTED


QUEUES: Final = (
    Queue(
        _("Refunds to decide"),
        ("refund:decide",),
        lambda: Refund.objects.filter(status=RefundStatus.PENDING),
        "backoffice:refunds",
    ),
    Queue(
        _("Adjustments to decide"),
        ("adjustment:decide",),
        lambda: Adjustment.objects.filter(status=AdjustmentStatus.PENDING),
        "backoffice:adjustments",
    ),
    Queue(
        _("Breaks to resolve"),
        ("adjustment:decide",),
        lambda: SettlementBreak.objects.filter(status__in=(BreakStatus.OPEN, BreakStatus.PROPOSED)),
        "backoffice:settlement-breaks",
    ),
    Queue(
        _("Charges of unknown outcome"),
        ("payment:read",),
        lambda: Payment.objects.filter(status=PaymentStatus.PENDING),
        "backoffice:payments",
        query=f"?status={PaymentStatus.PENDING}",
    ),
    Queue(
        _("Work that keeps failing"),
        (STAFF,),
        FailedWork.objects.all,
        "admin:events_failedwork_changelist",
        since="first_failed_at",
    ),
)


def waiting_for(person: User) -> Sequence[Waiting]:
    """Look into each queue that the person may open, without counting further than `MOST_COUNTED`."""
    found = []
    for queue in QUEUES:
        if is_open_to(person, queue.permissions):
            moments = queue.rows().order_by(queue.since).values_list(queue.since, flat=True)[:MOST_COUNTED]
            waits = list(moments)
            url = f"{reverse(queue.route)}{queue.query}"
            found.append(Waiting(queue.label, url, len(waits), waits[0] if waits else None))
    return found
