"""Google's root keys: fetched, kept as long as they may be, and dropped when their own time is over.

They are kept for what `Cache-Control: max-age` gives less `Age`, as Google's Tink does, and fetched anew in the
background once half of that is over. When Google can't be reached, keys that haven't expired still serve.
"""

import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from urllib.parse import urlsplit

import structlog
from cryptography.hazmat.primitives.asymmetric import ec

from payments.refusals import PaymentTokenInvalid, SchemeKeysUnavailable
from payments.schemes.encodings import base64_in, json_object, object_in
from payments.schemes.google_signatures import p256_key
from payments.schemes.google_tokens import PROTOCOL, moment_in
from tokens.providers.calls import Call, Limits, Provider, ProviderAnswer, ProviderSilent

logger = structlog.get_logger()

GOOGLES = {
    "PRODUCTION": "https://payments.developers.google.com/paymentmethodtoken/keys.json",
    "TEST": "https://payments.developers.google.com/paymentmethodtoken/test/keys.json",
}
SHORTEST_LIFE_S = 60
LONGEST_LIFE_S = 7 * 86400
RETRY_AFTER_S = 30
LARGEST_LIST = 262_144
_LIMITS = Limits(connect_s=3.0, read_s=5.0, total_s=8.0, attempts=1, answer_bytes=LARGEST_LIST)


@dataclass(frozen=True, slots=True)
class RootKey:
    """A key that signs intermediate keys, until its time is over."""

    key: ec.EllipticCurvePublicKey
    expires_at: datetime


class FetchedKeys:
    """The keys at one URL. One fetch at a time; threads share one copy."""

    def __init__(
        self,
        url: str,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url, self._monotonic = url, monotonic
        self._lock = threading.Lock()
        self._keys: tuple[RootKey, ...] = ()
        self._fetched_at = self._life_s = 0.0
        self._try_at = 0.0

    def current(self) -> tuple[RootKey, ...]:
        """Give the keys, fetched now where none are kept or their life is over.

        Refuses with SchemeKeysUnavailable where there never were any and none can be fetched.
        """
        at = self._monotonic()
        kept = self._keys
        if kept and at < self._fetched_at + self._life_s:
            if at >= self._fetched_at + self._life_s / 2 and self._lock.acquire(blocking=False):
                threading.Thread(target=self._refresh_and_unlock, daemon=True).start()
            return kept
        with self._lock:
            if self._monotonic() >= self._fetched_at + self._life_s:
                self._refresh()
        if not self._keys:
            raise SchemeKeysUnavailable
        return self._keys

    def _refresh_and_unlock(self) -> None:
        try:
            self._refresh()
        finally:
            self._lock.release()

    def _refresh(self) -> None:
        """Fetch, under the lock; after a failure not again for a while."""
        at = self._monotonic()
        if at < self._try_at:
            return
        self._try_at = at + RETRY_AFTER_S
        try:
            answer = _fetched(self._url)
            keys = read_root_keys(answer.body)
        except (ProviderSilent, PaymentTokenInvalid) as failure:
            logger.warning("google_root_keys_not_fetched", reason=type(failure).__name__)
            return
        self._keys, self._fetched_at, self._life_s = keys, at, life_s(answer.headers)
        self._try_at = 0.0


def _fetched(url: str) -> ProviderAnswer:
    """Fetch the list. Raises ProviderSilent, and PaymentTokenInvalid for an answer that isn't the list."""
    parts = urlsplit(url)
    google = Provider(
        name="google_pay_keys",
        base=f"{parts.scheme}://{parts.netloc}",
        headers={},
        is_retried=lambda _answer: False,
    )
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    answer = google.send(Call(name="root_keys", method="GET", path=path), limits=_LIMITS)
    if answer.status != 200:
        raise PaymentTokenInvalid("root_keys")
    return answer


@lru_cache(maxsize=4)
def fetched_keys(url: str) -> FetchedKeys:
    """Give this process's one copy of the keys at a URL."""
    return FetchedKeys(url)


def root_keys(source: str, *, now: datetime) -> list[ec.EllipticCurvePublicKey]:
    """List the keys of a URL or a file that have not expired.

    Refuses with SchemeKeysUnavailable where they can't be had, or all have expired.
    """
    if source.startswith(("https:", "http:")):
        listed = fetched_keys(source).current()
    else:
        try:
            listed = read_root_keys(Path(source).read_bytes())
        except (OSError, PaymentTokenInvalid) as failure:
            logger.warning("google_root_keys_not_read", reason=type(failure).__name__)
            raise SchemeKeysUnavailable from None
    usable = [listed_key.key for listed_key in listed if listed_key.expires_at > now]
    if not usable:
        raise SchemeKeysUnavailable
    return usable


def read_root_keys(body: bytes) -> tuple[RootKey, ...]:
    """Read a list of root keys: its ECv2 entries that have an expiration, as Tink does.

    Refuses with PaymentTokenInvalid what is no such list, or has an entry that can't be read.
    """
    entries = json_object(body, at_most=LARGEST_LIST, check="root_keys").get("keys")
    if not isinstance(entries, list):
        raise PaymentTokenInvalid("root_keys")
    found = []
    for entry in entries:
        described = object_in(entry, check="root_keys")
        if described.get("protocolVersion") != PROTOCOL or "keyExpiration" not in described:
            continue
        key = p256_key(base64_in(described.get("keyValue"), at_most=256, check="root_keys"))
        if key is None:
            raise PaymentTokenInvalid("root_keys")
        found.append(RootKey(key, moment_in(described["keyExpiration"], check="root_keys")))
    return tuple(found)


def life_s(headers: Mapping[str, str]) -> float:
    """Tell how long an answer may be kept, in seconds: `max-age` less `Age`, within bounds of ours.

    Header names are in lower case.
    """
    allowed = re.search(r"(?:^|[\s,])max-age=([0-9]{1,9})(?:$|[\s,])", headers.get("cache-control", ""))
    age = re.fullmatch(r"[0-9]{1,9}", headers.get("age", "0"))
    life = int(allowed[1]) - (int(age[0]) if age else 0) if allowed else 0
    return min(max(life, SHORTEST_LIFE_S), LONGEST_LIFE_S)
