"""The book's tables say no, whoever asks: each trigger, check, index and grant, attacked in both roles."""

from datetime import UTC, datetime

import pytest
from django.db import DatabaseError, IntegrityError, transaction
from uuid_utils.compat import uuid7

from tests.factories.calls import ACTOR, keyed
from tests.factories.money import funding_entries, locked, new_wallet
from tests.factories.schema import checks_of, executed, fetched, indexes_of, triggers_of
from transactions import ledger, seals
from transactions.models import (
    Hold,
    IdempotencyKey,
    LedgerAccount,
    Transaction,
    Transfer,
    TransferKind,
)
from transactions.movements import Movement

NOON = datetime(2026, 10, 31, 12, 0, tzinfo=UTC)
OTHER = "00000000-0000-7000-8000-000000000001"

LINE, TRANSFER, ACCOUNT = "transactions_transaction", "transactions_transfer", "transactions_ledgeraccount"
HOLD, KEY = "transactions_hold", "transactions_idempotencykey"
CHAIN = ("transactions_checkpoint", "transactions_seal")
BOOK = (LINE, TRANSFER, ACCOUNT, HOLD, KEY)

UPDATES = {
    (LINE, "guard_line"): [
        ("status = 'completed'", "amount = amount"),
        ("status = 'completed'", "status = 'pending', completed_at = NULL, seq = NULL, balance_after = NULL"),
        ("status = 'completed'", "status = 'failed', completed_at = NULL, seq = NULL, balance_after = NULL"),
        ("status = 'completed'", "balance_after = balance_after + 1"),
        ("status = 'completed'", "completed_at = completed_at + interval '1 s'"),
        ("status = 'pending'", "created_at = created_at"),
        ("status = 'pending'", "status = 'failed', amount = amount * 2"),
        ("status = 'pending'", f"status = 'failed', account_id = '{OTHER}'"),
        ("status = 'pending'", f"status = 'failed', transfer_id = '{OTHER}'"),
        ("status = 'pending'", "status = 'failed', type = 'refund'"),
        ("status = 'pending'", "status = 'failed', created_at = created_at - interval '1 s'"),
        ("status = 'pending' AND amount > 0", f"status = 'failed', id = '{OTHER}'"),
    ],
    (TRANSFER, "guard_transfer"): [
        ("status = 'completed'", "description = description"),
        ("status = 'completed'", "status = 'pending', completed_at = NULL"),
        ("status = 'completed'", "status = 'cancelled', completed_at = NULL"),
        ("status = 'completed'", 'metadata = \'{"a": "b"}\''),
        ("status = 'pending'", "description = 'other'"),
        ("status = 'pending'", f"status = 'failed', id = '{OTHER}'"),
        ("status = 'pending'", "status = 'failed', kind = 'refund'"),
        ("status = 'pending'", "status = 'failed', actor = 'somebody'"),
        ("status = 'pending'", "status = 'failed', request_id = 'other'"),
        ("status = 'pending'", "status = 'failed', description = 'other'"),
        ("status = 'pending'", "status = 'failed', reference = 'other'"),
        ("status = 'pending'", "status = 'failed', metadata = '{\"a\": \"b\"}'"),
        ("status = 'pending'", f"status = 'failed', payment_id = '{OTHER}'"),
        ("status = 'pending'", f"status = 'failed', hold_id = '{OTHER}'"),
        ("status = 'pending'", f"status = 'failed', refund_of = '{OTHER}'"),
        ("status = 'pending'", f"status = 'failed', reverses = '{OTHER}'"),
        ("status = 'pending'", "status = 'failed', effective_at = effective_at - interval '1 s'"),
        ("status = 'pending'", "status = 'failed', created_at = created_at - interval '1 s'"),
    ],
    (KEY, "guard_key"): [
        ("status IS NOT NULL", "status = 200"),
        ("status IS NOT NULL", "status = NULL"),
        ("status IS NOT NULL", "resource = 'other'"),
        ("status IS NOT NULL", "body = 'other'"),
        ("status IS NOT NULL", "fingerprint = 'other'"),
        ("status IS NOT NULL", "key = 'other'"),
        ("status IS NOT NULL", "principal = 'other'"),
        ("status IS NOT NULL", "created_at = created_at - interval '1 s'"),
        ("status IS NULL", "fingerprint = 'other'"),
        ("status IS NULL", "key = 'other'"),
    ],
    (ACCOUNT, "guard_account"): [
        ("NOT rolled_up", f"id = '{OTHER}'"),
        ("NOT rolled_up", f"owner_id = '{OTHER}'"),
        ("NOT rolled_up", "currency = 'EUR'"),
        ("NOT rolled_up", "created_at = created_at - interval '1 s'"),
        ("NOT rolled_up", "rolled_up = true, code = 'x', owner_id = NULL, floor = NULL"),
        ("NOT rolled_up", "last_seq = last_seq - 1"),
        ("NOT rolled_up", "version = version - 1"),
        ("NOT rolled_up", "total_in = total_in - 1, balance = balance - 1"),
        ("NOT rolled_up", "total_out = total_out - 1, balance = balance + 1"),
        ("rolled_up", "code = 'other'"),
    ],
    (HOLD, "guard_hold"): [
        ("status = 'voided'", "status = 'open', closed_at = NULL"),
        ("status = 'voided'", "description = description"),
        ("status = 'open'", "captured = captured - 1"),
        ("status = 'open'", f"id = '{OTHER}'"),
        ("status = 'open'", f"account_id = '{OTHER}'"),
        ("status = 'open'", "amount = amount + 1"),
        ("status = 'open'", "actor = 'somebody'"),
        ("status = 'open'", "created_at = created_at - interval '1 s'"),
    ],
}
ATTACKS = [
    pytest.param(table, where, change, id=f"{guard}: {change} where {where}")
    for (table, guard), changes in UPDATES.items()
    for where, change in changes
]


