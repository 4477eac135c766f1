"""Customers and wallets by number, so that any client can name a wallet without having been told its id.

Wallet `n` belongs to customer `n // 4`, in currency `CURRENCIES[n % 4]`. Wallets of even customers stand as
`SOURCE` says, those of odd ones as `TARGET`: figures that differ from each other, so that each can be told
from its value alone. Their money comes from the adjustments account, so that the book balances.
"""

from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import psycopg
from uuid_utils.compat import uuid7

from tests.benchmarks.numbered import CURRENCIES, CUSTOMER_PREFIX, FIRST_NUMBER, WALLET_PREFIX
from transactions import chart


@dataclass(frozen=True)
class Standing:
    """How a wallet stands before the first transfer: `booked` are the amounts of its lines, in minor units."""

    version: int
    booked: tuple[int, ...]
    day_amount: int
    month_amount: int

    @property
    def total_in(self) -> int:
        """What came in."""
        return sum(amount for amount in self.booked if amount > 0)

    @property
    def total_out(self) -> int:
        """What went out."""
        return self.total_in - self.balance

    @property
    def balance(self) -> int:
        """What is there."""
        return sum(self.booked)

    @property
    def last_seq(self) -> int:
        """The number of the last line."""
        return len(self.booked)


SOURCE = Standing(
    version=1_001, booked=(5_000_000_000, -3_000_000), day_amount=8_000_000, month_amount=9_000_000
)
TARGET = Standing(
    version=1_101, booked=(6_000_000_000, -4_000_000, 1_000), day_amount=8_100_000, month_amount=9_100_000
)


_CUSTOMERS = """
INSERT INTO users_user (id, password, email, role, is_active, name, time_zone, locale, notifications, created_at)
SELECT (%(customer_prefix)s || %(zero)s + n)::uuid, '!', 'customer-' || n || '@example.com', 'user', true, '', 'UTC',
       'en', '{}', now()
FROM generate_series(%(first)s, %(last)s) AS n
"""
_ACCOUNTS = """
INSERT INTO transactions_ledgeraccount (id, owner_id, currency, rolled_up, balance, held, floor, version, last_seq,
       posted_at, total_in, total_out, outflow_day, outflow_day_amount, outflow_month, outflow_month_amount, created_at)
SELECT (%(wallet_prefix)s || %(zero)s + n)::uuid, (%(customer_prefix)s || %(zero)s + n / 4)::uuid, %(currency)s, false,
       %(balance)s, 0, 0, %(version)s, %(last_seq)s, now(), %(total_in)s, %(total_out)s,
       (now() AT TIME ZONE 'UTC')::date, %(day_amount)s, date_trunc('month', now() AT TIME ZONE 'UTC')::date,
       %(month_amount)s, now()
FROM generate_series(%(first)s, %(last)s, %(apart)s) AS n
"""
_WALLETS = """
INSERT INTO wallets_wallet (id, user_id, currency, status, status_reason, label, metadata, created_at, updated_at)
SELECT (%(wallet_prefix)s || %(zero)s + n)::uuid, (%(customer_prefix)s || %(zero)s + n / 4)::uuid, %(currency)s,
       'active', '', '', '{}', now(), now()
FROM generate_series(%(first)s, %(last)s, %(apart)s) AS n
"""
_SYSTEM_ACCOUNT = """
INSERT INTO transactions_ledgeraccount (id, code, currency, rolled_up, balance, held, floor, version, last_seq,
       total_in, total_out, outflow_day_amount, outflow_month_amount, created_at)
VALUES (%(system)s, %(code)s, %(currency)s, true, 0, 0, NULL, 0, 0, 0, 0, 0, 0, now()) ON CONFLICT DO NOTHING
"""
_TRANSFER = """
INSERT INTO transactions_transfer (id, kind, status, actor, request_id, description, reference, metadata, failure_code,
       effective_at, created_at, completed_at)
VALUES (%(transfer)s, 'adjustment', 'completed', 'system', '', '', '', '{}', '', now(), now(), now())
"""
_LINES = """
INSERT INTO transactions_transaction (id, transfer_id, account_id, type, amount, status, seq, balance_after, created_at,
       completed_at)
SELECT gen_random_uuid(), %(transfer)s, (%(wallet_prefix)s || %(zero)s + n)::uuid, 'adjustment', %(amount)s,
       'completed', %(seq)s, %(balance_after)s, now(), now() + %(seq)s * interval '1 microsecond'
FROM generate_series(%(first)s, %(last)s, %(apart)s) AS n
UNION ALL
SELECT gen_random_uuid(), %(transfer)s, %(system)s, 'adjustment', %(other_side)s, 'completed', NULL, NULL, now(), now()
"""
_DELTA = "INSERT INTO transactions_delta (account_id, amount) VALUES (%(system)s, %(other_side)s)"


def seed(connection: psycopg.Connection, *, first: int, last: int) -> None:
    """Make customers `first` (even) to `last` (odd), inclusive, each with a wallet in each currency."""
    shared = {"customer_prefix": CUSTOMER_PREFIX, "wallet_prefix": WALLET_PREFIX, "zero": FIRST_NUMBER}
    # Bound by the client: PostgreSQL can't tell the type of a parameter that is only concatenated.
    with psycopg.ClientCursor(connection) as cursor:
        cursor.execute(_CUSTOMERS, {**shared, "first": first, "last": last})
        for is_target, standing in enumerate((SOURCE, TARGET)):
            for place, currency in enumerate(CURRENCIES):
                numbers = range(
                    (first + is_target) * len(CURRENCIES) + place,
                    (last + 1) * len(CURRENCIES),
                    2 * len(CURRENCIES),
                )
                _seed_wallets(cursor, standing, currency, numbers, shared)
    connection.commit()


def _seed_wallets(
    cursor: psycopg.ClientCursor[Any],
    standing: Standing,
    currency: str,
    numbers: range,
    shared: dict[str, Any],
) -> None:
    system = chart.adjustments(currency=currency)
    values: dict[str, Any] = {
        **shared,
        "first": numbers[0],
        "last": numbers[-1],
        "apart": numbers.step,
        "currency": currency,
        "balance": standing.balance,
        "version": standing.version,
        "last_seq": standing.last_seq,
        "total_in": standing.total_in,
        "total_out": standing.total_out,
        "day_amount": standing.day_amount,
        "month_amount": standing.month_amount,
        "system": system.id,
        "code": system.code,
    }
    for statement in (_ACCOUNTS, _WALLETS, _SYSTEM_ACCOUNT):
        cursor.execute(statement, values)
    balances = accumulate(standing.booked)
    for seq, (amount, balance_after) in enumerate(zip(standing.booked, balances, strict=True), start=1):
        line = {
            "transfer": uuid7(),
            "seq": seq,
            "amount": amount,
            "balance_after": balance_after,
            "other_side": -amount * len(numbers),
        }
        for statement in (_TRANSFER, _LINES, _DELTA):
            cursor.execute(statement, values | line)
