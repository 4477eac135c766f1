"""The rule of topping up over HTTP: written, read, previewed, paused, resumed, removed; refused by name."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from events import clock
from events.models import AuditEntry
from payments.auto_topups import attend
from payments.models import AutoTopUp, Payment
from tests.factories.books import nothing_moves
from tests.factories.calls import ApiClient
from tests.payments.customers import Customer, unkeyed
from tests.payments.top_ups import fund, move_to, rule_of, spend, sweep, top_ups
from tokens.tokenization import delete_token
from wallets.lifecycle import close_wallet

MONTHLY = {"every": "month", "day": 31}
WEEKLY = {"every": "week", "weekday": "mon"}


class Owner:
    """A customer, its card and its calls."""

    def __init__(self, customer: Customer) -> None:
        self.customer = customer
        self.token = customer.card()
        self.client = ApiClient(customer.user)
        self.path = f"/wallet/{customer.wallet_id}/auto-top-up"

    def terms(self, **changed: Any) -> dict[str, Any]:
        return {"enabled": True, "threshold": 500, "amount": 2_000, "token_id": str(self.token.id), **changed}

    def put(self, **changed: Any) -> Any:
        return self.client.put(self.path, self.terms(**changed))


@pytest.fixture
def owner(customer: Customer) -> Owner:
    return Owner(customer)


def test_when_a_rule_is_written_then_it_is_shown_with_what_was_agreed_to(owner):
    written = owner.put(monthly_limit=6_000, schedule=MONTHLY)
    read = owner.client.get(owner.path)

    assert (written.status_code, read.status_code) == (200, 200)
    shown = read.json()
    assert shown == written.json()
    assert {name: shown[name] for name in shown if not name.endswith("_at")} == {
        "wallet_id": str(owner.customer.wallet_id),
        "enabled": True,
        "paused": False,
        "threshold": 500,
        "amount": 2_000,
        "currency": "USD",
        "token_id": str(owner.token.id),
        "monthly_limit": 6_000,
        "schedule": MONTHLY,
        "failures": 0,
        "cooldown_until": None,
        "disabled_reason": None,
        "consent_text": "I agree that 20.00 USD is charged to my Visa card ending in 4242 whenever less than 5.00 USD"
        " is available in my wallet and each month on day 31 (or its last day), at most 60.00 USD in a calendar month,"
        " until I switch this off.",
    }
    entry = AuditEntry.objects.get(object_type="auto_top_up", object_id=str(owner.customer.wallet_id))
    assert (entry.action, entry.actor, entry.before) == ("auto_top_up.set", owner.customer.actor, None)
    assert entry.after["consent_text"] == shown["consent_text"]


@pytest.mark.parametrize(
    "terms",
    [
        {"schedule": None, "monthly_limit": None},
        {"threshold": 0},
        {"threshold": None, "schedule": WEEKLY},
        {"schedule": {"every": "month", "day": 1}},
        {"monthly_limit": 2_000},
        {"enabled": False},
    ],
)
def test_when_terms_are_possible_then_they_are_kept(owner, terms):
    shown = owner.put(**terms)

    assert shown.status_code == 200
    assert {name: shown.json()[name] for name in terms} == terms


@pytest.mark.parametrize(
    ("terms", "field", "code"),
    [
        ({"amount": 0}, "amount", "min_value"),
        ({"amount": 10.5}, "amount", "not_integer"),
        ({"amount": "2000"}, "amount", "not_integer"),
        ({"amount": True}, "amount", "not_integer"),
        ({"threshold": -1}, "threshold", "min_value"),
        ({"threshold": None}, "threshold", "required"),
        ({"threshold": 2**53}, "threshold", "max_value"),
        ({"monthly_limit": 0}, "monthly_limit", "min_value"),
        ({"monthly_limit": 1_999}, "monthly_limit", ""),
        ({"enabled": 1}, "enabled", "invalid"),
        ({"token_id": "x"}, "token_id", "invalid"),
        ({"schedule": {"every": "month"}}, "schedule.day", "required"),
        ({"schedule": {"every": "month", "day": 32}}, "schedule.day", "max_value"),
        ({"schedule": {"every": "month", "day": 0}}, "schedule.day", "min_value"),
        ({"schedule": {"every": "month", "day": "1"}}, "schedule.day", "not_integer"),
        ({"schedule": {"every": "month", "day": True}}, "schedule.day", "not_integer"),
        ({"schedule": {"every": "week", "weekday": "montag"}}, "schedule.weekday", "invalid_choice"),
        ({"schedule": {"every": "week"}}, "schedule.weekday", "required"),
        ({"schedule": {**WEEKLY, "day": 1}}, "schedule.day", "invalid"),
        ({"schedule": {**MONTHLY, "weekday": "mon"}}, "schedule.weekday", "invalid"),
        ({"schedule": {"every": "day"}}, "schedule.every", "invalid_choice"),
        ({"schedule": {**MONTHLY, "hour": 9}}, "schedule.hour", "unknown_field"),
        ({"schedule": "monthly"}, "schedule", "invalid"),
        ({"treshold": 5}, "treshold", "unknown_field"),
    ],
)
def test_when_terms_make_no_sense_then_the_field_is_named_and_nothing_is_kept(owner, terms, field, code):
    with nothing_moves():
        refused = owner.put(**terms)

    assert refused.status_code == 400
    found = refused.json()["errors"]
    assert field in [error["field"] for error in found]
    if code:
        assert code in [error["code"] for error in found]


@pytest.mark.parametrize("missing", ["amount", "token_id"])
def test_when_a_needed_field_is_missing_then_it_is_named(owner, missing):
    terms = owner.terms()
    del terms[missing]

    refused = owner.client.put(owner.path, terms)

    assert (refused.status_code, [error["field"] for error in refused.json()["errors"]]) == (400, [missing])


def test_when_the_card_is_gone_or_somebody_else_s_then_no_rule_is_written(owner):
    other = Customer.with_wallet("USD").card()
    delete_token(
        token_id=owner.token.id, owner_id=owner.customer.user.id, actor=owner.customer.actor, call=unkeyed()
    )

    with nothing_moves():
        answers = [owner.put(), owner.put(token_id=str(other.id)), owner.put(token_id=str(uuid4()))]

    assert [(one.status_code, one.json()["code"]) for one in answers] == [
        (410, "token_deleted"),
        (404, "not_found"),
        (404, "not_found"),
    ]


def test_when_the_provider_has_said_never_then_the_card_can_not_be_named_again(owner):
    owner.customer.top_up(owner.token.id, 100)
    Payment.objects.filter(token=owner.token).update(decline_class="never")

    with nothing_moves():
        refused = owner.put()

    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (400, "token_id")
    assert owner.put(enabled=False).status_code == 200


def test_when_the_wallet_is_closed_then_no_rule_is_written(owner):
    close_wallet(
        wallet_id=owner.customer.wallet_id,
        owner_id=owner.customer.user.id,
        actor=owner.customer.actor,
        reason="done",
        call=unkeyed(),
    )

    with nothing_moves():
        refused = owner.put()

    assert (refused.status_code, refused.json()["code"]) == (409, "wallet_closed")


def test_when_there_is_no_rule_then_it_is_not_found(owner):
    calls = [
        owner.client.get(owner.path),
        owner.client.get(f"{owner.path}/preview"),
        owner.client.post(f"{owner.path}/pause", {}),
        owner.client.post(f"{owner.path}/resume", {}),
        owner.client.call("DELETE", owner.path),
    ]

    assert [(call.status_code, call.json()["code"]) for call in calls] == [(404, "not_found")] * 5


def test_when_a_rule_is_removed_then_it_is_gone_and_its_consent_is_kept(owner):
    owner.put()

    removed = owner.client.call("DELETE", owner.path, key="gone-once")
    again = owner.client.call("DELETE", owner.path, key="gone-once")
    then = owner.client.call("DELETE", owner.path)

    assert (removed.status_code, removed.content) == (204, b"")
    assert (again.status_code, again["Idempotent-Replayed"]) == (204, "true")
    assert then.status_code == owner.client.get(owner.path).status_code == 404
    kept = rule_of(owner.customer)
    assert (kept.is_enabled, kept.removed_at is None) == (False, False)
    assert kept.consent_text.startswith("I agree that")
    assert owner.put().json()["paused"] is False


def test_when_a_key_is_used_twice_then_the_rule_is_written_once(owner):
    first = owner.client.put(owner.path, owner.terms(), key="rule-1")
    owner.put(amount=3_000)
    again = owner.client.put(owner.path, owner.terms(), key="rule-1")
    other = owner.client.put(owner.path, owner.terms(amount=9), key="rule-1")

    assert (again.content, again["Idempotent-Replayed"]) == (first.content, "true")
    assert other.json()["code"] == "idempotency_key_reused"
    assert rule_of(owner.customer).amount == 3_000


def test_when_a_rule_is_paused_and_resumed_then_it_is_shown(owner):
    owner.put(schedule=WEEKLY)

    paused = owner.client.post(f"{owner.path}/pause", {}).json()
    resumed = owner.client.post(f"{owner.path}/resume", {}).json()

    assert (paused["paused"], paused["next_run_at"]) == (True, None)
    assert (resumed["paused"], resumed["next_run_at"] is None) == (False, False)


def test_when_the_card_is_deleted_then_the_rule_shows_at_once_why_it_is_off(owner):
    owner.put()
    owner.client.call("DELETE", f"/tokens/{owner.token.id}")

    shown = owner.client.get(owner.path).json()

    assert (shown["enabled"], shown["disabled_reason"]) == (False, "token_deleted")


def test_when_a_rule_is_written_for_a_wallet_that_is_low_then_it_fires_at_once(owner):
    owner.put()

    attend(wallet_id=owner.customer.wallet_id)

    assert top_ups(owner.customer) == [("succeeded", 2_000)]
    (line,) = owner.client.get(f"/wallet/{owner.customer.wallet_id}/transactions").json()["results"]
    assert (line["type"], line["amount"], line["description"]) == ("top_up", 2_000, "Automatic top-up")


def preview(owner: Owner) -> dict[str, Any]:
    answer = owner.client.get(f"{owner.path}/preview")
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


def brief(shown: dict[str, Any]) -> list[tuple[str, str, bool, str | None]]:
    return [(one["trigger"], one["at"][:16], one["fires"], one["reason"]) for one in shown["results"]]


def test_when_the_coming_days_are_previewed_then_each_occasion_is_there_by_the_owner_s_calendar(owner):
    customer = owner.customer
    customer.user.time_zone = "Europe/Berlin"
    customer.user.save()
    move_to(customer, datetime(2031, 10, 15, 12, 0, tzinfo=UTC))
    owner.put(threshold=None, schedule=WEEKLY, monthly_limit=4_000)

    shown = preview(owner)

    # Summer time ends on the 26th.
    assert brief(shown) == [
        ("schedule", "2031-10-19T22:00", True, None),
        ("schedule", "2031-10-26T23:00", True, None),
        ("schedule", "2031-11-02T23:00", True, None),
        ("schedule", "2031-11-09T23:00", True, None),
    ]
    assert [one["on"] for one in shown["results"]] == ["2031-10-20", "2031-10-27", "2031-11-03", "2031-11-10"]
    assert (shown["total"], shown["currency"], shown["from"][:10], shown["to"][:10]) == (
        8_000,
        "USD",
        "2031-10-15",
        "2031-11-14",
    )


def test_when_an_occasion_will_not_be_charged_for_then_the_preview_says_why(owner):
    move_to(owner.customer, datetime(2031, 11, 2, 12, 0, tzinfo=UTC))
    owner.put(threshold=None, schedule=WEEKLY, monthly_limit=4_000)
    limited = brief(preview(owner))
    owner.client.post(f"{owner.path}/pause", {})
    paused = preview(owner)

    assert [(fires, reason) for _trigger, _at, fires, reason in limited] == [
        (True, None),
        (True, None),
        (False, "monthly_limit"),
        (False, "monthly_limit"),
        (True, None),
    ]
    assert {one["reason"] for one in paused["results"]} == {"paused"}
    assert paused["total"] == 0


def test_when_what_was_previewed_comes_then_it_is_what_is_charged(owner):
    move_to(owner.customer, datetime(2031, 11, 2, 12, 0, tzinfo=UTC))
    owner.put(threshold=500, schedule=WEEKLY, monthly_limit=6_000)
    shown = preview(owner)

    for one in shown["results"]:
        move_to(owner.customer, datetime.fromisoformat(one["at"]) + timedelta(seconds=1))
        sweep(owner.customer)

    assert [one["trigger"] for one in shown["results"]][:2] == ["threshold", "schedule"]
    fired = sum(one["fires"] for one in shown["results"])
    assert top_ups(owner.customer) == [("succeeded", 2_000)] * fired


def test_when_the_wallet_is_low_and_cooling_down_then_the_preview_says_when(owner):
    fund(owner.customer, 1_000)
    owner.put()
    spend(owner.customer, 900)
    attend(wallet_id=owner.customer.wallet_id)
    spend(owner.customer, 2_000)

    (one,) = preview(owner)["results"]

    assert one["trigger"] == "threshold"
    wait = datetime.fromisoformat(one["at"]) - clock.now()
    assert timedelta(seconds=30) < wait <= timedelta(seconds=60)


def test_when_the_rule_is_somebody_else_s_then_it_does_not_exist(owner):
    owner.put()
    stranger = ApiClient(Customer.with_wallet("USD").user)

    with nothing_moves():
        calls = [
            stranger.get(owner.path),
            stranger.put(owner.path, owner.terms()),
            stranger.post(f"{owner.path}/pause", {}),
            stranger.call("DELETE", owner.path),
        ]

    assert [call.status_code for call in calls] == [404] * 4
    assert AutoTopUp.objects.get(wallet_id=owner.customer.wallet_id).is_enabled
