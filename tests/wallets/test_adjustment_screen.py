"""The back office decides on adjustments: by the use case, by another person, and says why it doesn't."""

from collections.abc import Iterator

import pytest
from django.test import Client

from tests.factories.books import nothing_moves
from tests.factories.holds import ask, money_of, principal_of
from tests.factories.money import new_wallet
from tests.factories.people import someone
from users.models import User
from wallets.models import Adjustment

pytestmark = pytest.mark.django_db


@pytest.fixture
def adjustment() -> Adjustment:
    return ask(new_wallet(1_000), -300)


def browser_of(person: User) -> Client:
    client = Client()
    client.force_login(person)
    return client


def screen_of(adjustment: Adjustment) -> str:
    return f"/admin/wallets/adjustment/{adjustment.id}/change/"


def decide_url(adjustment: Adjustment) -> str:
    return f"/admin/wallets/adjustment/{adjustment.id}/decide/"


def told(client: Client, adjustment: Adjustment, **form: str) -> Iterator[str]:
    answer = client.post(decide_url(adjustment), form, follow=True)
    assert answer.redirect_chain == [(screen_of(adjustment), 302)]
    return answer.content.decode()


def test_when_finance_opens_what_support_has_asked_for_then_it_can_be_decided(adjustment):
    page = browser_of(someone("finance")).get(screen_of(adjustment)).content.decode()

    assert f'action="{decide_url(adjustment)}"' in page
    assert "a correction" in page


def test_when_finance_approves_then_it_is_posted_and_nothing_is_left_to_decide(adjustment):
    person = someone("finance")
    client = browser_of(person)

    page = told(client, adjustment, decision="approve")

    adjustment.refresh_from_db()
    assert "The adjustment is approved and posted." in page
    assert decide_url(adjustment) not in page
    assert (adjustment.status, adjustment.decided_by) == ("completed", person.id)
    assert money_of(adjustment.wallet_id) == (700, 0)


def test_when_finance_rejects_with_a_reason_then_the_money_is_free_again(adjustment):
    page = told(browser_of(someone("finance")), adjustment, decision="reject", reason=" no such thing ")

    adjustment.refresh_from_db()
    assert "The adjustment is rejected." in page
    assert (adjustment.status, adjustment.decision_reason) == ("rejected", "no such thing")
    assert money_of(adjustment.wallet_id) == (1_000, 0)


@pytest.mark.parametrize(
    "form",
    [
        {"decision": "reject"},
        {"decision": "reject", "reason": "  "},
        {"decision": "reject", "reason": "x" * 501},
        {"decision": "reject", "reason": "a\0b"},
        {"decision": "else", "reason": "x"},
        {},
    ],
)
def test_when_it_is_rejected_without_a_reason_then_nothing_moves(adjustment, form):
    client = browser_of(someone("finance"))

    with nothing_moves():
        page = told(client, adjustment, **form)

    assert "Say why you reject it" in page


@pytest.mark.parametrize("decision", ["approve", "reject"])
def test_when_the_one_who_asked_opens_it_then_it_says_why_not_and_nothing_moves(decision):
    person = someone("finance")
    adjustment = ask(new_wallet(1_000), -300, by=principal_of(person))
    client = browser_of(person)

    page = client.get(screen_of(adjustment)).content.decode()
    with nothing_moves():
        refused = told(client, adjustment, decision=decision, reason="x")

    assert "You have asked for this adjustment yourself" in page
    assert decide_url(adjustment) not in page
    assert "Whoever asked for this can not decide on it." in refused


@pytest.mark.parametrize("role", ["support", "auditor"])
def test_when_the_role_may_not_decide_then_it_says_so_and_nothing_moves(adjustment, role):
    client = browser_of(someone(role))

    page = client.get(screen_of(adjustment)).content.decode()
    with nothing_moves():
        refused = told(client, adjustment, decision="approve")

    assert "Your role may not decide on adjustments." in page
    assert decide_url(adjustment) not in page
    assert "This is not allowed." in refused


def test_when_two_decide_then_the_second_is_told_that_it_is_decided(adjustment):
    told(browser_of(someone("finance")), adjustment, decision="approve")

    with nothing_moves():
        page = told(browser_of(someone("admin")), adjustment, decision="reject", reason="too late")

    assert "The adjustment is not pending." in page


def test_when_it_is_not_a_form_of_this_site_or_no_post_then_nothing_moves(adjustment):
    person = someone("finance")
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(person)

    with nothing_moves():
        forged = strict.post(decide_url(adjustment), {"decision": "approve"})
        read = browser_of(person).get(decide_url(adjustment))
        nobody = Client().post(decide_url(adjustment), {"decision": "approve"})
        customer = browser_of(someone("user")).post(decide_url(adjustment), {"decision": "approve"})

    assert (forged.status_code, read.status_code) == (403, 405)
    assert [answer["Location"].partition("?")[0] for answer in (nobody, customer)] == ["/admin/login/"] * 2


def test_when_there_is_no_such_adjustment_then_it_is_not_found(adjustment):
    url = decide_url(adjustment).replace(str(adjustment.id), str(adjustment.wallet_id))

    answer = browser_of(someone("finance")).post(url, {"decision": "approve"})

    assert answer.status_code == 404
