"""Adjustments say no in the database, whoever asks."""

import pytest
from django.db import DatabaseError, IntegrityError

from tests.factories.holds import approve, ask
from tests.factories.money import new_wallet
from tests.factories.schema import checks_of, executed, fetched, triggers_of
from wallets.models import Adjustment

OTHER = "00000000-0000-7000-8000-000000000001"
TABLE = "wallets_adjustment"

WHAT_WAS_ASKED = [
    f"id = '{OTHER}'",
    "amount = amount * 2",
    "currency = 'EUR'",
    "reason = 'another'",
    f"requested_by = '{OTHER}'",
    f"transfer_id = '{OTHER}'",
    f"transaction_id = '{OTHER}'",
    "request_id = 'another'",
    "created_at = created_at - interval '1 s'",
]
DECIDED = f"status = 'completed', decided_at = now(), decided_by = '{OTHER}'"


@pytest.fixture
def adjustments(as_owner) -> dict[str, Adjustment]:
    """One that waits and one that is decided, and all rights on the table."""
    wallet_id = new_wallet(1_000)
    found = {"pending": ask(wallet_id, -100), "completed": ask(wallet_id, 200)}
    approve(found["completed"])
    executed("SET CONSTRAINTS ALL IMMEDIATE")
    return found


@pytest.mark.parametrize("change", WHAT_WAS_ASKED)
def test_when_it_is_decided_then_what_was_asked_for_stays(adjustments, change):
    with pytest.raises(DatabaseError, match="update of wallets_adjustment is refused"):
        executed(f"UPDATE {TABLE} SET {DECIDED}, {change} WHERE status = 'pending'")


@pytest.mark.parametrize(
    ("where", "change"),
    [
        ("pending", "decision_reason = 'later'"),
        ("completed", "decision_reason = 'later'"),
        ("completed", "status = 'rejected'"),
        ("completed", "status = 'pending', decided_by = NULL"),
    ],
)
def test_when_it_is_changed_without_a_decision_or_after_it_then_the_guard_refuses(adjustments, where, change):
    with pytest.raises(DatabaseError, match="update of wallets_adjustment is refused"):
        executed(f"UPDATE {TABLE} SET {change} WHERE status = '{where}'")


@pytest.mark.parametrize(("attack", "rest"), [("DELETE FROM", ""), ("TRUNCATE", "CASCADE")])
def test_when_it_is_removed_then_the_guard_refuses(adjustments, attack, rest):
    with pytest.raises(DatabaseError, match="only ever appended"):
        executed(f"{attack} {TABLE} {rest}")


CHECKS = {
    "adjustment_moves_something": {"amount": 0},
    "adjustment_decided_by_another": {
        "status": "completed",
        "requested_by": OTHER,
        "decided_by": OTHER,
        "decided_at": "2030-01-01T00:00:00Z",
    },
    "adjustment_decided_has_decider": {"status": "completed", "decided_at": "2030-01-01T00:00:00Z"},
}


@pytest.mark.parametrize(("check", "changed"), CHECKS.items())
def test_when_an_adjustment_can_not_be_true_then_its_check_refuses_it(db, check, changed):
    asked = ask(new_wallet(), 100)
    facts = {
        name: getattr(asked, name)
        for name in ("wallet_id", "amount", "currency", "reason", "requested_by", "transfer_id")
    }
    whole = {**facts, "transaction_id": OTHER, "created_at": asked.created_at, **changed}

    with pytest.raises(IntegrityError, match=check):
        Adjustment.objects.create(**whole)


def test_when_guards_and_checks_of_adjustments_are_listed_then_each_one_is_attacked_here(db):
    guards = {trigger for table, trigger in triggers_of("wallets") if table == TABLE}

    assert guards == {"guard_adjustment", "refuse_delete", "refuse_truncate"}
    assert {name for name in checks_of("wallets") if name.startswith("adjustment")} == set(CHECKS)


@pytest.mark.parametrize("column", ["amount", "requested_by", "reason", "transfer_id"])
def test_when_the_application_changes_what_was_asked_for_then_it_has_no_right_to(db, column):
    ask(new_wallet(), 100)

    with pytest.raises(DatabaseError, match="permission denied"):
        executed(f"UPDATE {TABLE} SET {column} = {column}")

    assert fetched(f"SELECT count(*) FROM {TABLE} WHERE status = 'pending'") == [(1,)]
