"""The proof of the seals: that all that was sealed is still there and says what it said.

It goes through the chain from its beginning, in one snapshot, and names in that order whatever differs. The
newest checkpoint's signature vouches for the whole chain before it, whatever keys have left the ring since.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from events.partitions import first_id_of, leaves_of
from transactions.digests import MARK_BYTES, LineDigest, Span, entry_digests, joined, line_digests
from transactions.prepared import run
from transactions.seals import (
    LINES_AT_ONCE,
    LINK_COLUMNS,
    SELECT_LINKS,
    Link,
    Sealed,
    contents_digest,
    span_digest,
)

_CHECKPOINTS_AT_ONCE = 200
_SEALS_OF = (
    "SELECT account_id, from_seq, to_seq, digest, marks FROM transactions_seal WHERE checkpoint_id = %s"
    " ORDER BY account_id"
)
_GAPS = (
    "SELECT account_id, from_seq, before FROM (SELECT account_id, from_seq,"
    "   lag(to_seq, 1, 0::bigint) OVER (PARTITION BY account_id ORDER BY to_seq) AS before FROM transactions_seal) AS s"
    " WHERE from_seq <> before + 1 ORDER BY account_id, from_seq"
)
_STRAYS = (
    "SELECT DISTINCT s.checkpoint_id FROM transactions_seal AS s WHERE NOT EXISTS"
    " (SELECT FROM transactions_checkpoint AS c WHERE c.number = s.checkpoint_id) ORDER BY s.checkpoint_id"
)
_UNCOVERED = (
    "SELECT t.id FROM transactions_transfer AS t WHERE t.status = 'completed' AND NOT EXISTS"
    " (SELECT FROM transactions_transaction AS l WHERE l.transfer_id = t.id AND l.seq IS NOT NULL) ORDER BY t.id"
)


def check_seals(*, expected: tuple[int, str] | None = None) -> Iterator[str]:
    """Prove the whole chain in one snapshot; give what differs, in the order of the chain.

    `expected` is the number and the hexadecimal digest of a checkpoint that was noted elsewhere: a chain whose
    end was cut off, or that was made anew, doesn't have it.
    """
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            cursor.execute("SET LOCAL statement_timeout = 0")
        kept_from = _kept_from()
        last: Link | None = None
        for link in _links():
            if expected is not None and link.number == expected[0] and link.digest.hex() != expected[1]:
                yield f"checkpoint {link.number} is another than the one that was noted"
            yield from _link_breaches(link, last)
            yield from _contents_breaches(link)
            yield from _audit_breaches(link, kept_from)
            last = link
        if last is not None and last.is_signed() is None:
            yield f"checkpoint {last.number}, the newest one, is signed by the unknown key {last.key_id}"
        if expected is not None and (last is None or last.number < expected[0]):
            yield f"checkpoint {expected[0]}, which was noted, is gone: the chain was cut off"
        yield from _overall_breaches()


def _links() -> Iterator[Link]:
    number = -1
    while rows := run(
        f"{SELECT_LINKS} WHERE number > %s ORDER BY number LIMIT %s", (number, _CHECKPOINTS_AT_ONCE)
    ):
        for row in rows:
            yield Link(**dict(zip(LINK_COLUMNS, row, strict=True)))
        number = rows[-1][0]


def _link_breaches(link: Link, last: Link | None) -> Iterator[str]:
    number = last.number + 1 if last else 1
    if link.number != number:
        yield f"checkpoint {number} is gone"
    elif link.previous != (last.digest if last else b"") or link.audit_after != (
        last.audit_to if last else UUID(int=0)
    ):
        yield f"checkpoint {link.number} doesn't follow the one before it"
    if link.digest != link.own_digest():
        yield f"checkpoint {link.number} was changed"
    elif link.is_signed() is False:
        yield f"checkpoint {link.number} isn't signed by its key {link.key_id}"


def _contents_breaches(link: Link) -> Iterator[str]:
    seals = [Sealed(Span(*row[:3]), row[3], row[4]) for row in run(_SEALS_OF, (link.number,))]
    for some in _batches(seals):
        found = line_digests([seal.span for seal in some])
        for seal in some:
            yield from _span_breaches(link, seal, found[seal.span.account_id])
    if contents_digest([(seal.span, seal.digest) for seal in seals]) != link.contents:
        yield f"the seals of checkpoint {link.number} were changed"


def _batches(seals: Sequence[Sealed]) -> Iterator[list[Sealed]]:
    waiting = iter(seals)
    while some := list(islice(waiting, LINES_AT_ONCE)):
        yield some


def _span_breaches(link: Link, seal: Sealed, lines: dict[int, LineDigest]) -> Iterator[str]:
    span = seal.span
    numbers = range(span.from_seq, span.to_seq + 1)
    is_whole = len(lines) == len(numbers)
    if is_whole and span_digest(span, [lines[seq].digest for seq in numbers]) == seal.digest:
        return
    where = f"of account {span.account_id}, sealed by checkpoint {link.number},"
    differs = False
    for place, seq in enumerate(numbers):
        line = lines.get(seq)
        mark = seal.marks[place * MARK_BYTES : (place + 1) * MARK_BYTES]
        if line is None:
            differs = True
            yield f"line {seq} {where} is gone"
        elif line.digest[:MARK_BYTES] != mark:
            differs = True
            yield f"line {seq} {where} was changed: transaction {line.id}, transfer {line.transfer_id}"
    if not differs:
        yield f"the seal of lines {span.from_seq} to {span.to_seq} {where} was changed"


def _audit_breaches(link: Link, kept_from: UUID) -> Iterator[str]:
    if link.audit_to == link.audit_after or link.audit_to < kept_from:
        return  # sealed no entry, or entries that have been archived since
    marks = [
        link.audit_marks[start : start + MARK_BYTES] for start in range(0, len(link.audit_marks), MARK_BYTES)
    ]
    after = max(link.audit_after, UUID(int=kept_from.int - 1))
    entries = entry_digests(after=after, to=link.audit_to, count=len(marks) + 1)
    if len(entries) == len(marks) and joined(entry.digest for entry in entries) == link.audit_digest:
        return
    known = set(marks)
    changed = [entry for entry in entries if entry.digest[:MARK_BYTES] not in known]
    for entry in changed:
        yield f"audit entry {entry.id}, sealed by checkpoint {link.number}, was changed or added"
    if len(entries) != len(marks) or not changed:
        yield f"checkpoint {link.number} sealed {len(marks)} audit entries, and there are {len(entries)}"


def _kept_from() -> UUID:
    """Give the least id of the oldest month of the audit trail that hasn't been archived."""
    year, month = (int(part) for part in leaves_of("events_auditentry")[0].split("_"))
    return first_id_of(datetime(year, month, 1, tzinfo=UTC))


def _overall_breaches() -> Iterator[str]:
    rows: list[tuple[Any, ...]] = run(_GAPS, ())
    for account_id, from_seq, before in rows:
        yield f"account {account_id} is sealed to {before} and from {from_seq} on: seals are missing or doubled"
    for (number,) in run(_STRAYS, ()):
        yield f"checkpoint {number} is gone, and its seals are there"
    for (transfer_id,) in run(_UNCOVERED, ()):
        yield f"transfer {transfer_id} touches no wallet, so that no seal covers it"
