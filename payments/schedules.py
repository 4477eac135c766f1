"""The calendar of scheduled top-ups: which days, and when a day begins where the wallet's owner lives.

An occasion is a day of the owner's calendar and falls due when that day begins. Where the clocks skip midnight it
is the first moment that the day has; where midnight comes twice, the first of them. The 31st of a shorter month is its
last day.
"""

from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import takewhile
from typing import Any, Final
from zoneinfo import ZoneInfo

WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Monthly:
    """Once a month, on `day` (1 to 31) or on the last day of a month that has no such day."""

    day: int

    def after(self, day: date) -> date:
        """Give the first occasion after a day."""
        this = _in_month(day, self.day)
        return this if this > day else _in_month(_next_month(day), self.day)

    def as_shown(self) -> dict[str, Any]:
        """Give it as the API shows it."""
        return {"every": "month", "day": self.day}

    def __str__(self) -> str:
        return f"each month on day {self.day} (or its last day)"


@dataclass(frozen=True, slots=True)
class Weekly:
    """Once a week, on `weekday`: 0 is Monday."""

    weekday: int

    def after(self, day: date) -> date:
        """Give the first occasion after a day."""
        return day + timedelta(days=(self.weekday - day.weekday() - 1) % 7 + 1)

    def as_shown(self) -> dict[str, Any]:
        """Give it as the API shows it."""
        return {"every": "week", "weekday": WEEKDAYS[self.weekday]}

    def __str__(self) -> str:
        return f"each week on {WEEKDAYS[self.weekday].capitalize()}"


Schedule = Monthly | Weekly


def schedule_of(shown: dict[str, Any] | None) -> Schedule | None:
    """Read a schedule as the API and the rule's row write it; None is none."""
    if shown is None:
        return None
    if shown["every"] == "month":
        return Monthly(day=shown["day"])
    return Weekly(weekday=WEEKDAYS.index(shown["weekday"]))


def local_day(at: datetime, zone: ZoneInfo) -> date:
    """Tell which day it is in a zone."""
    return at.astimezone(zone).date()


def begins_at(day: date, zone: ZoneInfo) -> datetime:
    """Tell when a day begins in a zone, in UTC."""
    # `fold=0` takes the first of two midnights; one that doesn't exist becomes the moment of the jump over it.
    return datetime.combine(day, time.min, tzinfo=zone).astimezone(UTC)


def month_begins_at(at: datetime, zone: ZoneInfo) -> datetime:
    """Tell when the calendar month that a moment lies in began in a zone, in UTC."""
    return begins_at(local_day(at, zone).replace(day=1), zone)


def next_month_begins_at(at: datetime, zone: ZoneInfo) -> datetime:
    """Tell when the calendar month after a moment begins in a zone, in UTC."""
    return begins_at(_next_month(local_day(at, zone)), zone)


def next_day_begins_at(at: datetime, zone: ZoneInfo) -> datetime:
    """Tell when the day after a moment begins in a zone, in UTC."""
    return begins_at(local_day(at, zone) + _DAY, zone)


def occasions_from(schedule: Schedule, first: date) -> Iterator[date]:
    """Yield the occasions without end, beginning with `first`, which is one of them."""
    while True:
        yield first
        first = schedule.after(first)


def occasions_begun(schedule: Schedule, first: date, *, at: datetime, zone: ZoneInfo) -> list[date]:
    """List the occasions from `first` on that have fallen due by `at`, the oldest first."""
    return list(takewhile(lambda day: begins_at(day, zone) <= at, occasions_from(schedule, first)))


def _in_month(month: date, day: int) -> date:
    return month.replace(day=min(day, monthrange(month.year, month.month)[1]))


def _next_month(day: date) -> date:
    return (day.replace(day=1) + 31 * _DAY).replace(day=1)
