"""Adjustments in the back office: asked for on a form, decided by somebody else in the queue, exported over the API."""

import csv

import pytest
from django.test import Client
from uuid_utils.compat import uuid7

from tests.factories.books import nothing_moves
from tests.factories.calls import ApiClient
from tests.factories.holds import ask, money_of, principal_of, reject
from tests.factories.money import new_wallet
from tests.factories.people import someone
from users.models import User
from wallets.models import Adjustment

pytestmark = pytest.mark.django_db
QUEUE = "/admin/adjustments/"


@pytest.fixture
def adjustment() -> Adjustment:
    return ask(new_wallet(1_000), -300)


def browser_of(person: User) -> Client:
    client = Client()
    client.force_login(person)
    return client


def decide(client: Client, adjustment: Adjustment, decision: str, **form: str) -> str:
    sent = {"key": str(uuid7()), **form}
    answer = client.post(f"{QUEUE}{adjustment.id}/{decision}/", sent, follow=True)
    assert answer.redirect_chain == [(QUEUE, 302)]
    return answer.content.decode()


def status_of(adjustment: Adjustment) -> str:
    return Adjustment.objects.get(id=adjustment.id).status


def test_when_finance_approves_then_it_is_posted(adjustment: Adjustment) -> None:
    client = browser_of(someone("finance"))
    before = client.get(QUEUE).content.decode()

    page = decide(client, adjustment, "approve")

    assert f'formaction="{QUEUE}{adjustment.id}/approve/"' in before
    assert "The adjustment is approved and posted." in page
    assert str(adjustment.id) not in page
    assert money_of(adjustment.wallet_id) == (700, 0)


def test_when_finance_rejects_with_a_reason_then_the_money_is_free_again(adjustment: Adjustment) -> None:
    page = decide(browser_of(someone("finance")), adjustment, "reject", reason=" wrong wallet ")

    assert "The adjustment is rejected." in page
    assert Adjustment.objects.get(id=adjustment.id).decision_reason == "wrong wallet"
    assert money_of(adjustment.wallet_id) == (1_000, 0)


def test_when_the_same_form_is_sent_twice_then_it_is_one_decision(adjustment: Adjustment) -> None:
    client, key = browser_of(someone("finance")), str(uuid7())
    decide(client, adjustment, "approve", key=key)

    with nothing_moves():
        again = decide(client, adjustment, "approve", key=key)

    assert "The adjustment is approved and posted." in again


@pytest.mark.parametrize("reason", ["", "a\0b", "x" * 501])
def test_when_it_is_rejected_without_a_reason_then_nothing_moves(adjustment: Adjustment, reason: str) -> None:
    client = browser_of(someone("finance"))

    with nothing_moves():
        page = decide(client, adjustment, "reject", reason=reason)

    assert "Say why you reject it" in page


def test_when_the_one_who_asked_opens_it_then_it_says_why_not_and_nothing_moves() -> None:
    person = someone("finance")
    own = ask(new_wallet(1_000), 50, by=principal_of(person))
    client = browser_of(person)

    pages = [client.get(QUEUE).content.decode(), client.get(f"{QUEUE}{own.id}/").content.decode()]
    with nothing_moves():
        refused = decide(client, own, "approve")

    for page in pages:
        assert "You have asked for it yourself: somebody else has to decide." in page
        assert "data-decides" not in page
    assert "Whoever asked for this can not decide on it." in refused


def test_when_many_are_decided_then_each_row_has_a_result_of_its_own(adjustment: Adjustment) -> None:
    decided = ask(new_wallet(1_000), 50)
    reject(decided)
    form = {"key": str(uuid7()), "decision": "approve", "chosen": [str(adjustment.id), str(decided.id)]}

    page = browser_of(someone("finance")).post(f"{QUEUE}decide/", form).content.decode()

    assert "1 of 2 went through" in page
    assert (status_of(adjustment), status_of(decided)) == ("completed", "rejected")


@pytest.mark.parametrize(("role", "sees"), [("support", 200), ("auditor", 200)])
def test_when_the_role_may_not_decide_then_nothing_is_offered_and_nothing_moves(
    adjustment: Adjustment, role: str, sees: int
) -> None:
    client = browser_of(someone(role))

    page = client.get(QUEUE)
    with nothing_moves():
        posted = client.post(f"{QUEUE}{adjustment.id}/approve/")

    assert page.status_code == sees
    assert "data-decides" not in page.content.decode()
    assert posted.status_code == 403


@pytest.mark.parametrize(("written", "asked_for"), [("12.50", 1250), ("-1.00", -100), ("+3", 300)])
def test_when_support_asks_then_it_waits_for_somebody_else_once(written: str, asked_for: int) -> None:
    wallet_id, person = new_wallet(1_000), someone("support")
    client, form = browser_of(person), {"key": str(uuid7()), "amount": written, "reason": "counted twice"}

    client.post(f"{QUEUE}of/{wallet_id}/", form)
    answer = client.post(f"{QUEUE}of/{wallet_id}/", form)

    assert answer["Location"] == f"{QUEUE}?wallet_id={wallet_id}"
    (found,) = Adjustment.objects.filter(wallet_id=wallet_id)
    assert (found.amount, found.status, found.requested_by) == (asked_for, "pending", person.id)


@pytest.mark.parametrize(
    ("form", "told"),
    [
        ({"amount": "0", "reason": "x"}, "Write an amount"),
        ({"amount": "1.234", "reason": "x"}, "Write an amount"),
        ({"amount": "ten", "reason": "x"}, "Write an amount"),
        ({"amount": "10", "reason": " "}, "Say why"),
        ({"amount": "-10.01", "reason": "x"}, "The available balance does not cover the amount."),
    ],
)
def test_when_what_is_asked_for_can_not_be_then_it_says_so_and_nothing_moves(
    form: dict[str, str], told: str
) -> None:
    wallet_id = new_wallet(1_000)
    client = browser_of(someone("support"))

    with nothing_moves():
        answer = client.post(f"{QUEUE}of/{wallet_id}/", {"key": str(uuid7()), **form})

    assert answer.status_code == 422
    assert told in answer.content.decode()
    assert f'value="{form["amount"]}"' in answer.content.decode()


def test_when_a_csv_is_asked_for_then_it_holds_all_that_match_and_no_formula() -> None:
    wallet_id = new_wallet(1_000)
    asked = {"amount": -300, "currency": "USD", "reason": "=HYPERLINK()"}
    first = ApiClient(someone("support")).post(f"/admin/wallets/{wallet_id}/adjustments", asked).json()
    second = ask(wallet_id, 50)
    ask(new_wallet(), 50)

    answer = ApiClient(someone("finance")).get(f"/admin/adjustments?format=csv&wallet_id={wallet_id}")
    rows = list(csv.DictReader(b"".join(answer.streaming_content).decode().splitlines()))

    assert answer["Content-Disposition"] == 'attachment; filename="adjustments.csv"'
    assert [(row["id"], row["amount"]) for row in rows] == [
        (str(second.id), "0.50"),
        (first["id"], "-3.00"),
    ]
    assert rows[1]["reason"] == "'=HYPERLINK()"
