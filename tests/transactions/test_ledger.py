"""The book's only writer: exact values, and nothing where it refuses."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
import time_machine
from django.db import IntegrityError, transaction

from events.context import RequestContext, request_context
from events.models import OutboxEntry
from tests.factories.books import books, nothing_moves
from tests.factories.calls import ACTOR, keyed
from tests.factories.money import balance_of, fund, funding_entries, held_on, locked, new_wallet, set_limits
from transactions import chart, ledger
from transactions.locked_writes import LostLock
from transactions.models import (
    IdempotencyKey,
    LedgerAccount,
    LineType,
    PostingStatus,
    RollUpDelta,
    Transaction,
    Transfer,
    TransferKind,
)
from transactions.movements import Entry, Movement
from transactions.queries import load_movement
from transactions.refusals import InsufficientFunds
from wallets.locks import lock_wallets

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 10, 31, 12, 0, 0, 123456, tzinfo=UTC)


def spending(wallet, amount: int) -> list[Entry]:
    return [
        Entry(wallet, -amount, LineType.PAYMENT),
        Entry(chart.merchant(currency=wallet.currency), amount, LineType.PAYMENT),
    ]


def payment(**facts) -> Movement:
    return Movement(kind=TransferKind.PAYMENT, actor=ACTOR, **facts)


def test_when_a_movement_is_posted_then_every_table_says_the_same():
    wallet_id = new_wallet(10_000)
    OutboxEntry.objects.all().delete()
    RollUpDelta.objects.all().delete()

    with time_machine.travel(NOON, tick=False), request_context(RequestContext(request_id="request-1")):
        # The wallet was funded later than this moment: time goes on from there.
        funded_at = LedgerAccount.objects.get(id=wallet_id).posted_at
        posted = ledger.post(
            payment(description="Tea", reference="order-7", metadata={"a": "b"}),
            spending(locked(wallet_id), 2_500),
            call=keyed("key-1"),
        )

    account = LedgerAccount.objects.get(id=wallet_id)
    transfer = Transfer.objects.get(id=posted.id)
    lines = list(Transaction.objects.filter(transfer_id=posted.id).order_by("amount"))
    merchant = chart.merchant(currency="USD")
    assert (account.balance, account.held, account.last_seq, account.version) == (7_500, 0, 2, 3)
    assert (account.total_in, account.total_out) == (10_000, 2_500)
    assert account.posted_at == max(NOON, funded_at + timedelta(microseconds=1))
    assert (transfer.kind, transfer.status, transfer.actor) == ("payment", "completed", ACTOR)
    assert (transfer.description, transfer.reference, transfer.metadata) == ("Tea", "order-7", {"a": "b"})
    assert (transfer.request_id, transfer.effective_at, transfer.created_at) == ("request-1", NOON, NOON)
    assert transfer.completed_at == account.posted_at
    assert [
        (line.account_id, line.type, line.amount, line.status, line.seq, line.balance_after) for line in lines
    ] == [
        (wallet_id, "payment", -2_500, "completed", 2, 7_500),
        (merchant.id, "payment", 2_500, "completed", None, None),
    ]
    assert [line.completed_at for line in lines] == [account.posted_at, NOON]
    assert list(RollUpDelta.objects.values_list("account_id", "amount")) == [(merchant.id, 2_500)]
    event = OutboxEntry.objects.get()
    assert (event.kind, event.request_id) == ("transfer.completed", "request-1")
    assert event.payload["accounts"] == [[str(wallet_id), "USD", 7_500, 0]]
    assert event.payload["lines"] == [
        [
            str(lines[0].id),
            str(wallet_id),
            "payment",
            -2_500,
            "USD",
            2,
            7_500,
            account.posted_at.isoformat().replace("+00:00", "Z"),
        ]
    ]
    key = IdempotencyKey.objects.get(principal=ACTOR, key="key-1")
    assert (key.status, bytes(key.body)) == (201, posted.stored_answer.body)
    assert key.resource == f"transfer:{posted.id}"


@pytest.mark.parametrize(
    "amounts", [(-100, 99), (-100, 101), (100,), ()], ids=["too little", "too much", "one line", "none"]
)
def test_when_lines_do_not_sum_to_zero_then_the_movement_is_refused(amounts):
    wallet_id = new_wallet(1_000)
    wallet = locked(wallet_id)
    sides = [wallet, chart.merchant(currency="USD")]
    entries = [Entry(side, amount, LineType.PAYMENT) for side, amount in zip(sides, amounts, strict=False)]

    with nothing_moves(), pytest.raises(ledger.UnbalancedMovement):
        ledger.post(payment(), entries)


def test_when_lines_balance_only_across_currencies_then_the_movement_is_refused():
    dollars, euros = locked(new_wallet(1_000)), locked(new_wallet(currency="EUR"))
    entries = [Entry(dollars, -100, LineType.TRANSFER_OUT), Entry(euros, 100, LineType.TRANSFER_IN)]

    with nothing_moves(), pytest.raises(ledger.UnbalancedMovement):
        ledger.post(Movement(kind=TransferKind.TRANSFER, actor=ACTOR), entries)


def test_when_the_last_cent_is_spent_then_it_posts_and_one_more_does_not():
    wallet_id = new_wallet(1_000)

    ledger.post(payment(), spending(locked(wallet_id), 1_000))

    assert balance_of(wallet_id) == 0
    with nothing_moves(), pytest.raises(InsufficientFunds):
        ledger.post(payment(), spending(locked(wallet_id), 1))


def test_when_a_wallet_has_credit_then_it_is_spent_down_to_its_floor_and_no_further():
    wallet_id = new_wallet(1_000)
    set_limits(wallet_id, credit=500)

    ledger.post(payment(), spending(locked(wallet_id), 1_500))

    assert balance_of(wallet_id) == -500
    with nothing_moves(), pytest.raises(InsufficientFunds):
        ledger.post(payment(), spending(locked(wallet_id), 1))


def test_when_lines_are_posted_within_one_microsecond_then_seq_time_and_balance_still_rise():
    wallet_id = new_wallet(500)

    with time_machine.travel(NOON, tick=False):
        for _ in range(4):
            ledger.post(payment(), spending(locked(wallet_id), 100))

    lines = list(Transaction.objects.filter(account_id=wallet_id).order_by("seq"))
    assert [line.seq for line in lines] == [1, 2, 3, 4, 5]
    assert [line.balance_after for line in lines] == [500, 400, 300, 200, 100]
    times = [line.completed_at for line in lines]
    assert times == sorted(set(times))
    assert {after - before for before, after in pairwise(times[1:])} == {timedelta(microseconds=1)}


def test_when_one_account_has_two_lines_of_a_transfer_then_they_follow_each_other():
    wallet_id = new_wallet(1_000)
    wallet = locked(wallet_id)
    entries = [
        Entry(wallet, -300, LineType.PAYMENT),
        Entry(wallet, -7, LineType.FEE),
        Entry(chart.merchant(currency="USD"), 300, LineType.PAYMENT),
        Entry(chart.fees(currency="USD"), 7, LineType.FEE),
    ]

    posted = ledger.post(payment(), entries)

    lines = Transaction.objects.filter(transfer_id=posted.id, account_id=wallet_id).order_by("seq")
    assert [(line.amount, line.seq, line.balance_after) for line in lines] == [(-300, 2, 700), (-7, 3, 693)]
    assert balance_of(wallet_id) == 693


def test_when_the_lock_was_lost_then_nothing_is_written():
    wallet_id = new_wallet(1_000)
    stale = locked(wallet_id)
    ledger.post(payment(), spending(locked(wallet_id), 100))

    with nothing_moves(), pytest.raises(LostLock), transaction.atomic():
        ledger.reserve(payment(), spending(stale, 100))
    # A completed line is caught once more, by its number.
    with nothing_moves(), pytest.raises(IntegrityError, match="transaction_seq_once"), transaction.atomic():
        ledger.post(payment(), spending(stale, 100))

    assert (balance_of(wallet_id), held_on(wallet_id)) == (900, 0)


def test_when_money_is_reserved_then_it_is_held_and_not_gone():
    wallet_id = new_wallet(1_000)

    reserved = ledger.reserve(payment(), spending(locked(wallet_id), 400))

    account = LedgerAccount.objects.get(id=wallet_id)
    assert (account.balance, account.held, account.last_seq, account.total_out) == (1_000, 400, 1, 0)
    lines = Transaction.objects.filter(transfer_id=reserved.id)
    assert {(line.status, line.seq, line.balance_after, line.completed_at) for line in lines} == {
        ("pending", None, None, None)
    }
    assert (
        RollUpDelta.objects.filter(account_id=chart.merchant(currency="USD").id, amount=400).exists() is False
    )
    with nothing_moves(), pytest.raises(InsufficientFunds):
        ledger.post(payment(), spending(locked(wallet_id), 601))
    with nothing_moves(), pytest.raises(InsufficientFunds):
        ledger.reserve(payment(), spending(locked(wallet_id), 601))


def test_when_money_is_expected_then_nothing_changes_until_it_arrives():
    wallet_id = new_wallet()

    reserved = ledger.reserve(
        Movement(kind=TransferKind.FUNDING, actor=ACTOR), funding_entries(locked(wallet_id), 900)
    )

    assert (balance_of(wallet_id), held_on(wallet_id)) == (0, 0)
    settled = ledger.settle(load_movement(reserved.id), {wallet_id: locked(wallet_id)})
    line = settled.line_of(wallet_id)
    assert (balance_of(wallet_id), held_on(wallet_id)) == (900, 0)
    assert (line.seq, line.balance_after) == (1, 900)


def test_when_a_reservation_is_settled_then_the_held_money_is_spent():
    wallet_id = new_wallet(1_000)
    reserved = ledger.reserve(payment(), spending(locked(wallet_id), 400))

    settled = ledger.settle(load_movement(reserved.id), lock_wallets([wallet_id]))

    account = LedgerAccount.objects.get(id=wallet_id)
    assert (account.balance, account.held, account.last_seq, account.total_out) == (600, 0, 2, 400)
    assert Transfer.objects.get(id=reserved.id).status == "completed"
    line = Transaction.objects.get(transfer_id=reserved.id, account_id=wallet_id)
    assert (line.status, line.seq, line.balance_after) == ("completed", 2, 600)
    assert line.completed_at == account.posted_at == settled.completed_at
    merchant = chart.merchant(currency="USD")
    assert RollUpDelta.objects.filter(account_id=merchant.id).latest("id").amount == 400


@pytest.mark.parametrize("status", [PostingStatus.FAILED, PostingStatus.CANCELLED])
def test_when_a_reservation_is_released_then_the_money_is_free_again(status):
    wallet_id = new_wallet(1_000)
    reserved = ledger.reserve(payment(), spending(locked(wallet_id), 400))

    ledger.release(
        load_movement(reserved.id), lock_wallets([wallet_id]), status=status, failure_code="card_declined"
    )

    account = LedgerAccount.objects.get(id=wallet_id)
    transfer = Transfer.objects.get(id=reserved.id)
    line = Transaction.objects.get(transfer_id=reserved.id, account_id=wallet_id)
    assert (account.balance, account.held, account.last_seq) == (1_000, 0, 1)
    assert (transfer.status, transfer.failure_code, transfer.completed_at) == (status, "card_declined", None)
    assert (line.status, line.seq, line.balance_after, line.completed_at) == (status, None, None, None)


@pytest.mark.parametrize("first", ["settle", "release"])
@pytest.mark.parametrize("second", ["settle", "release"])
def test_when_a_reservation_has_ended_then_it_does_not_end_again(first, second):
    wallet_id = new_wallet(1_000)
    reserved = ledger.reserve(payment(), spending(locked(wallet_id), 400))
    once, again = load_movement(reserved.id), load_movement(reserved.id)

    def end(how, movement):
        with transaction.atomic():
            if how == "settle":
                ledger.settle(movement, lock_wallets([wallet_id]))
            else:
                ledger.release(movement, lock_wallets([wallet_id]), status=PostingStatus.FAILED)

    end(first, once)

    # Either the database sees a held sum below zero, or the ledger that no pending row was left to end.
    with nothing_moves(), pytest.raises((LostLock, IntegrityError)):
        end(second, again)


def test_when_a_movement_is_reversed_then_its_opposite_is_posted_and_linked():
    source, target = new_wallet(1_000), new_wallet()
    wallets = lock_wallets([source, target])
    original = ledger.post(
        Movement(kind=TransferKind.TRANSFER, actor=ACTOR),
        [
            Entry(wallets[source], -300, LineType.TRANSFER_OUT),
            Entry(wallets[target], 300, LineType.TRANSFER_IN),
        ],
    )

    reversal = ledger.reverse(
        load_movement(original.id),
        Movement(kind=TransferKind.REVERSAL, actor=ACTOR),
        lock_wallets([source, target]),
    )

    assert (balance_of(source), balance_of(target)) == (1_000, 0)
    assert Transfer.objects.get(id=reversal.id).reverses == original.id
    lines = Transaction.objects.filter(transfer_id=reversal.id).order_by("amount")
    assert [(line.account_id, line.type, line.amount) for line in lines] == [
        (target, "reversal", -300),
        (source, "reversal", 300),
    ]


def test_when_a_movement_is_reversed_twice_then_the_database_refuses_the_second():
    wallet_id = new_wallet(1_000)
    original = ledger.post(payment(), spending(locked(wallet_id), 300))

    def reverse():
        ledger.reverse(
            load_movement(original.id),
            Movement(kind=TransferKind.REVERSAL, actor=ACTOR),
            lock_wallets([wallet_id]),
        )

    reverse()

    with nothing_moves(), pytest.raises(IntegrityError, match="transfer_reversed_once"), transaction.atomic():
        reverse()
    assert balance_of(wallet_id) == 1_000


def test_when_what_came_in_has_been_spent_then_it_is_not_taken_back():
    source, target = new_wallet(1_000), new_wallet()
    wallets = lock_wallets([source, target])
    original = ledger.post(
        Movement(kind=TransferKind.TRANSFER, actor=ACTOR),
        [
            Entry(wallets[source], -300, LineType.TRANSFER_OUT),
            Entry(wallets[target], 300, LineType.TRANSFER_IN),
        ],
    )
    ledger.post(payment(), spending(locked(target), 1))

    with nothing_moves(), pytest.raises(InsufficientFunds):
        ledger.reverse(
            load_movement(original.id),
            Movement(kind=TransferKind.REVERSAL, actor=ACTOR),
            lock_wallets([source, target]),
        )


def test_when_the_largest_amounts_meet_then_no_bit_is_lost():
    wallet_id = new_wallet()

    fund(wallet_id, 2**53 - 1)
    fund(wallet_id, 2**53 - 1)

    assert balance_of(wallet_id) == 2 * (2**53 - 1)


def test_when_something_does_move_then_the_books_differ():
    wallet_id = new_wallet(1_000)
    before = books()

    ledger.post(payment(), spending(locked(wallet_id), 1), call=keyed("moves"))

    changed = {table for table, rows in books().items() if rows != before[table]}
    assert changed == {
        "transactions_ledgeraccount",
        "transactions_transfer",
        "transactions_transaction",
        "transactions_delta",
        "transactions_idempotencykey",
        "events_outbox",
    }
