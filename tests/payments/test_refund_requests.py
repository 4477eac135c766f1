"""Asking for money back: what waits where, never more than remains, and nothing where it is refused."""

import pytest

from events.models import AuditEntry
from payments.models import Payment, Refund
from payments.refusals import NotRefundable, PaymentDisputed, RefundNotPending
from tests.factories.books import nothing_moves
from tests.factories.calls import ACTOR, unkeyed
from tests.factories.holds import new_hold, staff
from tests.factories.money import fund, set_limits
from tests.payments.customers import DECLINED, TIMES_OUT, Customer
from tests.payments.refunding import (
    approve,
    ask,
    ask_for,
    cancel,
    deposit_of,
    events_of,
    lines_of,
    money_of,
    now_of,
    purchase_of,
    refunded,
    reject,
    states_of,
)
from transactions.idempotency import Answer, KeyedCall
from transactions.models import Transaction, Transfer
from transactions.refusals import (
    AlreadyRefunded,
    AlreadyReversed,
    AmountExceedsRemaining,
    InsufficientFunds,
    NotFound,
)
from users.models import User
from users.refusals import PermissionDenied
from wallets import lifecycle
from wallets.refusals import WalletClosed, WalletNotEmpty
from wallets.reversals import reverse_transaction

UNKEYED = KeyedCall(principal=ACTOR, key="", fingerprint=b"", render=lambda _: Answer(201, b""))


def test_when_a_deposit_is_asked_back_then_its_money_waits_on_the_wallet(customer):
    payment = deposit_of(customer, 2500)

    refund = ask_for(payment.transaction_id, 1000, by=customer)

    assert (refund.status, refund.amount, refund.currency) == ("pending", 1000, "USD")
    assert (refund.payment_id, refund.wallet_id) == (payment.id, customer.wallet_id)
    assert (refund.requested_by, refund.decided_by, refund.due_at) == (customer.user.id, None, None)
    assert money_of(customer) == (2500, 1000)
    assert lines_of(refund) == [("refund", -1000, "pending")]
    assert Transfer.objects.get(id=refund.transfer_id).refund_of == payment.transaction_id
    assert (states_of(refund), events_of(refund)) == ([("", "pending")], ["refund.created"])


def test_when_a_payment_is_asked_back_then_it_waits_on_its_way_to_the_wallet(customer):
    deposit_of(customer, 2500)
    line_id = purchase_of(customer, 700)

    refund = ask_for(line_id, by=customer)

    assert (refund.amount, refund.payment_id, refund.transaction_id) == (700, None, line_id)
    assert money_of(customer) == (1800, 0)
    assert lines_of(refund) == [("refund", 700, "pending")]
    moved = Transfer.objects.get(id=refund.transfer_id)
    assert (moved.refund_of, moved.description, moved.reference) == (line_id, "a lamp", "order-1")


def test_when_no_amount_is_named_then_all_that_remains_is_asked_for(customer):
    payment = deposit_of(customer, 2500)
    ask_for(payment.transaction_id, 900, by=customer)

    refund = ask_for(payment.transaction_id, by=customer)

    assert refund.amount == 1600


@pytest.mark.parametrize("undo", ["cancel", "reject"])
def test_when_one_is_undone_then_its_amount_remains_again_and_its_money_is_free(customer, undo):
    payment = deposit_of(customer, 2500)
    refund = ask_for(payment.transaction_id, 2000, by=customer)

    cancel(refund, by=customer) if undo == "cancel" else reject(refund)

    ended = "cancelled" if undo == "cancel" else "rejected"
    assert now_of(refund).status == ended
    assert states_of(refund) == [("", "pending"), ("pending", ended)]
    assert money_of(customer) == (2500, 0)
    assert lines_of(refund) == [("refund", -2000, "cancelled")]
    assert ask_for(payment.transaction_id, by=customer).amount == 2500


@pytest.mark.parametrize(("taken", "more"), [(2000, 501), (0, 2501)])
def test_when_more_than_remains_is_asked_for_then_nothing_moves(customer, taken, more):
    payment = deposit_of(customer, 2500)
    deposit_of(customer, 5000)
    if taken:
        ask_for(payment.transaction_id, taken, by=customer)

    with nothing_moves(), pytest.raises(AmountExceedsRemaining) as refused:
        ask(payment.transaction_id, more, by=customer)

    assert refused.value.extra == {"remaining": 2500 - taken}


