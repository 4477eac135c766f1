"""In which time zone a session shows its moments."""

from functools import cache
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

from django.http import HttpRequest

from users.models import User

SESSION_KEY: Final = "time_zone"
UTC_NAME: Final = "UTC"
# One for each part of the world, for the menu; the page behind it offers all of them.
USUAL: Final = (
    UTC_NAME,
    "America/Los_Angeles",
    "America/New_York",
    "America/Sao_Paulo",
    "Europe/London",
    "Europe/Berlin",
    "Africa/Johannesburg",
    "Asia/Dubai",
    "Asia/Kolkata",
    "Asia/Singapore",
    "Asia/Tokyo",
    "Australia/Sydney",
)


@cache
def known() -> tuple[str, ...]:
    """List the names of all zones, by alphabet."""
    return tuple(sorted(available_timezones() - {"localtime", "Factory"}))


def chosen(request: HttpRequest) -> ZoneInfo:
    """Tell the zone of this session: what was switched to, else the person's own, else UTC."""
    person = request.user
    own = person.time_zone if isinstance(person, User) else UTC_NAME
    name = request.session.get(SESSION_KEY, own)
    return ZoneInfo(name if name in known() else UTC_NAME)


def switch(request: HttpRequest, name: str) -> bool:
    """Show this session's moments in the zone from now on; tells whether there is such a zone."""
    if name not in known():
        return False
    request.session[SESSION_KEY] = name
    return True
