"""Which time a call goes by in a sandbox, where somebody may have moved the clock. Production has none of it."""

import re
from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.exceptions import MiddlewareNotUsed
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from events import clock

# Health and metrics answer without the database.
MOVED_PATHS = ("/api/", "/sandbox/", "/admin/", "/demo/")
WALLET = re.compile(r"/api/v1/wallet/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?:/|$)")


class MovedTimeMiddleware:
    """Learn how far the clock has been moved, and go by the own time of the wallet that the path names."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        if not settings.SANDBOX:
            raise MiddlewareNotUsed
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        path = request.path_info
        if path.startswith(MOVED_PATHS):
            clock.refresh()
            named = WALLET.match(path) if clock.wallets_run_ahead() else None
            if named is not None:
                with clock.time_of(UUID(named[1])):
                    return self.get_response(request)
        return self.get_response(request)


def before_task(**_signal: Any) -> None:
    """Learn before each task how far the clock has been moved."""
    clock.refresh()
