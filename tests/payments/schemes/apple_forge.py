"""Apple as the tests have it: an authority of their own, and tokens in which any one thing can be wrong.

Written without the product's own writer, so that a mistake in that isn't made twice.
"""

import base64
import json
import os
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import NameOID

NOW = datetime(2026, 11, 1, 9, 0, tzinfo=UTC)
NONCE = "a-nonce-of-the-session-0123456789abcdefghij"
MERCHANT_ID = "merchant.example.open-wallet"

LEAF = "1.2.840.113635.100.6.29"
INTERMEDIATE = "1.2.840.113635.100.6.2.14"
SIGNED_DATA = "1.2.840.113549.1.7.2"
ENVELOPED_DATA = "1.2.840.113549.1.7.3"
DATA = "1.2.840.113549.1.7.1"
CONTENT_TYPE = "1.2.840.113549.1.9.3"
MESSAGE_DIGEST = "1.2.840.113549.1.9.4"
SIGNING_TIME = "1.2.840.113549.1.9.5"
SHA_256 = "2.16.840.1.101.3.4.2.1"
SHA_1 = "1.3.14.3.2.26"
ECDSA = "1.2.840.10045.4.3.2"
RSA = "1.2.840.113549.1.1.1"
RSA_SHA_256 = "1.2.840.113549.1.1.11"

ECDSA_AGAIN = ec.ECDSA(SHA256(), deterministic_signing=True)
"""Signs the same bytes with the same signature each time (RFC 6979)."""

SEQUENCE, SET, INTEGER, OCTETS, OID, UTC_TIME, CONTEXT_0 = 0x30, 0x31, 2, 4, 6, 0x17, 0xA0


def der(tag: int, *parts: bytes) -> bytes:
    content = b"".join(parts)
    size = len(content)
    if size < 128:
        return bytes([tag, size]) + content
    return bytes([tag, 0x82]) + size.to_bytes(2) + content


def ber(tag: int, *parts: bytes) -> bytes:
    return bytes([tag, 0x80]) + b"".join(parts) + b"\0\0"


@cache
def oid(dotted: str) -> bytes:
    first, second, *rest = map(int, dotted.split("."))
    content = bytes([40 * first + second])
    for arc in rest:
        groups = [arc >> shift & 0x7F for shift in range(0, max(arc.bit_length(), 1), 7)][::-1]
        content += bytes(0x80 | group for group in groups[:-1]) + bytes(groups[-1:])
    return der(OID, content)


@cache
def key(number: int) -> ec.EllipticCurvePrivateKey:
    # The same in every process: what was found with it can be tried again.
    return ec.derive_private_key(int.from_bytes(sha256(b"tests %d" % number).digest()), ec.SECP256R1())


