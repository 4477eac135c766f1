"""The sandbox's phones: tokens signed and encrypted as a real phone would, by the sandbox's own authority.

They go the whole way that real ones go: nothing that verifies a token knows them, but for the root that it trusts.
"""

import base64
import json
import os
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives import hmac
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import CTR
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.conf import settings

from payments.schemes import google_signatures
from payments.schemes.apple_decryption import ZERO_IV, derived_key, public_key_hash
from payments.schemes.apple_tokens import EC_V1
from payments.schemes.contract import SessionFacts, application_data
from payments.schemes.currency_numbers import CURRENCY_NUMBERS
from payments.schemes.google_decryption import derived_keys
from payments.schemes.google_tokens import PROTOCOL
from payments.schemes.merchant_identities import GATEWAY, apple_merchant_id, google_recipient
from payments.schemes.sandbox_authority import apple_authority, google_authority
from payments.schemes.sandbox_signatures import detached_signature
from tokens.cards import brand_of, passes_luhn
from transactions.refusals import InvalidInput

DEFAULT_CARD = "4242424242424242"
CARD_LIFE_YEARS = 3
MESSAGE_LIFE = timedelta(minutes=30)
SIGNING_KEY_LIFE = timedelta(days=1)

_APPLE_NAMES = {
    "visa": "Visa",
    "mastercard": "MasterCard",
    "amex": "AmEx",
    "discover": "Discover",
    "jcb": "JCB",
}


@dataclass(frozen=True, slots=True, repr=False)
class PhoneCard:
    """The card in the phone's wallet; its repr hides the number."""

    number: str
    exp_month: int
    exp_year: int

    @property
    def brand(self) -> str:
        """The network, as `tokens.cards` names it."""
        return brand_of(self.number)


def card_in_phone(number: str, *, at: datetime) -> PhoneCard:
    """Put a card into the phone, good for some years. Refuses with InvalidInput a number that is no card's."""
    if not re.fullmatch(r"[1-9][0-9]{11,18}", number) or not passes_luhn(number):
        raise InvalidInput("The number is not a card number.", field="card_number")
    return PhoneCard(number=number, exp_month=12, exp_year=at.year + CARD_LIFE_YEARS)


def apple_payment_data(*, session: SessionFacts, card: PhoneCard, at: datetime) -> dict[str, Any]:
    """Make the payment token (EC_v1) that an iPhone would give for a session at `at`."""
    authority = apple_authority()
    ephemeral = ec.generate_private_key(ec.SECP256R1())
    shared = ephemeral.exchange(ec.ECDH(), authority.processing_key.public_key())
    content = {
        "applicationPrimaryAccountNumber": card.number,
        "applicationExpirationDate": f"{card.exp_year % 100:02}{card.exp_month:02}31",
        "currencyCode": CURRENCY_NUMBERS[session.amount.currency],
        "transactionAmount": session.amount.amount,
        "deviceManufacturerIdentifier": "040010030273",
        "paymentDataType": "3DSecure",
        "paymentData": {"onlinePaymentCryptogram": _base64(os.urandom(20)), "eciIndicator": "07"},
    }
    data = AESGCM(derived_key(shared, merchant_id=apple_merchant_id())).encrypt(
        ZERO_IV, json.dumps(content).encode(), None
    )
    key_material = ephemeral.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    transaction_id = os.urandom(32)
    bound_to = sha256(application_data(session.nonce).encode()).digest()
    signature = detached_signature(
        key_material + data + transaction_id + bound_to, authority=authority, at=at
    )
    network = _APPLE_NAMES.get(card.brand, card.brand)
    return {
        "paymentData": {
            "version": EC_V1,
            "data": _base64(data),
            "signature": _base64(signature),
            "header": {
                "ephemeralPublicKey": _base64(key_material),
                "publicKeyHash": _base64(public_key_hash(authority.processing_key)),
                "transactionId": transaction_id.hex(),
                "applicationData": bound_to.hex(),
            },
        },
        "paymentMethod": {
            "displayName": f"{network} {card.number[-4:]}",
            "network": network,
            "type": "credit",
        },
        "transactionIdentifier": transaction_id.hex().upper(),
    }


