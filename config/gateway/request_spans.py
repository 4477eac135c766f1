"""A span for each request, within the caller's trace. Not among the middleware unless tracing is switched on.

The package that instruments Django would read the host before it is checked, and write down whole addresses.
"""

from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from opentelemetry import trace
from opentelemetry.trace import SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

UNTRACED = frozenset({"/health", "/health/ready", "/metrics"})
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

_W3C = TraceContextTextMapPropagator()
_tracer = trace.get_tracer("open_wallet")


class RequestSpanMiddleware:
    """Stands first, so that the request's context takes its trace from here."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.path_info in UNTRACED:
            return self.get_response(request)
        method = request.method if request.method in METHODS else "OTHER"
        sent = {name: request.META.get(f"HTTP_{name.upper()}", "") for name in ("traceparent", "tracestate")}
        with _tracer.start_as_current_span(
            str(method),
            context=_W3C.extract(sent),
            kind=SpanKind.SERVER,
            attributes={"http.request.method": str(method)},
        ) as span:
            response = self.get_response(request)
            if request.resolver_match is not None:
                route = request.resolver_match.route
                span.update_name(f"{method} /{route}")
                span.set_attribute("http.route", route)
            span.set_attribute("http.response.status_code", response.status_code)
            span.set_attribute("open_wallet.request_id", response.headers.get("X-Request-ID", ""))
            if response.status_code >= 500:
                span.set_status(StatusCode.ERROR)
            return response
