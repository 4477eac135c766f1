"""Apple Pay: EC_v1 and RSA_v1 tokens, verified up to Apple's root and bound to our session."""

import re
from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, ClassVar

import structlog
from cryptography import x509
from django.conf import settings

from payments.refusals import PaymentTokenInvalid, PaymentTokenMismatch, SchemeUnavailable
from payments.schemes import sandbox_authority
from payments.schemes.apple_decryption import card_in, check_amount, decrypt
from payments.schemes.apple_signatures import verify_signature
from payments.schemes.apple_tokens import EC_V1, AppleToken, read_apple_token
from payments.schemes.contract import Scheme, SessionFacts, VerifiedPayment, application_data
from payments.schemes.key_files import PrivateKey, certificate, private_key
from payments.schemes.merchant_identities import apple_merchant_id
from tokens.vaults.contract import DeviceCard, MobilePayload

logger = structlog.get_logger()

APPLE_ROOT = Path(__file__).with_name("apple_root_ca_g3.pem")
"""Apple Root CA - G3; SHA-256 63343abf…e9179, valid until 2039."""


class ApplePay:
    """Verifies what ApplePaySession and PassKit give."""

    name: ClassVar[str] = "apple_pay"

    def is_available(self, *, decrypt: bool) -> bool:
        """Whether a merchant id is configured, and where `decrypt` asks for it a processing key; the sandbox has both."""
        if sandbox_authority.trusts_apple_phones():
            return True
        is_known = settings.APPLE_PAY_MERCHANT_ID or settings.SANDBOX
        return bool(is_known and (settings.APPLE_PAY_PROCESSING_KEYS or not decrypt))

    def verify(
        self, payment_data: dict[str, Any], *, session: SessionFacts | None, now: datetime, decrypt: bool
    ) -> VerifiedPayment:
        """Verify a payment token, and decrypt it where asked to.

        Refuses with PaymentTokenInvalid and its kinds, and SchemeUnavailable.
        """
        if not self.is_available(decrypt=decrypt):
            raise SchemeUnavailable("Apple Pay is not set up here.")
        try:
            token = read_apple_token(payment_data)
            verify_signature(token, roots=trusted_roots(), now=now)
            if session is not None:
                _check_binding(token, session)
            card = _card(token, session) if decrypt else None
        except PaymentTokenInvalid as refused:
            logger.warning("payment_token_refused", scheme=self.name, code=refused.code, check=refused.check)
            raise
        last4 = re.search(r"[0-9]{4}$", token.display_name)
        return VerifiedPayment(
            scheme=self.name,
            replay_key=token.transaction_id.hex(),
            payload=MobilePayload(self.name, _as_read(payment_data, token), card),
            brand=token.network.lower(),
            last4=last4[0] if last4 else "",
        )


def trusted_roots() -> list[x509.Certificate]:
    """List the roots that a signature may lead to: the configured one alone, or Apple's and in the sandbox ours too."""
    roots = [certificate(settings.APPLE_PAY_ROOT_CA or str(APPLE_ROOT))]
    if sandbox_authority.trusts_apple_phones():
        roots.append(sandbox_authority.apple_authority().root)
    return roots


def _processing_keys() -> Sequence[PrivateKey]:
    keys = [private_key(path) for path in settings.APPLE_PAY_PROCESSING_KEYS]
    if sandbox_authority.trusts_apple_phones():
        keys.append(sandbox_authority.apple_authority().processing_key)
    return keys


def _check_binding(token: AppleToken, session: SessionFacts) -> None:
    """The phone signs the hash of the request's applicationData.

    PassKit hashes the bytes that it is given. Which ones Safari hashes, of the string or of what it decodes to, is
    not certain: both are ours, and nobody else's.
    """
    ours = (application_data(session.nonce), session.nonce)
    if token.application_data not in [sha256(text.encode()).digest() for text in ours]:
        raise PaymentTokenMismatch("application_data")


def _card(token: AppleToken, session: SessionFacts | None) -> DeviceCard:
    content = decrypt(token, keys=_processing_keys(), merchant_id=apple_merchant_id())
    if session is not None:
        check_amount(content, amount=session.amount)
    return card_in(content)


def _as_read(payment_data: dict[str, Any], token: AppleToken) -> dict[str, Any]:
    """Keep of the payment token what was read and verified, and drop whatever else came along with it."""
    parts = payment_data["paymentData"]
    key_field = "ephemeralPublicKey" if token.version == EC_V1 else "wrappedKey"
    header = {
        name: parts["header"][name]
        for name in (key_field, "publicKeyHash", "transactionId", "applicationData")
        if parts["header"].get(name) is not None
    }
    method = {"network": token.network, "displayName": token.display_name, "type": token.card_type}
    return {
        "paymentData": {**{name: parts[name] for name in ("version", "data", "signature")}, "header": header},
        "paymentMethod": {name: value for name, value in method.items() if value},
        "transactionIdentifier": payment_data.get("transactionIdentifier")
        or parts["header"]["transactionId"],
    }


def scheme() -> Scheme:
    """Make the scheme that `apple_pay` names."""
    return ApplePay()