@pytest.fixture(params=["application", "owner"])
def role(request) -> str:
    """Both roles that there are, each in a transaction that is rolled back."""
    request.getfixturevalue("as_owner" if request.param == "owner" else "db")
    return request.param


@pytest.fixture
def book(role) -> str:
    """A book with a row in every state: completed and pending, answered and not, open and closed."""
    wallet_id = new_wallet(1_000)
    funding = Movement(kind=TransferKind.FUNDING, actor=ACTOR)
    ledger.post(funding, funding_entries(locked(wallet_id), 100), call=keyed("answered"))
    entries = [(-300, "open"), (-200, "voided")]
    ledger.reserve(Movement(kind=TransferKind.FUNDING, actor=ACTOR), funding_entries(locked(wallet_id), 7))
    for amount, status in entries:
        Hold.objects.create(
            **{**A_HOLD, "account_id": wallet_id, "amount": -amount, "captured": 1, "status": status}
        )
    IdempotencyKey.objects.create(
        principal=ACTOR, key="unanswered", fingerprint=b"f", resource="x", created_at=NOON
    )
    # Deferred foreign keys would stop a TRUNCATE before the guard does.
    executed("SET CONSTRAINTS ALL IMMEDIATE")
    return role


A_HOLD = {"actor": ACTOR, "expires_at": NOON, "created_at": NOON}


@pytest.mark.parametrize(("table", "where", "change"), ATTACKS)
def test_when_the_past_is_rewritten_then_the_guard_refuses(book, table, where, change):
    assert fetched(f"SELECT count(*) > 0 FROM {table} WHERE {where}") == [(True,)]

    with pytest.raises(DatabaseError, match=f"update of {table} is refused"):
        executed(f"UPDATE {table} SET {change} WHERE {where}")


@pytest.mark.parametrize("table", BOOK)
@pytest.mark.parametrize("attack", ["DELETE FROM", "TRUNCATE"])
def test_when_rows_of_the_book_are_removed_then_grants_and_guards_refuse(book, table, attack):
    refusal = r"only ever appended" if book == "owner" else "permission denied"

    with pytest.raises(DatabaseError, match=refusal):
        executed(f"{attack} {table}" + (" CASCADE" if attack == "TRUNCATE" else ""))

    assert fetched(f"SELECT count(*) > 0 FROM {table}") == [(True,)]


@pytest.mark.parametrize("table", CHAIN)
@pytest.mark.parametrize(
    "attack",
    ["UPDATE {} SET digest = digest", "DELETE FROM {}", "TRUNCATE {}"],
    ids=["update", "delete", "truncate"],
)
def test_when_the_chain_of_seals_is_changed_then_grants_and_guards_refuse(role, table, attack):
    new_wallet(1_000)
    seals.seal_recent()
    assert fetched(f"SELECT count(*) > 0 FROM {table}") == [(True,)]
    refusal = r"only ever appended" if role == "owner" else "permission denied"

    with pytest.raises(DatabaseError, match=refusal):
        executed(attack.format(table))

    assert fetched(f"SELECT count(*) > 0 FROM {table}") == [(True,)]


