"""Thousands of movements at once: the ledger's rules, written set by set instead of one by one.

The caller has locked all accounts in id order. Balances run in memory, exact for accounts that appear many times;
the rows go in by COPY, lines sorted by account and `seq` as their unique index wants them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Any
from uuid import UUID

import orjson
import psycopg
import uuid_utils
from django.db import connection, transaction

from events import context
from events.event_types import BATCH_KIND
from events.signals import wallet_balance_changed
from transactions.accounts import Account
from transactions.idempotency import Answer, KeyedCall, store
from transactions.models import LineType, TransferKind
from transactions.prepared import run

TRANSFERS_IN_ENTRY = 4
"""So many stay below 2 kB, from where PostgreSQL would compress the row: 4, 7 and 8 µs a transfer at 4, 16 and 64."""

_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})

_COPY_TRANSFERS = (
    "COPY transactions_transfer (id, kind, status, actor, request_id, description, reference, metadata,"
    " failure_code, effective_at, created_at, completed_at) FROM STDIN"
)
_COPY_LINES = (
    "COPY transactions_transaction (id, transfer_id, account_id, type, amount, status, seq, balance_after,"
    " created_at, completed_at) FROM STDIN"
)
_COPY_OUTBOX = "COPY events_outbox (id, kind, payload, request_id, traceparent, created_at) FROM STDIN"

_UPDATE_ACCOUNTS = (
    "WITH written AS (UPDATE transactions_ledgeraccount AS a SET balance = v.balance, version = a.version + 1,"
    " last_seq = v.last_seq, posted_at = v.posted_at, total_in = v.total_in, total_out = v.total_out,"
    " outflow_day = v.outflow_day, outflow_day_amount = v.outflow_day_amount,"
    " outflow_month = v.outflow_month, outflow_month_amount = v.outflow_month_amount"
    " FROM unnest(%s::uuid[], %s::bigint[], %s::bigint[], %s::bigint[], %s::timestamptz[], %s::bigint[],"
    "   %s::bigint[], %s::date[], %s::bigint[], %s::date[], %s::bigint[])"
    " AS v (id, version, balance, last_seq, posted_at, total_in, total_out, outflow_day, outflow_day_amount,"
    "   outflow_month, outflow_month_amount)"
    " WHERE a.id = v.id AND a.version = v.version RETURNING 1) SELECT count(*) FROM written"
)


@dataclass(slots=True)
class BulkTransfer:
    """One transfer of a batch between two locked accounts, as it was posted in memory."""

    id: str
    description: str
    metadata: dict[str, Any]
    completed_at: datetime
    debit: tuple[str, Account, int, int, int, datetime]
    credit: tuple[str, Account, int, int, int, datetime]


class LostBulkLock(AssertionError):
    """An account changed although the caller claims its lock: a bug, the whole transaction rolls back."""


def take_transfer(
    source: Account,
    target: Account,
    amount: int,
    *,
    at: datetime,
    description: str,
    metadata: dict[str, Any],
) -> BulkTransfer:
    """Move `amount` minor units from one locked account to another, in memory.

    Refuses with InsufficientFunds, and changes nothing then.
    """
    out_at = source.take_line(-amount, at)
    debit = (str(uuid_utils.uuid7()), source, -amount, source.last_seq, source.balance, out_at)
    in_at = target.take_line(amount, at)
    credit = (str(uuid_utils.uuid7()), target, amount, target.last_seq, target.balance, in_at)
    return BulkTransfer(str(uuid_utils.uuid7()), description, metadata, max(out_at, in_at), debit, credit)


def post_all(
    transfers: Sequence[BulkTransfer], *, actor: str, at: datetime, call: KeyedCall, result: Any
) -> Answer:
    """Write what `take_transfer` has made: transfers, lines, outbox, balances, and the call's key with its answer.

    `call.render` is given `result`.
    """
    changed = {account.id: account for posted in transfers for account in (posted.debit[1], posted.credit[1])}
    if transfers:
        _copy(_COPY_TRANSFERS, _transfer_rows(transfers, actor=actor, at=at))
        _copy(_COPY_LINES, _line_rows(transfers, at=at))
        _copy(_COPY_OUTBOX, _outbox_rows(transfers, at=at))
        _update(list(changed.values()))
        accounts = list(changed.values())
        transaction.on_commit(
            lambda: wallet_balance_changed.send(sender=Account, accounts=accounts), robust=True
        )
    return store(call, result)


def _copy(statement: str, rows: list[str]) -> None:
    with (
        connection.wrap_database_errors,
        psycopg.Cursor(connection.connection) as cursor,
        cursor.copy(statement) as copy,
    ):
        copy.write("\n".join(rows) + "\n")


def _transfer_rows(transfers: Sequence[BulkTransfer], *, actor: str, at: datetime) -> list[str]:
    kind = TransferKind.TRANSFER.value
    head = f"{kind}\tcompleted\t{actor}\t{context.current().request_id.translate(_ESCAPES)}"
    moment = str(at)
    return [
        f"{posted.id}\t{head}\t{posted.description.translate(_ESCAPES) if posted.description else ''}\t"
        f"\t{_json(posted.metadata)}\t\t{moment}\t{moment}"
        f"\t{moment if posted.completed_at is at else posted.completed_at}"
        for posted in transfers
    ]


def _json(metadata: dict[str, Any]) -> str:
    return _escaped(metadata) if metadata else "{}"


def _escaped(value: Any) -> str:
    """Write JSON for COPY: orjson has escaped all control characters already, only backslashes are left."""
    return orjson.dumps(value, option=orjson.OPT_UTC_Z).decode().replace("\\", "\\\\")


def _line_rows(transfers: Sequence[BulkTransfer], *, at: datetime) -> list[str]:
    """Write each account's lines in the order of their numbers, and the accounts in that of their ids."""
    moment = str(at)
    rows_of: dict[UUID, tuple[str, list[str]]] = {}
    for posted in transfers:
        for line, line_type in (
            (posted.debit, LineType.TRANSFER_OUT.value),
            (posted.credit, LineType.TRANSFER_IN.value),
        ):
            line_id, account, amount, seq, balance, when = line
            known = rows_of.get(account.id)
            if known is None:
                known = rows_of[account.id] = (str(account.id), [])
            known[1].append(
                f"{line_id}\t{posted.id}\t{known[0]}\t{line_type}\t{amount}\tcompleted\t{seq}\t{balance}"
                f"\t{moment}\t{moment if when is at else when}"
            )
    return [row for account_id in sorted(rows_of, key=attrgetter("int")) for row in rows_of[account_id][1]]


