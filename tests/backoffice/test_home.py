"""The first page of staff: what waits for them, and since when."""

from datetime import UTC, datetime

import pytest
from django.test import Client

from backoffice import waiting
from backoffice.waiting import MOST_COUNTED, waiting_for
from events.models import FailedWork
from tests.factories.people import someone
from users.models import User

SINCE = datetime(2026, 10, 1, 12, 0, tzinfo=UTC)


def failing(number: int) -> FailedWork:
    """Work that has failed since the given minute."""
    at = SINCE.replace(minute=number % 60)
    return FailedWork(
        kind="payments.refund",
        object_id=str(number),
        tries=5,
        error="Timeout",
        first_failed_at=at,
        last_failed_at=at,
    )


def seen_by(person: User) -> dict[str, tuple[int, datetime | None]]:
    """Read what waits, by name."""
    return {str(one.label): (one.count, one.since) for one in waiting_for(person)}


@pytest.mark.parametrize(
    ("role", "labels"),
    [
        ("support", {"Charges of unknown outcome", "Work that keeps failing"}),
        ("auditor", {"Charges of unknown outcome", "Work that keeps failing"}),
        (
            "finance",
            {
                "Refunds to decide",
                "Adjustments to decide",
                "Breaks to resolve",
                "Charges of unknown outcome",
                "Work that keeps failing",
            },
        ),
    ],
)
def test_when_a_role_begins_then_it_sees_the_queues_that_it_may_work_on(db, role, labels):
    assert set(seen_by(someone(role))) == labels


def test_when_work_fails_then_it_waits_since_the_first_failure(db):
    FailedWork.objects.bulk_create([failing(7), failing(3)])

    waits = seen_by(someone("support"))

    assert waits["Work that keeps failing"] == (2, SINCE.replace(minute=3))
    assert waits["Charges of unknown outcome"] == (0, None)


def test_when_more_wait_than_are_counted_then_the_page_says_so(db, monkeypatch):
    monkeypatch.setattr(waiting, "MOST_COUNTED", 2)
    FailedWork.objects.bulk_create([failing(number) for number in range(3)])
    client = Client()
    client.force_login(someone("support"))

    html = client.get("/admin/").content.decode()

    assert MOST_COUNTED == 100
    assert '<span class="figure-value">2+</span>' in html
    assert '<span class="figure-value">0</span>' in html
