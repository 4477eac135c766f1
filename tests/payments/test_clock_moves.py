"""The sandbox's time is moved: what falls due on the way runs, each at its moment, and the answer tells of it."""

import json
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connections
from django.test import Client
from django.urls import get_resolver
from uuid_utils.compat import uuid7

from config.checks import served_routes
from events import clock, relay, webhooks
from events.models import AuditEntry, WebhookDelivery, WebhookEndpoint
from payments import clock_moves
from payments.models import AutoTopUp
from payments.schedules import Monthly
from tests.events.receivers import endpoint_for, receiver
from tests.factories.calls import ApiClient
from tests.factories.people import someone
from tests.payments.customers import TIMES_OUT, Customer, unkeyed
from tests.payments.top_ups import fund, give_rule, look, rule_of, scheduled, told, top_ups
from transactions.models import Transaction
from wallets.lifecycle import suspend_wallet
from wallets.models import Wallet

ROOT = Path(__file__).resolve().parents[2]
DAY = 86_400
PAGE = "/admin/test-clock/"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for processes that aren't there."""
    monkeypatch.setattr(clock, "AGREED_WITHIN_S", 0)
    monkeypatch.setattr(clock, "_read_at_s", float("inf"))


@pytest.fixture
def moved_for_all(committed: None) -> Any:
    """Everybody's clock may be moved; the owner puts it back, which nobody else can."""
    yield
    with connections["owner"].cursor() as cursor:
        cursor.execute("DELETE FROM events_clocklead")
    connections["owner"].close()


def post(body: Any) -> Any:
    return Client().post("/sandbox/clock", json.dumps(body, default=str), content_type="application/json")


def move(customer: Customer, **goal: Any) -> dict[str, Any]:
    answer = post({**goal, "wallet_id": customer.wallet_id})
    assert answer.status_code == 200, answer.content
    found: dict[str, Any] = answer.json()
    return found


def actions(moved: dict[str, Any]) -> list[str]:
    """List what happened, without what the charges themselves write down."""
    told_of = ("top_up.", "hold.", "wallet.")
    return [one["action"] for one in moved["ran"] if one["action"].startswith(told_of)]


def test_when_nobody_moved_it_then_the_clock_is_the_machine_s(db):
    shown = Client().get("/sandbox/clock").json()

    assert (shown["wallet_id"], shown["ahead_s"]) == (None, 0)
    assert abs(datetime.fromisoformat(shown["now"]) - datetime.now(UTC)) < timedelta(seconds=5)


def test_when_a_wallet_s_time_is_moved_then_only_its_own_runs_ahead(customer):
    moved = move(customer, advance_s=40 * DAY)
    own = Client().get(f"/sandbox/clock?wallet_id={customer.wallet_id}").json()
    everybody = Client().get("/sandbox/clock").json()

    # The clock goes to a moment, and goes on from there once all that is due has run.
    assert 40 * DAY - 30 <= moved["ahead_s"] <= 40 * DAY
    assert (own["ahead_s"], everybody["ahead_s"]) == (moved["ahead_s"], 0)
    assert (moved["ran"], moved["wallet_id"]) == ([], str(customer.wallet_id))
    entry = AuditEntry.objects.get(object_type="clock", object_id=str(customer.wallet_id))
    assert (entry.action, entry.actor) == ("clock.moved", "sandbox")


def test_when_months_pass_at_once_then_each_scheduled_top_up_is_charged_on_its_own_day(customer):
    scheduled(customer, Monthly(1), zone="America/New_York")
    first = rule_of(customer).next_run_at

    moved = move(customer, now=first + timedelta(days=65))

    assert actions(moved) == ["top_up.succeeded"] * 3
    lines = Transaction.objects.filter(account_id=customer.wallet_id).order_by("seq")
    assert [line.amount for line in lines] == [2_500] * 3
    days = [event["occasion"] for event in told(customer.wallet_id)]
    assert len(set(days)) == 3
    assert [f"schedule:{line.completed_at.astimezone(clock.UTC):%Y-%m-01}" for line in lines] == days
    assert (lines[0].completed_at - first) < timedelta(seconds=5)