def _outbox_rows(transfers: Sequence[BulkTransfer], *, at: datetime) -> list[str]:
    """Write many transfers as one entry: an entry of its own for each costs PostgreSQL more than its lines do."""
    request = context.current()
    tail = f"{request.request_id.translate(_ESCAPES)}\t{request.traceparent}\t{at}"
    rows = []
    for first in range(0, len(transfers), TRANSFERS_IN_ENTRY):
        payload = {
            "at": at,
            "transfers": [
                (
                    posted.id,
                    posted.description,
                    posted.metadata,
                    posted.debit[1].currency,
                    [
                        (line_id, account.id, amount, seq, balance, account.held, when)
                        for line_id, account, amount, seq, balance, when in (posted.debit, posted.credit)
                    ],
                )
                for posted in transfers[first : first + TRANSFERS_IN_ENTRY]
            ],
        }
        rows.append(f"{uuid_utils.uuid7()}\t{BATCH_KIND}\t{_escaped(payload)}\t{tail}")
    return rows


def _update(accounts: list[Account]) -> None:
    columns: list[list[Any]] = [
        [account.id for account in accounts],
        [account.version for account in accounts],
        [account.balance for account in accounts],
        [account.last_seq for account in accounts],
        [account.posted_at for account in accounts],
        [account.total_in for account in accounts],
        [account.total_out for account in accounts],
        [account.outflow_day for account in accounts],
        [account.outflow_day_amount for account in accounts],
        [account.outflow_month for account in accounts],
        [account.outflow_month_amount for account in accounts],
    ]
    written = run(_UPDATE_ACCOUNTS, columns)[0][0]
    if written != len(accounts):
        raise LostBulkLock(f"expected {len(accounts)} accounts, wrote {written}")
    for account in accounts:
        account.version += 1