def test_when_the_guards_are_listed_then_each_one_is_attacked_here(db):
    kept = {(table, trigger) for table in BOOK for trigger in ("refuse_delete", "refuse_truncate")}
    appended = {(table, trigger) for table in CHAIN for trigger in ("refuse_change", "refuse_truncate")}

    # No guard: what it does is tried in tests of receivables.
    worked = {(ACCOUNT, "pay_debt_first")}

    assert triggers_of("transactions") == set(UPDATES) | kept | appended | worked


def test_when_the_triggers_of_the_book_are_looked_at_then_all_are_switched_on(db):
    off = fetched(
        "SELECT tgrelid::regclass::text, tgname::text FROM pg_trigger WHERE NOT tgisinternal AND tgenabled <> 'O'"
    )

    assert off == []


@pytest.mark.parametrize(
    "statement",
    [
        f"ALTER TABLE {LINE} DISABLE TRIGGER guard_line",
        f"ALTER TABLE {ACCOUNT} DROP CONSTRAINT account_never_below_its_floor",
        f"DROP TRIGGER guard_transfer ON {TRANSFER}",
        f"DROP TABLE {KEY}",
        "DROP FUNCTION transactions_refuse_update() CASCADE",
        "CREATE TABLE public.mine (id int)",
        "SET session_replication_role = replica",
        "UPDATE transactions_delta SET amount = 0",
        "TRUNCATE transactions_delta",
    ],
)
def test_when_the_application_attacks_the_guards_themselves_then_it_may_not(db, statement):
    with pytest.raises(DatabaseError, match=r"permission denied|must be owner"):
        executed(statement)


CHECKS = {
    "account_never_below_its_floor": (LedgerAccount, [{"balance": -1, "total_out": 1}, {"held": 1}]),
    "account_holds_nothing_negative": (LedgerAccount, [{"held": -1}]),
    "account_floor_covers_receivable": (
        LedgerAccount,
        [{"receivable": 1}, {"receivable": 2, "floor": -1}, {"receivable": -1}],
    ),
    "account_balance_is_in_minus_out": (LedgerAccount, [{"balance": 1}, {"total_in": 1}]),
    "account_of_system_has_code": (
        LedgerAccount,
        [{"code": "x"}, {"floor": None}, {"owner_id": None}, {"rolled_up": True}],
    ),
    "transfer_kind_is_known": (Transfer, [{"kind": "gift"}]),
    "transfer_status_is_known": (Transfer, [{"status": "lost", "completed_at": None}]),
    "transfer_completed_has_time": (
        Transfer,
        [{"completed_at": None}, {"status": "pending"}, {"status": "failed"}],
    ),
    "transaction_moves_something": (Transaction, [{"amount": 0}]),
    "transaction_type_is_known": (Transaction, [{"type": "gift"}]),
    "transaction_completed_has_time": (
        Transaction,
        [
            {"completed_at": None},
            {"status": "pending"},
            {"status": "lost", "completed_at": None, "seq": None},
        ],
    ),
    "transaction_seq_with_balance": (Transaction, [{"balance_after": None}, {"seq": None}]),
    "hold_amount_is_positive": (Hold, [{"amount": 0, "captured": 0}, {"amount": -1, "captured": -1}]),
    "hold_never_overcaptured": (Hold, [{"captured": 101}, {"captured": -1}]),
    "hold_status_is_known": (Hold, [{"status": "lost"}]),
    "hold_used_up_is_captured": (
        Hold,
        [{"status": "captured", "captured": 99}, {"status": "open", "captured": 100}, {"captured": 100}],
    ),
}

GOOD = {
    LedgerAccount: {"owner_id": OTHER, "currency": "USD", "created_at": NOON},
    Transfer: {
        "kind": "payment",
        "status": "completed",
        "actor": ACTOR,
        "effective_at": NOON,
        "created_at": NOON,
        "completed_at": NOON,
    },
    Transaction: {
        "transfer_id": OTHER,
        "account_id": OTHER,
        "type": "payment",
        "amount": -100,
        "status": "completed",
        "seq": 1,
        "balance_after": 0,
        "created_at": NOON,
        "completed_at": NOON,
    },
    Hold: {**A_HOLD, "amount": 100, "status": "open"},
}


def good_row(model, **changed):
    facts = {**GOOD[model], "id": uuid7(), **changed}
    if model is Hold:
        facts["account_id"] = new_wallet()
    with transaction.atomic():
        return model.objects.create(**facts)


