"""The calendar of scheduled top-ups, against days that were looked up and not computed."""

from datetime import UTC, date, datetime
from itertools import islice
from zoneinfo import ZoneInfo

import pytest

from payments.schedules import (
    Monthly,
    Weekly,
    begins_at,
    month_begins_at,
    next_day_begins_at,
    next_month_begins_at,
    occasions_begun,
    occasions_from,
    schedule_of,
)


def days(schedule, first: date, count: int) -> list[str]:
    return [day.isoformat() for day in islice(occasions_from(schedule, schedule.after(first)), count)]


def test_when_a_month_is_shorter_then_its_last_day_stands_for_the_31st_and_the_next_one_has_its_own():
    assert days(Monthly(31), date(2027, 12, 31), 5) == [
        "2028-01-31",
        "2028-02-29",
        "2028-03-31",
        "2028-04-30",
        "2028-05-31",
    ]


@pytest.mark.parametrize(
    ("day", "after", "expected"),
    [
        (1, date(2026, 11, 30), "2026-12-01"),
        (1, date(2026, 11, 1), "2026-12-01"),
        (15, date(2026, 11, 14), "2026-11-15"),
        (15, date(2026, 11, 15), "2026-12-15"),
        (30, date(2027, 1, 31), "2027-02-28"),
        (30, date(2027, 2, 28), "2027-03-30"),
        (31, date(2026, 12, 31), "2027-01-31"),
    ],
)
def test_when_a_monthly_occasion_is_over_then_the_next_one_is_a_month_on(day, after, expected):
    assert Monthly(day).after(after).isoformat() == expected


@pytest.mark.parametrize(
    ("weekday", "expected"),
    [(0, "2026-11-30"), (5, "2026-11-28"), (6, "2026-11-29")],
    ids=["mon", "sat", "sun"],
)
def test_when_a_weekly_occasion_is_sought_then_it_lies_one_to_seven_days_ahead(weekday, expected):
    monday_to_sunday = Weekly(weekday).after(date(2026, 11, 23 if weekday == 0 else 22))

    assert monday_to_sunday.isoformat() == expected


@pytest.mark.parametrize(
    ("day", "zone", "expected"),
    [
        (date(2026, 11, 1), "UTC", "2026-11-01T00:00:00+00:00"),
        (date(2026, 11, 1), "Europe/Berlin", "2026-10-31T23:00:00+00:00"),
        # Summer time: an hour earlier.
        (date(2026, 7, 1), "Europe/Berlin", "2026-06-30T22:00:00+00:00"),
        (date(2026, 7, 1), "America/New_York", "2026-07-01T04:00:00+00:00"),
        (date(2026, 11, 1), "Pacific/Kiritimati", "2026-10-31T10:00:00+00:00"),
        # Beirut skipped midnight: the 27th began at 1:00 local time.
        (date(2022, 3, 27), "Asia/Beirut", "2022-03-26T22:00:00+00:00"),
        # Havana's midnight of the 6th came twice; the first one counts.
        (date(2022, 11, 6), "America/Havana", "2022-11-06T04:00:00+00:00"),
    ],
)
def test_when_a_day_begins_then_it_does_where_its_owner_lives(day, zone, expected):
    assert begins_at(day, ZoneInfo(zone)).isoformat() == expected
    assert begins_at(day, ZoneInfo(zone)).astimezone(ZoneInfo(zone)).date() == day


def test_when_clocks_change_within_the_week_then_no_occasion_is_lost_or_doubled():
    zone = ZoneInfo("Europe/Berlin")
    begun = occasions_begun(
        Weekly(6), date(2026, 10, 18), at=datetime(2026, 11, 1, 0, 0, tzinfo=UTC), zone=zone
    )

    assert [day.isoformat() for day in begun] == ["2026-10-18", "2026-10-25", "2026-11-01"]
    assert [begins_at(day, zone).isoformat() for day in begun] == [
        "2026-10-17T22:00:00+00:00",
        "2026-10-24T22:00:00+00:00",
        "2026-10-31T23:00:00+00:00",
    ]


def test_when_an_occasion_has_just_not_begun_then_it_is_not_listed():
    zone = ZoneInfo("America/New_York")
    first = date(2026, 12, 1)

    almost = occasions_begun(Monthly(1), first, at=datetime(2026, 12, 1, 4, 59, 59, tzinfo=UTC), zone=zone)
    then = occasions_begun(Monthly(1), first, at=datetime(2026, 12, 1, 5, 0, tzinfo=UTC), zone=zone)

    assert (almost, then) == ([], [first])


def test_when_months_and_days_are_counted_then_by_the_owner_s_calendar():
    at, zone = datetime(2026, 10, 31, 23, 30, tzinfo=UTC), ZoneInfo("Europe/Berlin")

    assert month_begins_at(at, zone).isoformat() == "2026-10-31T23:00:00+00:00"
    assert next_month_begins_at(at, zone).isoformat() == "2026-11-30T23:00:00+00:00"
    assert next_day_begins_at(at, zone).isoformat() == "2026-11-01T23:00:00+00:00"
    assert month_begins_at(at, ZoneInfo("UTC")).isoformat() == "2026-10-01T00:00:00+00:00"


@pytest.mark.parametrize("shown", [{"every": "month", "day": 31}, {"every": "week", "weekday": "sun"}, None])
def test_when_a_schedule_is_read_then_it_is_shown_as_it_was_written(shown):
    schedule = schedule_of(shown)

    assert (schedule.as_shown() if schedule else None) == shown
