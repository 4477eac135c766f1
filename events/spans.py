"""Where work joins the trace of the request that caused it. Nothing happens here unless tracing is switched on.

Whoever keeps traces says so by `connect`; this floor knows no tracing library, and imports none.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

Opener = Callable[[str, str], AbstractContextManager[str]]

_NO_SPAN: AbstractContextManager[str] = nullcontext("")
_opener: Opener | None = None
_at_work: Callable[[], str] | None = None


def connect(*, opener: Opener, at_work: Callable[[], str]) -> None:
    """Name who opens spans, and who tells the traceparent of the one that is open."""
    global _opener, _at_work
    _opener, _at_work = opener, at_work


def continued(name: str, *, traceparent: str) -> AbstractContextManager[str]:
    """Do the block in a span of its own within the trace of `traceparent`; gives the span's traceparent, or "" if off."""
    return _NO_SPAN if _opener is None else _opener(name, traceparent)


def at_work() -> str:
    """Tell the traceparent of the span that is open here; empty where there is none, or tracing is off."""
    return "" if _at_work is None else _at_work()
