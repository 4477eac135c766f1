"""The sandbox's own certificate authority: what stands for Apple, Google and our merchant keys where none is set up.

Every key is derived from `SECRET_KEY`, so that all processes of an installation have the same ones and nothing is
stored; the certificates around them are made by each process. Outside the sandbox nothing here is ever trusted.
"""

import hmac
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha512

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID
from django.conf import settings

from payments.schemes.apple_signatures import INTERMEDIATE_MARKER, LEAF_MARKER

_VALID_FROM = datetime(2014, 1, 1, tzinfo=UTC)
_VALID_UNTIL = datetime(2049, 12, 31, tzinfo=UTC)
_ASN1_NULL = b"\x05\x00"
# The number of points on each curve (SEC 2).
_ORDERS = {
    "secp256r1": 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    "secp384r1": int(
        "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973", 16
    ),
}


def trusts_apple_phones() -> bool:
    """Whether tokens of the sandbox's Apple phones are believed: no root is configured, and nothing is at stake."""
    return settings.SANDBOX and not settings.APPLE_PAY_ROOT_CA


def trusts_google_phones() -> bool:
    """Whether tokens of the sandbox's Google phones are believed: no root keys are configured, and nothing is at stake."""
    return settings.SANDBOX and not settings.GOOGLE_PAY_ROOT_KEYS


@dataclass(frozen=True, slots=True, repr=False)
class AppleAuthority:
    """What Apple has in the world outside, and the merchant's key that its phones encrypt to."""

    root: x509.Certificate
    intermediate: x509.Certificate
    leaf: x509.Certificate
    leaf_key: ec.EllipticCurvePrivateKey
    processing_key: ec.EllipticCurvePrivateKey


@dataclass(frozen=True, slots=True, repr=False)
class GoogleAuthority:
    """What Google has in the world outside, and the merchant's key that its phones encrypt to."""

    root_key: ec.EllipticCurvePrivateKey
    intermediate_key: ec.EllipticCurvePrivateKey
    encryption_key: ec.EllipticCurvePrivateKey


def apple_authority() -> AppleAuthority:
    """Give the sandbox's Apple."""
    return _apple_authority(settings.SECRET_KEY)


def google_authority() -> GoogleAuthority:
    """Give the sandbox's Google."""
    return _google_authority(settings.SECRET_KEY)


@lru_cache(maxsize=2)
def _apple_authority(secret: str) -> AppleAuthority:
    root_key = _derived(secret, "apple root", ec.SECP384R1())
    intermediate_key = _derived(secret, "apple intermediate")
    leaf_key = _derived(secret, "apple leaf")
    root = _issued("Sandbox Root", root_key, "Sandbox Root", root_key, 1, marker=None)
    intermediate = _issued(
        "Sandbox Integration CA", intermediate_key, "Sandbox Root", root_key, 2, marker=INTERMEDIATE_MARKER
    )
    leaf = _issued(
        "Sandbox Broker", leaf_key, "Sandbox Integration CA", intermediate_key, 3, marker=LEAF_MARKER
    )
    return AppleAuthority(root, intermediate, leaf, leaf_key, _derived(secret, "apple processing"))


@lru_cache(maxsize=2)
def _google_authority(secret: str) -> GoogleAuthority:
    return GoogleAuthority(
        _derived(secret, "google root"),
        _derived(secret, "google intermediate"),
        _derived(secret, "google encryption"),
    )


def _derived(secret: str, purpose: str, curve: ec.EllipticCurve | None = None) -> ec.EllipticCurvePrivateKey:
    """Derive a private key; 512 bits leave no bias worth the name on either curve's order."""
    on = curve or ec.SECP256R1()
    drawn = hmac.digest(secret.encode(), f"sandbox authority\0{purpose}".encode(), sha512)
    return ec.derive_private_key(int.from_bytes(drawn) % (_ORDERS[on.name] - 1) + 1, on)


def _issued(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: str,
    issuer_key: ec.EllipticCurvePrivateKey,
    serial_number: int,
    *,
    marker: x509.ObjectIdentifier | None,
) -> x509.Certificate:
    builder = (
        x509.CertificateBuilder()
        .subject_name(_named(name))
        .issuer_name(_named(issuer))
        .public_key(key.public_key())
        .serial_number(serial_number)
        .not_valid_before(_VALID_FROM)
        .not_valid_after(_VALID_UNTIL)
        .add_extension(x509.BasicConstraints(ca=marker != LEAF_MARKER, path_length=None), critical=True)
    )
    if marker is not None:
        builder = builder.add_extension(x509.UnrecognizedExtension(marker, _ASN1_NULL), critical=False)
    return builder.sign(issuer_key, SHA256())


def _named(name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, name),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Open Wallet sandbox: worth nothing"),
        ]
    )
