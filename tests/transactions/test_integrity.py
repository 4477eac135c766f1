"""`check_books`: each proof finds the row that breaks it, once the guards are out of the way."""

from io import StringIO

import pytest
from django.core.management import call_command
from uuid_utils.compat import uuid7

from tests.factories.calls import ACTOR, keyed
from tests.factories.money import funding_entries, locked, new_wallet
from tests.factories.schema import executed
from transactions import chart, integrity, ledger, roll_ups
from transactions.models import LineType, TransferKind
from transactions.movements import Entry, Movement
from transactions.refusals import InsufficientFunds

GUARDED = (
    "transactions_transaction",
    "transactions_transfer",
    "transactions_ledgeraccount",
    "transactions_hold",
    "transactions_idempotencykey",
)


@pytest.fixture
def book(as_owner) -> dict[str, object]:
    """A wallet with 1000, less 300 spent under a key, 200 of it reserved; no guard stands any more."""
    wallet_id = new_wallet()
    merchant = chart.merchant(currency="USD")
    funding = Movement(kind=TransferKind.FUNDING, actor=ACTOR)
    payment = Movement(kind=TransferKind.PAYMENT, actor=ACTOR)
    reserved = Movement(kind=TransferKind.PAYMENT, actor=ACTOR)
    ledger.post(funding, funding_entries(locked(wallet_id), 1_000), call=keyed(str(funding.id)))
    for movement, write, amount in ((payment, ledger.post, 300), (reserved, ledger.reserve, 200)):
        wallet = locked(wallet_id)
        write(
            movement,
            [Entry(wallet, -amount, LineType.PAYMENT), Entry(merchant, amount, LineType.PAYMENT)],
            call=keyed(str(movement.id)),
        )
    executed("SET CONSTRAINTS ALL IMMEDIATE")
    for table in GUARDED:
        executed(f"ALTER TABLE {table} DISABLE TRIGGER USER")
    executed("ALTER TABLE transactions_ledgeraccount DROP CONSTRAINT account_never_below_its_floor")
    executed("ALTER TABLE transactions_ledgeraccount DROP CONSTRAINT account_holds_nothing_negative")
    executed("ALTER TABLE transactions_ledgeraccount DROP CONSTRAINT account_floor_covers_receivable")
    executed("DROP INDEX transfer_reversed_once")
    return {
        "wallet": wallet_id,
        "merchant": merchant.id,
        "funding": funding.id,
        "payment": payment.id,
        "reserved": reserved.id,
        "first": funding.line_of(wallet_id).id,
        "second": payment.line_of(wallet_id).id,
        "merchant_line": payment.line_of(merchant.id).id,
        "other": uuid7(),
    }


def broken() -> tuple[dict[str, str], str, int]:
    """Run the command: the first bad row by proof, all that it printed, and its exit code."""
    out, err, code = StringIO(), StringIO(), 0
    try:
        call_command("check_books", stdout=out, stderr=err)
    except SystemExit as left:
        code = int(left.code)
    rows: dict[str, str] = {}
    lines = out.getvalue().splitlines()
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        if line.startswith("BROKEN"):
            rows[line.split()[1].rstrip(":")] = following.strip()
    return rows, out.getvalue() + err.getvalue(), code


def test_when_nothing_is_broken_then_every_proof_holds_and_the_exit_code_is_0(book):
    rows, printed, code = broken()

    assert (rows, code) == ({}, 0)
    assert [line.split()[1].rstrip(":") for line in printed.splitlines()[:-1]] == [
        proof.name for proof in integrity.PROOFS
    ]
    assert printed.endswith("The books balance.\n")