def test_when_time_passes_then_holds_and_suspensions_end_and_stay_to_be_seen(customer):
    fund(customer, 5_000)
    owner = ApiClient(customer.user)
    hold = owner.post(
        f"/wallet/{customer.wallet_id}/holds", {"amount": 700, "currency": "USD", "expires_in": 3_600}
    ).json()
    suspend_wallet(
        wallet_id=customer.wallet_id,
        actor="support:1",
        reason="looked into",
        call=unkeyed(),
        expires_at=clock.now() + timedelta(days=2),
    )

    an_hour = move(customer, advance_s=3_601)
    days = move(customer, advance_s=2 * DAY)

    assert actions(an_hour) == ["hold.expired"]
    assert an_hour["ran"][0]["object_id"] == hold["id"]
    assert (an_hour["ran"][0]["from_state"], an_hour["ran"][0]["to_state"]) == ("open", "expired")
    assert actions(days) == ["wallet.reactivated"]
    shown = owner.get(f"/wallet/{customer.wallet_id}/holds/{hold['id']}").json()
    assert (shown["status"], shown["closed_at"]) == ("expired", hold["expires_at"])
    assert owner.get(f"/wallet/{customer.wallet_id}").json()["status"] == "active"
    assert Wallet.objects.get(pk=customer.wallet_id).status == "active"


def test_when_time_passes_then_a_payment_session_expires_at_its_moment(customer):
    owner = ApiClient(customer.user)
    move(customer, advance_s=DAY)
    body = {"wallet_id": str(customer.wallet_id), "amount": 900, "currency": "USD"}
    session = owner.post("/payment/apple-pay/init", body).json()

    open_still = move(customer, advance_s=890)
    over = move(customer, advance_s=20)

    assert actions(open_still) == []
    (expired,) = [one for one in over["ran"] if one["object_id"] == session["session_id"]]
    assert expired["to_state"] == "expired"
    assert owner.get(f"/payment/session/{session['session_id']}").json()["status"] == "expired"


def test_when_a_wallet_runs_ahead_then_what_it_begins_afterwards_goes_by_its_own_time(customer):
    fund(customer, 5_000)
    owner = ApiClient(customer.user)
    move(customer, advance_s=30 * DAY)

    path = f"/wallet/{customer.wallet_id}/holds"
    hold = owner.post(path, {"amount": 700, "currency": "USD", "expires_in": 3_600}).json()
    still = move(customer, advance_s=3_500)
    over = move(customer, advance_s=200)

    assert hold["status"] == "open"
    assert datetime.fromisoformat(hold["expires_at"]) - datetime.now(UTC) > timedelta(days=29)
    assert (actions(still), actions(over)) == ([], ["hold.expired"])
    assert owner.get("/wallet").json()["results"][0]["held"] == 0


def test_when_time_passes_then_retries_run_when_they_are_due(customer, monkeypatch):
    give_rule(customer, customer.card(TIMES_OUT))
    look(customer)

    moved = move(customer, advance_s=3_600)

    assert top_ups(customer) == [("succeeded", 2_500)]
    assert "payment.status_changed" in [one["action"] for one in moved["ran"]]
    assert actions(moved) == ["top_up.succeeded"]


@pytest.mark.parametrize("whose", ["wallet's", "everybody's"])
def test_when_time_passes_then_webhooks_are_sent_again_when_their_time_has_come(
    customer, moved_for_all, whose
):
    relay.publish_waiting()
    AutoTopUp.objects.update(is_enabled=False, due_at=None, next_run_at=None, occasion="", attempt=0)
    with receiver(lambda number, _hook: (500 if number < 2 else 200, {}, b"")) as shop:
        endpoint = endpoint_for(shop.url)
        fund(customer, 100)
        relay.publish_waiting()
        webhooks.send_due()
        WebhookEndpoint.objects.filter(id=endpoint.id).update(resting_until=None)
        waiting = WebhookDelivery.objects.filter(
            endpoint_id=endpoint.id, status="pending", attempts=1
        ).count()
        goal = {"advance_s": DAY}
        moved = move(customer, **goal) if whose == "wallet's" else post(goal).json()
        WebhookEndpoint.objects.filter(id=endpoint.id).update(status="deleted")

    again = [one for one in moved["ran"] if one["action"] == "webhook.sent_again"]
    assert waiting > 0
    assert len(again) >= 1
    assert {one["to_state"] for one in again} == {"succeeded"}


