"""Automatic top-ups in the back office: rules, schedules, what failed and why, and switching one off."""

import csv
from datetime import timedelta

import pytest
from django.test import Client

from events.clock import now
from events.models import AuditEntry, Notification, OutboxEntry
from payments.models import AutoTopUp
from payments.schedules import Monthly
from tests.factories.people import someone
from tests.payments.customers import FAILS_WHEN_CHARGED, Customer
from tests.payments.top_ups import fund, give_rule, kinds_and_reasons, look, rule_of, spend


@pytest.fixture
def customer(committed: None) -> Customer:
    return Customer.with_wallet("USD")


def browser_of(role: str) -> Client:
    client = Client()
    client.force_login(someone(role))
    return client


def listed(client: Client, path: str, **query: object) -> list[object]:
    return [row.pk for row in client.get(path, query).context["page"].rows]


def filed(client: Client, path: str, **query: object) -> list[dict[str, str]]:
    answer = client.get(path, query)
    return list(csv.DictReader(b"".join(answer.streaming_content).decode().splitlines()))


def declined(customer: Customer) -> AutoTopUp:
    """A rule whose card has just been declined for the first time."""
    give_rule(customer, customer.card(FAILS_WHEN_CHARGED))
    look(customer)
    return rule_of(customer)


@pytest.mark.parametrize(
    ("change", "state"),
    [
        ({}, "active"),
        ({"failures": 2}, "failing"),
        ({"is_paused": True, "failures": 1}, "paused"),
        ({"is_enabled": False, "disabled_reason": "card_declined"}, "disabled"),
        ({"is_enabled": False, "removed_at": "now"}, "removed"),
    ],
)
def test_when_a_rule_stands_so_then_list_file_and_page_call_it_that(customer, change, state):
    fund(customer, 5_000)
    give_rule(customer)
    values = {name: now() if value == "now" else value for name, value in change.items()}
    AutoTopUp.objects.filter(wallet_id=customer.wallet_id).update(**values)
    client, asked = browser_of("finance"), {"user_id": customer.user.id}

    found = {
        name: listed(client, "/admin/top-up-rules/", state=name, **asked)
        for name in ("active", "failing", "paused", "disabled", "removed")
    }
    (row,) = filed(client, "/admin/top-up-rules/file/", **asked)
    page = client.get(f"/admin/top-up-rules/{customer.wallet_id}/")

    assert {name: ids for name, ids in found.items() if ids} == {state: [customer.wallet_id]}
    assert (row["state"], row["amount"], row["threshold"]) == (state, "25.00", "10.00")
    assert page.context["state"] == state


def test_when_a_rule_goes_by_the_calendar_then_it_stands_among_the_schedules(customer):
    give_rule(customer, threshold=None, schedule=Monthly(day=15))
    other = Customer.with_wallet("USD")
    give_rule(other)
    client = browser_of("auditor")
    wallets = {"user_id": customer.user.id}

    assert listed(client, "/admin/top-up-schedules/", **wallets) == [customer.wallet_id]
    assert listed(client, "/admin/top-up-schedules/", every="week", **wallets) == []
    assert listed(client, "/admin/top-up-schedules/", user_id=other.user.id) == []
    (row,) = filed(client, "/admin/top-up-schedules/file/", every="month", **wallets)
    assert (row["schedule"], row["threshold"]) == ("each month on day 15 (or its last day)", "")
    page = client.get(f"/admin/top-up-rules/{customer.wallet_id}/")
    assert [(one["trigger"], one["fires"], one["amount"]) for one in page.context["coming"]] == [
        ("schedule", True, 2_500)
    ]


def test_when_a_card_is_declined_then_the_failures_say_why_and_when_it_is_tried_again(customer):
    rule = declined(customer)
    client, payment = browser_of("support"), customer.payments[-1]

    page = client.get("/admin/top-up-failures/", {"wallet_id": customer.wallet_id})

    (entry,) = page.context["page"].rows
    assert (entry.action, entry.reason) == ("top_up.failed", "generic_decline")
    told = entry.after
    assert (told["amount"], told["currency"], told["failures"]) == (2_500, "USD", 1)
    assert told["payment_id"] == str(payment.id)
    assert abs(rule.due_at - now() - timedelta(days=1)) < timedelta(minutes=1)
    html = page.content.decode()
    assert f"{rule.due_at.isoformat()}" in html
    assert f"/admin/payments/{payment.id}/" in html
    assert f"/admin/top-up-rules/{customer.wallet_id}/" in html


