"""The highest role, and whoever else: two people decide about money, and what is written stays written."""

import pytest
from django.db import DatabaseError, IntegrityError, transaction
from django.test import Client

from payments.models import Refund
from tests.factories.books import nothing_moves
from tests.factories.holds import approve, ask, principal_of
from tests.factories.money import fund, new_wallet
from tests.factories.people import someone
from tests.factories.schema import executed
from tests.payments import refunding
from tests.payments.customers import Customer
from transactions.refusals import SelfApproval
from users.models import User
from users.roles import PERMISSIONS, ROLES
from wallets.models import Adjustment

WRITTEN_ONCE = (
    "transactions_transaction",
    "transactions_transfer",
    "events_auditentry",
    "events_event",
    "transactions_seal",
)


@pytest.fixture
def admin(db: None) -> User:
    person = someone("admin")
    assert isinstance(person, User)
    return person


def test_when_roles_are_compared_then_the_highest_one_holds_everything_and_is_no_superuser(admin):
    assert ROLES["admin"] == PERMISSIONS
    assert admin.is_superuser is False
    with pytest.raises(AttributeError):
        admin.is_superuser = True
    assert not any(admin.has_perm(f"wallets.{action}_wallet") for action in ("add", "change", "delete"))


def test_when_an_administrator_asks_then_nobody_with_the_same_name_approves_it(admin):
    own = ask(new_wallet(1_000), 50, by=principal_of(admin))

    with nothing_moves(), pytest.raises(SelfApproval):
        approve(own, by=principal_of(admin))


@pytest.mark.parametrize("decision", ["approve", "decide"])
def test_when_an_administrator_presses_approve_on_what_is_their_own_then_nothing_moves(admin, decision):
    own = ask(new_wallet(1_000), 50, by=principal_of(admin))
    client = Client()
    client.force_login(admin)
    path = "/admin/adjustments/decide/" if decision == "decide" else f"/admin/adjustments/{own.id}/approve/"

    with nothing_moves():
        client.post(path, {"chosen": [str(own.id)], "decision": "approve"})

    own.refresh_from_db()
    assert own.status == "pending"


def test_when_sql_makes_one_person_two_then_the_table_refuses(admin):
    own = ask(new_wallet(1_000), 50, by=principal_of(admin))

    with pytest.raises(IntegrityError, match="check constraint"), transaction.atomic():
        Adjustment.objects.filter(id=own.id).update(status="posted", decided_by=admin.id)


def test_when_sql_makes_one_person_two_for_a_refund_then_the_table_refuses(committed):
    customer = Customer.with_wallet("USD")
    finance = someone("finance")
    own = refunding.ask_for(
        refunding.deposit_of(customer, 2500).transaction_id, 1000, by=principal_of(finance)
    )

    with nothing_moves(), pytest.raises(SelfApproval):
        refunding.approve(own, by=principal_of(finance))
    with pytest.raises(IntegrityError, match="check constraint"), transaction.atomic():
        Refund.objects.filter(id=own.id).update(status="approved", decided_by=finance.id)


@pytest.mark.parametrize("table", WRITTEN_ONCE)
@pytest.mark.parametrize(
    "attack", ["UPDATE {} SET id = id", "DELETE FROM {}", "TRUNCATE {} CASCADE", "DROP TABLE {}"]
)
def test_when_an_administrators_process_would_rewrite_the_past_then_the_database_refuses(
    admin, table, attack
):
    fund(new_wallet(1_000), 100)

    with nothing_moves(), pytest.raises(DatabaseError), transaction.atomic():
        executed(attack.format(table))
