"""The doorbells of payments, rung without a broker."""

from datetime import timedelta

import pytest

from config.schedule import BEAT
from events.clock import now
from payments.models import Payment
from payments.tasks import reconcile_one_payment, sweep_payments
from tests.payments.customers import TIMES_OUT, Customer


@pytest.fixture
def left_pending(customer: Customer) -> Payment:
    customer.top_up(customer.card(TIMES_OUT).id, 2500)
    return customer.payments[0]


def test_when_one_payments_bell_is_rung_twice_then_it_is_credited_once(customer, left_pending):
    reconcile_one_payment(str(left_pending.id))
    reconcile_one_payment(str(left_pending.id))

    assert (customer.payments[0].status, customer.balance) == ("succeeded", 2500)


def test_when_the_sweep_is_rung_then_it_takes_what_is_due_and_nothing_else(customer, left_pending):
    sweep_payments()
    too_early = customer.payments[0].status
    Payment.objects.filter(id=left_pending.id).update(due_at=now() - timedelta(seconds=1))

    swept = sweep_payments()

    assert too_early == "pending"
    assert swept >= 1
    assert (customer.payments[0].status, customer.balance) == ("succeeded", 2500)


def test_when_the_beat_table_is_read_then_the_sweep_is_in_it_every_15_seconds():
    entries = [entry for entry in BEAT.values() if entry["task"] == sweep_payments.name]

    assert [entry["schedule"] for entry in entries] == [15.0]
