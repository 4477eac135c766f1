"""The time that money goes by: the machine's, and in a sandbox ahead of it by as much as somebody has moved it.

How far it runs ahead stands in the database, for everybody and, on top of that, for single wallets. Each process
reads it again once its knowledge is older than `AGREED_WITHIN_S`, when a request, task or sweep begins: whoever
moves the clock and waits that long knows that whatever begins afterwards goes by the new time. In production
nothing is read, and `now` is the machine's clock.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import Error, connection, transaction

AGREED_WITHIN_S = 0.5
"""How old a process's knowledge of the clock may be, in seconds, when it begins something."""

EVERYBODY = UUID(int=0)
"""The row of the clock that all go by; every other row is a wallet's."""

_NOTHING = timedelta()


@dataclass(frozen=True, slots=True)
class Leads:
    """How far the clock runs ahead of the machine's: everybody's, and what single wallets are ahead of that."""

    everybody: timedelta = _NOTHING
    wallets: Mapping[UUID, timedelta] = field(default_factory=dict)


_UNMOVED = Leads()
_wallet: ContextVar[UUID] = ContextVar("wallet_whose_time_it_is", default=EVERYBODY)
_leads = _UNMOVED
_read_at_s = float("-inf")


def _machine_now() -> datetime:
    return datetime.now(UTC)


def _moved_now() -> datetime:
    at = datetime.now(UTC)
    return at if _leads is _UNMOVED else at + _leads.everybody + _leads.wallets.get(_wallet.get(), _NOTHING)


now = _moved_now if settings.SANDBOX else _machine_now
"""Tell the present moment in UTC; within `time_of` a wallet, that wallet's."""


def now_of(wallet_id: UUID) -> datetime:
    """Tell the present moment of one wallet, in UTC: what falls due for it goes by that."""
    if _leads is _UNMOVED:
        return now()
    return datetime.now(UTC) + _leads.everybody + _leads.wallets.get(wallet_id, _NOTHING)


@contextmanager
def time_of(wallet_id: UUID) -> Iterator[None]:
    """Go by a wallet's own time for the block."""
    token = _wallet.set(wallet_id)
    try:
        yield
    finally:
        _wallet.reset(token)


def times() -> Iterator[UUID | None]:
    """Yield what a sweep has to look at: all that is due by everybody's clock, then each wallet that runs ahead.

    None stands for everybody; while a wallet is yielded its own time is gone by.
    """
    yield None
    for wallet_id in list(_leads.wallets):
        with time_of(wallet_id):
            yield wallet_id


def wallets_run_ahead() -> bool:
    """Tell whether any wallet has a time of its own."""
    return bool(_leads.wallets)


def refresh() -> None:
    """Read how far the clock runs ahead, unless this process knows that well enough; outside of transactions.

    A database that can't be asked leaves the clock as it was.
    """
    global _leads, _read_at_s
    asked_at_s = time.monotonic()
    if asked_at_s < _read_at_s + AGREED_WITHIN_S or not settings.SANDBOX:
        return
    _read_at_s = asked_at_s
    try:
        _leads = _stored_leads()
    except Error:
        return


def set_ahead(*, to: datetime, wallet_id: UUID | None = None) -> None:
    """Move the clock to `to`, everybody's or a wallet's; a clock that is further already stays. It never goes back.

    This process goes by it at once, others `AGREED_WITHIN_S` later at the latest.
    """
    global _leads, _read_at_s
    with transaction.atomic(), connection.cursor() as cursor:
        ahead = to - datetime.now(UTC) - (_NOTHING if wallet_id is None else _leads.everybody)
        cursor.execute(
            "INSERT INTO events_clocklead AS lead (id, ahead, moved_at) VALUES (%s, greatest(%s::interval, interval '0'), now())"
            " ON CONFLICT (id) DO UPDATE SET ahead = greatest(lead.ahead, EXCLUDED.ahead), moved_at = now()",
            [str(wallet_id or EVERYBODY), f"{ahead.total_seconds():.6f} seconds"],
        )
    _read_at_s = time.monotonic()
    _leads = _stored_leads()


def _stored_leads() -> Leads:
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, ahead FROM events_clocklead")
        found: dict[UUID, timedelta] = dict(cursor.fetchall())
    return Leads(found.pop(EVERYBODY, _NOTHING), found) if found else _UNMOVED
