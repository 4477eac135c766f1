"""One line for each request: what was asked, by whom, how it ended and how long it took."""

from collections.abc import Callable
from time import perf_counter
from typing import Any

import structlog
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from events.context import current

access_log = structlog.get_logger("access")


class AccessLogMiddleware:
    """Write the access line, and tell the answer's length to the client."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        started = perf_counter()
        response = self.get_response(request)
        size_bytes = None
        if not response.streaming:
            size_bytes = len(response.content)  # type: ignore[attr-defined]
            response.headers["Content-Length"] = str(size_bytes)
        match = request.resolver_match
        access_log.info(
            "request",
            method=request.method,
            path=request.path,
            route=match.route if match else None,
            status=response.status_code,
            duration_ms=round((perf_counter() - started) * 1000, 3),
            **caller(request),
            address=current().address,
            bytes=size_bytes,
        )
        return response


def caller(request: HttpRequest) -> dict[str, Any]:
    """Tell the user's id and role when they are known already; a lazy user isn't fetched for a log line."""
    user = request.__dict__.get("user")
    if user is None:
        return {"user": None, "role": None}
    if hasattr(user, "_wrapped"):
        user = user._wrapped
        if not hasattr(user, "role"):
            return {"user": None, "role": None}
    return {"user": user.pk, "role": getattr(user, "role", None)}
