"""The books as a whole, to see that nothing moved."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection

TABLES = (
    "transactions_ledgeraccount",
    "transactions_transfer",
    "transactions_transaction",
    "transactions_delta",
    "transactions_hold",
    "transactions_idempotencykey",
    "wallets_wallet",
    "wallets_adjustment",
    "payments_autotopup",
    "payments_payment",
    "payments_refund",
    "payments_paymentsession",
    "payments_settlementimport",
    "payments_settlementrow",
    "payments_settlementbreak",
    "payments_savedmethod",
    "events_outbox",
    "events_auditentry",
)

# To look at something moves nothing, and is written down all the same.
_ONLY = {"events_auditentry": r" WHERE action !~ '\.(read|viewed)$'"}
_HASHES = "SELECT " + ", ".join(
    "(SELECT md5(coalesce(string_agg(t::text, chr(10) ORDER BY t::text), ''))"
    f" FROM {table} AS t{_ONLY.get(table, '')})"
    for table in TABLES
)


def books() -> dict[str, str]:
    """Hash every row of every table that has to do with money, table by table."""
    with connection.cursor() as cursor:
        cursor.execute(_HASHES)
        return dict(zip(TABLES, cursor.fetchone(), strict=True))


@contextmanager
def nothing_moves() -> Iterator[None]:
    """The books are byte for byte the same after the block."""
    before = books()
    yield
    assert books() == before
