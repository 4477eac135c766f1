"""Google as the tests have it: keys of their own, and tokens in which any one thing can be wrong."""

import hmac
import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import CTR
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.payments.schemes.apple_forge import ECDSA_AGAIN, NOW, b64, key, pem

RECIPIENT = "merchant:BCR2DN4TEXAMPLE"
ROOT, INTERMEDIATE = 11, 12


def spki(private_key: Any) -> str:
    return b64(private_key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


def ms(moment: datetime) -> str:
    return str(round(moment.timestamp() * 1000))


def root_list(*entries: dict[str, Any]) -> dict[str, Any]:
    """What Google publishes: old protocols beside the one in use."""
    good = {
        "keyValue": spki(key(ROOT)),
        "protocolVersion": "ECv2",
        "keyExpiration": ms(NOW + timedelta(days=9)),
    }
    return {
        "keys": [
            {"keyValue": spki(key(13)), "protocolVersion": "ECv1"},
            {**good, "keyValue": spki(key(14)), "protocolVersion": "ECv2SigningOnly"},
            *(entries or (good,)),
        ]
    }


def framed(*parts: str) -> bytes:
    return b"".join(len(part.encode()).to_bytes(4, "little") + part.encode() for part in parts)


def html_safe(value: Any) -> str:
    return json.dumps(value).replace("=", "\\u003d")


CONTENT: dict[str, Any] = {
    "messageExpiration": ms(NOW + timedelta(minutes=10)),
    "messageId": "AH2EjtfkuIIH7jXX",
    "paymentMethod": "CARD",
    "paymentMethodDetails": {
        "pan": "4242424242424242",
        "expirationMonth": 12,
        "expirationYear": 2029,
        "authMethod": "CRYPTOGRAM_3DS",
        "cryptogram": "AAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        "eciIndicator": "05",
    },
}


@dataclass
class Token:
    """One envelope; whatever is set replaces what would be right. Changes of the parts come before they are signed."""

    content: Any = None
    encryption_key: Any = None
    ephemeral: Any = None
    message: dict[str, Any] = field(default_factory=dict)
    signed_message: str = ""
    signed_key: dict[str, Any] = field(default_factory=dict)
    signed_key_text: str = ""
    recipient: str = RECIPIENT
    version: str = "ECv2"
    sender: str = "Google"
    root: Any = None
    intermediate: Any = None
    signers: tuple[Any, ...] = ()
    envelope: dict[str, Any] = field(default_factory=dict)

    def made(self) -> dict[str, Any]:
        intermediate = self.intermediate or key(INTERMEDIATE)
        message = self.signed_message or html_safe({**self._sealed(), **self.message})
        signed_key = self.signed_key_text or html_safe(
            {"keyValue": spki(intermediate), "keyExpiration": ms(NOW + timedelta(days=1)), **self.signed_key}
        )
        by_root = framed(self.sender, self.version, signed_key)
        by_key = framed(self.sender, self.recipient, self.version, message)
        signers = self.signers or (self.root or key(ROOT),)
        return {
            "protocolVersion": self.version,
            "signature": b64(intermediate.sign(by_key, ECDSA_AGAIN)),
            "intermediateSigningKey": {
                "signedKey": signed_key,
                "signatures": [b64(signer.sign(by_root, ECDSA_AGAIN)) for signer in signers],
            },
            "signedMessage": message,
            **self.envelope,
        }

    def _sealed(self) -> dict[str, str]:
        content = self.content if self.content is not None else CONTENT
        plain = content if isinstance(content, bytes) else json.dumps(content).encode()
        ephemeral = self.ephemeral or ec.generate_private_key(ec.SECP256R1())
        point = ephemeral.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        shared = ephemeral.exchange(ec.ECDH(), (self.encryption_key or key(8)).public_key())
        derived = HKDF(SHA256(), 64, bytes(32), b"Google").derive(point + shared)
        ciphertext = Cipher(AES256(derived[:32]), CTR(bytes(16))).encryptor().update(plain)
        tag = hmac.digest(derived[32:], ciphertext, sha256)
        return {"encryptedMessage": b64(ciphertext), "ephemeralPublicKey": b64(point), "tag": b64(tag)}


def payment_data(envelope: Any) -> dict[str, Any]:
    """Google's PaymentData around an envelope, or around any string."""
    text = envelope if isinstance(envelope, str) else html_safe(envelope)
    return {
        "apiVersion": 2,
        "apiVersionMinor": 0,
        "paymentMethodData": {
            "type": "CARD",
            "description": "Visa •••• 4242",
            "info": {"cardNetwork": "VISA", "cardDetails": "4242"},
            "tokenizationData": {"type": "DIRECT", "token": text},
        },
    }


def merchant(folder: Path) -> dict[str, Any]:
    """The settings of a merchant at the tests' Google: a file of root keys, an old and a new key of ours."""
    keys = folder / "keys.json"
    keys.write_text(json.dumps(root_list()))
    paths = []
    for number, private_key in enumerate((key(7), key(8))):
        path = folder / f"google-{number}.pem"
        path.write_bytes(pem(private_key))
        paths.append(str(path))
    return {
        "GOOGLE_PAY_ROOT_KEYS": str(keys),
        "GOOGLE_PAY_PRIVATE_KEYS": tuple(paths),
        "GOOGLE_PAY_RECIPIENT_ID": RECIPIENT,
    }


def token(**parts: Any) -> dict[str, Any]:
    """A good PaymentData, but for what is given."""
    return payment_data(Token(**parts).made())