def test_when_everybody_s_time_is_moved_then_what_is_due_runs_for_all_and_nobody_s_clock_falls_back(
    moved_for_all, monkeypatch
):
    # Other tests have left rules behind: they are none of this one's business.
    AutoTopUp.objects.update(is_enabled=False, due_at=None, next_run_at=None, occasion="", attempt=0)
    one, two = Customer.with_wallet("USD"), Customer.with_wallet("USD")
    for customer in (one, two):
        scheduled(customer, Monthly(1))
    move(two, advance_s=DAY)
    first = rule_of(one).next_run_at

    moved = post({"now": first + timedelta(days=2)}).json()

    assert moved["wallet_id"] is None
    assert top_ups(one) == top_ups(two) == [("succeeded", 2_500)]
    ran = {(item["action"], item["object_id"]) for item in moved["ran"]}
    assert {("top_up.succeeded", str(one.wallet_id)), ("top_up.succeeded", str(two.wallet_id))} <= ran
    own = Client().get(f"/sandbox/clock?wallet_id={two.wallet_id}").json()
    assert DAY - 30 <= own["ahead_s"] - moved["ahead_s"] <= DAY + 1


def test_when_more_falls_due_than_steps_are_taken_then_the_rest_catches_up(customer, monkeypatch):
    monkeypatch.setattr(clock_moves, "MOST_STEPS", 1)
    scheduled(customer, Monthly(1))

    moved = move(customer, now=rule_of(customer).next_run_at + timedelta(days=100))

    assert actions(moved)[0] == "top_up.succeeded"
    assert actions(moved)[-1] == "top_up.succeeded"
    assert set(actions(moved)[1:-1]) == {"top_up.failed"}
    assert len(top_ups(customer)) == 2


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "advance_s"),
        ({"advance_s": 0}, "advance_s"),
        ({"advance_s": -5}, "advance_s"),
        ({"advance_s": 1.5}, "advance_s"),
        ({"advance_s": True}, "advance_s"),
        ({"advance_s": "60"}, "advance_s"),
        ({"advance_s": 10**12}, "advance_s"),
        ({"advance_s": 5, "now": "2031-01-01T00:00:00Z"}, "advance_s"),
        ({"now": "yesterday"}, "now"),
        ({"now": "1999-01-01T00:00:00Z"}, "now"),
        ({"now": "9999-01-01T00:00:00Z"}, "now"),
        ({"advance_s": 5, "wallet_id": "x"}, "wallet_id"),
        ({"advance_s": 5, "walet_id": str(uuid7())}, "walet_id"),
    ],
)
def test_when_a_move_makes_no_sense_then_it_is_refused_by_name_and_the_clock_stays(db, body, field):
    refused = post(body)

    assert refused.status_code == 400
    assert field in [error["field"] for error in refused.json()["errors"]]
    assert Client().get("/sandbox/clock").json()["ahead_s"] == 0


def test_when_the_wallet_does_not_exist_then_neither_does_its_clock(db):
    nobody = str(uuid7())

    answers = [
        post({"advance_s": 5, "wallet_id": nobody}),
        Client().get(f"/sandbox/clock?wallet_id={nobody}"),
    ]

    assert [(one.status_code, one.json()["code"]) for one in answers] == [(404, "not_found")] * 2


def test_when_it_is_moved_then_the_answer_waits_until_every_process_knows(customer, monkeypatch):
    monkeypatch.setattr(clock, "AGREED_WITHIN_S", 0.2)
    began = time.monotonic()

    move(customer, advance_s=60)

    assert time.monotonic() - began >= 0.2


