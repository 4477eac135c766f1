"""Keyed digests that recognise the same card or vault item again without telling which it is.

Their key is 32 random bytes, made once and kept in its own row, sealed under the ring. So a fingerprint stays
the same when the ring's keys change: rotation seals the key anew, not the fingerprints.
"""

import os
from uuid import UUID

from events.clock import now
from tokens.models import FingerprintKey
from users.sealing import keyed_digest, open_sealed, seal

ROW_ID = UUID("00000000-0000-0000-0000-000000000001")


def card_fingerprint(*, number: str) -> str:
    """Tell the fingerprint of a card number: 32 hexadecimal digits, the same for the same card for ever."""
    return keyed_digest(_key(), "card number", number)


def vault_fingerprint(*, provider: str, fingerprint: str) -> str:
    """Tell our fingerprint for a card that only the vault has seen, from the vault's own."""
    return keyed_digest(_key(), f"fingerprint of {provider}", fingerprint)


def reference_digest(*, provider: str, ref: str) -> str:
    """Tell the digest by which the sealed reference of a vault item is found."""
    return keyed_digest(_key(), f"reference of {provider}", ref)


def _key() -> bytes:
    """Read the key; the first caller ever makes it, and of several at once one wins for all."""
    table = FingerprintKey._meta.db_table
    row = FingerprintKey.objects.filter(id=ROW_ID).first()
    if row is None:
        fresh = FingerprintKey(id=ROW_ID, sealed="", created_at=now())
        fresh.sealed = seal(os.urandom(32), table=table, column="sealed", row_id=ROW_ID)
        FingerprintKey.objects.bulk_create([fresh], ignore_conflicts=True)
        row = FingerprintKey.objects.get(id=ROW_ID)
    return open_sealed(row.sealed, table=table, column="sealed", row_id=ROW_ID)