def test_when_failures_are_narrowed_then_the_list_and_the_file_hold_the_same_rows(customer):
    declined(customer)
    client, asked = browser_of("finance"), {"wallet_id": customer.wallet_id}

    (row,) = filed(client, "/admin/top-up-failures/file/", reason="generic_decline", **asked)

    assert (row["what"], row["amount"], row["currency"]) == ("top_up.failed", "25.00", "USD")
    assert (row["failures"], row["payment_id"]) == ("1", str(customer.payments[-1].id))
    assert len(listed(client, "/admin/top-up-failures/", what="top_up.failed", **asked)) == 1
    assert listed(client, "/admin/top-up-failures/", what="auto_top_up.disabled", **asked) == []
    assert listed(client, "/admin/top-up-failures/", reason="monthly_limit", **asked) == []


def test_when_a_rule_has_failed_then_its_page_shows_what_the_customer_sees(customer):
    declined(customer)
    Notification.objects.create(
        event_id=customer.wallet_id,
        event_type="top_up.failed",
        user=customer.user,
        channel="email",
        notice="top_up_failed",
        facts={
            "wallet_id": str(customer.wallet_id),
            "amount": 2_500,
            "currency": "USD",
            "reason": "generic_decline",
            "retry_at": "2031-01-02T00:00:00Z",
        },
        due_at=now(),
        created_at=now(),
    )

    page = browser_of("support").get(f"/admin/top-up-rules/{customer.wallet_id}/")

    html = page.content.decode()
    assert (page.context["state"], page.context["shown"]["failures"]) == ("failing", 1)
    assert "Your automatic top-up failed" in html
    assert "It will be tried again on 2031-01-02." in html
    assert "1 charge in a row was declined." in html
    assert customer.user.email not in html


def test_when_support_switches_a_rule_off_then_it_charges_no_more_and_the_customer_is_told(customer):
    fund(customer, 5_000)
    give_rule(customer)
    client, path = browser_of("support"), f"/admin/top-up-rules/{customer.wallet_id}/"
    form = {"key": client.get(path).context["key"], "reason": "Asked for on the phone"}

    answers = [client.post(f"{path}switch-off/", form) for _ in range(2)]
    spend(customer, 4_500)
    look(customer)

    assert [answer["Location"] for answer in answers] == [path, path]
    rule = rule_of(customer)
    assert (rule.is_enabled, rule.disabled_reason) == (False, "switched_off_by_staff")
    assert kinds_and_reasons(customer) == [("top_up.disabled", "switched_off_by_staff")]
    entry = AuditEntry.objects.get(object_id=str(customer.wallet_id), action="auto_top_up.disabled")
    assert (entry.actor.partition(":")[0], entry.after["because"]) == ("support", "Asked for on the phone")
    assert customer.balance == 500
    assert "Switched off by staff" in client.get(path).content.decode()


def test_when_support_pauses_a_rule_then_the_trail_says_why(customer):
    give_rule(customer)
    path = f"/admin/top-up-rules/{customer.wallet_id}/"

    browser_of("support").post(f"{path}pause/", {"reason": "Card is being replaced"})

    assert rule_of(customer).is_paused is True
    entry = AuditEntry.objects.get(object_id=str(customer.wallet_id), action="auto_top_up.paused")
    assert entry.reason == "Card is being replaced"


@pytest.mark.parametrize("action", ["pause", "switch-off"])
def test_when_no_reason_is_given_then_nothing_changes(customer, action):
    give_rule(customer)
    told = OutboxEntry.objects.count()

    answer = browser_of("admin").post(
        f"/admin/top-up-rules/{customer.wallet_id}/{action}/", {"reason": " "}, follow=True
    )

    rule = rule_of(customer)
    assert (rule.is_enabled, rule.is_paused) == (True, False)
    assert "Say why, in up to 500 characters." in answer.content.decode()
    assert OutboxEntry.objects.count() == told


@pytest.mark.parametrize("action", ["pause", "switch-off"])
def test_when_finance_posts_then_it_is_refused(customer, action):
    give_rule(customer)
    client, path = browser_of("finance"), f"/admin/top-up-rules/{customer.wallet_id}/"

    answer = client.post(f"{path}{action}/", {"reason": "Because"})

    assert answer.status_code == 403
    assert rule_of(customer).is_live is True
    assert f"{path}{action}/" not in client.get(path).content.decode()


def test_when_a_wallet_has_no_rule_then_its_page_is_missing(customer):
    assert browser_of("admin").get(f"/admin/top-up-rules/{customer.wallet_id}/").status_code == 404
