"""What stays as quick when the book grows: transfers, and pages of history, among up to five million lines.

Lines are written by the database itself, as transfers of one minor unit between two wallets would have: numbered,
with running balances, each pair of lines summing to zero, so that the book balances afterwards.
"""

import http.client
import json
from dataclasses import dataclass
from http import HTTPStatus
from statistics import median
from time import perf_counter
from typing import Any
from urllib.parse import urlsplit

import psycopg

from tests.benchmarks.numbered import CURRENCIES, FIRST_NUMBER, WALLET_PREFIX, wallet_id
from tests.benchmarks.seeds import SOURCE, TARGET, seed
from tests.benchmarks.transfer_steps import access_token

LEVELS = (100_000, 1_000_000, 5_000_000)
LINES_OF_A_PAIR = 1_000
LONG_HISTORY = 100_000
SHORT_HISTORY = 100
PAGES = 60
LINES_OF_A_PAGE = 20
LINES_OF_A_STRIDE = 100

_TRANSFERS = """
INSERT INTO transactions_transfer (id, kind, status, actor, request_id, description, reference, metadata, failure_code,
       effective_at, created_at, completed_at)
SELECT (lpad(to_hex(%(stamp)s + step), 8, '0') || '-0000-7abc-8abc-a' || %(zero)s + n)::uuid, 'transfer', 'completed',
       'system', '', '', '', '{}', '', now(), now(), now()
FROM generate_series(1, %(steps)s) AS step, generate_series(%(first)s, %(last)s, %(apart)s) AS n
"""
_LINES = """
INSERT INTO transactions_transaction (id, transfer_id, account_id, type, amount, status, seq, balance_after, created_at,
       completed_at)
SELECT (lpad(to_hex(%(stamp)s + step), 8, '0') || side.mark || '-7abc-8abc-a' || %(zero)s + n)::uuid,
       (lpad(to_hex(%(stamp)s + step), 8, '0') || '-0000-7abc-8abc-a' || %(zero)s + n)::uuid,
       (%(wallet_prefix)s || %(zero)s + n + side.ahead)::uuid, side.type, side.amount, 'completed',
       side.last_seq + step, side.balance + side.amount * step, now(), now() + step * interval '1 microsecond'
FROM generate_series(1, %(steps)s) AS step, generate_series(%(first)s, %(last)s, %(apart)s) AS n,
     (VALUES ('-0001', 0, 'transfer_out', -1, %(source_seq)s, %(source_balance)s),
             ('-0002', %(ahead)s, 'transfer_in', 1, %(target_seq)s, %(target_balance)s))
     AS side (mark, ahead, type, amount, last_seq, balance)
"""
_ACCOUNTS = """
UPDATE transactions_ledgeraccount AS a
SET balance = balance + side.amount * %(steps)s, version = version + %(steps)s, last_seq = last_seq + %(steps)s,
    posted_at = now() + %(steps)s * interval '1 microsecond', total_in = total_in + side.incoming * %(steps)s,
    total_out = total_out + side.outgoing * %(steps)s
FROM generate_series(%(first)s, %(last)s, %(apart)s) AS n, (VALUES (0, -1, 0, 1), (%(ahead)s, 1, 1, 0))
     AS side (ahead, amount, incoming, outgoing)
WHERE a.id = (%(wallet_prefix)s || %(zero)s + n + side.ahead)::uuid
"""


@dataclass
class Book:
    """The book under growth: how many lines were added, and which customer comes next."""

    connection: psycopg.Connection
    next_customer: int
    lines: int = 0

    def grow_to(self, lines: int) -> None:
        """Add pairs of wallets with their lines until there are so many."""
        pairs = max(0, lines - self.lines) // LINES_OF_A_PAIR
        if pairs:
            self.add_pairs(pairs, transfers_each=LINES_OF_A_PAIR // 2)
        self.connection.commit()
        self.connection.autocommit = True
        self.connection.execute("VACUUM ANALYZE")
        self.connection.autocommit = False

    def add_pairs(self, pairs: int, *, transfers_each: int) -> int:
        """Add wallets that transfer to each other so often; gives the first pair's source by number."""
        first = self.next_customer
        self.next_customer += 2 * pairs
        seed(self.connection, first=first, last=self.next_customer - 1)
        numbers = range(first * len(CURRENCIES), self.next_customer * len(CURRENCIES), 2 * len(CURRENCIES))
        values = {
            "stamp": 0x40000000 + self.lines,
            "zero": FIRST_NUMBER,
            "steps": transfers_each,
            "first": numbers[0],
            "last": numbers[-1],
            "apart": numbers.step,
            "ahead": len(CURRENCIES),
            "wallet_prefix": WALLET_PREFIX,
            "source_seq": SOURCE.last_seq,
            "source_balance": SOURCE.balance,
            "target_seq": TARGET.last_seq,
            "target_balance": TARGET.balance,
        }
        with psycopg.ClientCursor(self.connection) as cursor:
            for statement in (_TRANSFERS, _LINES, _ACCOUNTS):
                cursor.execute(statement, values)
        self.connection.commit()
        self.lines += 2 * transfers_each * pairs
        return numbers[0]


@dataclass(frozen=True)
class Pages:
    """The time of a page of history in milliseconds: of its first pages, and of its deepest."""

    first_ms: float
    deepest_ms: float


def walk_history(*, port: int, wallet: int) -> Pages:
    """Read a wallet's whole history over HTTP, page by page, and time its ends: medians of 60 pages."""
    token = access_token(customer=wallet // len(CURRENCIES))
    history = f"/api/v1/wallet/{wallet_id(wallet)}/transactions"
    first = f"{history}?limit={LINES_OF_A_PAGE}"
    path, visited = f"{history}?limit={LINES_OF_A_STRIDE}", [first]
    while path:
        visited.append(path)
        page, _ = _page(path, port, token)
        following = urlsplit(page["next"] or "")
        path = f"{following.path}?{following.query}" if following.path else ""
    # Its `limit` is changed, so that both ends are pages of one size.
    deepest = visited[-1].replace(f"limit={LINES_OF_A_STRIDE}", f"limit={LINES_OF_A_PAGE}")
    return Pages(first_ms=_median_ms(first, port, token), deepest_ms=_median_ms(deepest, port, token))


def _median_ms(path: str, port: int, token: str) -> float:
    return median(_page(path, port, token)[1] for _ in range(PAGES)) * 1000


def _page(path: str, port: int, token: str) -> tuple[Any, float]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        started = perf_counter()
        connection.request("GET", path, headers={"Authorization": f"Bearer {token}"})
        answer = connection.getresponse()
        body = answer.read()
        took_s = perf_counter() - started
    finally:
        connection.close()
    if answer.status != HTTPStatus.OK:
        raise SystemExit(f"A page of history was answered {answer.status}: {body!r}")
    return json.loads(body), took_s
