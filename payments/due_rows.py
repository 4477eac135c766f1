"""How a sweep takes due rows: one at a time, and no new one once its time is up."""

import time
from collections.abc import Callable, Collection, Iterator
from uuid import UUID

LASTS_S = 45
"""How long a sweep goes on taking rows, in seconds: a task's time limit leaves the last one time to end."""


def each_due(claim: Callable[[Collection[UUID]], UUID | None], *, limit: int) -> Iterator[UUID]:
    """Yield what `claim` takes, each when the one before is done, until it takes nothing more.

    `claim` commits its lease and is told what this sweep has had. Taking a batch at once was refused: behind one slow
    call to a provider the leases of all others would run out.
    """
    until = time.monotonic() + LASTS_S
    had: list[UUID] = []
    while len(had) < limit and time.monotonic() < until:
        claimed = claim(had)
        if claimed is None:
            return
        had.append(claimed)
        yield claimed
