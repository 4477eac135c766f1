"""Reading the book: every page from every place in both directions, and balances at any moment."""

from datetime import timedelta

import pytest
from uuid_utils.compat import uuid7

from events import audit
from tests.factories.calls import ACTOR, unkeyed
from tests.factories.money import fund, funding_entries, locked, new_wallet
from tests.factories.people import CustomerFactory
from transactions import ledger
from transactions.history import HistoryFilter, all_history, line_key, wallet_history, wallet_key
from transactions.models import PostingStatus, Transaction, TransferKind
from transactions.money import Money
from transactions.movements import Movement
from transactions.queries import account_figures, balance_at, load_movement, seq_at, state_changes
from wallets.transfers import pay, transfer

pytestmark = pytest.mark.django_db

EVERYTHING = HistoryFilter()


def expect(wallet_id, amount: int) -> Movement:
    movement = Movement(kind=TransferKind.FUNDING, actor=ACTOR)
    return ledger.reserve(movement, funding_entries(locked(wallet_id), amount))


def fail(wallet_id, movement: Movement) -> None:
    found = load_movement(movement.id)
    ledger.release(
        found, {wallet_id: locked(wallet_id)}, status=PostingStatus.FAILED, failure_code="declined"
    )


def spend(wallet_id, amount: int, **facts) -> None:
    pay(
        wallet_id=wallet_id,
        amount=Money(amount, "USD"),
        owner_id=None,
        actor=ACTOR,
        call=unkeyed(),
        **facts,
    )


@pytest.fixture
def wallet_id():
    """Seven completed lines, three pending ones begun in between, one failed."""
    wallet_id = new_wallet(1_000)
    pending = [expect(wallet_id, 1)]
    for amount in (10, 20, 30):
        spend(wallet_id, amount, description=f"Tea {amount}", reference=f"o-{amount}")
    pending += [expect(wallet_id, 2), expect(wallet_id, 3), expect(wallet_id, 4)]
    for amount in (40, 50, 60):
        spend(wallet_id, amount)
    fail(wallet_id, pending[1])
    return wallet_id


def history(wallet_id, narrowed=EVERYTHING, *, key=None, is_backwards=False, count=100):
    return wallet_history(wallet_id, narrowed, key=key, is_backwards=is_backwards, count=count)


def amounts(lines) -> list[int]:
    return [line.amount for line in lines]


def test_when_a_wallet_is_listed_then_pending_lines_come_first_and_the_newest_of_each_ahead(wallet_id):
    lines = history(wallet_id)

    assert amounts(lines) == [4, 3, 1, -60, -50, -40, -30, -20, -10, 1_000]
    assert [line.seq for line in lines] == [None, None, None, 7, 6, 5, 4, 3, 2, 1]


def test_when_a_page_begins_anywhere_then_it_holds_exactly_the_lines_beyond_in_both_directions(wallet_id):
    everything = history(wallet_id)

    for place, line in enumerate(everything):
        for count in range(1, len(everything) + 2):
            older = history(wallet_id, key=wallet_key(line), count=count)
            newer = history(wallet_id, key=wallet_key(line), is_backwards=True, count=count)
            assert older == everything[place + 1 :][:count]
            assert newer == list(reversed(everything[:place]))[:count]


@pytest.mark.parametrize(
    ("narrowed", "found"),
    [
        ({"status": "completed"}, [-60, -50, -40, -30, -20, -10, 1_000]),
        ({"status": "pending"}, [4, 3, 1]),
        ({"status": "failed"}, [2]),
        ({"status": "cancelled"}, []),
        ({"type": "funding"}, [4, 3, 1, 1_000]),
        ({"type": "payment", "status": "completed"}, [-60, -50, -40, -30, -20, -10]),
        ({"text": "o-20"}, [-20]),
        ({"text": "tEA"}, [-30, -20, -10]),
        ({"text": "100%"}, []),
    ],
)
def test_when_a_history_is_narrowed_then_only_what_fits_is_listed(wallet_id, narrowed, found):
    assert amounts(history(wallet_id, HistoryFilter(**narrowed))) == found


def test_when_a_history_is_narrowed_by_time_then_from_is_in_and_to_is_out(wallet_id):
    times = {line.amount: line.created_at for line in history(wallet_id)}
    narrowed = HistoryFilter(created_from=times[-20], created_to=times[-50])

    assert amounts(history(wallet_id, narrowed)) == [4, 3, -40, -30, -20]


def test_when_a_pending_line_completes_between_two_pages_then_nobody_s_line_is_lost(wallet_id):
    first = history(wallet_id, count=4)
    oldest_pending = load_movement(first[2].transfer_id)

    ledger.settle(oldest_pending, {wallet_id: locked(wallet_id)})

    rest = history(wallet_id, key=wallet_key(first[-1]))
    assert amounts(first + rest) == [4, 3, 1, -60, -50, -40, -30, -20, -10, 1_000]
    assert amounts(history(wallet_id)) == [4, 3, 1, -60, -50, -40, -30, -20, -10, 1_000]
    assert history(wallet_id)[2].seq == 8


