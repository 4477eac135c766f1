"""Corrections by two people: what each step writes, who may do it, and nothing where it is refused."""

import pytest

from events.models import AuditEntry, OutboxEntry
from tests.factories.books import nothing_moves
from tests.factories.calls import ACTOR, unkeyed
from tests.factories.holds import approve, ask, capture, money_of, new_hold, principal_of, reject, staff
from tests.factories.money import new_wallet, set_limits
from tests.factories.people import someone
from transactions import chart
from transactions.models import LedgerAccount, Transaction, Transfer
from transactions.money import Money
from transactions.queries import state_changes
from transactions.refusals import CurrencyMismatch, InsufficientFunds, NotFound, SelfApproval
from users.models import User
from users.refusals import PermissionDenied
from wallets import lifecycle, transfers
from wallets.models import Adjustment
from wallets.refusals import AdjustmentNotPending, WalletClosed, WalletNotEmpty

pytestmark = pytest.mark.django_db

OUTSIDE = chart.adjustments(currency="USD")


def lines_of(adjustment: Adjustment) -> list[tuple]:
    lines = Transaction.objects.filter(transfer_id=adjustment.transfer_id).order_by("id")
    return [(line.account_id, line.type, line.amount, line.status, line.balance_after) for line in lines]


def test_when_a_debit_is_asked_for_then_its_money_waits_and_the_balance_stays():
    wallet_id, support = new_wallet(1_000), staff("support")

    adjustment = ask(wallet_id, -300, by=support)

    assert money_of(wallet_id) == (1_000, 300)
    assert (adjustment.amount, adjustment.currency, adjustment.status) == (-300, "USD", "pending")
    assert (adjustment.requested_by, adjustment.decided_by, adjustment.decided_at) == (support.id, None, None)
    assert lines_of(adjustment) == [
        (wallet_id, "adjustment", -300, "pending", None),
        (OUTSIDE.id, "adjustment", 300, "pending", None),
    ]
    assert Transfer.objects.get(id=adjustment.transfer_id).actor == support.name
    assert AuditEntry.objects.filter(object_id=str(adjustment.id)).values_list(
        "action", "actor", "to_state", "reason"
    ).get() == ("adjustment.requested", support.name, "pending", "a correction")


def test_when_a_credit_is_asked_for_then_nothing_may_be_spent_yet():
    wallet_id = new_wallet(1_000)

    adjustment = ask(wallet_id, 300)

    assert money_of(wallet_id) == (1_000, 0)
    assert lines_of(adjustment)[0] == (wallet_id, "adjustment", 300, "pending", None)


@pytest.mark.parametrize("amount", [-300, 300])
def test_when_another_one_approves_then_it_is_posted_against_the_adjustments(amount):
    wallet_id, finance = new_wallet(1_000), staff("finance")
    adjustment = ask(wallet_id, amount)
    OutboxEntry.objects.all().delete()

    approve(adjustment, by=finance)

    adjustment.refresh_from_db()
    assert money_of(wallet_id) == (1_000 + amount, 0)
    assert (adjustment.status, adjustment.decided_by) == ("completed", finance.id)
    assert adjustment.decided_at is not None
    assert lines_of(adjustment) == [
        (wallet_id, "adjustment", amount, "completed", 1_000 + amount),
        (OUTSIDE.id, "adjustment", -amount, "completed", None),
    ]
    assert list(OutboxEntry.objects.values_list("kind", flat=True)) == ["transfer.completed"]
    changes = state_changes(adjustment.transaction_id, owner_id=None)
    assert [(change["from"], change["to"], change["by"]) for change in changes][1:] == [
        ("pending", "completed", finance.name)
    ]


@pytest.mark.parametrize("amount", [-300, 300])
def test_when_another_one_rejects_then_nothing_was_moved_and_nothing_waits(amount):
    wallet_id, finance = new_wallet(1_000), staff("finance")
    adjustment = ask(wallet_id, amount)

    reject(adjustment, by=finance)

    adjustment.refresh_from_db()
    assert money_of(wallet_id) == (1_000, 0)
    assert (adjustment.status, adjustment.decided_by, adjustment.decision_reason) == (
        "rejected",
        finance.id,
        "not so",
    )
    assert [line[2:] for line in lines_of(adjustment)] == [
        (amount, "cancelled", None),
        (-amount, "cancelled", None),
    ]
    assert (
        AuditEntry.objects.filter(object_id=str(adjustment.id)).latest("id").action == "adjustment.rejected"
    )


@pytest.mark.parametrize("decide", [approve, reject])
def test_when_the_one_who_asked_decides_then_nothing_moves(decide):
    wallet_id, finance = new_wallet(1_000), staff("finance")
    adjustment = ask(wallet_id, -300, by=finance)

    with nothing_moves(), pytest.raises(SelfApproval):
        decide(adjustment, by=finance)


