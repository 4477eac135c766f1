"""The wallets' tables say no, whoever asks: each check, index and grant, attacked in both roles."""

import pytest
from django.db import DatabaseError, IntegrityError, transaction

from tests.factories.money import new_wallet
from tests.factories.people import CustomerFactory
from tests.factories.schema import checks_of, executed, indexes_of, triggers_of
from wallets.models import Wallet


@pytest.fixture(params=["application", "owner"])
def role(request) -> str:
    request.getfixturevalue("as_owner" if request.param == "owner" else "db")
    return request.param


@pytest.mark.parametrize(
    ("check", "changed"),
    [
        ("wallet_status_is_known", {"status": "lost"}),
        *(
            ("wallet_limits_not_negative", {name: -1})
            for name in ("maximum_balance", "per_transaction", "daily_outflow", "monthly_outflow")
        ),
    ],
)
def test_when_a_wallet_can_not_be_true_then_its_check_refuses_it(role, check, changed):
    wallet_id = new_wallet()

    with pytest.raises(IntegrityError, match=check), transaction.atomic():
        Wallet.objects.filter(account_id=wallet_id).update(**changed)

    wallet = Wallet.objects.get(account_id=wallet_id)
    assert (wallet.status, wallet.maximum_balance) == ("active", None)


def test_when_a_second_open_wallet_is_written_past_the_use_case_then_the_index_refuses_it(role):
    customer = CustomerFactory.create()
    new_wallet(owner=customer)
    other = new_wallet()

    with pytest.raises(IntegrityError, match="wallet_open_once_by_currency"), transaction.atomic():
        Wallet.objects.filter(account_id=other).update(user=customer)


@pytest.mark.parametrize("statement", ["DELETE FROM wallets_wallet", "TRUNCATE wallets_wallet CASCADE"])
def test_when_the_application_removes_wallets_then_it_has_no_right_to(db, statement):
    with pytest.raises(DatabaseError, match="permission denied"):
        executed(statement)


def test_when_a_wallet_s_account_is_removed_then_the_book_refuses(as_owner):
    new_wallet()

    with pytest.raises(DatabaseError, match="only ever appended"):
        executed("DELETE FROM transactions_ledgeraccount")


def test_when_checks_and_guards_of_wallets_are_listed_then_each_one_is_attacked_here_or_beside(db):
    assert {name for name in checks_of("wallets") if name.startswith("wallet")} == {
        "wallet_status_is_known",
        "wallet_limits_not_negative",
    }
    assert {trigger for table, trigger in triggers_of("wallets") if table == "wallets_wallet"} == set()


def test_when_the_indexes_are_listed_then_there_are_these_and_no_others(db):
    assert indexes_of("wallets") == {
        "adjustment_by_status_created": "btree (status, created_at)",
        "wallets_adjustment_pkey": "btree (id)",
        "wallets_adjustment_wallet_id_45265fea": "btree (wallet_id)",
        "wallet_by_status_created": "btree (status, created_at)",
        "wallet_by_user_created": "btree (user_id, created_at, id)",
        "wallet_open_once_by_currency": (
            "btree (user_id, currency) WHERE (NOT ((status)::text = 'closed'::text))"
        ),
        "wallet_suspended_until": (
            "btree (suspended_until) WHERE (((status)::text = 'suspended'::text)"
            " AND (suspended_until IS NOT NULL))"
        ),
        "wallets_wallet_pkey": "btree (id)",
    }
