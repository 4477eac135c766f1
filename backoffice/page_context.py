"""What every template knows: whether the money is real, and on staff's pages where they are and where they may go."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject
from django.utils.timezone import get_current_timezone_name

from backoffice.navigation import navigation
from backoffice.time_zones import USUAL


def standing(request: HttpRequest) -> dict[str, Any]:
    """Tell it to a template; the navigation is only worked out where it is shown."""
    return {
        "sandbox": settings.SANDBOX,
        "navigation": SimpleLazyObject(lambda: navigation(request)),
        "time_zone_name": get_current_timezone_name(),
        "usual_time_zones": USUAL,
    }
