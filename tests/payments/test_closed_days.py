"""Closed days of the daily proof: what they keep is what the book says, and whatever the book says later shows."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone
from uuid_utils.compat import uuid7

from events.models import AuditEntry
from payments.closed_days import DAYS_PROVED_IN_RUN, close_days, prove_days
from payments.day_counts import DayCount, count_days
from payments.models import ClosedDay, ClosedDayFigure, Payment, PaymentKind, PaymentMethod
from payments.processors.contract import Declined, RetryClass, Succeeded
from payments.refund_execution import settle_refund
from payments.settlement_days import LATE_AFTER, SettlementDay, late_since, settlement_days
from payments.tasks import close_and_prove_days
from payments.topups import open_payment, settle_payment
from tests.factories.calls import ACTOR
from tests.factories.money import fund, locked, new_wallet
from tests.payments.conftest import Clock
from tests.payments.refunding import now_of
from tests.payments.reports import charged, refunded, unused_currency
from transactions.chart import settlement
from transactions.money import Money

NOW = datetime(2042, 3, 20, 12, 30, tzinfo=UTC)
FIRST = date(2042, 3, 1)
TODAY = NOW.date()


def march(day: int, hour: int = 12) -> datetime:
    return datetime(2042, 3, day, hour, tzinfo=UTC)


def closed_before(day: date) -> None:
    """Begin to close with this day, as if everything before it were closed."""
    at = march(1)
    ClosedDay.objects.create(day=day - timedelta(days=1), closed_at=at, proved_at=march(28))


def opened(wallet_id: UUID, amount: int) -> Payment:
    with transaction.atomic():
        wallet = locked(wallet_id)
        return open_payment(
            wallet=wallet,
            amount=Money(amount, wallet.currency),
            token=None,
            kind=PaymentKind.FUNDING,
            method=PaymentMethod.CARD,
            actor=ACTOR,
        )


def settled(payment: Payment) -> None:
    outcome = Succeeded(reference=f"pi_{payment.id}", amount=Money(payment.amount, payment.currency))
    settle_payment(payment_id=payment.id, outcome=outcome, actor=ACTOR)


def ended_without_a_line(payment: Payment, at: datetime) -> None:
    """Say that a charge ended well, and leave its movement in the book pending."""
    Payment.objects.filter(id=payment.id).update(status="succeeded", completed_at=at, due_at=None)


def book(set_clock: Clock) -> str:
    """Write three weeks of a processor in a currency of its own, both sides of it, and give the currency."""
    currency = unused_currency()
    set_clock(march(1, 9))
    ada, ben = new_wallet(currency=currency), new_wallet(currency=currency)
    first = charged(ada, 10_000)
    slow = opened(ben, 2_000)
    slowest = opened(ben, 3_000)
    set_clock(datetime(2042, 3, 1, 23, 59, 59, tzinfo=UTC))
    over_midnight = opened(ada, 400)
    set_clock(march(2, 0))
    settled(over_midnight)
    set_clock(march(4))
    settled(slow)
    refund = refunded(first, 1_500)
    set_clock(march(5))
    fund(ada, 77)
    set_clock(march(6))
    ended_without_a_line(opened(ben, 600), march(6))
    set_clock(march(9))
    came_back = Declined("expired_or_canceled_card", RetryClass.NEVER, reference=f"re_{refund.id}")
    settle_refund(refund_id=refund.id, outcome=came_back)
    assert now_of(refund).status == "failed"
    set_clock(march(18))
    settled(slowest)
    set_clock(NOW - timedelta(minutes=30))
    charged(ada, 50)
    set_clock(NOW)
    return currency


@pytest.fixture
def currency(db: None, set_clock: Clock) -> str:
    closed_before(FIRST)
    return book(set_clock)


def shown(currency: str, *, at: datetime = NOW, days: int = 20) -> list[SettlementDay]:
    return [row for row in settlement_days(days=days, at=at) if row.currency == currency]


def counts(rows: list[SettlementDay]) -> list[DayCount]:
    return [
        DayCount(
            row.date,
            row.processor,
            row.currency,
            row.came_in,
            row.went_out,
            row.documents,
            row.movements,
            row.breaks,
        )
        for row in rows
    ]


def of_day(currency: str, day: int) -> SettlementDay:
    return next(row for row in shown(currency) if row.date == date(2042, 3, day))


def post_late(currency: str, amount: int, at: datetime) -> None:
    """Put a balanced movement into the book as of another day, behind the back of every use case."""
    transfer_id, other = uuid7(), settlement(processor="elsewhere", currency=currency)
    fund(new_wallet(currency=currency), 1)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO transactions_transfer (id, kind, status, actor, request_id, description, reference, metadata,"
            " failure_code, effective_at, created_at, completed_at)"
            " VALUES (%s, 'funding', 'completed', 'x', '', '', '', '{}', '', %s, %s, %s)",
            (transfer_id, at, at, at),
        )
        for account_id, signed in (
            (settlement(processor="sandbox", currency=currency).id, -amount),
            (other.id, amount),
        ):
            cursor.execute(
                "INSERT INTO transactions_transaction (id, transfer_id, account_id, type, amount, status, created_at,"
                " completed_at) VALUES (%s, %s, %s, 'funding', %s, 'completed', %s, %s)",
                (uuid7(), transfer_id, account_id, signed, at, at),
            )


def prove_all() -> int:
    """Prove every day that is closed, and tell how many had changed."""
    rounds = ClosedDay.objects.count() // DAYS_PROVED_IN_RUN + 1
    return sum(prove_days(at=NOW) for _ in range(rounds))


EXPECTED = [
    # Day, came in, went out, documents, movements, breaks.
    (20, 50, 0, 50, 1, 0),
    (18, 3_000, 0, 3_000, 1, 0),
    (9, 1_500, 0, 1_500, 1, 0),
    (6, 0, 0, 600, 1, 1),
    (5, 77, 0, 0, 1, 1),
    (4, 2_000, 1_500, 500, 2, 0),
    (2, 400, 0, 400, 1, 0),
    (1, 10_000, 0, 10_000, 1, 0),
]


def of_march(rows: list[SettlementDay]) -> list[tuple[int, ...]]:
    return [
        (row.date.day, row.came_in, row.went_out, row.documents, row.movements, row.breaks) for row in rows
    ]


def test_when_days_are_closed_then_they_say_what_the_whole_book_says(currency):
    before = shown(currency)

    closed = close_days(at=NOW)

    after = shown(currency)
    whole = [row for row in count_days(FIRST, TODAY) if row.currency == currency]
    assert (closed, ClosedDay.objects.filter(day__gte=FIRST).count()) == (19, 19)
    assert of_march(before) == of_march(after) == EXPECTED
    assert counts(before) == counts(after) == whole
    assert [row.closed_at for row in before] == [None] * len(before)
    assert [row.closed_at for row in after] == [None] + [NOW] * (len(after) - 1)
    assert close_days(at=NOW) == 0


@pytest.mark.parametrize("closed_to", [2, 4, 7, 19])
def test_when_the_roll_up_has_come_so_far_then_the_rest_is_counted_from_the_book(currency, closed_to):
    close_days(at=march(closed_to + 1))

    rows = shown(currency)

    assert of_march(rows) == EXPECTED
    assert {row.date.day for row in rows if row.closed_at} == {
        day for day, *_figures in EXPECTED if day <= closed_to
    }


@pytest.mark.parametrize("zone", ["Asia/Kolkata", "Pacific/Kiritimati", "America/St_Johns"])
def test_when_the_reader_lives_in_another_zone_then_days_are_utc_s_all_the_same(currency, zone):
    with timezone.override(zone):
        close_days(at=NOW)

        assert of_march(shown(currency)) == EXPECTED


def test_when_a_day_has_just_ended_then_it_stays_open_until_everybody_has_committed(currency):
    midnight = datetime(2042, 3, 20, tzinfo=UTC)

    early = close_days(at=midnight + timedelta(seconds=30))
    later = close_days(at=midnight + timedelta(minutes=2))

    assert (early, later) == (18, 1)


def test_when_a_charge_waits_past_its_day_then_its_day_stays_as_it_was(currency, set_clock):
    waiting = opened(new_wallet(currency=currency), 900)
    close_days(at=NOW + timedelta(days=1))
    set_clock(NOW + timedelta(days=2))

    settled(waiting)

    rows = shown(currency, at=NOW + timedelta(days=2, minutes=1), days=3)
    assert of_march(rows) == [(22, 900, 0, 900, 1, 0), (20, 50, 0, 50, 1, 0)]
    assert prove_all() == 0


def test_when_nothing_changed_then_each_proof_moves_its_moment_alone(currency):
    close_days(at=NOW)
    figures = list(ClosedDayFigure.objects.order_by("day", "processor", "currency").values())
    closed_at = ClosedDay.objects.get(day=date(2042, 3, 19)).proved_at

    changed = prove_all()

    days = ClosedDay.objects.filter(day__gte=FIRST)
    assert changed == 0
    assert {day.version for day in days} == {1}
    assert min(day.proved_at for day in days) > closed_at
    assert list(ClosedDayFigure.objects.order_by("day", "processor", "currency").values()) == figures


def test_when_days_are_proved_then_those_that_were_proved_longest_ago_come_first(currency):
    close_days(at=NOW)
    ClosedDay.objects.filter(day=date(2042, 3, 9)).update(proved_at=datetime(2020, 1, 1, tzinfo=UTC))
    before = dict(ClosedDay.objects.values_list("day", "proved_at"))

    prove_days(at=NOW)

    moved = {day.day for day in ClosedDay.objects.all() if day.proved_at != before[day.day]}
    assert date(2042, 3, 9) in moved
    assert len(moved) == DAYS_PROVED_IN_RUN


def test_when_a_line_is_put_into_a_closed_day_then_the_proof_shows_it_and_keeps_what_was_said_before(
    currency,
):
    close_days(at=NOW)
    post_late(currency, 250, march(5, 3))
    unproved = of_day(currency, 5)

    changed = prove_all()

    row = of_day(currency, 5)
    entry = AuditEntry.objects.get(action="settlement_day.changed", object_id="2042-03-05")
    was = {"came_in": 77, "went_out": 0, "documents": 0, "movements": 1, "breaks": 1}
    assert (unproved.ledger, unproved.changed_at) == (77, None)
    assert NOW - timedelta(minutes=1) < unproved.proved_at < row.proved_at <= NOW
    assert changed == 1
    assert (row.ledger, row.documents, row.movements, row.breaks) == (327, 0, 2, 2)
    assert (row.ledger_at_closing, row.documents_at_closing) == (77, 0)
    assert row.changed_at == NOW
    assert entry.before[f"sandbox:{currency}"] == was
    assert entry.after[f"sandbox:{currency}"] == {**was, "came_in": 327, "movements": 2, "breaks": 2}
    assert prove_all() == 0
    assert of_day(currency, 5).changed_at == row.changed_at


def test_when_a_line_is_put_into_a_day_without_movement_then_the_day_appears(currency):
    close_days(at=NOW)
    post_late(currency, 250, march(12))

    prove_all()

    row = of_day(currency, 12)
    assert (row.ledger, row.breaks, row.ledger_at_closing) == (250, 1, 0)
    assert row.changed_at is not None


def test_when_the_missing_line_of_a_charge_is_found_then_its_day_heals_and_says_that_it_changed(
    currency, set_clock
):
    close_days(at=NOW)
    payment = Payment.objects.get(currency=currency, completed_at=march(6))
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE transactions_transfer SET status = 'completed', completed_at = %s WHERE id = %s",
            (NOW, payment.transfer_id),
        )
        cursor.execute(
            "UPDATE transactions_transaction AS l SET status = 'completed', completed_at = %s"
            " FROM transactions_ledgeraccount AS a WHERE a.id = l.account_id AND a.rolled_up AND l.transfer_id = %s",
            (NOW - timedelta(minutes=1), payment.transfer_id),
        )

    prove_all()

    healed, today = of_day(currency, 6), of_day(currency, 20)
    assert (healed.documents, healed.breaks, healed.documents_at_closing) == (0, 0, 600)
    assert (today.ledger, today.documents, today.breaks) == (650, 650, 0)


def test_when_all_of_a_day_is_taken_out_of_the_book_then_it_stands_there_with_zeros(as_owner, set_clock):
    closed_before(FIRST)
    currency = book(set_clock)
    close_days(at=NOW)
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE transactions_transaction DISABLE TRIGGER USER")
        cursor.execute(
            "DELETE FROM transactions_transaction AS l USING transactions_ledgeraccount AS a WHERE a.id = l.account_id"
            " AND a.currency = %s AND l.completed_at >= %s AND l.completed_at < %s",
            (currency, march(5, 0), march(6, 0)),
        )

    prove_all()

    row = of_day(currency, 5)
    assert (row.ledger, row.movements, row.ledger_at_closing) == (0, 0, 77)
    assert row.changed_at is not None
    assert prove_all() == 0


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE payments_closeddayfigure SET came_in = came_in + 1",
        "DELETE FROM payments_closeddayfigure",
        "DELETE FROM payments_closedday",
        "UPDATE payments_closedday SET closed_at = now()",
    ],
)
def test_when_the_application_would_rewrite_a_closed_day_then_the_database_refuses(currency, statement):
    close_days(at=NOW)

    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


def test_when_closed_days_are_read_then_their_lines_are_not(currency, django_assert_num_queries: Any):
    close_days(at=NOW)

    with django_assert_num_queries(3) as asked:
        shown(currency)

    since_today = f"l.completed_at >= '{TODAY}"
    of_the_book = [query["sql"] for query in asked if "transactions_transaction" in query["sql"]]
    assert len(of_the_book) == 1
    assert since_today in of_the_book[0]


def test_when_nothing_was_ever_closed_then_all_days_are_counted(db, set_clock):
    currency = book(set_clock)

    assert of_march(shown(currency)) == EXPECTED


@pytest.mark.parametrize(
    ("age", "is_late"),
    [
        (timedelta(), False),
        (LATE_AFTER - timedelta(minutes=1), False),
        (LATE_AFTER + timedelta(minutes=1), True),
    ],
)
def test_when_a_day_was_proved_too_long_ago_then_it_is_said_since_when(currency, age, is_late):
    close_days(at=NOW)
    ClosedDay.objects.filter(day=date(2042, 3, 4)).update(proved_at=datetime.now(UTC) - age)

    since = late_since(shown(currency), at=NOW)

    assert (since is not None) is is_late
    assert since is None or timedelta() <= NOW - age - since < timedelta(seconds=30)


def test_when_the_minute_s_task_runs_then_days_are_closed_and_proved(currency):
    post_late(currency, 250, march(5, 3))

    changed = close_and_prove_days()

    assert changed == 0
    assert of_day(currency, 5).ledger == 327
    assert ClosedDay.objects.filter(day__gte=FIRST).count() == 19
