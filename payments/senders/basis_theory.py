"""What Basis Theory sends: life of tokens. Kept and acknowledged; a token is looked at again when it is charged.

Its documentation contradicts itself about the signature: the prose says HMAC, the sample verifies RSA-PSS with
SHA-256 over the parsed body written with sorted keys and no blanks. Both are read here, each only where its key is
set (`BASIS_THEORY_WEBHOOK_SECRET`, `BASIS_THEORY_WEBHOOK_KEY`); with neither, nobody is listened to. No moment is
signed, so that there is no tolerance: an event's id counts once, and nothing in it is believed.
"""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from django.conf import settings

from payments.refusals import SignatureInvalid
from payments.senders.bodies import document, part, word
from payments.senders.contract import NOTHING, Concern, Notice
from transactions.refusals import InvalidInput

VERSION = "v1"


class BasisTheorySender:
    """Tells of tokens and proxies, and of no charge."""

    processors: ClassVar[frozenset[str]] = frozenset()

    def is_expected(self) -> bool:
        """Whether at least one of the two keys is set."""
        return bool(settings.BASIS_THEORY_WEBHOOK_SECRET or settings.BASIS_THEORY_WEBHOOK_KEY)

    def read(self, *, raw: bytes, headers: Mapping[str, str], at: datetime) -> Notice:
        """Read an event whose signature is good by either reading."""
        if headers.get("BT-Signature-Version", VERSION) != VERSION:
            raise SignatureInvalid
        body = document(raw)
        _require_signed(headers.get("BT-Signature", ""), raw=raw, body=body)
        event = part(body, "event")
        event_id, kind = word(event, "id"), word(event, "type")
        if not event_id or not 0 < len(kind) <= 100:
            raise InvalidInput("The body is no event of Basis Theory.")
        token = word(part(part(event, "data"), "token"), "id")
        return Notice(event_id=event_id, type=kind, body={"object": {"id": token}})

    def concern(self, notice: Notice) -> Concern:
        """Tell that nothing has to be read again."""
        return NOTHING


def _require_signed(shown: str, *, raw: bytes, body: dict[str, Any]) -> None:
    try:
        signature = base64.b64decode(shown, validate=True)
    except (binascii.Error, ValueError):
        raise SignatureInvalid from None
    written = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    if not (_has_hmac(signature, raw, written) or _has_rsa(signature, written)):
        raise SignatureInvalid


def _has_hmac(signature: bytes, *texts: bytes) -> bool:
    secret = settings.BASIS_THEORY_WEBHOOK_SECRET.encode()
    return bool(secret) and any(
        hmac.compare_digest(hmac.new(secret, text, hashlib.sha256).digest(), signature) for text in texts
    )


def _has_rsa(signature: bytes, text: bytes) -> bool:
    if not settings.BASIS_THEORY_WEBHOOK_KEY:
        return False
    key = load_pem_public_key(settings.BASIS_THEORY_WEBHOOK_KEY)
    if not isinstance(key, rsa.RSAPublicKey):
        return False
    try:
        key.verify(signature, text, padding.PSS(padding.MGF1(SHA256()), padding.PSS.AUTO), SHA256())
    except InvalidSignature:
        return False
    return True