@cache
def rsa_key(number: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _issue(
    subject: str,
    subject_key: Any,
    issuer: str,
    issuer_key: Any,
    *,
    extensions: list[x509.ExtensionType],
    days: tuple[int, int] = (-1000, 1000),
    serial: int = 77,
) -> x509.Certificate:
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(_name(issuer))
        .public_key(subject_key.public_key())
        .serial_number(serial)
        .not_valid_before(NOW + timedelta(days=days[0]))
        .not_valid_after(NOW + timedelta(days=days[1]))
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    is_ec = isinstance(issuer_key, ec.EllipticCurvePrivateKey)
    return builder.sign(issuer_key, SHA256(), ecdsa_deterministic=True if is_ec else None)


def marked(*markers: str) -> list[x509.ExtensionType]:
    return [x509.UnrecognizedExtension(x509.ObjectIdentifier(marker), b"\5\0") for marker in markers]


def authority(*, ca: bool = True) -> list[x509.ExtensionType]:
    return [x509.BasicConstraints(ca=ca, path_length=None)]


@dataclass
class Chain:
    """A root, an intermediate and a leaf, each as it should be unless told otherwise."""

    root_key: Any = None
    intermediate_markers: tuple[str, ...] = (INTERMEDIATE,)
    intermediate_authority: list[x509.ExtensionType] = field(default_factory=authority)
    intermediate_days: tuple[int, int] = (-1000, 1000)
    intermediate_issuer_key: Any = None
    leaf_markers: tuple[str, ...] = (LEAF,)
    leaf_days: tuple[int, int] = (-1000, 1000)
    leaf_issuer_key: Any = None
    leaf_key: Any = None

    def __post_init__(self) -> None:
        self.root_key = self.root_key or key(1)
        self.leaf_key = self.leaf_key or key(3)
        self.root = _issue("root", self.root_key, "root", self.root_key, extensions=authority())
        self.intermediate = _issue(
            "intermediate",
            key(2),
            "root",
            self.intermediate_issuer_key or self.root_key,
            extensions=[*self.intermediate_authority, *marked(*self.intermediate_markers)],
            days=self.intermediate_days,
        )
        self.leaf = _issue(
            "leaf",
            self.leaf_key,
            "intermediate",
            self.leaf_issuer_key or key(2),
            extensions=[*authority(ca=False), *marked(*self.leaf_markers)],
            days=self.leaf_days,
            serial=4711,
        )


def attribute(kind: str, *values: bytes) -> bytes:
    return der(SEQUENCE, oid(kind), der(SET, *values))


@dataclass
class Cms:
    """A detached signature; whatever is set replaces what would be right."""

    chain: Chain
    at: datetime = NOW
    kind: str = SIGNED_DATA
    content_kind: str = DATA
    content: bytes = b""
    certificates: list[x509.Certificate] | None = None
    signers: int = 1
    issuer: bytes | None = None
    serial: int = 4711
    digest_algorithm: str = SHA_256
    signature_algorithm: str = ""
    attributes: dict[str, list[bytes]] = field(default_factory=dict)
    without: str = ""
    twice: str = ""
    attributes_tag: int = SET
    open_ended_attributes: bool = False
    signing_key: Any = None
    trailing: bytes = b""

    def over(self, signed: bytes) -> bytes:
        values = {
            CONTENT_TYPE: [oid(DATA)],
            SIGNING_TIME: [der(UTC_TIME, self.at.strftime("%y%m%d%H%M%SZ").encode())],
            MESSAGE_DIGEST: [der(OCTETS, sha256(signed).digest())],
            **self.attributes,
        }
        written = [attribute(kind, *given) for kind, given in values.items() if kind != self.without]
        written += [attribute(kind, *given) for kind, given in values.items() if kind == self.twice]
        attributes = b"".join(sorted(written))
        signing_key = self.signing_key or self.chain.leaf_key
        to_sign = der(self.attributes_tag, attributes)
        if isinstance(signing_key, rsa.RSAPrivateKey):
            value = signing_key.sign(to_sign, padding.PKCS1v15(), SHA256())
        else:
            value = signing_key.sign(to_sign, ECDSA_AGAIN)
        algorithm = self.signature_algorithm or (
            RSA_SHA_256 if isinstance(self.chain.leaf_key, rsa.RSAPrivateKey) else ECDSA
        )
        issuer = self.issuer if self.issuer is not None else self.chain.leaf.issuer.public_bytes()
        signer = der(
            SEQUENCE,
            der(INTEGER, b"\1"),
            der(SEQUENCE, issuer, der(INTEGER, self.serial.to_bytes(3))),
            der(SEQUENCE, oid(self.digest_algorithm)),
            (ber if self.open_ended_attributes else der)(CONTEXT_0, attributes),
            der(SEQUENCE, oid(algorithm)),
            der(OCTETS, value),
        )
        given = self.certificates
        certificates = given if given is not None else [self.chain.leaf, self.chain.intermediate]
        inside = ber(
            SEQUENCE,
            der(INTEGER, b"\1"),
            der(SET, der(SEQUENCE, oid(SHA_256))),
            ber(SEQUENCE, oid(self.content_kind), self.content),
            ber(CONTEXT_0, *(each.public_bytes(Encoding.DER) for each in certificates)),
            der(SET, *[signer] * self.signers),
        )
        return ber(SEQUENCE, oid(self.kind), ber(CONTEXT_0, inside)) + self.trailing


PLAINTEXT: dict[str, Any] = {
    "applicationPrimaryAccountNumber": "4242424242424242",
    "applicationExpirationDate": "291231",
    "currencyCode": "840",
    "transactionAmount": 2500,
    "deviceManufacturerIdentifier": "040010030273",
    "paymentDataType": "3DSecure",
    "paymentData": {"onlinePaymentCryptogram": "AAAAAAAAAAAAAAAAAAAAAAAAAAA=", "eciIndicator": "7"},
}
BOUND = sha256(NONCE.encode()).digest()


@dataclass
class Token:
    """A payment token, encrypted to `processing_key` and signed by `cms`; `change` spoils it after signing."""

    cms: Cms
    version: str = "EC_v1"
    processing_key: Any = None
    merchant_id: str = MERCHANT_ID
    plaintext: Any = None
    application_data: bytes | None = BOUND
    wrapped_bytes: int = 16
    material: bytes = b""
    """Stands where the ephemeral or the wrapped key would."""
    transaction_id: bytes = field(default_factory=lambda: os.urandom(32))
    ephemeral: Any = None

    def made(self) -> dict[str, Any]:
        text = (
            self.plaintext if isinstance(self.plaintext, bytes) else json.dumps(self.plaintext or PLAINTEXT)
        )
        opened = text if isinstance(text, bytes) else text.encode()
        if self.version == "RSA_v1":
            processing_key = self.processing_key or rsa_key(9)
            secret = os.urandom(self.wrapped_bytes)
            wrapping = padding.OAEP(padding.MGF1(SHA256()), SHA256(), None)
            material, name = processing_key.public_key().encrypt(secret, wrapping), "wrappedKey"
        else:
            processing_key = self.processing_key or key(8)
            ephemeral = self.ephemeral or ec.generate_private_key(ec.SECP256R1())
            shared = ephemeral.exchange(ec.ECDH(), processing_key.public_key())
            other_info = b"\x0did-aes256-GCMApple" + sha256(self.merchant_id.encode()).digest()
            secret = sha256(b"\0\0\0\1" + shared + other_info).digest()
            material = ephemeral.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
            name = "ephemeralPublicKey"
        material = self.material or material
        data = AESGCM(secret).encrypt(bytes(16), opened, None)
        signed = material + data + self.transaction_id + (self.application_data or b"")
        spki = processing_key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        header = {
            name: b64(material),
            "publicKeyHash": b64(sha256(spki).digest()),
            "transactionId": self.transaction_id.hex(),
        }
        if self.application_data is not None:
            header["applicationData"] = self.application_data.hex()
        return {
            "paymentData": {
                "version": self.version,
                "data": b64(data),
                "signature": b64(self.cms.over(signed)),
                "header": header,
            },
            "paymentMethod": {"displayName": "Visa 4242", "network": "Visa", "type": "credit"},
            "transactionIdentifier": self.transaction_id.hex().upper(),
        }


CHAIN = Chain()


def token(**parts: Any) -> dict[str, Any]:
    """A good token, but for what is given: fields of Token, or of Cms."""
    cms_fields = {name: parts.pop(name) for name in list(parts) if name in Cms.__dataclass_fields__}
    cms = replace(Cms(CHAIN), **cms_fields)
    return Token(cms, **parts).made()


def merchant(folder: Path) -> dict[str, Any]:
    """The settings of a merchant at the tests' Apple: an old and a new EC key, and an RSA key."""
    root = folder / "root.pem"
    root.write_bytes(CHAIN.root.public_bytes(Encoding.PEM))
    paths = []
    for number, private_key in enumerate((key(7), key(8), rsa_key(9))):
        path = folder / f"processing-{number}.pem"
        path.write_bytes(pem(private_key))
        paths.append(str(path))
    return {
        "APPLE_PAY_ROOT_CA": str(root),
        "APPLE_PAY_PROCESSING_KEYS": tuple(paths),
        "APPLE_PAY_MERCHANT_ID": MERCHANT_ID,
    }


def b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def pem(private_key: Any) -> bytes:
    return private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