@pytest.mark.parametrize("whose", ["one owner's", "one wallet's", "everybody's"])
def test_when_all_lines_are_listed_then_every_page_in_both_directions_fits(whose):
    customer = CustomerFactory.create()
    first, second = new_wallet(100, owner=customer), new_wallet(200, currency="EUR", owner=customer)
    stranger = new_wallet(300)
    for amount in (1, 2, 3):
        spend(first, amount)
        fund(second, amount)
        fund(stranger, amount)
    scope = {
        "one owner's": {"owner_id": customer.id, "account_id": None},
        "one wallet's": {"owner_id": customer.id, "account_id": first},
        "everybody's": {"owner_id": None, "account_id": None},
    }[whose]

    def page(key=None, is_backwards=False, count=100):
        return all_history(EVERYTHING, **scope, key=key, is_backwards=is_backwards, count=count)

    accounts = {"one owner's": {first, second}, "one wallet's": {first}}.get(whose, {first, second, stranger})
    everything = [line for line in page() if line.account_id in {first, second, stranger}]
    expected = Transaction.objects.filter(account_id__in=accounts).order_by("-created_at", "-id")
    assert [line.id for line in everything] == [line.id for line in expected]
    for place, line in enumerate(everything):
        key = tuple(str(part) for part in line_key(line))
        for count in (1, 2, 5):
            assert page(key, count=count)[: len(everything) - place - 1] == everything[place + 1 :][:count]
            newer = page(key, is_backwards=True, count=count)
            assert newer == list(reversed(everything[:place]))[:count]


def test_when_a_balance_is_asked_for_at_any_moment_then_it_is_what_the_lines_until_then_say(wallet_id):
    lines = list(Transaction.objects.filter(account_id=wallet_id, seq__isnull=False).order_by("seq"))
    tick = timedelta(microseconds=1)

    for line in lines:
        for moment in (line.completed_at - tick, line.completed_at, line.completed_at + tick):
            until = [other for other in lines if other.completed_at <= moment]
            assert seq_at(wallet_id, moment) == len(until)
            assert balance_at(wallet_id, moment) == sum(other.amount for other in until)
    assert balance_at(wallet_id, lines[0].completed_at - timedelta(days=9_000)) == 0
    assert balance_at(wallet_id, lines[-1].completed_at + timedelta(days=9_000)) == 790
    assert balance_at(new_wallet(), lines[-1].completed_at) == 0
    assert balance_at(uuid7(), lines[-1].completed_at) == 0


def test_when_the_figures_of_a_wallet_are_asked_for_then_they_count_completed_lines_alone(wallet_id):
    last = Transaction.objects.get(account_id=wallet_id, seq=7)

    assert account_figures(wallet_id) == {
        "balance": 790,
        "total_in": 1_000,
        "total_out": 210,
        "transaction_count": 7,
        "average_amount": 173,
        "last_transaction_at": last.completed_at,
    }
    assert account_figures(new_wallet()) == {
        "balance": 0,
        "total_in": 0,
        "total_out": 0,
        "transaction_count": 0,
        "average_amount": 0,
        "last_transaction_at": None,
    }


def test_when_a_line_was_posted_at_once_then_its_audit_has_one_change(wallet_id):
    line = Transaction.objects.get(account_id=wallet_id, seq=2)

    assert state_changes(line.id, owner_id=None) == [
        {"at": line.created_at, "by": ACTOR, "from": None, "to": "completed", "request_id": ""}
    ]


def test_when_a_line_was_pending_first_then_its_audit_tells_both_changes(wallet_id):
    line = Transaction.objects.get(account_id=wallet_id, status="failed")
    audit.record(
        actor="system",
        action="transaction.status_changed",
        object_type="transaction",
        object_id=line.id,
        from_state="pending",
        to_state="failed",
    )

    changes = state_changes(line.id, owner_id=None)

    assert [(change["by"], change["from"], change["to"]) for change in changes] == [
        (ACTOR, None, "pending"),
        ("system", "pending", "failed"),
    ]


def test_when_a_line_is_somebody_else_s_or_the_system_s_then_its_audit_is_not_shown(wallet_id):
    line = Transaction.objects.get(account_id=wallet_id, seq=2)
    merchant_s = Transaction.objects.exclude(account_id=wallet_id).get(transfer_id=line.transfer_id)

    assert state_changes(line.id, owner_id=uuid7()) is None
    assert state_changes(merchant_s.id, owner_id=None) is None
    assert state_changes(uuid7(), owner_id=None) is None


def test_when_a_list_is_narrowed_to_a_type_then_only_that_side_of_a_transfer_is_in_it():
    customer = CustomerFactory.create()
    first, second = new_wallet(100, owner=customer), new_wallet()
    transfer(
        source_id=first,
        target_id=second,
        amount=Money(5, "USD"),
        owner_id=customer.id,
        actor=ACTOR,
        call=unkeyed(),
    )

    lines = all_history(
        HistoryFilter(type="transfer_out"),
        owner_id=customer.id,
        account_id=None,
        key=None,
        is_backwards=False,
        count=10,
    )

    assert [(line.account_id, line.amount) for line in lines] == [(first, -5)]
