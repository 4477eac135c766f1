"""Google Pay: ECv2 tokens, verified up to Google's root keys, for us as a merchant or for the gateway that we use."""

import re
from datetime import datetime
from hashlib import sha256
from typing import Any, ClassVar

import structlog
from cryptography.hazmat.primitives.asymmetric import ec
from django.conf import settings

from payments.refusals import PaymentTokenInvalid, SchemeKeysUnavailable, SchemeUnavailable
from payments.schemes import sandbox_authority
from payments.schemes.contract import Scheme, SessionFacts, VerifiedPayment
from payments.schemes.encodings import json_object
from payments.schemes.google_decryption import card_in, check_gateway_merchant, decrypt, message_id_in
from payments.schemes.google_root_keys import GOOGLES, root_keys
from payments.schemes.google_signatures import verify_signatures
from payments.schemes.google_tokens import (
    LARGEST_TOKEN,
    GooglePaymentData,
    read_google_token,
    read_payment_data,
)
from payments.schemes.key_files import private_key
from payments.schemes.merchant_identities import GATEWAY, STRIPES, google_recipient
from tokens.vaults.contract import DeviceCard, MobilePayload

logger = structlog.get_logger()


class GooglePay:
    """Verifies what Google Pay's clients give. Its tokens hold no amount: what we charge is our session's."""

    name: ClassVar[str] = "google_pay"

    def is_available(self, *, decrypt: bool) -> bool:
        """Whether we are somebody's merchant, and where `decrypt` asks for it have a key; the sandbox is and has."""
        if sandbox_authority.trusts_google_phones():
            return True
        is_known = settings.GOOGLE_PAY_MERCHANT_ID or settings.GOOGLE_PAY_RECIPIENT_ID
        is_test = settings.GOOGLE_PAY_ENVIRONMENT == "TEST"  # where everybody is the same merchant
        return bool((is_known or is_test) and (settings.GOOGLE_PAY_PRIVATE_KEYS or not decrypt))

    def verify(
        self, payment_data: dict[str, Any], *, session: SessionFacts | None, now: datetime, decrypt: bool
    ) -> VerifiedPayment:
        """Verify a payment token, and decrypt it where asked to.

        Refuses with PaymentTokenInvalid and its kinds, SchemeUnavailable and SchemeKeysUnavailable.
        """
        if not self.is_available(decrypt=decrypt):
            raise SchemeUnavailable("Google Pay is not set up here.")
        try:
            given = read_payment_data(payment_data)
            replay_key, card = _proved(given.token, now=now, with_card=decrypt)
        except PaymentTokenInvalid as refused:
            logger.warning("payment_token_refused", scheme=self.name, code=refused.code, check=refused.check)
            raise
        return VerifiedPayment(
            scheme=self.name,
            replay_key=replay_key,
            payload=MobilePayload(self.name, _as_read(given, payment_data), card),
            brand=given.network.lower(),
            last4=given.last4,
        )


def _proved(token: str, *, now: datetime, with_card: bool) -> tuple[str, DeviceCard | None]:
    """Verify a token; give its replay key, and the card where asked for it.

    The message's id is inside: where only the vault can open it, the signed message stands for itself.
    """
    signed_for = google_recipient()
    if signed_for == STRIPES and not with_card:
        return _stripes_id(token), None
    envelope = read_google_token(token)
    verify_signatures(envelope, roots=_roots(now), recipient=signed_for, now=now)
    if not with_card:
        return sha256(envelope.signed_message).hexdigest(), None
    content = decrypt(envelope.signed_message, keys=_private_keys(), now=now)
    if signed_for.startswith(GATEWAY):
        check_gateway_merchant(content, gateway_merchant_id=settings.GOOGLE_PAY_GATEWAY_MERCHANT_ID)
    return message_id_in(content), card_in(content)


def _roots(now: datetime) -> list[ec.EllipticCurvePublicKey]:
    """List the keys that may sign: the configured ones alone, or Google's, and in the sandbox ours too.

    A sandbox where nothing of Google's is set up asks Google nothing.
    """
    if settings.GOOGLE_PAY_ROOT_KEYS:
        return root_keys(settings.GOOGLE_PAY_ROOT_KEYS, now=now)
    googles = GOOGLES[settings.GOOGLE_PAY_ENVIRONMENT]
    if not sandbox_authority.trusts_google_phones():
        return root_keys(googles, now=now)
    ours = [sandbox_authority.google_authority().root_key.public_key()]
    if not (settings.GOOGLE_PAY_MERCHANT_ID or settings.GOOGLE_PAY_RECIPIENT_ID):
        return ours
    try:
        return ours + root_keys(googles, now=now)
    except SchemeKeysUnavailable:
        return ours


def _private_keys() -> list[ec.EllipticCurvePrivateKey]:
    found = [private_key(path) for path in settings.GOOGLE_PAY_PRIVATE_KEYS]
    keys = [key for key in found if isinstance(key, ec.EllipticCurvePrivateKey)]
    if sandbox_authority.trusts_google_phones():
        keys.append(sandbox_authority.google_authority().encryption_key)
    return keys


def _stripes_id(token: str) -> str:
    """Read the id of Stripe's own token, which is what makes it unique. Refuses with PaymentTokenInvalid."""
    found = json_object(token, at_most=LARGEST_TOKEN, check="stripe_token").get("id")
    if not isinstance(found, str) or not re.fullmatch(r"tok_[A-Za-z0-9_]{1,100}", found):
        raise PaymentTokenInvalid("stripe_token")
    return found


def _as_read(given: GooglePaymentData, payment_data: dict[str, Any]) -> dict[str, Any]:
    """Keep of Google's object what was read, and drop whatever else came along with it."""
    kind = payment_data["paymentMethodData"]["tokenizationData"].get("type")
    return {
        "paymentMethodData": {
            "type": "CARD",
            "description": given.description,
            "info": {"cardNetwork": given.network, "cardDetails": given.last4},
            "tokenizationData": {
                "type": kind if kind in ("DIRECT", "PAYMENT_GATEWAY") else "DIRECT",
                "token": given.token,
            },
        }
    }


def scheme() -> Scheme:
    """Make the scheme that `google_pay` names."""
    return GooglePay()
