"""What of a span leaves the installation: a closed list of attributes, none of which speaks of a person or a card."""

import re
from collections.abc import Sequence

from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import Status
from opentelemetry.util.types import AttributeValue

KEPT = frozenset(
    {
        *(
            "http.method",
            "http.request.method",
            "http.route",
            "http.status_code",
            "http.response.status_code",
        ),
        *("net.peer.name", "net.peer.port", "server.address", "server.port", "error.type"),
        *("db.system", "db.name", "db.statement", "db.operation", "db.redis.args_length"),
        *("celery.action", "celery.task_name", "celery.state", "celery.retries", "messaging.message.id"),
        *("messaging.destination", "open_wallet.request_id"),
    }
)
"""Addresses, whole URLs, headers, messages of exceptions and values of statements aren't here, and never leave."""

_TEXT = re.compile(r"'(?:[^']|'')*'")
_DIGITS = re.compile(r"\d{5,}")


class LeavesOutPeople(SpanExporter):
    """An exporter in front of another one, which sees only what is kept."""

    def __init__(self, exporter: SpanExporter) -> None:
        self.exporter = exporter

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Pass copies on, without what isn't kept."""
        return self.exporter.export([without_people(span) for span in spans])

    def shutdown(self) -> None:
        """Shut the other one down."""
        self.exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Have the other one send what it holds."""
        return self.exporter.force_flush(timeout_millis)


def without_people(span: ReadableSpan) -> ReadableSpan:
    """Copy a span with its kept attributes, and of its exceptions with their types alone."""
    return ReadableSpan(
        name=_plain(span.name),
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes={
            name: _plain(value) if isinstance(value, str) else value
            for name, value in (span.attributes or {}).items()
            if name in KEPT
        },
        events=[_without_message(event) for event in span.events],
        links=span.links,
        kind=span.kind,
        status=Status(span.status.status_code),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


def _without_message(event: Event) -> Event:
    kind: AttributeValue = (event.attributes or {}).get("exception.type", "")
    return Event(event.name, {"exception.type": kind} if kind else {}, event.timestamp)


def _plain(text: str) -> str:
    """Empty the texts and long numbers that somebody may have written into a statement."""
    return _DIGITS.sub("?", _TEXT.sub("'?'", text)) if "'" in text or _DIGITS.search(text) else text
