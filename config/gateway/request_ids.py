"""Request ids and W3C trace context: one id that a client can quote, one trace that its systems can follow."""

import re
import secrets
from collections.abc import Callable, Mapping
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from uuid_utils.compat import uuid7

from config.gateway.client_addresses import client_address
from config.redaction import holds_card_number
from events import spans
from events.context import RequestContext, request_context

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,128}")
TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
TRACESTATE = re.compile(r"[\x20-\x7e\t]{1,1024}")
NO_TRACE = "0" * 32
NO_SPAN = "0" * 16
KNOWN_FLAGS = 0b11
SAMPLED = 0b01


def accepted_request_id(offered: str) -> str:
    """Take the client's id when it is 8 to 128 of `[A-Za-z0-9._-]` and holds no card number, otherwise make one."""
    is_fit = REQUEST_ID.fullmatch(offered) and not holds_card_number(offered)
    return offered if is_fit else str(uuid7())


def continued_trace(traceparent: str) -> str:
    """Tell the traceparent of our own work within the caller's trace; empty when the header is invalid."""
    match = TRACEPARENT.fullmatch(traceparent)
    if match is None:
        return ""
    version, trace_id, parent_id, flags, suffix = match.groups()
    if version == "ff" or trace_id == NO_TRACE or parent_id == NO_SPAN or (version == "00" and suffix):
        return ""
    # Of a later version only the sampled bit is known to keep its meaning.
    kept = int(flags, 16) & (KNOWN_FLAGS if version == "00" else SAMPLED)
    return f"00-{trace_id}-{secrets.token_hex(8)}-{kept:02x}"


def new_trace() -> str:
    """Start a trace: random ids, not sampled."""
    ids = secrets.token_hex(24)
    return f"00-{ids[:32]}-{ids[32:]}-00"


def context_of(meta: Mapping[str, Any]) -> RequestContext:
    """Read the request's context from its headers and its connection."""
    traceparent = spans.at_work()
    if not traceparent and "HTTP_TRACEPARENT" in meta:
        traceparent = continued_trace(meta["HTTP_TRACEPARENT"])
    tracestate = meta.get("HTTP_TRACESTATE", "") if traceparent else ""
    return RequestContext(
        request_id=accepted_request_id(meta.get("HTTP_X_REQUEST_ID", "")),
        traceparent=traceparent or new_trace(),
        tracestate=tracestate
        if TRACESTATE.fullmatch(tracestate) and not holds_card_number(tracestate)
        else "",
        address=client_address(meta, settings.TRUSTED_PROXIES),
    )


class RequestIdMiddleware:
    """Put the request's context in place, and return its ids with every answer."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        context = context_of(request.META)
        request.META["CLIENT_ADDRESS"] = context.address
        with request_context(context):
            response = self.get_response(request)
        response.headers["X-Request-ID"] = context.request_id
        response.headers["traceparent"] = context.traceparent
        return response
