"""Breaks of settlement reports: resolved by two people, each step in the trail, and the database says so too."""

from uuid import UUID

import pytest
from django.db import IntegrityError, transaction
from uuid_utils.compat import uuid7

from payments.models import (
    Resolution,
    SettlementBreak,
    SettlementImport,
    SettlementRow,
)
from payments.refusals import BreakNotOpen, BreakNotProposed
from payments.settlement_breaks import send_back
from tests.factories.books import nothing_moves
from tests.factories.calls import unkeyed
from tests.factories.holds import approve as approve_adjustment
from tests.factories.holds import ask, staff
from tests.factories.money import new_wallet
from tests.payments.reports import (
    brought,
    charge_row,
    charged,
    csv_of,
    imported,
    only_break,
    proof,
    propose,
    resolve,
    steps_of,
    unused_currency,
)
from transactions.refusals import InvalidInput, NotFound, SelfApproval
from users.refusals import PermissionDenied


@pytest.fixture
def currency() -> str:
    """One whose books hold what this test does, and nothing else."""
    return unused_currency()


@pytest.fixture
def wallet_id(currency: str) -> UUID:
    return new_wallet(currency=currency)


@pytest.mark.django_db
@pytest.mark.parametrize("role", ["support", "auditor", "user"])
def test_when_the_role_may_not_then_nothing_is_imported_proposed_or_resolved(role, wallet_id, currency):
    charged(wallet_id, 2500)
    found = only_break(imported(currency=currency))
    person = staff(role)

    with nothing_moves():
        for act in (
            lambda: brought(by=person, currency=currency, content=csv_of("")),
            lambda: propose(found, by=person),
            lambda: resolve(found, by=person),
        ):
            with pytest.raises(PermissionDenied):
                act()


@pytest.mark.django_db
def test_when_a_break_is_resolved_then_two_people_and_each_step_stand_in_the_trail(wallet_id, currency):
    charged(wallet_id, 2500)
    found = only_break(imported(currency=currency))
    first, second = staff("finance"), staff("admin")

    propose(found, by=first, resolution=Resolution.PROVIDER_ERROR, reason="they lost it")
    send_back(break_id=found.id, reason="ask them", principal=second, call=unkeyed())
    propose(found, by=second, reason="found on the next report")
    resolve(found, by=first)

    found.refresh_from_db()
    assert (found.status, found.resolution, found.proposed_by, found.resolved_by) == (
        "resolved",
        "explained",
        second.id,
        first.id,
    )
    assert steps_of(found)[1:] == [
        ("settlement_break.proposed", "proposed", "they lost it"),
        ("settlement_break.sent_back", "open", "ask them"),
        ("settlement_break.proposed", "proposed", "found on the next report"),
        ("settlement_break.resolved", "resolved", "found on the next report"),
    ]
    after = proof(currency=currency)
    assert (after.difference, after.open_amount, after.resolved_amount) == (2500, 0, 2500)
    assert (after.open_breaks, after.unproved) == (0, 0)


@pytest.mark.django_db
def test_when_one_person_is_alone_then_the_break_stays_proposed(wallet_id, currency):
    charged(wallet_id, 2500)
    found = only_break(imported(currency=currency))
    person = staff("admin")
    propose(found, by=person)

    with nothing_moves(), pytest.raises(SelfApproval):
        resolve(found, by=person)


@pytest.mark.django_db
def test_when_a_break_is_not_where_a_step_begins_then_the_step_is_refused(wallet_id, currency):
    charged(wallet_id, 2500)
    found = only_break(imported(currency=currency))

    with nothing_moves(), pytest.raises(BreakNotProposed):
        resolve(found)
    propose(found)
    with nothing_moves(), pytest.raises(BreakNotOpen):
        propose(found)
    resolve(found)
    with nothing_moves(), pytest.raises(BreakNotProposed):
        send_back(break_id=found.id, reason="no", principal=staff("finance"), call=unkeyed())
    with nothing_moves(), pytest.raises(NotFound):
        resolve(SettlementBreak(id=uuid7()))


@pytest.mark.django_db
def test_when_a_break_was_adjusted_then_it_names_a_completed_adjustment_of_its_currency(wallet_id, currency):
    charged(wallet_id, 2500)
    found = only_break(imported(currency=currency))
    pending, foreign = ask(wallet_id, -50, currency=currency), ask(new_wallet(100), -50)
    done = ask(wallet_id, -25, currency=currency)
    approve_adjustment(foreign)
    approve_adjustment(done)

    for refused in (None, uuid7(), pending.id, foreign.id):
        with nothing_moves(), pytest.raises(InvalidInput) as told:
            propose(found, resolution=Resolution.ADJUSTED, adjustment_id=refused)
        assert told.value.field == "adjustment_id"
    with nothing_moves(), pytest.raises(InvalidInput):
        propose(found, adjustment_id=done.id)
    propose(found, resolution=Resolution.ADJUSTED, adjustment_id=done.id)
    resolve(found)

    found.refresh_from_db()
    assert (found.resolution, found.adjustment_id) == ("adjusted", done.id)


@pytest.mark.parametrize(
    ("status", "changes"),
    [
        ("open", {"expected": 1}),
        ("open", {"kind": "duplicated"}),
        ("open", {"status": "resolved"}),
        ("proposed", {"resolved_by": "the proposer", "status": "resolved"}),
        ("proposed", {"status": "resolved", "resolved_by": "another", "proposal_reason": "else"}),
        ("resolved", {"status": "open"}),
        ("resolved", {"resolution": "provider_error"}),
        ("resolved", {"resolved_by": "another"}),
    ],
)
def test_when_the_owner_alters_what_a_break_says_then_the_database_says_no(
    as_owner, status, changes, currency
):
    wallet_id = new_wallet(currency=currency)
    charged(wallet_id, 2500)
    found = only_break(imported(currency=currency))
    proposer = staff("finance")
    if status != "open":
        propose(found, by=proposer)
    if status == "resolved":
        resolve(found)
    if "resolved_by" in changes:
        changes = {**changes, "resolved_by": proposer.id if changes["resolved_by"] != "another" else uuid7()}
        changes["resolved_at"] = found.created_at

    with pytest.raises(IntegrityError), transaction.atomic():
        SettlementBreak.objects.filter(id=found.id).update(**changes)


def test_when_the_owner_alters_what_was_reported_then_the_database_says_no(as_owner, currency):
    wallet_id = new_wallet(currency=currency)
    report = imported(charge_row(charged(wallet_id, 2500)), currency=currency)
    rows = SettlementRow.objects.filter(report=report)
    reports = SettlementImport.objects.filter(id=report.id)

    for change in (
        lambda: rows.update(gross=1, net=1),
        lambda: rows.update(line_id=None, line_amount=None, matched_at=None),
        lambda: rows.delete(),
        lambda: reports.update(rows=0),
        lambda: reports.delete(),
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            change()
