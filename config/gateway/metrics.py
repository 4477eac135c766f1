"""What Prometheus scrapes: the requests of all processes, and the figures of the business."""

import time
from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_safe
from django_prometheus.exports import ExportToDjangoView
from django_prometheus.middleware import Metrics
from prometheus_client import generate_latest

from config.gateway.figures import registry


class RequestMetricsMiddleware:
    """Count each request by view, method and status, and time it.

    These are django-prometheus's own metrics. Its two middlewares keep a dozen more, which cost more than the
    routing of a request.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        self.metrics = Metrics.get_instance()
        self.kept: dict[tuple[str, str, int], tuple[Any, Any]] = {}

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        started_s = time.perf_counter()
        response = self.get_response(request)
        match = request.resolver_match
        view = match.view_name if match and match.view_name else "<unnamed view>"
        counter, histogram = self.labelled(view, request.method or "", response.status_code)
        counter.inc()
        histogram.observe(time.perf_counter() - started_s)
        return response

    def labelled(self, view: str, method: str, status: int) -> tuple[Any, Any]:
        """Find the counter and the histogram of these labels; a method that nobody knows counts as `OTHER`."""
        try:
            return self.kept[view, method, status]
        except KeyError:
            known = (
                method if method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS") else "OTHER"
            )
            found = (
                self.metrics.responses_by_status_view_method.labels(
                    status=str(status), view=view, method=known
                ),
                self.metrics.requests_latency_by_view_method.labels(view=view, method=known),
            )
            if known == method:
                self.kept[view, method, status] = found
            return found


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """All metrics, in Prometheus's text format."""
    exported = ExportToDjangoView(request)
    return HttpResponse(
        exported.content + generate_latest(registry), content_type=exported.headers["Content-Type"]
    )
