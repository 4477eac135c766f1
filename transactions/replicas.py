"""Reads that may come from a streaming replica, and when they do.

A read of accounts goes to the replica when the replica says of each of them what the primary says: a version
that is no older, and the same pending lines. Completed lines never change, so that such a page is, row for row,
what the primary would have shown: everybody reads their own writes, and no clock decides. A report over all
accounts goes there when the replica has replayed what was written `STALE_AFTER_S` ago.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from uuid import UUID

import structlog
from django.conf import settings
from django.db import InterfaceError, OperationalError, connections

from transactions.prepared import PRIMARY, run

REPLICA = "replica"
AVOID_AFTER_FAILURE_S = 5.0
STALE_AFTER_S = 10.0

# A pending credit leaves its account's row alone, hence the pending lines beside the version.
_STANDING = (
    "SELECT a.id, a.version, ARRAY(SELECT l.id FROM transactions_transaction AS l"
    "   WHERE l.account_id = a.id AND l.status = 'pending' ORDER BY l.id)"
    " FROM transactions_ledgeraccount AS a WHERE a.id = ANY(%s::uuid[]) ORDER BY a.id"
)
_WRITTEN = "SELECT pg_current_wal_flush_lsn()::text"
_REPLAYED = (
    "SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn"
    " OR pg_last_xact_replay_timestamp() > now() - make_interval(secs => %s)"
)

Read = TypeVar("Read")

_log = structlog.get_logger()
_avoid_until_s = 0.0


def read_accounts(account_ids: Sequence[UUID], fetch: Callable[[str], Read]) -> Read:
    """Fetch what concerns these accounts alone; `fetch` is given the connection to read from."""
    return read_from(REPLICA if _may_serve(lambda: _shows(account_ids)) else PRIMARY, fetch)


def read_report(fetch: Callable[[str], Read]) -> Read:
    """Fetch what may be some seconds old; `fetch` is given the connection to read from."""
    return read_from(REPLICA if _may_serve(_is_fresh) else PRIMARY, fetch)


def read_from(using: str, fetch: Callable[[str], Read]) -> Read:
    """Fetch from a connection that was chosen before; from the primary when the replica fails."""
    if using != PRIMARY:
        try:
            return fetch(using)
        except (OperationalError, InterfaceError) as error:
            _avoid(error)
    return fetch(PRIMARY)


def _may_serve(agrees: Callable[[], bool]) -> bool:
    if REPLICA not in settings.DATABASES or time.monotonic() < _avoid_until_s:
        return False
    try:
        return agrees()
    except (OperationalError, InterfaceError) as error:
        _avoid(error)
        return False


def _shows(account_ids: Sequence[UUID]) -> bool:
    wanted = run(_STANDING, (list(account_ids),))
    found = run(_STANDING, (list(account_ids),), using=REPLICA)
    return len(found) == len(wanted) and all(
        theirs[1] > ours[1] or theirs[1:] == ours[1:] for ours, theirs in zip(wanted, found, strict=True)
    )


def _is_fresh() -> bool:
    written: Any = run(_WRITTEN, ())[0][0]
    return bool(run(_REPLAYED, (written, STALE_AFTER_S), using=REPLICA)[0][0])


def _avoid(error: Exception) -> None:
    global _avoid_until_s
    _avoid_until_s = time.monotonic() + AVOID_AFTER_FAILURE_S
    connections[REPLICA].close()
    _log.warning("replica_unreachable", error=type(error).__name__)
