"""What the dashboard says of books that are broken, which proof and by how much, and of those that nobody has counted yet."""

from datetime import timedelta

import pytest
from django.db import connection

from payments.dashboard import dashboard
from payments.floats import count_floats, known_floats
from payments.models import CurrencyFloat
from tests.factories.money import new_wallet


def broken_by(statement: str, wallet_id: object) -> dict[str, object]:
    with connection.cursor() as cursor:
        cursor.execute(
            "ALTER TABLE transactions_ledgeraccount DISABLE TRIGGER USER,"
            " DROP CONSTRAINT account_never_below_its_floor, DROP CONSTRAINT account_floor_covers_receivable"
        )
        cursor.execute(f"UPDATE transactions_ledgeraccount SET {statement} WHERE id = %s", [wallet_id])
    count_floats()
    return dashboard("today")


@pytest.mark.parametrize(
    ("statement", "broken"),
    [
        ("balance = balance + 1, total_in = total_in + 1", ["float_is_ledger"]),
        ("floor = 701", ["floors_hold"]),
        ("receivable = 5", ["debts_are_below_the_credit_line"]),
    ],
)
def test_when_the_books_are_altered_then_the_proof_that_breaks_is_named(as_owner, statement, broken):
    wallet_id = new_wallet(700, currency="AED")

    told = broken_by(statement, wallet_id)

    assert (told["invariants"]["state"], told["invariants"]["broken"]) == ("broken", broken)
    dirhams = next(row for row in told["float"] if row["currency"] == "AED")
    assert dirhams["difference"] == (1 if broken == ["float_is_ledger"] else 0)


def test_when_nothing_was_ever_counted_then_it_is_counted_at_once_rather_than_told_as_nothing(as_owner):
    new_wallet(700, currency="AED")
    CurrencyFloat.objects.all().delete()

    told = known_floats()

    dirhams = next(each for each in told.currencies if each.currency == "AED")
    assert dirhams.wallets == dirhams.ledger >= 700
    assert (told.age, told.is_late, CurrencyFloat.objects.count()) == (timedelta(), False, 0)
