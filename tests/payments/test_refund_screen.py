"""The back office decides on refunds: by the use case, by another person, and says why it doesn't."""

import pytest
from django.test import Client

from payments.models import Refund
from tests.factories.books import nothing_moves
from tests.factories.holds import principal_of
from tests.factories.people import someone
from tests.payments.customers import Customer
from tests.payments.refunding import ask_for, deposit_of, money_of, now_of
from users.models import User


@pytest.fixture
def refund(customer: Customer) -> Refund:
    return ask_for(deposit_of(customer, 2500).transaction_id, 1000, by=customer)


def browser_of(person: User) -> Client:
    client = Client()
    client.force_login(person)
    return client


def screen_of(refund: Refund) -> str:
    return f"/admin/payments/refund/{refund.id}/change/"


def decide_url(refund: Refund) -> str:
    return f"/admin/payments/refund/{refund.id}/decide/"


def told(client: Client, refund: Refund, **form: str) -> str:
    answer = client.post(decide_url(refund), form, follow=True)
    assert answer.redirect_chain == [(screen_of(refund), 302)]
    return answer.content.decode()


def test_when_finance_approves_then_it_is_due_and_nothing_is_left_to_decide(customer, refund):
    person = someone("finance")
    client = browser_of(person)
    before = client.get(screen_of(refund)).content.decode()

    page = told(client, refund, decision="approve")

    assert f'action="{decide_url(refund)}"' in before
    assert "The refund is approved and will be executed." in page
    assert decide_url(refund) not in page
    assert (now_of(refund).status, now_of(refund).decided_by) == ("approved", person.id)


def test_when_finance_rejects_with_a_reason_then_the_money_is_free_again(customer, refund):
    page = told(browser_of(someone("finance")), refund, decision="reject", reason=" used ")

    assert "The refund is rejected." in page
    assert (now_of(refund).status, now_of(refund).decision_reason) == ("rejected", "used")
    assert money_of(customer) == (2500, 0)


@pytest.mark.parametrize("form", [{"decision": "reject"}, {"decision": "reject", "reason": "a\0b"}, {}])
def test_when_it_is_rejected_without_a_reason_then_nothing_moves(refund, form):
    client = browser_of(someone("finance"))

    with nothing_moves():
        page = told(client, refund, **form)

    assert "Say why you reject it" in page


def test_when_the_one_who_asked_opens_it_then_it_says_why_not_and_nothing_moves(customer):
    person = someone("finance")
    refund = ask_for(deposit_of(customer, 2500).transaction_id, by=principal_of(person))
    client = browser_of(person)

    page = client.get(screen_of(refund)).content.decode()
    with nothing_moves():
        refused = told(client, refund, decision="approve")

    assert "You have asked for this refund yourself" in page
    assert "Whoever asked for this can not decide on it." in refused


def test_when_the_role_may_not_decide_then_it_says_so_and_nothing_moves(refund):
    client = browser_of(someone("support"))

    page = client.get(screen_of(refund)).content.decode()
    with nothing_moves():
        refused = told(client, refund, decision="approve")

    assert "Your role may not decide on refunds." in page
    assert "This is not allowed." in refused


def test_when_it_is_forged_read_or_unknown_then_nothing_moves(refund):
    person = someone("finance")
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(person)
    unknown = decide_url(refund).replace(str(refund.id), str(refund.wallet_id))

    with nothing_moves():
        answers = [
            strict.post(decide_url(refund), {"decision": "approve"}).status_code,
            browser_of(person).get(decide_url(refund)).status_code,
            browser_of(person).post(unknown, {"decision": "approve"}).status_code,
        ]

    assert answers == [403, 405, 404]
