"""What is known of the request or task under way, for the log lines, audit rows and events that it causes."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RequestContext:
    """`address` is the client's, as seen behind the trusted proxies; `traceparent` and `tracestate` are W3C's headers."""

    request_id: str = ""
    traceparent: str = ""
    tracestate: str = ""
    address: str = ""


_NONE = RequestContext()
_current: ContextVar[RequestContext | None] = ContextVar("request_context", default=None)


def current() -> RequestContext:
    """Tell the context of the request or task under way; all fields are empty outside of one."""
    return _current.get() or _NONE


@contextmanager
def request_context(context: RequestContext) -> Iterator[None]:
    """Make `context` the current one for the block."""
    token = _current.set(context)
    try:
        yield
    finally:
        _current.reset(token)
