"""Wallets as GET shows them, kept in Redis for five minutes and replaced at commit by newer versions only.

For showing, never for deciding: money code reads the locked row. Without Redis, or when it fails, the database
answers; a commit whose process dies before it has told the cache is stale there for five minutes at the most.
"""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any
from uuid import UUID

import orjson
from django.conf import settings
from django.db import transaction

from events.clock import now
from events.redis_link import RedisAwayError, Script, link
from transactions.prepared import run
from wallets.locks import SELECT_WALLETS, LockedWallet, wallet_of_row

LIFETIME_S = 300

_VERSION_DIGITS = 19
_KEEP_NEWER = Script("""
for i, key in ipairs(KEYS) do
  local current, offered = redis.call('GET', key), ARGV[2 * i - 1]
  if not current or string.sub(current, 1, 19) < string.sub(offered, 1, 19) then
    redis.call('SET', key, offered, 'EX', ARGV[2 * i])
  end
end
""")
_SELECT_ONE = SELECT_WALLETS + " WHERE w.id = %s"


class ShownWallet:
    """A wallet as the API shows it, with the version that its ETag and the cache go by."""

    __slots__ = ("body", "user_id", "version")

    def __init__(self, *, version: int, user_id: UUID, body: bytes) -> None:
        self.version = version
        self.user_id = user_id
        self.body = body


def as_shown(wallet: LockedWallet) -> dict[str, Any]:
    """Give the wallet's fields as the API names them; amounts in minor units."""
    updated_at = wallet.updated_at if wallet.posted_at is None else max(wallet.updated_at, wallet.posted_at)
    return {
        "id": wallet.id,
        "user_id": wallet.user_id,
        "currency": wallet.currency,
        "balance": wallet.balance,
        "held": wallet.held,
        "available": wallet.available,
        "status": wallet.status,
        "label": wallet.label,
        "metadata": wallet.metadata,
        "created_at": wallet.created_at,
        "updated_at": updated_at,
    }


def read_wallet(wallet_id: UUID) -> ShownWallet | None:
    """Show a wallet as it was committed last; None where there is no such wallet."""
    stored = _get(wallet_id)
    if stored is not None:
        head = _VERSION_DIGITS + 36
        return ShownWallet(
            version=int(stored[:_VERSION_DIGITS]),
            user_id=UUID(stored[_VERSION_DIGITS:head].decode()),
            body=stored[head:],
        )
    rows = run(_SELECT_ONE, (wallet_id,))
    if not rows:
        return None
    wallet = wallet_of_row(rows[0])
    replace([wallet])
    return ShownWallet(version=wallet.version, user_id=wallet.user_id, body=_body(wallet))


def replace_after_commit(wallet: LockedWallet) -> None:
    """Have the cache take the wallet as it stands once the transaction under way has committed."""
    transaction.on_commit(lambda: replace([wallet]), robust=True)


def replace(wallets: Sequence[LockedWallet]) -> None:
    """Put wallets in the cache where it doesn't hold a newer version, in one round trip."""
    if not wallets or not settings.REDIS_URL:
        return
    arguments: list[str | bytes | int] = []
    for wallet in wallets:
        arguments.append(f"{wallet.version:0{_VERSION_DIGITS}d}{wallet.user_id}".encode() + _body(wallet))
        arguments.append(_lifetime_s(wallet))
    with suppress(RedisAwayError):
        link.run(_KEEP_NEWER, [_key(wallet.id) for wallet in wallets], arguments)


def _get(wallet_id: UUID) -> bytes | None:
    try:
        found = link.ask("GET", _key(wallet_id))
    except RedisAwayError:
        return None
    return found if isinstance(found, bytes) else None


def _key(wallet_id: UUID) -> str:
    return f"ow:wallet:{wallet_id}"


def _body(wallet: LockedWallet) -> bytes:
    return orjson.dumps(as_shown(wallet), option=orjson.OPT_UTC_Z | orjson.OPT_NAIVE_UTC)


def _lifetime_s(wallet: LockedWallet) -> int:
    if wallet.stored_status == "suspended" and wallet.suspended_until is not None:
        left_s = (wallet.suspended_until - now()).total_seconds()
        if left_s > 0:
            return max(1, min(LIFETIME_S, int(left_s)))
    return LIFETIME_S
