"""Unhandled errors, reported to Sentry. Imported only where `SENTRY_DSN` is set.

None of Sentry's integrations is used: they would collect requests, bodies, people and queries. What is reported is the
exception with its stack, the ids of the request or task, and the version; never the values of variables.
"""

import re
import sys
from typing import Any

import sentry_sdk
import structlog
from celery.signals import task_failure
from django.core.signals import got_request_exception
from django.http import HttpRequest
from sentry_sdk.integrations.atexit import AtexitIntegration
from sentry_sdk.types import Event, Hint
from structlog.typing import EventDict, WrappedLogger

from config.redaction import redacted
from events.context import current

_ADDRESS = re.compile(r"[\w.+%-]+@[\w-]+(?:\.[\w-]+)+")
# PostgreSQL quotes the row that it refuses.
_ROW = re.compile(r"\b(DETAIL|CONTEXT):.*", re.DOTALL)
_FAILURES = frozenset({"error", "critical"})


def start(*, dsn: str, release: str, environment: str) -> None:
    """Report from here on what fails in requests and tasks, and what is logged as an error with its exception."""
    sentry_sdk.init(
        dsn=dsn,
        release=release,
        environment=environment,
        default_integrations=False,
        auto_enabling_integrations=False,
        integrations=[AtexitIntegration(callback=lambda _pending, _timeout: None)],
        max_request_body_size="never",
        include_local_variables=False,
        max_breadcrumbs=0,
        auto_session_tracking=False,
        before_send=without_secrets,
    )
    got_request_exception.connect(report_request, weak=False, dispatch_uid="report_request")
    task_failure.connect(report_task, weak=False, dispatch_uid="report_task")
    structlog.get_config()["processors"].insert(0, report_logged)


def report_request(request: HttpRequest | None = None, **_signal: Any) -> None:
    """Report what a request failed with."""
    match = request.resolver_match if request is not None else None
    _report(sys.exc_info()[1], route=match.route if match else "")


def report_task(exception: BaseException | None = None, sender: Any = None, **_signal: Any) -> None:
    """Report what a task failed with."""
    _report(exception, task=getattr(sender, "name", ""))


def report_logged(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Report an exception that was caught and written to the log as an error."""
    if method in _FAILURES and (said := event.get("exc_info")):
        failure = said if isinstance(said, BaseException) else sys.exc_info()[1]
        _report(failure, logged=str(event.get("event", "")))
    return event


def without_secrets(event: Event, hint: Hint) -> Event | None:
    """Mask card numbers, secrets and e-mail addresses wherever they stand in what is about to be sent."""
    for place in ("user", "request", "breadcrumbs", "modules", "extra"):
        event.pop(place, None)  # type: ignore[misc]
    for failure in event.get("exception", {}).get("values", []):
        failure["value"] = _ROW.sub(r"\1: [redacted]", str(failure.get("value") or ""))
    plain: Event = _without_addresses(redacted(dict(event)))
    return plain


def _without_addresses(value: Any) -> Any:
    if isinstance(value, str):
        return _ADDRESS.sub("[address]", value)
    if isinstance(value, dict):
        return {name: _without_addresses(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_without_addresses(item) for item in value]
    return value


def _report(failure: BaseException | None, **tags: str) -> None:
    if failure is None:
        return
    context = current()
    with sentry_sdk.new_scope() as scope:
        known = {"request_id": context.request_id, "trace_id": context.traceparent[3:35], **tags}
        for name, value in known.items():
            if value:
                scope.set_tag(name, value)
        sentry_sdk.capture_exception(failure)
