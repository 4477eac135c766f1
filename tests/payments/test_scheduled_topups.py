"""Top-ups by the calendar: on their day where the owner lives, once, and never left out in silence."""

from datetime import UTC, datetime, timedelta

import pytest

from events import clock
from payments.schedules import Monthly, Weekly
from payments.top_up_rules import pause_rule, resume_rule
from tests.payments.customers import NOT_COVERED, SUCCEEDS, unkeyed
from tests.payments.top_ups import (
    give_rule,
    kinds_and_reasons,
    later,
    look,
    move_to,
    rule_of,
    scheduled,
    sweep,
    told,
    top_ups,
)
from wallets.lifecycle import suspend_wallet

NOVEMBER_15 = datetime(2031, 11, 15, 12, 0, tzinfo=UTC)


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def begin(customer, *arguments, at: datetime = NOVEMBER_15, **options) -> None:
    """Write a scheduled rule in the middle of November 2031."""
    move_to(customer, at)
    with clock.time_of(customer.wallet_id):
        scheduled(customer, *arguments, **options)
    sweep(customer)


def occasions(customer) -> list[tuple[str, str, str | None]]:
    return [(event["kind"], event["occasion"], event["reason"]) for event in told(customer.wallet_id)]


@pytest.mark.parametrize(
    ("schedule", "zone", "begins"),
    [
        (Monthly(1), "UTC", "2031-12-01T00:00"),
        (Monthly(31), "Europe/Berlin", "2031-11-29T23:00"),
        (Monthly(1), "America/New_York", "2031-12-01T05:00"),
        (Weekly(0), "Pacific/Auckland", "2031-11-16T11:00"),
    ],
    ids=["first of the month", "last of a short month", "west", "monday in the east"],
)
def test_when_its_day_begins_where_the_owner_lives_then_it_is_charged_once(customer, schedule, zone, begins):
    begin(customer, schedule, zone=zone)
    rule = rule_of(customer)

    move_to(customer, moment(begins + ":00") - timedelta(seconds=2))
    sweep(customer)
    before = top_ups(customer)
    move_to(customer, moment(begins + ":00"))
    sweep(customer)
    look(customer)
    sweep(customer)

    assert rule.next_run_at == moment(begins + ":00")
    assert before == []
    assert top_ups(customer) == [("succeeded", 2_500)]
    assert told(customer.wallet_id)[0]["trigger"] == "schedule"
    assert rule_of(customer).next_run_at > rule.next_run_at


def test_when_months_pass_one_by_one_then_each_has_its_top_up_on_its_own_day(customer):
    begin(customer, Monthly(31), zone="Europe/Berlin")

    days = []
    for _ in range(4):
        days.append(rule_of(customer).next_run_on.isoformat())
        move_to(customer, rule_of(customer).next_run_at)
        sweep(customer)

    assert days == ["2031-11-30", "2031-12-31", "2032-01-31", "2032-02-29"]
    assert [occasion for _kind, occasion, _reason in occasions(customer)] == [
        f"schedule:{day}" for day in days
    ]
    assert customer.balance == 4 * 2_500


def test_when_nothing_ran_for_weeks_then_the_latest_is_made_up_for_and_the_others_are_told_of(customer):
    begin(customer, Weekly(0))

    move_to(customer, moment("2031-12-09T10:00:00"))
    sweep(customer)
    sweep(customer)
    look(customer)

    assert occasions(customer) == [
        ("top_up.failed", "schedule:2031-11-17", "occasion_missed"),
        ("top_up.failed", "schedule:2031-11-24", "occasion_missed"),
        ("top_up.failed", "schedule:2031-12-01", "occasion_missed"),
        ("top_up.succeeded", "schedule:2031-12-08", None),
    ]
    assert (customer.balance, customer.charged) == (2_500, 2_500)
    assert rule_of(customer).next_run_on.isoformat() == "2031-12-15"


