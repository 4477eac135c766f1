"""A wallet's life: what each step changes, what it leaves behind, and when it is refused."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from uuid_utils.compat import uuid7

from events.models import AuditEntry, OutboxEntry
from tests.factories.books import nothing_moves
from tests.factories.calls import ACTOR, id_in, keyed, unkeyed
from tests.factories.money import balance_of, fund, funding_entries, locked, new_wallet
from tests.factories.people import CustomerFactory
from transactions import ledger
from transactions.models import Hold, LedgerAccount, TransferKind
from transactions.money import Money
from transactions.movements import Movement
from transactions.queries import load_movement
from transactions.refusals import InvalidInput, NotFound
from wallets.lifecycle import (
    close_wallet,
    describe_wallet,
    end_due_suspensions,
    open_wallet,
    reactivate_wallet,
    suspend_wallet,
)
from wallets.models import Wallet
from wallets.refusals import WalletClosed, WalletExists, WalletNotEmpty, WalletSuspended
from wallets.transfers import pay

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 10, 31, 12, 0, tzinfo=UTC)


def opening(user_id, currency="USD", call=None, **facts):
    return open_wallet(user_id=user_id, currency=currency, actor=ACTOR, call=call or unkeyed(), **facts)


def suspend(wallet_id, expires_at=None):
    return suspend_wallet(
        wallet_id=wallet_id, actor="support:1", reason="fraud", call=unkeyed(), expires_at=expires_at
    )


def close(wallet_id, owner_id=None):
    return close_wallet(wallet_id=wallet_id, owner_id=owner_id, actor=ACTOR, reason="done", call=unkeyed())


def spend(wallet_id, amount=1):
    return pay(wallet_id=wallet_id, amount=Money(amount, "USD"), owner_id=None, actor=ACTOR, call=unkeyed())


def traces(wallet_id) -> list[tuple[str, str, str, str, str]]:
    entries = AuditEntry.objects.filter(object_id=str(wallet_id)).order_by("id")
    return [(e.actor, e.action, e.from_state, e.to_state, e.reason) for e in entries]


def test_when_a_wallet_is_opened_then_it_is_empty_active_and_its_customer_s():
    customer = CustomerFactory.create()

    with time_machine.travel(NOON, tick=False):
        wallet_id = id_in(opening(customer.id, label="Trips", metadata={"a": "b"}))

    wallet, account = Wallet.objects.get(account_id=wallet_id), LedgerAccount.objects.get(id=wallet_id)
    assert (wallet.user_id, wallet.currency, wallet.status) == (customer.id, "USD", "active")
    assert (wallet.label, wallet.metadata) == ("Trips", {"a": "b"})
    assert (wallet.created_at, wallet.updated_at) == (NOON, NOON)
    assert (account.owner_id, account.currency, account.balance, account.held, account.floor) == (
        customer.id,
        "USD",
        0,
        0,
        0,
    )
    assert traces(wallet_id) == [(ACTOR, "wallet.created", "", "active", "")]
    assert OutboxEntry.objects.filter(kind="wallet.created", payload__id=str(wallet_id)).count() == 1


def test_when_a_customer_has_an_open_wallet_in_the_currency_then_a_second_is_refused():
    customer = CustomerFactory.create()
    first = new_wallet(owner=customer)

    with nothing_moves(), pytest.raises(WalletExists):
        opening(customer.id)
    suspend(first)
    with nothing_moves(), pytest.raises(WalletExists):
        opening(customer.id)

    assert opening(customer.id, "EUR").status == 200
    assert opening(CustomerFactory.create().id).status == 200


def test_when_the_wallet_was_closed_then_a_new_one_may_be_opened():
    customer = CustomerFactory.create()
    first = new_wallet(owner=customer)
    close(first)

    second = id_in(opening(customer.id))

    assert second != first
    assert sorted(Wallet.objects.filter(user=customer).values_list("status", flat=True)) == [
        "active",
        "closed",
    ]


def test_when_opening_is_repeated_under_its_key_then_the_first_answer_comes_back():
    customer = CustomerFactory.create()
    first = opening(customer.id, call=keyed("open"))

    with nothing_moves():
        again = opening(customer.id, call=keyed("open"))

    assert (again.body, again.replayed) == (first.body, True)


def test_when_there_is_no_such_active_customer_then_no_wallet_is_opened():
    gone = CustomerFactory.create(is_active=False)

    for user_id in (uuid7(), gone.id):
        with nothing_moves(), pytest.raises(InvalidInput) as refused:
            opening(user_id)
        assert refused.value.field == "user_id"


def test_when_a_wallet_is_described_then_only_what_is_named_changes():
    wallet_id = new_wallet()
    owner_id = Wallet.objects.get(account_id=wallet_id).user_id
    version = LedgerAccount.objects.get(id=wallet_id).version

    def describe(**changed):
        return describe_wallet(wallet_id=wallet_id, owner_id=owner_id, actor=ACTOR, call=unkeyed(), **changed)

    describe(label="Trips", metadata={"a": "b"})
    describe(label="Food")
    describe(metadata={})

    wallet = Wallet.objects.get(account_id=wallet_id)
    assert (wallet.label, wallet.metadata) == ("Food", {})
    assert LedgerAccount.objects.get(id=wallet_id).version == version + 3
    last = AuditEntry.objects.filter(object_id=str(wallet_id)).order_by("-id")[0]
    assert (last.before, last.after) == (
        {"label": "Food", "metadata": {"a": "b"}},
        {"label": "Food", "metadata": {}},
    )


def test_when_a_wallet_is_suspended_then_nothing_new_moves_and_what_is_under_way_still_posts():
    wallet_id = new_wallet(1_000)
    expected = ledger.reserve(
        Movement(kind=TransferKind.FUNDING, actor=ACTOR), funding_entries(locked(wallet_id), 500)
    )

    suspend(wallet_id)

    with nothing_moves(), pytest.raises(WalletSuspended):
        spend(wallet_id)
    ledger.settle(load_movement(expected.id), {wallet_id: locked(wallet_id)})
    assert balance_of(wallet_id) == 1_500
    wallet = Wallet.objects.get(account_id=wallet_id)
    assert (wallet.status, wallet.status_reason, wallet.suspended_until) == ("suspended", "fraud", None)
    assert traces(wallet_id)[1:] == [("support:1", "wallet.suspended", "active", "suspended", "fraud")]


def test_when_a_suspension_runs_out_then_it_is_over_at_that_moment_and_the_sweep_writes_it_down():
    wallet_id = new_wallet(1_000)
    with time_machine.travel(NOON, tick=False):
        suspend(wallet_id, expires_at=NOON + timedelta(hours=1))
    with time_machine.travel(NOON + timedelta(minutes=59, seconds=59), tick=False):
        with nothing_moves(), pytest.raises(WalletSuspended):
            spend(wallet_id)
        with nothing_moves():
            assert end_due_suspensions() == 0

    with time_machine.travel(NOON + timedelta(hours=1), tick=False):
        spend(wallet_id)
        assert Wallet.objects.get(account_id=wallet_id).status == "suspended"
        assert end_due_suspensions() == 1
        with nothing_moves():
            assert end_due_suspensions() == 0

    wallet = Wallet.objects.get(account_id=wallet_id)
    assert (wallet.status, wallet.suspended_until) == ("active", None)
    assert balance_of(wallet_id) == 999
    assert traces(wallet_id)[-1] == ("system", "wallet.reactivated", "suspended", "active", "expired")


def test_when_a_suspension_would_end_in_the_past_then_it_is_refused():
    wallet_id = new_wallet()

    with time_machine.travel(NOON, tick=False), nothing_moves(), pytest.raises(InvalidInput) as refused:
        suspend(wallet_id, expires_at=NOON)

    assert refused.value.field == "expires_at"


def test_when_a_wallet_is_reactivated_then_it_moves_money_again():
    wallet_id = new_wallet(1_000)
    suspend(wallet_id, expires_at=datetime.now(UTC) + timedelta(days=1))

    reactivate_wallet(wallet_id=wallet_id, actor="support:1", reason="cleared", call=unkeyed())

    spend(wallet_id, 1_000)
    wallet = Wallet.objects.get(account_id=wallet_id)
    assert (wallet.status, wallet.suspended_until, wallet.status_reason) == ("active", None, "cleared")
    assert balance_of(wallet_id) == 0


def test_when_an_empty_wallet_is_closed_then_it_is_closed_for_good():
    wallet_id = new_wallet()
    owner_id = Wallet.objects.get(account_id=wallet_id).user_id

    close(wallet_id, owner_id)

    assert Wallet.objects.get(account_id=wallet_id).status == "closed"
    again = {
        "pay": lambda: spend(wallet_id),
        "close": lambda: close(wallet_id),
        "suspend": lambda: suspend(wallet_id),
        "reactivate": lambda: reactivate_wallet(
            wallet_id=wallet_id, actor=ACTOR, reason="please", call=unkeyed()
        ),
        "describe": lambda: describe_wallet(
            wallet_id=wallet_id, owner_id=None, actor=ACTOR, call=unkeyed(), label="x"
        ),
    }
    for act in again.values():
        with nothing_moves(), pytest.raises(WalletClosed):
            act()


def expecting(wallet_id) -> None:
    ledger.reserve(Movement(kind=TransferKind.FUNDING, actor=ACTOR), funding_entries(locked(wallet_id), 5))


def holding(wallet_id) -> None:
    Hold.objects.create(account_id=wallet_id, amount=5, actor=ACTOR, expires_at=NOON, created_at=NOON)


@pytest.mark.parametrize("busy", [lambda wallet_id: fund(wallet_id, 1), expecting, holding])
def test_when_a_wallet_is_not_empty_then_it_is_not_closed(busy):
    wallet_id = new_wallet()
    busy(wallet_id)

    with nothing_moves(), pytest.raises(WalletNotEmpty):
        close(wallet_id)


def test_when_a_wallet_is_suspended_then_its_owner_can_not_close_it_and_staff_can():
    wallet_id = new_wallet()
    owner_id = Wallet.objects.get(account_id=wallet_id).user_id
    suspend(wallet_id)

    with nothing_moves(), pytest.raises(WalletSuspended):
        close(wallet_id, owner_id)
    close(wallet_id)

    assert Wallet.objects.get(account_id=wallet_id).status == "closed"


@pytest.mark.parametrize(
    "act",
    [
        lambda wallet_id, owner_id: close(wallet_id, owner_id),
        lambda wallet_id, owner_id: describe_wallet(
            wallet_id=wallet_id, owner_id=owner_id, actor=ACTOR, call=unkeyed(), label="x"
        ),
        lambda wallet_id, owner_id: pay(
            wallet_id=wallet_id, amount=Money(1, "USD"), owner_id=owner_id, actor=ACTOR, call=unkeyed()
        ),
    ],
    ids=["close", "describe", "pay"],
)
def test_when_somebody_else_asks_then_the_wallet_is_not_found(act):
    wallet_id = new_wallet()

    with nothing_moves(), pytest.raises(NotFound):
        act(wallet_id, uuid7())
    with nothing_moves(), pytest.raises(NotFound):
        act(uuid7(), uuid7())
