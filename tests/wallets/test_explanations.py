"""Any balance explained: by type, from the first line on, with the proof that nothing is missing."""

from datetime import UTC, datetime, timedelta

import orjson
import pytest
import time_machine
from django.db import connection
from uuid_utils.compat import uuid7

from tests.factories.calls import ApiClient
from tests.factories.money import fund, new_wallet
from tests.factories.people import CustomerFactory
from tests.wallets.test_statements import move
from transactions.explanations import explain_balance

NOON = datetime(2031, 10, 31, 12, 0, tzinfo=UTC)


@pytest.mark.django_db
def test_when_a_balance_is_asked_about_then_its_lines_make_it():
    owner = CustomerFactory.create()
    wallet_id = new_wallet(owner=owner)
    for amount, minute in ((10_000, 0), (-2_500, 1), (700, 2), (-100, 3)):
        move(wallet_id, amount, NOON + timedelta(minutes=minute))

    with time_machine.travel(NOON + timedelta(hours=1), tick=False):
        response = ApiClient(owner).get(f"/wallet/{wallet_id}/balance/explain")

    assert response.status_code == 200
    assert orjson.loads(response.content) == {
        "wallet_id": str(wallet_id),
        "currency": "USD",
        "at": "2031-10-31T13:00:00Z",
        "opening": 0,
        "sums": [
            {"type": "funding", "count": 2, "amount": 10_700},
            {"type": "payment", "count": 2, "amount": -2_600},
        ],
        "closing": 8_100,
        "proof": {
            "lines": 4,
            "first_seq": 1,
            "last_seq": 4,
            "sum": 8_100,
            "balance_after_of_last": 8_100,
            "agrees": True,
        },
    }


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("at", "closing", "lines"),
    [
        ("2031-10-31T11:59:59.999999Z", 0, 0),
        ("2031-10-31T12:00:00Z", 10_000, 1),
        ("2031-10-31T12:01:59Z", 7_500, 2),
        ("2031-10-31T12:02:00Z", 8_200, 3),
        ("2999-01-01T00:00:00Z", 8_200, 3),
    ],
)
def test_when_a_past_moment_is_asked_about_then_only_the_lines_until_then_count(at, closing, lines):
    owner = CustomerFactory.create()
    wallet_id = new_wallet(owner=owner)
    for amount, minute in ((10_000, 0), (-2_500, 1), (700, 2)):
        move(wallet_id, amount, NOON + timedelta(minutes=minute))

    with time_machine.travel(NOON + timedelta(hours=1), tick=False):
        api = ApiClient(owner)
        explained = api.get(f"/wallet/{wallet_id}/balance/explain?at={at}").json()
        balance = api.get(f"/wallet/{wallet_id}/balance?at={at}").json()

    assert (explained["closing"], explained["proof"]["lines"]) == (closing, lines)
    assert explained["proof"]["agrees"] is True
    assert explained["closing"] == explained["proof"]["sum"] == balance["balance"]
    assert explained["at"] == at


@pytest.mark.django_db
def test_when_the_wallet_is_new_then_nothing_makes_nothing():
    proof = explain_balance(new_wallet()).proof

    assert (proof.lines, proof.first_seq, proof.last_seq, proof.sum, proof.balance_after_of_last) == (
        0,
        None,
        None,
        0,
        None,
    )
    assert proof.agrees is True


@pytest.mark.django_db
def test_when_the_wallet_is_somebody_else_s_then_it_is_not_there():
    stranger = ApiClient(CustomerFactory.create())

    theirs = stranger.get(f"/wallet/{new_wallet(500)}/balance/explain")
    nobodys = stranger.get(f"/wallet/{uuid7()}/balance/explain")

    assert (theirs.status_code, nobodys.status_code) == (404, 404)


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE transactions_transaction SET amount = amount + 1 WHERE account_id = %s AND seq = 2",
        "DELETE FROM transactions_transaction WHERE account_id = %s AND seq = 2",
        "UPDATE transactions_transaction SET balance_after = 1 WHERE account_id = %s AND seq = 3",
        "UPDATE transactions_ledgeraccount SET balance = balance + 1, total_in = total_in + 1 WHERE id = %s",
        "UPDATE transactions_transaction SET seq = 9 WHERE account_id = %s AND seq = 3",
    ],
)
def test_when_the_book_was_tampered_with_then_the_proof_does_not_agree(as_owner, damage):
    wallet_id = new_wallet(500)
    fund(wallet_id, 200)
    fund(wallet_id, 100)
    assert explain_balance(wallet_id).proof.agrees is True

    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE transactions_transaction DISABLE TRIGGER USER")
        cursor.execute(damage, [wallet_id])

    assert explain_balance(wallet_id).proof.agrees is False
