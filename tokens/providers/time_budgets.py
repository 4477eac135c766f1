"""How long everything that is done for one caller may take, however many providers it needs."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_ends_at: ContextVar[float] = ContextVar("time_budget_ends_at", default=math.inf)


@contextmanager
def time_budget(seconds: float) -> Iterator[None]:
    """Give the calls to providers inside the block so many seconds altogether, or what an outer budget has left.

    A call for which no time is left isn't sent (`NotSent`); one under way ends with its next byte (`NoAnswer`).
    """
    token = _ends_at.set(min(time.monotonic() + seconds, _ends_at.get()))
    try:
        yield
    finally:
        _ends_at.reset(token)


def ends_at() -> float:
    """Tell when the budget under way ends, on the monotonic clock; never where there is none."""
    return _ends_at.get()
