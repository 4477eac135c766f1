"""What is sealed of a line, of a transfer and of an audit entry: every column, in one unambiguous form.

A line's digest holds that of its whole transfer with all of its lines. Lines of system accounts have no number
of their own to be sealed by; they are covered by the wallets' lines of the same transfer.
"""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple
from uuid import UUID

import orjson

from transactions.prepared import run

MARK_BYTES = 16

_LINE_COLUMNS = (
    "l.id, l.transfer_id, l.account_id, a.currency, l.type, l.amount, l.status, l.seq, l.balance_after,"
    " l.created_at, l.completed_at"
)
_NUMBERED_LINES = (
    f"SELECT {_LINE_COLUMNS} FROM unnest(%s::uuid[], %s::bigint[], %s::bigint[]) AS r (account_id, low, high)"
    " JOIN transactions_transaction AS l ON l.account_id = r.account_id AND l.seq BETWEEN r.low AND r.high"
    " LEFT JOIN transactions_ledgeraccount AS a ON a.id = l.account_id ORDER BY l.account_id, l.seq"
)
_LINES_OF_TRANSFERS = (
    f"SELECT {_LINE_COLUMNS} FROM transactions_transaction AS l"
    " LEFT JOIN transactions_ledgeraccount AS a ON a.id = l.account_id"
    " WHERE l.transfer_id = ANY(%s::uuid[]) ORDER BY l.transfer_id, l.id"
)
_TRANSFERS = (
    "SELECT id, kind, status, actor, request_id, description, reference, metadata::text, payment_id, hold_id,"
    " refund_of, reverses, failure_code, effective_at, created_at, completed_at FROM transactions_transfer"
    " WHERE id = ANY(%s::uuid[])"
)
_AUDIT_ENTRIES = (
    "SELECT id, at, actor, action, object_type, object_id, from_state, to_state, reason, before::text,"
    " after::text, request_id, address FROM events_auditentry WHERE id > %s AND id <= %s ORDER BY id LIMIT %s"
)


class Span(NamedTuple):
    """An account's lines from one number to another, both included."""

    account_id: UUID
    from_seq: int
    to_seq: int


class LineDigest(NamedTuple):
    """One numbered line and the digest of all that it says and belongs to."""

    id: UUID
    transfer_id: UUID
    digest: bytes


class EntryDigest(NamedTuple):
    """One audit entry, what it concerns, and its digest."""

    id: UUID
    object_type: str
    object_id: str
    to_state: str
    digest: bytes


def digest_of(*parts: Any) -> bytes:
    """Hash values with SHA-256, in a form in which no two different lists of values look alike."""
    return hashlib.sha256(orjson.dumps(parts, option=orjson.OPT_UTC_Z)).digest()


def joined(digests: Iterable[bytes]) -> bytes:
    """Hash digests in their order."""
    return hashlib.sha256(b"".join(digests)).digest()


def marks_of(digests: Iterable[bytes]) -> bytes:
    """Keep of each digest what finds the one that differs."""
    return b"".join(digest[:MARK_BYTES] for digest in digests)


def line_digests(spans: Sequence[Span]) -> dict[UUID, dict[int, LineDigest]]:
    """Digest the lines that the book has of these spans, by account and number."""
    accounts, lows, highs = (list(column) for column in zip(*spans, strict=True))
    numbered = run(_NUMBERED_LINES, (accounts, lows, highs))
    transfers = _transfer_digests({row[1] for row in numbered})
    found: dict[UUID, dict[int, LineDigest]] = {span.account_id: {} for span in spans}
    for row in numbered:
        line_id, transfer_id, account_id, seq = row[0], row[1], row[2], row[7]
        digest = joined((digest_of("line", *row), transfers[transfer_id]))
        found[account_id][seq] = LineDigest(line_id, transfer_id, digest)
    return found


def _transfer_digests(ids: set[UUID]) -> dict[UUID, bytes]:
    wanted = sorted(ids)
    parts: dict[UUID, list[bytes]] = {transfer_id: [] for transfer_id in wanted}
    for row in run(_TRANSFERS, (wanted,)):
        parts[row[0]].append(digest_of("transfer", *row))
    for row in run(_LINES_OF_TRANSFERS, (wanted,)):
        parts[row[1]].append(digest_of("line", *row))
    return {transfer_id: joined(digests) for transfer_id, digests in parts.items()}


def entry_digests(*, after: UUID, to: UUID, count: int) -> list[EntryDigest]:
    """Digest the audit entries of `after < id <= to`, oldest first, at most `count`."""
    return [
        EntryDigest(row[0], row[4], row[5], row[7], digest_of("audit", *row))
        for row in run(_AUDIT_ENTRIES, (after, to, count))
    ]