def test_when_the_owner_moves_west_within_the_day_then_it_is_not_charged_again(customer):
    begin(customer, Monthly(1), zone="Pacific/Auckland")
    move_to(customer, rule_of(customer).next_run_at)
    sweep(customer)
    customer.user.time_zone = "America/Los_Angeles"
    customer.user.save()

    for hours in (10, 12, 24, 48):
        later(customer, hours=hours)

    assert top_ups(customer) == [("succeeded", 2_500)]
    assert rule_of(customer).next_run_on.isoformat() == "2032-01-01"


def test_when_a_scheduled_charge_is_declined_then_it_is_tried_again_and_the_rule_goes_on(customer):
    begin(customer, Monthly(1), token=customer.card(NOT_COVERED))
    move_to(customer, moment("2031-12-01T00:00:00"))
    sweep(customer)
    refused = occasions(customer)
    with clock.time_of(customer.wallet_id):
        give_rule(customer, customer.card(SUCCEEDS), threshold=None, schedule=Monthly(1))
    sweep(customer)

    assert refused == [("top_up.failed", "schedule:2031-12-01", "insufficient_funds")]
    assert occasions(customer)[1:] == [("top_up.succeeded", "schedule:2031-12-01", None)]
    assert rule_of(customer).next_run_on.isoformat() == "2032-01-01"


def test_when_the_wallet_is_suspended_on_the_day_then_that_is_told_and_the_next_day_counts(customer):
    begin(customer, Weekly(0))
    suspend_wallet(wallet_id=customer.wallet_id, actor="support:1", reason="looked into", call=unkeyed())

    move_to(customer, moment("2031-11-17T00:00:00"))
    sweep(customer)

    assert occasions(customer) == [("top_up.failed", "schedule:2031-11-17", "wallet_suspended")]
    assert (top_ups(customer), rule_of(customer).next_run_on.isoformat()) == ([], "2031-11-24")


def test_when_a_month_s_limit_is_reached_then_the_occasion_is_told_of_and_left_out(customer):
    begin(customer, Weekly(0), monthly_limit=5_000)

    for _ in range(5):
        move_to(customer, rule_of(customer).next_run_at)
        sweep(customer)

    assert [reason for _kind, reason in kinds_and_reasons(customer)] == [None] * 4 + ["monthly_limit"]
    assert [occasion[9:] for _kind, occasion, _reason in occasions(customer)] == [
        "2031-11-17",
        "2031-11-24",
        "2031-12-01",
        "2031-12-08",
        "2031-12-15",
    ]


def test_when_it_is_paused_over_its_day_then_that_day_is_passed_over(customer):
    begin(customer, Weekly(0))
    owner = {"wallet_id": customer.wallet_id, "owner_id": None, "actor": customer.actor, "call": unkeyed()}
    pause_rule(**owner)
    move_to(customer, moment("2031-11-18T00:00:00"))
    sweep(customer)

    with clock.time_of(customer.wallet_id):
        resume_rule(**owner)
    sweep(customer)

    assert (occasions(customer), top_ups(customer)) == ([], [])
    assert rule_of(customer).next_run_on.isoformat() == "2031-11-24"


def test_when_the_rule_is_written_again_on_a_day_that_has_begun_then_that_day_is_still_charged_for(customer):
    begin(customer, Weekly(0))
    move_to(customer, moment("2031-11-17T00:00:30"))

    with clock.time_of(customer.wallet_id):
        give_rule(customer, threshold=None, schedule=Weekly(0), amount=900)
    sweep(customer)

    assert top_ups(customer) == [("succeeded", 900)]


def test_when_both_are_due_then_the_schedule_s_occasion_goes_first_and_may_be_enough(customer):
    begin(customer, Weekly(0))
    with clock.time_of(customer.wallet_id):
        give_rule(customer, threshold=2_000, schedule=Weekly(0), is_enabled=False)
        give_rule(customer, threshold=2_000, schedule=Weekly(0))
    move_to(customer, moment("2031-11-17T00:00:00"))

    sweep(customer)
    later(customer, minutes=5)

    assert [event["trigger"] for event in told(customer.wallet_id)] == ["schedule"]
    assert customer.balance == 2_500
