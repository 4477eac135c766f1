"""Tamper evidence: what was completed and recorded is sealed in batches into a chain of signed checkpoints.

Nothing of this is on the way of money. A task finds accounts with new lines by a hint (the ids of recent lines,
and the audit entries that tell of settled ones) and seals each account's lines from its last seal on by `seq`,
which is gapless and follows the order of commits. The hint may overlook a line; nothing is then skipped: the
account's next seal starts where its last one ended, and `seal_overlooked` looks at every account once a day.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any
from uuid import UUID

import structlog
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.db import transaction

from events.clock import now
from events.partitions import first_id_of, month_of
from transactions.digests import (
    EntryDigest,
    Span,
    digest_of,
    entry_digests,
    joined,
    line_digests,
    marks_of,
)
from transactions.prepared import run

LINES_AT_ONCE = 5_000
BATCHES_AT_ONCE = 20
# How far back lines are looked for again, since ids commit out of order.
OVERLAP = timedelta(seconds=60)
# How far the clocks of servers that write audit entries may be apart.
CLOCKS_APART_S = 10.0

NOTHING_BEFORE = UUID(int=0)
_ADVISORY_LOCK = 0x5EA1
_SIGNED = b"open-wallet checkpoint 1\n"

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One checkpoint of the chain, as its row says."""

    number: int
    previous: bytes
    contents: bytes
    digest: bytes
    key_id: str
    signature: bytes
    lines: int
    scanned_to: UUID
    audit_after: UUID
    audit_to: UUID
    audit_digest: bytes
    audit_marks: bytes
    sealed_at: datetime

    def own_digest(self) -> bytes:
        """Hash what the checkpoint says, and thereby all checkpoints before it."""
        facts = (
            self.number,
            self.previous.hex(),
            self.contents.hex(),
            self.key_id,
            self.lines,
            self.scanned_to,
            self.audit_after,
            self.audit_to,
            self.audit_digest.hex(),
            self.sealed_at,
        )
        return digest_of("checkpoint", *facts)

    def is_signed(self) -> bool | None:
        """Tell whether its key has signed it; None when the ring doesn't have that key any more."""
        key = sealing_keys(settings.JWT_SIGNING_KEYS).get(self.key_id)
        if key is None:
            return None
        try:
            key.public_key().verify(self.signature, _SIGNED + self.digest)
        except InvalidSignature:
            return False
        return True


LINK_COLUMNS = tuple(Link.__dataclass_fields__)
SELECT_LINKS = f"SELECT {', '.join(LINK_COLUMNS)} FROM transactions_checkpoint"