INSERT_TRANSFER = (
    "INSERT INTO transactions_transfer (id, kind, status, actor, request_id, description, reference, metadata,"
    " failure_code, effective_at, created_at, completed_at, reverses)"
    " VALUES ('{other}', 'reversal', 'completed', '', '', '', '', '{{}}', '', now(), now(), now(), '{payment}')"
)
INSERT_HOLD = (
    "INSERT INTO transactions_hold (id, account_id, amount, captured, status, description, reference, metadata,"
    " actor, request_id, expires_at, created_at)"
    " VALUES ('{other}', '{wallet}', 9, 5, 'voided', '', '', '{{}}', '', '', now(), now())"
)
INSERT_KEY = (
    "INSERT INTO transactions_idempotencykey (principal, key, fingerprint, status, resource, request_id, created_at)"
    " VALUES ('user:x', 'k', '', 201, '{resource}', '', now())"
)
LINE, TRANSFER, ACCOUNT = (
    "UPDATE transactions_transaction SET ",
    "UPDATE transactions_transfer SET ",
    "UPDATE transactions_ledgeraccount SET ",
)

BREAKS = {
    "a cent is gone on the merchant's side": (
        [LINE + "amount = amount - 1 WHERE id = '{merchant_line}'"],
        {
            "transfers_balance": "transfer {payment} sums to -1 USD",
            "balances_are_sums": "account {merchant} says ",
        },
    ),
    "a transfer has no lines": (
        [INSERT_TRANSFER],
        {"transfers_have_lines": "transfer {other} has 0 lines"},
    ),
    "a line has no transfer": (
        [LINE + "transfer_id = '{other}' WHERE id = '{merchant_line}'"],
        {
            "transfers_balance": "transfer {payment} sums to -300 USD",
            "transfers_have_lines": "transfer {payment} has 1 lines",
        },
    ),
    "a transfer and its lines are of two states": (
        [TRANSFER + "status = 'failed' WHERE id = '{reserved}'"],
        {"transfers_have_lines": "transfer {reserved} has 2 lines"},
    ),
    "a balance grew by itself": (
        [ACCOUNT + "balance = balance + 1, total_in = total_in + 1 WHERE id = '{wallet}'"],
        {
            "balances_are_sums": "account {wallet} says 701, its lines 700, waiting 0",
            "last_line_is_the_balance": "account {wallet} is at seq 2 with 701",
        },
    ),
    "a delta was lost": (
        ["DELETE FROM transactions_delta WHERE account_id = '{merchant}' AND amount = 300"],
        {"balances_are_sums": "account {merchant} says "},
    ),
    "too much is held": (
        [ACCOUNT + "held = held + 1 WHERE id = '{wallet}'"],
        {"held_is_sum": "account {wallet} holds 201, should hold 200"},
    ),
    "too little is held": (
        [ACCOUNT + "held = 0 WHERE id = '{wallet}'"],
        {"held_is_sum": "account {wallet} holds 0, should hold 200"},
    ),
    "a hold says that it was captured": (
        [INSERT_HOLD],
        {"captures_are_payments": "hold {other} says 5 captured, its payments 0"},
    ),
    "a running balance was rewritten": (
        [LINE + "balance_after = 999 WHERE id = '{first}'"],
        {"lines_follow_each_other": "line {first} (seq 1) of account {wallet}"},
    ),
    "more was refunded than was paid": (
        [TRANSFER + "refund_of = '{second}' WHERE id = '{funding}'"],
        {"refunds_within_what_was_moved": "line {second} of -300 is refunded by 1000"},
    ),
    "a refund goes the way of what it refunds": (
        [TRANSFER + "refund_of = '{first}' WHERE id = '{funding}'"],
        {"refunds_within_what_was_moved": "line {first} of 1000 is refunded by 1000"},
    ),
    "a refund is of nothing": (
        [TRANSFER + "refund_of = '{other}' WHERE id = '{funding}'"],
        {"refunds_within_what_was_moved": "line {other} of 0 is refunded by 1000"},
    ),
    "a number is missing": (
        [LINE + "seq = 3 WHERE id = '{second}'", ACCOUNT + "last_seq = 3 WHERE id = '{wallet}'"],
        {"lines_follow_each_other": "line {second} (seq 3) of account {wallet}"},
    ),
    "time goes backwards": (
        [LINE + "completed_at = created_at - interval '1 day' WHERE id = '{second}'"],
        {"lines_follow_each_other": "line {second} (seq 2) of account {wallet}"},
    ),
    "an account forgot its last line": (
        [ACCOUNT + "last_seq = 1 WHERE id = '{wallet}'"],
        {"last_line_is_the_balance": "account {wallet} is at seq 1 with 700"},
    ),
    "a completed line has no number": (
        [
            LINE + "seq = NULL, balance_after = NULL WHERE id = '{second}'",
            ACCOUNT + "last_seq = 1 WHERE id = '{wallet}'",
        ],
        {
            "completed_lines_are_numbered": "line {second} of account {wallet}",
            "last_line_is_the_balance": "account {wallet} is at seq 1 with 700",
        },
    ),
    "an account is below its floor": (
        [ACCOUNT + "floor = 501 WHERE id = '{wallet}'"],
        {"floors_hold": "account {wallet} has 700 less 200 held, floor 501"},
    ),
    "an account owes more than its floor was lowered by": (
        [ACCOUNT + "floor = -5, receivable = 6 WHERE id = '{wallet}'"],
        {"debts_are_below_the_credit_line": "account {wallet} owes 6, floor -5"},
    ),
    "a payment is taken back twice": (
        [INSERT_TRANSFER, TRANSFER + "reverses = '{payment}' WHERE id = '{funding}'"],
        {
            "reversed_once": "transfer {payment} is reversed 2 times",
            "transfers_have_lines": "transfer {other} has 0 lines",
        },
    ),
    "two keys claim one transfer": (
        [INSERT_KEY.format(resource="transfer:{payment}")],
        {"keys_have_one_effect": "key "},
    ),
    "a key claims a transfer that isn't there": (
        [INSERT_KEY.format(resource="transfer:{other}")],
        {"keys_have_one_effect": "key k of user:x claims transfer:{other}"},
    ),
    "a key claims a line that isn't there": (
        [INSERT_KEY.format(resource="transaction:{other}")],
        {"keys_have_one_effect": "key k of user:x claims transaction:{other}"},
    ),
}


