"""Tracing with OpenTelemetry. Imported only where `OTEL_EXPORTER_OTLP_ENDPOINT` is set, so that off it costs nothing.

The packages instrument Celery, psycopg, Redis and requests. What this application does past them has its spans from
here: requests of clients (`config.gateway.request_spans`), statements that go to libpq by themselves, and the two
calls that each request makes to Redis.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.celery import CeleryInstrumentor
from opentelemetry.instrumentation.psycopg import PsycopgInstrumentor
from opentelemetry.instrumentation.redis import RedisInstrumentor
from opentelemetry.instrumentation.requests import RequestsInstrumentor
from opentelemetry.propagate import set_global_textmap
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from config.postgresql.base import DatabaseWrapper
from config.trace_export import LeavesOutPeople
from events import spans
from events.redis_link import RedisLink
from transactions.prepared import Wire

_W3C = TraceContextTextMapPropagator()
_tracer = trace.get_tracer("open_wallet")


def start(*, service: str, version: str, mode: str) -> None:
    """Send spans to where the standard's variables say, from all processes that are forked from here on, too."""
    provider = TracerProvider(
        resource=Resource.create(
            {"service.name": service, "service.version": version, "deployment.environment.name": mode}
        )
    )
    provider.add_span_processor(BatchSpanProcessor(LeavesOutPeople(OTLPSpanExporter())))
    trace.set_tracer_provider(provider)
    # Not the standard's baggage, which would travel from any client to every provider.
    set_global_textmap(_W3C)
    CeleryInstrumentor().instrument()
    PsycopgInstrumentor().instrument()
    RedisInstrumentor().instrument()
    RequestsInstrumentor().instrument()
    Wire.run = _in_span(Wire.run, named=_statement)  # type: ignore[method-assign]
    DatabaseWrapper._command = _in_span(DatabaseWrapper._command, named=_command)  # type: ignore[method-assign]
    RedisLink._exchange = _in_span(RedisLink._exchange, named=_redis_command)  # type: ignore[method-assign]
    spans.connect(opener=opened, at_work=at_work)


@contextmanager
def opened(name: str, traceparent: str) -> Iterator[str]:
    """Open a span of work that another process, or an earlier moment, has caused; gives its traceparent."""
    parent = _W3C.extract({"traceparent": traceparent}) if traceparent else None
    with _tracer.start_as_current_span(name, context=parent, kind=SpanKind.CONSUMER):
        yield at_work()


def at_work() -> str:
    """Tell the traceparent of the span that is open here; empty where there is none."""
    carrier: dict[str, str] = {}
    _W3C.inject(carrier)
    return carrier.get("traceparent", "")


def _in_span(
    call: Callable[..., Any], *, named: Callable[[Any], tuple[str, dict[str, str]]]
) -> Callable[..., Any]:
    """Do what `call` does in a span, which its first argument names."""

    @wraps(call)
    def called(self: Any, first: Any, *rest: Any) -> Any:
        name, attributes = named(first)
        with _tracer.start_as_current_span(name, kind=SpanKind.CLIENT, attributes=attributes):
            return call(self, first, *rest)

    return called


def _statement(statement: str) -> tuple[str, dict[str, str]]:
    return statement.split(None, 1)[0], {"db.system": "postgresql", "db.statement": statement}


def _command(command: bytes) -> tuple[str, dict[str, str]]:
    return command.decode(), {"db.system": "postgresql"}


def _redis_command(command: tuple[str | bytes | int, ...]) -> tuple[str, dict[str, str]]:
    return str(command[0]), {"db.system": "redis"}