_INSERT_LINK = (
    f"INSERT INTO transactions_checkpoint ({', '.join(LINK_COLUMNS)})"
    f" VALUES ({', '.join(['%s'] * len(LINK_COLUMNS))})"
)
_INSERT_SEALS = (
    "INSERT INTO transactions_seal (account_id, from_seq, to_seq, checkpoint_id, digest, marks)"
    " SELECT account_id, from_seq, to_seq, %s, digest, marks FROM"
    " unnest(%s::uuid[], %s::bigint[], %s::bigint[], %s::bytea[], %s::bytea[])"
    " AS s (account_id, from_seq, to_seq, digest, marks)"
)
_SEALED_TO = "coalesce((SELECT max(s.to_seq) FROM transactions_seal AS s WHERE s.account_id = a.id), 0)"
_UNSEALED = (
    "SELECT id, sealed_to, last_seq FROM"
    f" (SELECT a.id, a.last_seq, {_SEALED_TO} AS sealed_to FROM transactions_ledgeraccount AS a"
    "   WHERE a.id = ANY(%s::uuid[]) AND NOT a.rolled_up) AS a"
    " WHERE last_seq > sealed_to ORDER BY id"
)
_OVERLOOKED = (
    "SELECT a.id FROM transactions_ledgeraccount AS a"
    f" WHERE NOT a.rolled_up AND a.id > %s AND a.last_seq > {_SEALED_TO} ORDER BY a.id LIMIT %s"
)
_RECENT_LINES = "SELECT id, account_id FROM transactions_transaction WHERE id > %s AND seq IS NOT NULL ORDER BY id LIMIT %s"
# Whoever began before this moment may still write an entry with an older id.
_OLDEST_WRITER = (
    "SELECT least(now(), min(xact_start)) - make_interval(secs => %s) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


@dataclass(frozen=True, slots=True)
class Sealed:
    """What one seal says of an account's span."""

    span: Span
    digest: bytes
    marks: bytes


def span_digest(span: Span, digests: Sequence[bytes]) -> bytes:
    """Hash a span's lines in their order, together with what the span is."""
    return digest_of("span", span.account_id, span.from_seq, span.to_seq, joined(digests).hex())


def contents_digest(sealed: Sequence[tuple[Span, bytes]]) -> bytes:
    """Hash all seals of a checkpoint; they come in the order of their accounts."""
    return joined(digest_of(*span, digest.hex()) for span, digest in sealed)


@lru_cache(maxsize=8)
def sealing_keys(signing_keys: tuple[tuple[str, bytes], ...]) -> dict[str, Ed25519PrivateKey]:
    """Derive the ring that seals from the ring that signs tokens: the same names, other keys."""
    return {
        name: Ed25519PrivateKey.from_private_bytes(
            HKDF(algorithm=SHA256(), length=32, salt=None, info=b"open-wallet checkpoints").derive(seed)
        )
        for name, seed in signing_keys
    }


def seal_recent() -> int:
    """Seal new lines and audit entries, batch by batch; tell how many lines were sealed."""
    lines = 0
    hint: UUID | None = None
    for _ in range(BATCHES_AT_ONCE):
        with transaction.atomic():
            if not _may_seal():
                break
            last = last_link()
            scan = _RecentLines.after(hint or (last.scanned_to if last else NOTHING_BEFORE))
            link, has_more = _seal(last, scan.accounts, scanned_to=scan.kept_hint, must_move=scan.is_full)
        lines += link.lines if link else 0
        # What the batch had no room for is looked for again.
        hint = hint if has_more else scan.seen_to
        if not (has_more or scan.is_full):
            break
    return lines


def seal_overlooked(*, accounts_at_once: int = 1_000) -> int:
    """Look at every account, and seal the lines beyond its last seal; tell how many lines were sealed."""
    lines = 0
    beyond = NOTHING_BEFORE
    while found := [row[0] for row in run(_OVERLOOKED, (beyond, accounts_at_once))]:
        has_more = True
        while has_more:
            with transaction.atomic():
                if not _may_seal():
                    return lines
                last = last_link()
                link, has_more = _seal(last, found, scanned_to=NOTHING_BEFORE)
            lines += link.lines if link else 0
        beyond = found[-1]
    return lines


def last_link() -> Link | None:
    """Read the newest checkpoint."""
    rows = run(f"{SELECT_LINKS} ORDER BY number DESC LIMIT 1", ())
    return Link(**dict(zip(LINK_COLUMNS, rows[0], strict=True))) if rows else None


def _may_seal() -> bool:
    return bool(run("SELECT pg_try_advisory_xact_lock(%s)", (_ADVISORY_LOCK,))[0][0])


@dataclass(frozen=True, slots=True)
class _RecentLines:
    accounts: list[UUID]
    seen_to: UUID
    kept_hint: UUID
    is_full: bool

    @classmethod
    def after(cls, hint: UUID) -> "_RecentLines":
        rows = run(_RECENT_LINES, (hint, LINES_AT_ONCE))
        seen_to = rows[-1][0] if rows else hint
        return cls(
            accounts=sorted({account_id for _, account_id in rows}),
            seen_to=seen_to,
            # Ids go by the machine's clock, whatever the time is that money goes by.
            kept_hint=min(seen_to, first_id_of(datetime.now(UTC) - OVERLAP)),
            is_full=len(rows) == LINES_AT_ONCE,
        )


def _seal(
    last: Link | None, accounts: Sequence[UUID], *, scanned_to: UUID, must_move: bool = False
) -> tuple[Link | None, bool]:
    """Write one checkpoint, if there is anything for it; tell whether more is waiting.

    `scanned_to` is where the next search begins, once all that was found until there is sealed; with `must_move`
    a checkpoint is written for that alone.
    """
    before = last.scanned_to if last else NOTHING_BEFORE
    entries = _unsealed_entries(last.audit_to if last else NOTHING_BEFORE)
    # A look at a list of transactions names none of them.
    settled = [entry.object_id for entry in entries if entry.object_type == "transaction" and entry.object_id]
    spans, has_more = _unsealed_spans({*accounts, *_accounts_of(settled)})
    sealed = _sealed(spans)
    scanned_to = before if has_more else max(before, scanned_to)
    key_id = next(iter(sealing_keys(settings.JWT_SIGNING_KEYS)))
    # A chain that ends with a key on its way out goes on with the new one, so that the old one may leave.
    is_due = bool(sealed or entries) or (last is not None and last.key_id != key_id)
    if not is_due and not (must_move and scanned_to > before):
        return None, has_more
    link = _link(last, sealed, entries, scanned_to=scanned_to, key_id=key_id)
    run(_INSERT_LINK, tuple(getattr(link, column) for column in LINK_COLUMNS))
    if sealed:
        columns = [list(column) for column in zip(*(one.span for one in sealed), strict=True)]
        run(
            _INSERT_SEALS,
            (link.number, *columns, [one.digest for one in sealed], [one.marks for one in sealed]),
        )
    # Kept in the logs, the newest number and digest tell whether the end of the chain was cut off.
    _log.info(
        "sealed", checkpoint=link.number, digest=link.digest.hex(), lines=link.lines, entries=len(entries)
    )
    return link, has_more or len(entries) == LINES_AT_ONCE


def _unsealed_spans(accounts: set[UUID]) -> tuple[list[Span], bool]:
    spans: list[Span] = []
    room = LINES_AT_ONCE
    for account_id, sealed_to, last_seq in run(_UNSEALED, (sorted(accounts),)) if accounts else ():
        if room == 0:
            return spans, True
        to_seq = min(last_seq, sealed_to + room)
        spans.append(Span(account_id, sealed_to + 1, to_seq))
        room -= to_seq - sealed_to
        if to_seq < last_seq:
            return spans, True
    return spans, False


def _sealed(spans: Sequence[Span]) -> list[Sealed]:
    if not spans:
        return []
    found = line_digests(spans)
    sealed = []
    for span in spans:
        lines = found[span.account_id]
        digests = [lines[seq].digest for seq in range(span.from_seq, span.to_seq + 1)]
        sealed.append(Sealed(span, span_digest(span, digests), marks_of(digests)))
    return sealed


def _unsealed_entries(after: UUID) -> list[EntryDigest]:
    """Read the entries that come next, of one month: its partition may be archived before the next one's."""
    oldest_writer: Any = run(_OLDEST_WRITER, (CLOCKS_APART_S,))[0][0]
    entries = entry_digests(after=after, to=first_id_of(oldest_writer), count=LINES_AT_ONCE)
    return [entry for entry in entries if month_of(entry.id) == month_of(entries[0].id)]


def _accounts_of(line_ids: Sequence[str]) -> list[UUID]:
    if not line_ids:
        return []
    rows = run(
        "SELECT account_id FROM transactions_transaction WHERE id = ANY(%s::uuid[]) AND seq IS NOT NULL",
        (list(line_ids),),
    )
    return [account_id for (account_id,) in rows]


def _link(
    last: Link | None,
    sealed: Sequence[Sealed],
    entries: Sequence[EntryDigest],
    *,
    scanned_to: UUID,
    key_id: str,
) -> Link:
    audit_after = last.audit_to if last else NOTHING_BEFORE
    facts: dict[str, Any] = {
        "number": last.number + 1 if last else 1,
        "previous": last.digest if last else b"",
        "contents": contents_digest([(one.span, one.digest) for one in sealed]),
        "key_id": key_id,
        "lines": sum(one.span.to_seq - one.span.from_seq + 1 for one in sealed),
        "scanned_to": scanned_to,
        "audit_after": audit_after,
        "audit_to": entries[-1].id if entries else audit_after,
        "audit_digest": joined(entry.digest for entry in entries),
        "audit_marks": marks_of(entry.digest for entry in entries),
        "sealed_at": now(),
    }
    digest = Link(**facts, digest=b"", signature=b"").own_digest()
    key = sealing_keys(settings.JWT_SIGNING_KEYS)[key_id]
    return Link(**facts, digest=digest, signature=key.sign(_SIGNED + digest))
