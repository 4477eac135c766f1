"""The forms of variables that name files with keys and certificates: each file is read at the boot, to be sure.

As in `value_forms`, a function raises ValueError with the expected form alone.
"""

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from config.value_forms import is_loopback, names

LARGEST_FILE = 1 << 20


def certificate_file(value: str) -> str:
    """Read the path of a PEM file with a certificate."""
    try:
        x509.load_pem_x509_certificate(_content(value))
    except (OSError, ValueError):
        raise ValueError("the path of a PEM file with a certificate") from None
    return value


def private_key_files(value: str) -> tuple[str, ...]:
    """Read paths, separated by commas, of PEM files with a private key each: EC on P-256, or RSA of 2048 bits."""
    expected = "paths of PEM files, separated by commas, with an EC P-256 or RSA-2048 private key each and no password"
    paths = names(value)
    for path in paths:
        try:
            key = load_pem_private_key(_content(path), password=None)
        except (OSError, ValueError, TypeError):
            raise ValueError(expected) from None
        is_p256 = isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1)
        if not is_p256 and not (isinstance(key, rsa.RSAPrivateKey) and key.key_size == 2048):
            raise ValueError(expected)
    return paths


def p256_key_files(value: str) -> tuple[str, ...]:
    """Read paths, separated by commas, of PEM files with an EC P-256 private key each."""
    paths = private_key_files(value)
    keys = [load_pem_private_key(_content(path), password=None) for path in paths]
    if not all(isinstance(key, ec.EllipticCurvePrivateKey) for key in keys):
        raise ValueError("paths of PEM files, separated by commas, with an EC P-256 private key each")
    return paths


def identity_file(value: str) -> str:
    """Read the path of a PEM file with a certificate and the private key that belongs to it."""
    expected = "the path of a PEM file with a certificate and its private key, without a password"
    try:
        content = _content(value)
        certified: Any = x509.load_pem_x509_certificate(content).public_key()
        held: Any = load_pem_private_key(content, password=None).public_key()
        spoken = [
            key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) for key in (certified, held)
        ]
    except (OSError, ValueError, TypeError):
        raise ValueError(expected) from None
    if spoken[0] != spoken[1]:
        raise ValueError(expected)
    return value


def key_list_source(value: str) -> str:
    """Read where a list of Google's root keys is: an https: URL, http: on loopback, or the path of a file."""
    expected = 'an https: URL, or the path of a JSON file with {"keys": [...]}; http: for a loopback address in the sandbox'
    parts = urlsplit(value)
    if parts.scheme in ("http", "https"):
        if (
            not parts.hostname
            or parts.username
            or (parts.scheme == "http" and not is_loopback(parts.hostname))
        ):
            raise ValueError(expected)
        return value
    try:
        listed = json.loads(_content(value))["keys"]
    except (OSError, ValueError, TypeError, KeyError):
        raise ValueError(expected) from None
    if not isinstance(listed, list):
        raise ValueError(expected)
    return value


def _content(path: str) -> bytes:
    with Path(path).open("rb") as file:
        return file.read(LARGEST_FILE)