def google_payment_data(*, card: PhoneCard, at: datetime) -> dict[str, Any]:
    """Make the PaymentData (ECv2) that an Android phone would give at `at`; it knows neither session nor amount."""
    content: dict[str, Any] = {
        "messageExpiration": _milliseconds(at + MESSAGE_LIFE),
        "messageId": f"sandbox-{secrets.token_urlsafe(32)}",
        "paymentMethod": "CARD",
        "paymentMethodDetails": {
            "pan": card.number,
            "expirationMonth": card.exp_month,
            "expirationYear": card.exp_year,
            "authMethod": "CRYPTOGRAM_3DS",
            "cryptogram": _base64(os.urandom(20)),
            "eciIndicator": "05",
        },
    }
    recipient = google_recipient()
    is_for_gateway = recipient.startswith(GATEWAY)
    if is_for_gateway:
        content["gatewayMerchantId"] = settings.GOOGLE_PAY_GATEWAY_MERCHANT_ID
    return {
        "apiVersion": 2,
        "apiVersionMinor": 0,
        "paymentMethodData": {
            "type": "CARD",
            "description": f"{card.brand.capitalize()} •••• {card.number[-4:]}",
            "info": {"cardNetwork": card.brand.upper(), "cardDetails": card.number[-4:]},
            "tokenizationData": {
                "type": "PAYMENT_GATEWAY" if is_for_gateway else "DIRECT",
                "token": _google_token(content, recipient=recipient, at=at),
            },
        },
    }


def _google_token(content: dict[str, Any], *, recipient: str, at: datetime) -> str:
    """Encrypt and sign a message as Google does, from the root key over an intermediate one."""
    authority = google_authority()
    ephemeral = ec.generate_private_key(ec.SECP256R1())
    point = ephemeral.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    shared = ephemeral.exchange(ec.ECDH(), authority.encryption_key.public_key())
    encryption_key, mac_key = derived_keys(point, shared)
    sealer = Cipher(AES256(encryption_key), CTR(bytes(16))).encryptor()
    ciphertext = sealer.update(json.dumps(content).encode()) + sealer.finalize()
    mac = hmac.HMAC(mac_key, SHA256())
    mac.update(ciphertext)
    message = _html_safe(
        {
            "encryptedMessage": _base64(ciphertext),
            "ephemeralPublicKey": _base64(point),
            "tag": _base64(mac.finalize()),
        }
    )
    spki = authority.intermediate_key.public_key().public_bytes(
        Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    )
    signed_key = _html_safe(
        {"keyValue": _base64(spki), "keyExpiration": _milliseconds(at + SIGNING_KEY_LIFE)}
    )
    by_root = google_signatures.framed(google_signatures.SENDER, PROTOCOL.encode(), signed_key.encode())
    by_intermediate = google_signatures.framed(
        google_signatures.SENDER, recipient.encode(), PROTOCOL.encode(), message.encode()
    )
    return _html_safe(
        {
            "protocolVersion": PROTOCOL,
            "signature": _signed(authority.intermediate_key, by_intermediate),
            "intermediateSigningKey": {
                "signedKey": signed_key,
                "signatures": [_signed(authority.root_key, by_root)],
            },
            "signedMessage": message,
        }
    )


def _signed(key: ec.EllipticCurvePrivateKey, content: bytes) -> str:
    return _base64(key.sign(content, ec.ECDSA(SHA256())))


def _html_safe(value: dict[str, Any]) -> str:
    return json.dumps(value, separators=(",", ":")).replace("=", "\\u003d")


def _milliseconds(moment: datetime) -> str:
    return str(round(moment.timestamp() * 1000))


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