def test_when_nothing_remains_then_it_is_refunded_already_and_nothing_moves(customer):
    payment = deposit_of(customer, 2500)
    ask_for(payment.transaction_id, by=customer)
    deposit_of(customer, 2500)

    with nothing_moves(), pytest.raises(AlreadyRefunded):
        ask(payment.transaction_id, 1, by=customer)


def test_when_the_deposit_has_been_spent_then_nothing_moves(customer):
    payment = deposit_of(customer, 2500)
    purchase_of(customer, 1)

    with nothing_moves(), pytest.raises(InsufficientFunds):
        ask(payment.transaction_id, by=customer)


def test_when_an_expired_hold_still_keeps_the_money_then_it_is_freed_first(customer, monkeypatch):
    payment = deposit_of(customer, 2500)
    new_hold(customer.wallet_id, 2500, expires_in_s=1)
    later = Payment.objects.get(id=payment.id).created_at.replace(year=2090)
    monkeypatch.setattr("transactions.held_amounts.now", lambda: later)

    refund = ask_for(payment.transaction_id, by=customer)

    assert (refund.amount, money_of(customer)) == (2500, (2500, 2500))


def test_when_the_wallet_is_suspended_then_it_is_refunded_all_the_same(customer):
    payment = deposit_of(customer, 2500)
    lifecycle.suspend_wallet(wallet_id=customer.wallet_id, actor=ACTOR, reason="stolen", call=unkeyed())

    refund = refunded(customer, payment.transaction_id)

    assert (refund.status, money_of(customer)) == ("completed", (0, 0))


def test_when_the_wallet_is_closed_then_nothing_moves(customer):
    payment = deposit_of(customer, 2500)
    purchase_of(customer, 2500)
    lifecycle.close_wallet(
        wallet_id=customer.wallet_id, owner_id=None, actor=ACTOR, reason="x", call=unkeyed()
    )

    with nothing_moves(), pytest.raises(WalletClosed):
        ask(payment.transaction_id, by=customer)


def test_when_the_charge_is_disputed_then_nothing_moves(customer):
    payment = deposit_of(customer, 2500)
    Payment.objects.filter(id=payment.id).update(status="disputed")

    with nothing_moves(), pytest.raises(PaymentDisputed):
        ask(payment.transaction_id, by=customer)


def test_when_the_line_is_of_no_kind_that_is_refunded_then_nothing_moves(customer):
    payment = deposit_of(customer, 2500)
    refund = refunded(customer, payment.transaction_id, 100)
    line = Transaction.objects.get(transfer_id=refund.transfer_id, account_id=customer.wallet_id)

    with nothing_moves(), pytest.raises(NotRefundable):
        ask(line.id, by=customer)


def test_when_the_deposit_has_no_charge_behind_it_then_nothing_moves(customer):
    moved = fund(customer.wallet_id, 500)

    with nothing_moves(), pytest.raises(NotRefundable):
        ask(moved.line_of(customer.wallet_id).id, by=customer)


def test_when_the_line_never_completed_then_nothing_moves(customer):
    deposit_of(customer, 9_000)
    for number in (DECLINED, TIMES_OUT):
        payment = deposit_of(customer, 2500, number)

        with nothing_moves(), pytest.raises(NotRefundable):
            ask(payment.transaction_id, by=customer)


def test_when_a_payment_was_reversed_then_it_is_not_refunded_as_well(customer):
    deposit_of(customer, 2500)
    line_id = purchase_of(customer, 700)
    reverse_transaction(line_id=line_id, reason="x", actor=ACTOR, call=UNKEYED)

    with nothing_moves(), pytest.raises(AlreadyReversed):
        ask(line_id, by=customer)


@pytest.mark.parametrize("state", ["pending", "completed"])
def test_when_a_part_of_a_payment_is_refunded_then_it_is_not_reversed_as_well(customer, state):
    deposit_of(customer, 2500)
    line_id = purchase_of(customer, 700)
    if state == "completed":
        refunded(customer, line_id, 1)
    else:
        ask(line_id, 1, by=customer)

    with nothing_moves(), pytest.raises(AlreadyRefunded):
        reverse_transaction(line_id=line_id, reason="x", actor=ACTOR, call=UNKEYED)


def test_when_its_refund_was_undone_then_a_payment_may_be_reversed(customer):
    deposit_of(customer, 2500)
    line_id = purchase_of(customer, 700)
    reject(ask_for(line_id, by=customer))

    reverse_transaction(line_id=line_id, reason="x", actor=ACTOR, call=UNKEYED)

    assert money_of(customer) == (2500, 0)