@pytest.mark.parametrize(("statements", "expected"), BREAKS.values(), ids=BREAKS)
def test_when_the_book_is_broken_then_the_proof_names_the_row_and_the_exit_code_is_1(
    book, statements, expected
):
    for statement in statements:
        executed(statement.format(**book))

    rows, printed, code = broken()

    assert set(rows) == set(expected)
    for proof, row in expected.items():
        assert rows[proof].startswith(row.format(**book))
    assert code == 1
    assert printed.endswith(f"{len(expected)} invariants are broken.\n")


def test_when_the_proofs_are_listed_then_each_one_is_broken_here():
    assert {proof for _statements, expected in BREAKS.values() for proof in expected} == {
        proof.name for proof in integrity.PROOFS
    }


@pytest.mark.django_db
def test_when_deltas_wait_then_the_roll_up_adds_them_once_and_the_books_balance_before_and_after():
    wallet_id = new_wallet(1_000)
    outside = chart.settlement(processor="sandbox", currency="USD")

    def waiting() -> int:
        return sum(len(integrity.prove(proof)) for proof in integrity.PROOFS)

    assert waiting() == 0
    taken = 0
    while batch := roll_ups.roll_up(limit=1):
        assert batch == 1
        assert waiting() == 0
        taken += batch
    assert taken >= 1
    assert roll_ups.roll_up() == 0
    from transactions.models import LedgerAccount, Transaction

    summed = sum(Transaction.objects.filter(account_id=outside.id).values_list("amount", flat=True))
    account = LedgerAccount.objects.get(id=outside.id)
    assert (account.balance, account.last_seq) == (summed, 0)
    assert account.total_in - account.total_out == summed
    # A wallet is never rolled up.
    with pytest.raises(InsufficientFunds):
        ledger.reserve(
            Movement(kind=TransferKind.PAYMENT, actor=ACTOR),
            [
                Entry(locked(wallet_id), -1_001, LineType.PAYMENT),
                Entry(chart.merchant(currency="USD"), 1_001, LineType.PAYMENT),
            ],
        )