@pytest.mark.parametrize("first", [approve, reject])
@pytest.mark.parametrize("second", [approve, reject])
def test_when_it_has_been_decided_then_it_stays_so(first, second):
    adjustment = ask(new_wallet(1_000), -300)
    first(adjustment)

    with nothing_moves(), pytest.raises(AdjustmentNotPending):
        second(adjustment)


def test_when_the_one_who_asked_decides_what_is_decided_then_the_conflict_is_told_first():
    finance = staff("finance")
    adjustment = ask(new_wallet(1_000), -300, by=finance)
    approve(adjustment)

    with nothing_moves(), pytest.raises(AdjustmentNotPending):
        approve(adjustment, by=finance)


@pytest.mark.parametrize("change", [{"is_active": False}, {"role": "user"}, {"role": "support"}])
def test_when_the_decider_has_lost_the_right_since_the_token_then_nothing_moves(change):
    person = someone("finance")
    principal = principal_of(person)
    adjustment = ask(new_wallet(1_000), -300)
    User.objects.filter(id=person.id).update(**change)

    with nothing_moves(), pytest.raises(PermissionDenied):
        approve(adjustment, by=principal)


def test_when_the_asker_has_lost_the_right_since_the_token_then_nothing_moves():
    person, wallet_id = someone("support"), new_wallet(1_000)
    principal = principal_of(person)
    User.objects.filter(id=person.id).update(is_active=False)

    with nothing_moves(), pytest.raises(PermissionDenied):
        ask(wallet_id, 300, by=principal)


def test_when_a_debit_is_more_than_is_available_then_nothing_moves():
    wallet_id, support = new_wallet(1_000), staff("support")
    new_hold(wallet_id, 600)

    with nothing_moves(), pytest.raises(InsufficientFunds):
        ask(wallet_id, -401, by=support)


def test_when_a_debit_waits_then_nobody_else_spends_its_money():
    wallet_id = new_wallet(1_000)
    ask(wallet_id, -600)

    with nothing_moves(), pytest.raises(InsufficientFunds):
        transfers.pay(
            wallet_id=wallet_id, amount=Money(401, "USD"), owner_id=None, actor=ACTOR, call=unkeyed()
        )


def test_when_the_wallet_has_limits_then_a_correction_minds_none_of_them_and_counts_for_none():
    wallet_id = new_wallet(1_000)
    set_limits(wallet_id, maximum_balance=1, per_transaction=1, daily_outflow=1, monthly_outflow=1)

    approve(ask(wallet_id, 500))
    approve(ask(wallet_id, -200))

    assert money_of(wallet_id) == (1_300, 0)
    assert LedgerAccount.objects.get(id=wallet_id).outflow_day_amount == 0


def test_when_the_wallet_is_suspended_then_it_is_corrected_all_the_same():
    wallet_id = new_wallet(1_000)
    lifecycle.suspend_wallet(wallet_id=wallet_id, actor=ACTOR, reason="stolen", call=unkeyed())

    approve(ask(wallet_id, -300))

    assert money_of(wallet_id) == (700, 0)


def test_when_the_wallet_is_closed_then_nothing_is_corrected():
    wallet_id, support = new_wallet(), staff("support")
    lifecycle.close_wallet(wallet_id=wallet_id, owner_id=None, actor=ACTOR, reason="x", call=unkeyed())

    with nothing_moves(), pytest.raises(WalletClosed):
        ask(wallet_id, 300, by=support)


def test_when_a_credit_waits_then_the_empty_wallet_can_not_be_closed():
    wallet_id = new_wallet()
    ask(wallet_id, 300)

    with nothing_moves(), pytest.raises(WalletNotEmpty):
        lifecycle.close_wallet(wallet_id=wallet_id, owner_id=None, actor=ACTOR, reason="x", call=unkeyed())


def test_when_currency_or_wallet_is_wrong_then_nothing_moves():
    wallet_id, support = new_wallet(1_000), staff("support")

    with nothing_moves(), pytest.raises(CurrencyMismatch):
        ask(wallet_id, 300, by=support, currency="EUR")
    with nothing_moves(), pytest.raises(NotFound):
        ask(support.id, 300, by=support)


def test_when_a_debit_waits_beside_a_hold_then_each_ends_by_itself():
    wallet_id = new_wallet(1_000)
    hold_id = new_hold(wallet_id, 400)
    adjustment = ask(wallet_id, -600)

    capture(wallet_id, hold_id)
    between = money_of(wallet_id)
    approve(adjustment)

    assert (between, money_of(wallet_id)) == ((600, 600), (0, 0))