def test_when_it_is_another_s_line_then_it_looks_as_if_there_were_none(customer):
    payment = deposit_of(customer, 2500)
    other = Customer.with_wallet("USD")

    with nothing_moves(), pytest.raises(NotFound):
        ask(payment.transaction_id, by=other)
    with nothing_moves(), pytest.raises(NotFound):
        ask(payment.id, by=customer)


@pytest.mark.parametrize("role", ["service", "support", "finance", "admin"])
def test_when_somebody_else_asks_then_it_is_in_their_own_name(customer, role):
    payment = deposit_of(customer, 2500)
    by = staff(role)

    refund = ask_for(payment.transaction_id, by=by)

    assert refund.requested_by == by.id
    entry = AuditEntry.objects.get(object_type="refund", object_id=str(refund.id))
    assert (entry.actor, entry.action) == (by.name, "refund.requested")


def test_when_staff_has_lost_the_right_since_the_token_then_nothing_moves(customer):
    payment = deposit_of(customer, 2500)
    by = staff("support")
    User.objects.filter(id=by.id).update(is_active=False)

    with nothing_moves(), pytest.raises(PermissionDenied):
        ask(payment.transaction_id, by=by)


def test_when_the_request_is_repeated_under_its_key_then_it_is_asked_once(customer):
    payment = deposit_of(customer, 2500)
    call = customer.call("refund-1")

    first, second = (ask(payment.transaction_id, 1000, by=customer, call=call) for _ in range(2))

    assert (first.replayed, second.replayed) == (False, True)
    assert Refund.objects.filter(payment=payment).count() == 1
    assert money_of(customer) == (2500, 1000)


def test_when_a_customer_takes_back_what_staff_asked_for_then_nothing_moves(customer):
    payment = deposit_of(customer, 2500)
    refund = ask_for(payment.transaction_id, by=staff("support"))

    with nothing_moves(), pytest.raises(PermissionDenied):
        cancel(refund, by=customer)


def test_when_another_customer_takes_it_back_then_it_looks_as_if_there_were_none(customer):
    refund = ask_for(deposit_of(customer, 2500).transaction_id, by=customer)
    other = Customer.with_wallet("USD")

    with nothing_moves(), pytest.raises(NotFound):
        cancel(refund, by=other)


@pytest.mark.parametrize("decide", [approve, reject])
def test_when_it_has_been_decided_then_it_is_not_taken_back(customer, decide):
    refund = ask_for(deposit_of(customer, 2500).transaction_id, by=customer)
    decide(refund)

    with nothing_moves(), pytest.raises(RefundNotPending):
        cancel(refund, by=customer)


def test_when_the_refund_waits_then_the_wallet_is_not_closed_meanwhile(customer):
    deposit_of(customer, 2500)
    ask_for(purchase_of(customer, 2500), by=customer)

    with nothing_moves(), pytest.raises(WalletNotEmpty):
        lifecycle.close_wallet(
            wallet_id=customer.wallet_id, owner_id=None, actor=ACTOR, reason="x", call=unkeyed()
        )


@pytest.mark.parametrize(
    ("below", "status"), [({}, "pending"), ({"USD": 1000}, "pending"), ({"*": 1001}, "approved")]
)
def test_when_a_setting_approves_small_amounts_then_only_those_below_it(customer, settings, below, status):
    settings.REFUND_AUTO_APPROVAL_BELOW = below
    payment = deposit_of(customer, 2500)

    refund = ask_for(payment.transaction_id, 1000, by=customer)

    assert (refund.status, refund.is_auto_approved) == (status, status == "approved")
    assert (refund.decided_by, refund.decided_at is None) == (None, status == "pending")
    approved = [("pending", "approved")] if status == "approved" else []
    assert states_of(refund) == [("", "pending"), *approved]


def test_when_small_amounts_add_up_then_the_setting_approves_no_more(customer, settings):
    settings.REFUND_AUTO_APPROVAL_BELOW = {"USD": 1000}
    payment = deposit_of(customer, 2500)

    statuses = [ask_for(payment.transaction_id, amount, by=customer).status for amount in (500, 499, 1)]

    assert statuses == ["approved", "approved", "pending"]


def test_when_the_wallet_is_full_then_a_payment_comes_back_all_the_same(customer):
    deposit_of(customer, 2500)
    line_id = purchase_of(customer, 2500)
    set_limits(customer.wallet_id, maximum_balance=1)

    refund = refunded(customer, line_id)

    assert (refund.status, money_of(customer)) == ("completed", (2500, 0))
