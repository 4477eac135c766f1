"""Thousands of movements at once: the ledger's rules, written set by set instead of one by one.

The caller has locked all accounts in id order. Balances run in memory, exact for accounts that appear many times;
the rows go in by COPY, lines sorted by account and `seq` as their unique index wants them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
import psycopg
import uuid_utils
from django.db import connection, transaction

from events import context
from events.signals import wallet_balance_changed
from transactions.accounts import Account
from transactions.idempotency import Answer, KeyedCall, store
from transactions.models import LineType, TransferKind
from transactions.prepared import run

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
    return [
        f"{posted.id}\t{head}\t{posted.description.translate(_ESCAPES)}\t\t{_json(posted.metadata)}\t"
        f"\t{at}\t{at}\t{posted.completed_at}"
        for posted in transfers
    ]


def _json(metadata: dict[str, Any]) -> str:
    return orjson.dumps(metadata).decode().translate(_ESCAPES) if metadata else "{}"


def _line_rows(transfers: Sequence[BulkTransfer], *, at: datetime) -> list[str]:
    lines = [
        (line[1].id.int, line[3], posted.id, line, line_type)
        for posted in transfers
        for line, line_type in (
            (posted.debit, LineType.TRANSFER_OUT.value),
            (posted.credit, LineType.TRANSFER_IN.value),
        )
    ]
    lines.sort(key=lambda line: line[:2])
    return [
        f"{line_id}\t{transfer_id}\t{account.id}\t{line_type}\t{amount}\tcompleted\t{seq}\t{balance}\t{at}\t{when}"
        for _, _, transfer_id, (line_id, account, amount, seq, balance, when), line_type in lines
    ]


def _outbox_rows(transfers: Sequence[BulkTransfer], *, at: datetime) -> list[str]:
    request = context.current()
    tail = f"{request.request_id.translate(_ESCAPES)}\t{request.traceparent}\t{at}"
    rows = []
    for posted in transfers:
        payload = {
            "transfer": posted.id,
            "kind": TransferKind.TRANSFER.value,
            "is_new": True,
            "description": posted.description,
            "reference": "",
            "metadata": posted.metadata,
            "payment_id": None,
            "refund_of": None,
            "failure_code": "",
            "effective_at": at,
            "created_at": at,
            "lines": [
                (line_id, account.id, line_type, amount, account.currency, seq, balance, completed_at)
                for (line_id, account, amount, seq, balance, completed_at), line_type in (
                    (posted.debit, LineType.TRANSFER_OUT.value),
                    (posted.credit, LineType.TRANSFER_IN.value),
                )
            ],
            "accounts": [
                (account.id, account.currency, balance, account.held)
                for _, account, _, _, balance, _ in (posted.debit, posted.credit)
            ],
        }
        written = orjson.dumps(payload, option=orjson.OPT_UTC_Z).decode().translate(_ESCAPES)
        rows.append(f"{uuid_utils.uuid7()}\ttransfer.completed\t{written}\t{tail}")
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
