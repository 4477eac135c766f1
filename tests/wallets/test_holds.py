"""Holds: exact values at each step, who may do what, and nothing where it is refused."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.utils import timezone
from uuid_utils.compat import uuid7

from events.models import AuditEntry, OutboxEntry
from tests.factories.books import books, nothing_moves
from tests.factories.calls import ACTOR, id_in, keyed, unkeyed
from tests.factories.holds import capture, hold_now, money_of, new_hold, void
from tests.factories.money import new_wallet, set_limits
from transactions import chart
from transactions.models import LedgerAccount, Transaction, Transfer
from transactions.money import Money
from transactions.refusals import (
    AmountExceedsRemaining,
    CurrencyMismatch,
    HoldNotOpen,
    InsufficientFunds,
    LimitExceeded,
    NotFound,
)
from users.refusals import PermissionDenied
from wallets import holds, lifecycle, transfers
from wallets.freed_holds import expire_due_holds
from wallets.models import Wallet
from wallets.refusals import WalletClosed, WalletNotEmpty, WalletSuspended

pytestmark = pytest.mark.django_db

NOON = datetime(2030, 10, 31, 12, 0, tzinfo=UTC)


def pay(wallet_id, amount: int):
    return transfers.pay(
        wallet_id=wallet_id, amount=Money(amount, "USD"), owner_id=None, actor=ACTOR, call=unkeyed()
    )


def suspend(wallet_id) -> None:
    lifecycle.suspend_wallet(wallet_id=wallet_id, actor=ACTOR, reason="lost phone", call=unkeyed())


def outflow_of(wallet_id) -> tuple[int, int]:
    return LedgerAccount.objects.values_list("outflow_day_amount", "outflow_month_amount").get(id=wallet_id)


def test_when_money_is_set_aside_then_it_is_held_and_the_balance_stays():
    wallet_id = new_wallet(10_000)
    before = LedgerAccount.objects.get(id=wallet_id)
    OutboxEntry.objects.all().delete()

    with time_machine.travel(NOON, tick=False):
        hold_id = new_hold(wallet_id, 4_000, description="Room 7", reference="stay-1")

    hold, after = hold_now(hold_id), LedgerAccount.objects.get(id=wallet_id)
    assert (after.balance, after.held, after.last_seq) == (10_000, 4_000, 1)
    assert after.version == before.version + 1
    assert (hold.amount, hold.captured, hold.unused, hold.currency) == (4_000, 0, 4_000, "USD")
    assert (hold.description, hold.reference, hold.actor) == ("Room 7", "stay-1", ACTOR)
    assert (hold.created_at, hold.expires_at) == (NOON, NOON + timedelta(days=7))
    assert hold.transaction_ids == []
    assert list(OutboxEntry.objects.values_list("kind", flat=True)) == ["hold.created"]


def test_when_a_hold_is_captured_twice_then_each_capture_is_a_payment_to_the_merchant():
    wallet_id = new_wallet(10_000)
    hold_id = new_hold(wallet_id, 4_000, description="Room 7", reference="stay-1")
    OutboxEntry.objects.all().delete()

    capture(wallet_id, hold_id, 1_500)
    between = (money_of(wallet_id), hold_now(hold_id).stored_status)
    capture(wallet_id, hold_id)

    hold = hold_now(hold_id)
    lines = list(Transaction.objects.filter(account_id=wallet_id, type="payment").order_by("seq"))
    payments = list(Transfer.objects.filter(hold_id=hold_id).order_by("id"))
    assert between == ((8_500, 2_500), "open")
    assert money_of(wallet_id) == (6_000, 0)
    assert (hold.captured, hold.unused, hold.status, hold.transaction_ids) == (
        4_000,
        0,
        "captured",
        [line.id for line in lines],
    )
    assert [(line.amount, line.balance_after, line.seq) for line in lines] == [
        (-1_500, 8_500, 2),
        (-2_500, 6_000, 3),
    ]
    assert [(p.kind, p.status, p.description, p.reference) for p in payments] == [
        ("payment", "completed", "Room 7", "stay-1")
    ] * 2
    merchant = Transaction.objects.filter(account_id=chart.merchant(currency="USD").id)
    assert sorted(merchant.values_list("amount", flat=True)) == [1_500, 2_500]
    assert list(OutboxEntry.objects.order_by("id").values_list("kind", flat=True)) == [
        "transfer.completed",
        "hold.captured",
        "transfer.completed",
        "hold.captured",
    ]
    assert list(
        AuditEntry.objects.filter(object_id=str(hold_id)).values_list("action", "from_state", "to_state")
    ) == [("hold.captured", "open", "captured")]


def test_when_a_hold_is_voided_after_a_capture_then_the_rest_is_free_and_the_capture_stays():
    wallet_id = new_wallet(10_000)
    hold_id = new_hold(wallet_id, 4_000)
    capture(wallet_id, hold_id, 1_000)

    void(wallet_id, hold_id)

    hold = hold_now(hold_id)
    assert money_of(wallet_id) == (9_000, 0)
    assert (hold.status, hold.captured, hold.unused) == ("voided", 1_000, 0)
    assert OutboxEntry.objects.latest("id").kind == "hold.voided"
    assert AuditEntry.objects.filter(object_id=str(hold_id)).values_list("action", "actor").get() == (
        "hold.voided",
        ACTOR,
    )


def test_when_the_time_of_a_hold_is_over_then_the_sweep_frees_it_once():
    wallet_id = new_wallet(10_000)
    other = new_hold(wallet_id, 100, expires_in_s=7_200)
    hold_id = new_hold(wallet_id, 4_000, expires_in_s=3_600)
    capture(wallet_id, hold_id, 500)

    with time_machine.travel(timezone.now() + timedelta(seconds=3_601)):
        swept = (expire_due_holds(), expire_due_holds())

    hold = hold_now(hold_id)
    assert swept == (1, 0)
    assert money_of(wallet_id) == (9_500, 100)
    assert (hold.stored_status, hold.captured, hold.closed_at) == ("expired", 500, hold.expires_at)
    assert hold_now(other).status == "open"
    assert OutboxEntry.objects.latest("id").kind == "hold.expired"
    assert AuditEntry.objects.filter(object_id=str(hold_id)).values_list("action", "actor").get() == (
        "hold.expired",
        "system",
    )


@pytest.mark.parametrize("act", [capture, void])
def test_when_an_expired_hold_is_used_before_the_sweep_then_it_is_refused(act):
    wallet_id = new_wallet(10_000)
    hold_id = new_hold(wallet_id, 4_000, expires_in_s=60)

    with time_machine.travel(timezone.now() + timedelta(seconds=60)):
        with nothing_moves(), pytest.raises(HoldNotOpen):
            act(wallet_id, hold_id)
        hold = hold_now(hold_id)

        assert (hold.status, hold.closed_at, hold.stored_status) == ("expired", hold.expires_at, "open")


@pytest.mark.parametrize("closed_by", [capture, void])
@pytest.mark.parametrize("act", [capture, void])
def test_when_a_hold_is_closed_then_nothing_more_is_done_with_it(closed_by, act):
    wallet_id = new_wallet(10_000)
    hold_id = new_hold(wallet_id, 4_000)
    closed_by(wallet_id, hold_id)

    with nothing_moves(), pytest.raises(HoldNotOpen):
        act(wallet_id, hold_id)


@pytest.mark.parametrize("captured", [0, 1_000])
def test_when_more_is_captured_than_remains_then_nothing_moves(captured):
    wallet_id = new_wallet(10_000)
    hold_id = new_hold(wallet_id, 4_000)
    if captured:
        capture(wallet_id, hold_id, captured)

    with nothing_moves(), pytest.raises(AmountExceedsRemaining) as refused:
        capture(wallet_id, hold_id, 4_001 - captured)

    assert refused.value.extra == {"remaining": 4_000 - captured}


def test_when_less_is_available_than_shall_be_held_then_nothing_moves():
    wallet_id = new_wallet(1_000)
    new_hold(wallet_id, 600)

    with nothing_moves(), pytest.raises(InsufficientFunds):
        new_hold(wallet_id, 401)
    new_hold(wallet_id, 400)

    assert money_of(wallet_id) == (1_000, 1_000)


def test_when_money_is_held_then_nothing_else_spends_it():
    wallet_id, other = new_wallet(1_000), new_wallet()
    new_hold(wallet_id, 600)

    with nothing_moves(), pytest.raises(InsufficientFunds):
        pay(wallet_id, 401)
    with nothing_moves(), pytest.raises(InsufficientFunds):
        transfers.transfer(
            source_id=wallet_id,
            target_id=other,
            amount=Money(401, "USD"),
            owner_id=None,
            actor=ACTOR,
            call=unkeyed(),
        )
    pay(wallet_id, 400)

    assert money_of(wallet_id) == (600, 600)


def test_when_an_expired_hold_keeps_what_is_needed_then_spending_frees_it_without_a_sweep():
    wallet_id = new_wallet(1_000)
    hold_id = new_hold(wallet_id, 800, expires_in_s=60)

    with time_machine.travel(timezone.now() + timedelta(seconds=60)):
        pay(wallet_id, 900)

    assert money_of(wallet_id) == (100, 0)
    assert hold_now(hold_id).stored_status == "expired"


def test_when_an_expired_hold_uses_the_limit_then_a_new_hold_frees_it_without_a_sweep():
    wallet_id = new_wallet(1_000)
    set_limits(wallet_id, monthly_outflow=800)

    with time_machine.travel(NOON, tick=False):
        first = new_hold(wallet_id, 800, expires_in_s=60)
    with time_machine.travel(NOON + timedelta(seconds=60), tick=False):
        second = new_hold(wallet_id, 700)

    assert money_of(wallet_id) == (1_000, 700)
    assert [hold_now(each).stored_status for each in (first, second)] == ["expired", "open"]
    assert outflow_of(wallet_id) == (700, 700)


def test_when_a_wallet_has_credit_then_a_hold_may_use_it_to_the_last_unit():
    wallet_id = new_wallet(1_000)
    set_limits(wallet_id, credit=500)

    hold_id = new_hold(wallet_id, 1_500)
    with nothing_moves(), pytest.raises(InsufficientFunds):
        new_hold(wallet_id, 1)
    capture(wallet_id, hold_id, 1_200)

    assert money_of(wallet_id) == (-200, 300)


def test_when_a_hold_is_authorised_then_it_counts_as_outflow_and_its_capture_does_not():
    wallet_id = new_wallet(10_000)
    set_limits(wallet_id, per_transaction=600, daily_outflow=1_000, monthly_outflow=1_000)

    with time_machine.travel(NOON, tick=False):
        first = new_hold(wallet_id, 600)
        with nothing_moves(), pytest.raises(LimitExceeded) as daily:
            new_hold(wallet_id, 401)
        with nothing_moves(), pytest.raises(LimitExceeded) as single:
            new_hold(wallet_id, 601)
        new_hold(wallet_id, 400)
        capture(wallet_id, first)

    assert (daily.value.extra, single.value.extra) == (
        {"limit": "daily_outflow"},
        {"limit": "per_transaction"},
    )
    assert outflow_of(wallet_id) == (1_000, 1_000)


def test_when_the_limit_is_lowered_below_a_hold_then_the_hold_is_still_captured():
    wallet_id = new_wallet(1_000)
    hold_id = new_hold(wallet_id, 800)
    set_limits(wallet_id, per_transaction=1, daily_outflow=1, monthly_outflow=1)

    capture(wallet_id, hold_id)

    assert money_of(wallet_id) == (200, 0)


@pytest.mark.parametrize(
    ("later", "counted"),
    [
        (timedelta(hours=11), (300, 300)),
        (timedelta(hours=13), (0, 0)),
    ],
    ids=["same day", "next day, next month"],
)
def test_when_a_hold_is_voided_then_its_rest_is_given_back_to_the_periods_that_counted_it(later, counted):
    wallet_id = new_wallet(10_000)
    with time_machine.travel(NOON, tick=False):
        hold_id = new_hold(wallet_id, 1_000)
        capture(wallet_id, hold_id, 300)

    with time_machine.travel(NOON + later, tick=False):
        new_periods = later > timedelta(hours=12)
        if new_periods:
            pay(wallet_id, 50)
        void(wallet_id, hold_id)

    assert outflow_of(wallet_id) == (tuple(n + 50 for n in counted) if new_periods else counted)


def test_when_the_day_has_passed_but_not_the_month_then_only_the_month_gets_it_back():
    wallet_id = new_wallet(10_000)
    with time_machine.travel(NOON - timedelta(days=2), tick=False):
        hold_id = new_hold(wallet_id, 1_000)

    with time_machine.travel(NOON, tick=False):
        pay(wallet_id, 50)
        void(wallet_id, hold_id)

    assert outflow_of(wallet_id) == (50, 50)


def test_when_the_wallet_is_suspended_then_open_holds_go_on_and_new_ones_are_refused():
    wallet_id = new_wallet(10_000)
    captured, voided = new_hold(wallet_id, 1_000), new_hold(wallet_id, 2_000)
    suspend(wallet_id)

    with nothing_moves(), pytest.raises(WalletSuspended):
        new_hold(wallet_id, 1)
    capture(wallet_id, captured)
    void(wallet_id, voided)

    assert money_of(wallet_id) == (9_000, 0)


def test_when_the_wallet_is_closed_then_nothing_is_held_on_it():
    wallet_id = new_wallet()
    lifecycle.close_wallet(wallet_id=wallet_id, owner_id=None, actor=ACTOR, reason="moved", call=unkeyed())

    with nothing_moves(), pytest.raises(WalletClosed):
        new_hold(wallet_id, 1)


def test_when_a_hold_is_open_on_credit_alone_then_the_wallet_is_not_empty():
    wallet_id = new_wallet()
    set_limits(wallet_id, credit=500)
    new_hold(wallet_id, 500)

    with nothing_moves(), pytest.raises(WalletNotEmpty):
        lifecycle.close_wallet(wallet_id=wallet_id, owner_id=None, actor=ACTOR, reason="x", call=unkeyed())


def test_when_the_currency_is_another_then_nothing_moves():
    wallet_id = new_wallet(1_000)

    with nothing_moves(), pytest.raises(CurrencyMismatch):
        new_hold(wallet_id, 1, currency="EUR")


def test_when_the_hold_is_on_another_wallet_then_it_is_not_found():
    wallet_id, other = new_wallet(1_000), new_wallet(1_000)
    hold_id = new_hold(other, 500)

    for act in (capture, void):
        with nothing_moves(), pytest.raises(NotFound):
            act(wallet_id, hold_id)
        with nothing_moves(), pytest.raises(NotFound):
            act(wallet_id, uuid7())


@pytest.mark.parametrize("use_case", [holds.capture_hold, holds.void_hold])
def test_when_a_program_has_authorised_the_hold_then_its_owner_neither_captures_nor_voids_it(use_case):
    wallet_id = new_wallet(1_000)
    owner_id = Wallet.objects.get(pk=wallet_id).user_id
    hold_id = new_hold(wallet_id, 500)

    with nothing_moves(), pytest.raises(PermissionDenied):
        use_case(
            wallet_id=wallet_id, hold_id=hold_id, owner_id=owner_id, actor=f"user:{owner_id}", call=unkeyed()
        )


def test_when_the_owner_has_authorised_the_hold_then_the_owner_voids_it():
    wallet_id = new_wallet(1_000)
    owner_id = Wallet.objects.get(pk=wallet_id).user_id
    me = {"owner_id": owner_id, "actor": f"user:{owner_id}", "call": unkeyed()}
    answer = holds.authorise_hold(wallet_id=wallet_id, amount=Money(500, "USD"), **me)

    holds.void_hold(wallet_id=wallet_id, hold_id=id_in(answer), **me)

    assert money_of(wallet_id) == (1_000, 0)


def test_when_a_keyed_hold_is_repeated_at_each_step_then_each_step_happened_once():
    wallet_id = new_wallet(1_000)
    hold_id = new_hold(wallet_id, 600, call=keyed("hold"))
    capture(wallet_id, hold_id, 200, keyed("capture"))
    void(wallet_id, hold_id, keyed("void"))
    before = books()

    again = [
        new_hold(wallet_id, 600, call=keyed("hold")),
        capture(wallet_id, hold_id, 200, keyed("capture")).replayed,
        void(wallet_id, hold_id, keyed("void")).replayed,
    ]

    assert again == [hold_id, True, True]
    assert books() == before
