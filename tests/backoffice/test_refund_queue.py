"""The queue of refunds: what it tells whoever decides, and what comes of each decision."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils.html import escape
from uuid_utils.compat import uuid7

from events.clock import now
from payments.models import Dispute, Refund
from payments.refund_reviews import Obstacle, Review, reviews_of
from tests.factories.books import nothing_moves
from tests.factories.holds import principal_of
from tests.factories.people import someone
from tests.payments.customers import Customer
from tests.payments.refunding import (
    approve,
    ask_for,
    deposit_of,
    money_of,
    now_of,
    purchase_of,
    refunded,
    reject,
)
from users.models import User

QUEUE = "/admin/refunds/"


@pytest.fixture
def customer(committed: None) -> Customer:
    return Customer.with_wallet("USD")


@pytest.fixture
def refund(customer: Customer) -> Refund:
    return ask_for(deposit_of(customer, 2500).transaction_id, 1000, by=customer)


@pytest.fixture
def finance(customer: Customer) -> User:
    return someone("finance")


def browser_of(person: User) -> Client:
    client = Client()
    client.force_login(person)
    return client


def queue_of(client: Client, customer: Customer, **query: str) -> str:
    return client.get(QUEUE, {"wallet_id": str(customer.wallet_id), **query}).content.decode()


def page_of(client: Client, refund: Refund) -> str:
    return client.get(f"{QUEUE}{refund.id}/").content.decode()


def decide(client: Client, refund: Refund, decision: str, **form: str) -> str:
    sent = {"key": str(uuid7()), "next": f"{QUEUE}{refund.id}/", **form}
    answer = client.post(f"{QUEUE}{refund.id}/{decision}/", sent, follow=True)
    assert answer.redirect_chain == [(f"{QUEUE}{refund.id}/", 302)]
    return answer.content.decode()


def review_of(refund: Refund, person: User) -> Review:
    found = Refund.objects.select_related("wallet", "payment").get(id=refund.id)
    return reviews_of([found], principal=principal_of(person))[0]


def dispute_of(refund: Refund, *, days_ago: int) -> None:
    Dispute.objects.create(
        payment=refund.payment,
        processor="sandbox",
        processor_reference=f"dispute-{uuid7()}",
        amount=1,
        currency=refund.currency,
        status="won",
        created_at=now() - timedelta(days=days_ago),
        updated_at=now(),
    )


def test_when_a_deposit_shall_go_back_then_the_review_tells_both_sides(refund: Refund, finance: User) -> None:
    review = review_of(refund, finance)

    assert review.before is not None
    assert review.after is not None
    assert (review.before.balance, review.before.held, review.before.available) == (2500, 1000, 1500)
    assert (review.after.balance, review.after.held, review.after.available) == (1500, 0, 1500)
    assert (review.before.refunded, review.after.refunded) == (0, 1000)
    assert review.may_approve


def test_when_a_payment_shall_come_back_then_the_balance_grows(customer: Customer, finance: User) -> None:
    deposit_of(customer, 2500)
    refund = ask_for(purchase_of(customer, 900), by=customer)

    review = review_of(refund, finance)

    assert review.before is not None
    assert review.after is not None
    assert (review.before.balance, review.after.balance) == (1600, 2500)
    assert review.after.refunded is None


def test_when_it_is_approved_then_what_happens_is_what_the_review_told(
    customer: Customer, refund: Refund, finance: User
) -> None:
    told = review_of(refund, finance).after

    approve(refund)
    from payments.refund_execution import execute_due_refunds

    execute_due_refunds(refund_id=refund.id)

    assert told is not None
    assert money_of(customer) == (told.balance, told.held)


def test_when_it_is_the_customers_first_then_it_says_so_until_one_is_completed(
    customer: Customer, refund: Refund, finance: User
) -> None:
    first = review_of(refund, finance).is_first
    reject(refund)
    line = deposit_of(customer, 500).transaction_id
    after_a_rejected_one = review_of(ask_for(line, 100, by=customer), finance).is_first
    refunded(customer, line, 100)
    after_a_completed_one = review_of(ask_for(line, 100, by=customer), finance).is_first

    assert (first, after_a_rejected_one, after_a_completed_one) == (True, True, False)


def test_when_charges_were_disputed_lately_then_they_are_counted(refund: Refund, finance: User) -> None:
    dispute_of(refund, days_ago=91)
    dispute_of(refund, days_ago=3)

    review = review_of(refund, finance)

    assert review.recent_disputes == 1
    assert "1 dispute in 90 days" in page_of(browser_of(finance), refund)


def test_when_a_third_refund_is_asked_for_within_a_month_then_it_says_so(
    customer: Customer, refund: Refund, finance: User
) -> None:
    line = refund.transaction_id
    second = ask_for(line, 100, by=customer)
    before = review_of(second, finance).has_many_refunds

    third = ask_for(line, 100, by=customer)

    assert before is False
    assert review_of(third, finance).has_many_refunds
    assert "3 refunds in 30 days" in page_of(browser_of(finance), third)


def test_when_it_waits_longer_than_the_target_then_it_is_late(
    refund: Refund, finance: User, settings: Any
) -> None:
    settings.REFUND_TARGET_HOURS = 1
    soon = review_of(refund, finance).is_late
    settings.REFUND_TARGET_HOURS = 0

    late = review_of(refund, finance).is_late

    assert (soon, late) == (False, True)


def test_when_several_wait_then_the_oldest_stands_first_and_may_be_decided_by_keys(
    customer: Customer, refund: Refund, finance: User
) -> None:
    younger = ask_for(refund.transaction_id, 200, by=customer)

    page = queue_of(browser_of(finance), customer)

    assert page.index(str(refund.id)) < page.index(str(younger.id))
    assert page.count('data-decides="approve"') == page.count('data-decides="reject"') == 2
    assert f'formaction="{QUEUE}{refund.id}/approve/"' in page
    assert f'href="{QUEUE}{refund.id}/?decide=reject"' in page


def test_when_finance_approves_then_it_is_due_and_leaves_the_queue(
    customer: Customer, refund: Refund, finance: User
) -> None:
    client = browser_of(finance)

    page = decide(client, refund, "approve")

    assert "The refund is approved and will be executed." in page
    assert (now_of(refund).status, now_of(refund).decided_by) == ("approved", finance.id)
    assert str(refund.id) not in queue_of(client, customer)
    assert str(refund.id) in queue_of(client, customer, status="approved")


def test_when_finance_rejects_with_a_reason_then_the_money_is_free_again(
    customer: Customer, refund: Refund, finance: User
) -> None:
    page = decide(browser_of(finance), refund, "reject", reason=" used ")

    assert "The refund is rejected." in page
    assert (now_of(refund).status, now_of(refund).decision_reason) == ("rejected", "used")
    assert money_of(customer) == (2500, 0)


@pytest.mark.parametrize("reason", ["", "  ", "a\0b", "x" * 501])
def test_when_it_is_rejected_without_a_reason_then_nothing_moves(
    refund: Refund, finance: User, reason: str
) -> None:
    client = browser_of(finance)

    with nothing_moves():
        page = decide(client, refund, "reject", reason=reason)

    assert "Say why you reject it" in page


def test_when_the_same_form_is_sent_twice_then_it_is_one_decision_and_one_answer(
    refund: Refund, finance: User
) -> None:
    client, key = browser_of(finance), str(uuid7())
    decide(client, refund, "approve", key=key)

    with nothing_moves():
        again = decide(client, refund, "approve", key=key)
        anew = decide(client, refund, "approve")

    assert "The refund is approved and will be executed." in again
    assert "approved and will be executed" not in anew


def test_when_the_one_who_asked_opens_it_then_it_says_why_not_and_nothing_moves(
    customer: Customer, finance: User
) -> None:
    own = ask_for(deposit_of(customer, 2500).transaction_id, by=principal_of(finance))
    client = browser_of(finance)

    pages = [page_of(client, own), queue_of(client, customer)]
    with nothing_moves():
        refused = decide(client, own, "approve")

    assert review_of(own, finance).obstacle == Obstacle.OWN_REQUEST
    for page in pages:
        assert "You have asked for it yourself: somebody else has to decide." in page
        assert "data-decides" not in page
    assert "Whoever asked for this can not decide on it." in refused


def test_when_the_limit_is_used_up_then_it_tells_what_is_left_and_nothing_moves(
    customer: Customer, refund: Refund, finance: User, settings: Any
) -> None:
    settings.REFUND_APPROVAL_LIMIT = {"USD": 900}
    client = browser_of(finance)

    page = page_of(client, refund)
    with nothing_moves():
        refused = decide(client, refund, "approve")

    assert "It is more than you may still approve within 24 hours." in page
    assert re.search(r"You may still approve within 24 hours:\s*<span[^>]*>9\.00", page)
    assert 'data-decides="reject"' in page
    assert 'data-decides="approve"' not in page
    assert "What you may approve within 24 hours is used up." in refused


@pytest.mark.parametrize("role", ["support", "auditor"])
def test_when_the_role_may_only_look_then_nothing_is_offered_and_nothing_moves(
    customer: Customer, refund: Refund, role: str
) -> None:
    client = browser_of(someone(role))

    pages = [queue_of(client, customer), page_of(client, refund)]
    with nothing_moves():
        posted = [
            client.post(f"{QUEUE}{refund.id}/approve/").status_code,
            client.post(f"{QUEUE}decide/", {"chosen": str(refund.id)}).status_code,
        ]

    assert str(refund.id) in pages[0]
    assert "Your role may not decide on refunds." in pages[1]
    assert '<form method="post" action="/admin/refunds/' not in "".join(pages)
    assert posted == [403, 403]


def test_when_many_are_decided_then_each_row_has_a_result_of_its_own(
    customer: Customer, refund: Refund, finance: User
) -> None:
    own = ask_for(refund.transaction_id, 200, by=principal_of(finance))
    nobody = uuid7()
    form = {
        "key": str(uuid7()),
        "decision": "approve",
        "chosen": [str(refund.id), str(own.id), str(nobody), "nonsense", str(refund.id)],
    }
    client = browser_of(finance)

    page = client.post(f"{QUEUE}decide/", form).content.decode()
    with nothing_moves():
        again = client.post(f"{QUEUE}decide/", form).content.decode()

    assert "1 of 3 went through" in page
    assert "Whoever asked for this can not decide on it." in page
    assert escape("There is no such refund.") in page
    assert (now_of(refund).status, now_of(own).status) == ("approved", "pending")
    assert "1 of 3 went through" in again


def test_when_many_are_rejected_without_a_reason_or_none_is_marked_then_nothing_moves(
    customer: Customer, refund: Refund, finance: User
) -> None:
    client = browser_of(finance)

    with nothing_moves():
        unreasoned = client.post(f"{QUEUE}decide/", {"decision": "reject", "chosen": str(refund.id)})
        unmarked = client.post(f"{QUEUE}decide/", {"decision": "approve"}, follow=True)

    assert "Say why you reject it" in unreasoned.content.decode()
    assert "No row was marked." in unmarked.content.decode()


def test_when_a_refund_has_a_past_then_its_page_tells_all_of_it(
    customer: Customer, refund: Refund, finance: User
) -> None:
    client = browser_of(finance)
    reject(refund)
    page_of(client, refund)

    page = page_of(client, refund)

    assert "screen.viewed" not in page
    assert "refund.requested" in page
    assert "refund.rejected" in page
    assert "not so" in page
    assert "data-decides" not in page


def test_when_it_is_forged_or_unknown_then_nothing_moves(refund: Refund, finance: User) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(finance)
    client = browser_of(finance)

    with nothing_moves():
        statuses = [
            strict.post(f"{QUEUE}{refund.id}/approve/").status_code,
            client.get(f"{QUEUE}{refund.id}/approve/").status_code,
            client.get(f"{QUEUE}{uuid7()}/").status_code,
        ]

    assert statuses == [403, 405, 404]


def test_when_refunds_are_shown_then_customers_are_masked_and_colleagues_named(
    refund, customer, finance, newly_known
):
    User.objects.filter(id=customer.user.id).update(email="ada.lovelace@example.com")
    User.objects.filter(id=finance.id).update(name="Fay Ledger")
    decide(browser_of(finance), refund, "approve")

    pages = queue_of(browser_of(finance), customer, status="approved") + page_of(browser_of(finance), refund)

    assert "a•••@example.com" in pages
    assert "lovelace" not in pages
    assert "Fay Ledger</a>" in pages