def test_when_the_command_moves_it_then_it_tells_what_ran(customer):
    scheduled(customer, Monthly(1))
    goal = rule_of(customer).next_run_at + timedelta(seconds=5)
    told_to = StringIO()

    call_command("move_clock", to=goal, wallet=customer.wallet_id, stdout=told_to)
    call_command("move_clock", "--by", "12h", "--wallet", str(customer.wallet_id), stdout=told_to)

    lines = told_to.getvalue().splitlines()
    assert [line for line in lines if "top_up.succeeded" in line and str(customer.wallet_id) in line] != []
    assert lines[-1].startswith("It is ")
    assert top_ups(customer) == [("succeeded", 2_500)]
    with pytest.raises(CommandError, match="never goes back"):
        call_command("move_clock", to=datetime(2020, 1, 1, tzinfo=UTC), wallet=customer.wallet_id)


@pytest.mark.parametrize("goal", [["--by", "soon"], ["--to", "2031-01-01"], [], ["--by", "1d", "--to", "x"]])
def test_when_the_command_is_given_no_goal_then_it_is_refused(db, goal):
    with pytest.raises(CommandError):
        call_command("move_clock", *goal)


def test_when_it_is_production_then_neither_path_nor_page_nor_command_is_there(
    db, settings, database_environment
):
    asked = (
        "import django; django.setup();"
        "from django.urls import get_resolver; from config.checks import served_routes;"
        "print([p for p, _ in served_routes(get_resolver().url_patterns) if 'clock' in p or p.startswith('sandbox')])"
    )
    environment = {
        **database_environment,
        "ALLOWED_HOSTS": "wallet.example.com",
        "DJANGO_SETTINGS_MODULE": "config.settings.production",
        "OPEN_WALLET_MODE": "production",
        "PUBLIC_URL": "https://wallet.example.com",
    }

    there = subprocess.run(
        [sys.executable, "-c", asked], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    settings.SANDBOX = False

    assert there.stdout.splitlines()[-1] == "[]"
    with pytest.raises(CommandError, match="Only a sandbox"):
        call_command("move_clock", "--by", "1d")


def visitor(role: str) -> Client:
    client = Client()
    client.force_login(someone(role))
    return client


def test_when_an_administrator_moves_time_then_the_page_lists_what_ran(customer):
    scheduled(customer, Monthly(1))
    goal = rule_of(customer).next_run_at + timedelta(seconds=5)
    admin = visitor("admin")

    shown = admin.get(PAGE)
    moved = admin.post(PAGE, {"now": f"{goal:%Y-%m-%d %H:%M:%S}", "wallet_id": str(customer.wallet_id)})

    assert (shown.status_code, moved.status_code) == (200, 200)
    assert b"top_up.succeeded" in moved.content
    assert top_ups(customer) == [("succeeded", 2_500)]
    assert PAGE.encode() in admin.get("/admin/").content


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({}, b"Choose a span"),
        ({"now": "2020-01-01 00:00"}, b"never goes back"),
        ({"advance_s": "86400", "wallet_id": "00000000-0000-7000-8000-000000000001"}, b"no such wallet"),
        ({"advance_s": "7"}, b"valid choice"),
    ],
)
def test_when_a_move_makes_no_sense_then_the_page_says_so(db, given, problem):
    refused = visitor("admin").post(PAGE, given)

    assert refused.status_code == 400
    assert problem in refused.content


@pytest.mark.parametrize("role", ["support", "finance", "auditor"])
def test_when_others_of_the_staff_ask_for_it_then_they_may_not(db, role):
    person = visitor(role)

    assert person.get(PAGE).status_code == person.post(PAGE, {"advance_s": "3600"}).status_code == 403
    assert PAGE.encode() not in person.get("/admin/").content


def test_when_the_routes_of_the_sandbox_are_walked_then_the_clock_is_among_them():
    assert "sandbox/clock" in [path for path, _pattern in served_routes(get_resolver().url_patterns)]