@pytest.mark.parametrize(
    ("check", "model", "changed"),
    [(check, model, changed) for check, (model, rows) in CHECKS.items() for changed in rows],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_when_a_row_can_not_be_true_then_its_check_refuses_it(role, check, model, changed):
    assert good_row(model).pk is not None
    rows_before = model.objects.count()

    with pytest.raises(IntegrityError, match=check):
        good_row(model, **{"account_id": uuid7()} if model is Transaction else {}, **changed)

    # The wallet that a hold needs is the only thing that was added.
    assert model.objects.count() == rows_before


def test_when_the_checks_are_listed_then_each_one_is_attacked_here(db):
    assert checks_of("transactions") == set(CHECKS)


@pytest.mark.parametrize(
    ("model", "index", "same"),
    [
        (Transaction, "transaction_seq_once", {"seq": 1}),
        (Transfer, "transfer_reversed_once", {"reverses": OTHER}),
    ],
)
def test_when_something_happens_twice_that_may_happen_once_then_the_index_refuses(role, model, index, same):
    good_row(model, **same)

    with pytest.raises(IntegrityError, match=index):
        good_row(model, **same)


def test_when_a_failed_reversal_is_tried_again_then_the_index_lets_it(db):
    good_row(Transfer, reverses=OTHER, status="failed", completed_at=None)

    assert good_row(Transfer, reverses=OTHER).status == "completed"


def test_when_two_system_accounts_want_one_code_then_the_second_is_refused(role):
    system = {"code": "fees:XTS", "rolled_up": True, "floor": None, "owner_id": None}
    good_row(LedgerAccount, **system)

    with pytest.raises(IntegrityError, match="transactions_ledgeraccount_code_key"):
        good_row(LedgerAccount, **system)


def test_when_the_indexes_are_listed_then_there_are_these_and_no_others(db):
    assert indexes_of("transactions") == {
        "seal_by_checkpoint": "btree (checkpoint_id, account_id)",
        "transactions_checkpoint_pkey": "btree (number)",
        "transactions_seal_pkey": "btree (account_id, to_seq)",
        "hold_by_account_created": "btree (account_id, created_at, id)",
        "hold_by_reference": "btree (reference) WHERE (NOT ((reference)::text = ''::text))",
        "hold_open_by_expiry": "btree (expires_at) WHERE ((status)::text = 'open'::text)",
        "transactions_hold_account_id_b7c01a24": "btree (account_id)",
        "transactions_hold_pkey": "btree (id)",
        "idempotency_key_by_age": "brin (created_at)",
        "idempotency_key_unanswered": "btree (resource) WHERE (status IS NULL)",
        "transactions_idempotencykey_pkey": "btree (key, principal)",
        "account_by_owner": "btree (owner_id) WHERE (owner_id IS NOT NULL)",
        "transactions_ledgeraccount_code_c0b80858_like": "btree (code varchar_pattern_ops)",
        "transactions_ledgeraccount_code_key": "btree (code)",
        "transactions_ledgeraccount_pkey": "btree (id)",
        "transaction_by_account_created": "btree (account_id, created_at, id)",
        "transaction_by_status": (
            "btree (status, account_id, created_at) WHERE (NOT ((status)::text = 'completed'::text))"
        ),
        "transaction_by_transfer": "btree (transfer_id)",
        "transaction_of_system_by_day": (
            "btree (account_id, completed_at) WHERE ((completed_at IS NOT NULL) AND (seq IS NULL))"
        ),
        "transaction_seq_once": "btree (account_id, seq)",
        "transactions_transaction_pkey": "btree (id)",
        "transactions_transfer_pkey": "btree (id)",
        "transfer_by_hold": "btree (hold_id) WHERE (hold_id IS NOT NULL)",
        "transfer_by_payment": "btree (payment_id) WHERE (payment_id IS NOT NULL)",
        "transfer_by_reference": "btree (reference) WHERE (NOT ((reference)::text = ''::text))",
        "transfer_by_refund": "btree (refund_of) WHERE (refund_of IS NOT NULL)",
        "transfer_reversed_once": (
            "btree (reverses) WHERE ((reverses IS NOT NULL) AND ((status)::text = ANY "
            "((ARRAY['pending'::character varying, 'completed'::character varying])::text[])))"
        ),
        "transfer_unfinished": "btree (created_at) WHERE ((status)::text = 'pending'::text)",
        "transactions_delta_pkey": "btree (id)",
    }


def test_when_an_answer_is_old_then_its_bytes_may_go_and_nothing_else(book):
    executed(f"UPDATE {KEY} SET body = NULL WHERE key = 'answered'")

    assert fetched(f"SELECT status, body FROM {KEY} WHERE key = 'answered'") == [(201, None)]
    with pytest.raises(DatabaseError, match="update of"):
        executed(f"UPDATE {KEY} SET body = 'other' WHERE key = 'answered'")
