"""Variables that name key files: the boot reads each file, and stops with the variable's name where it is no key."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from django.core.exceptions import ImproperlyConfigured

from config.environment import read_environment
from tests.house.test_configuration import REQUIRED

P256 = ec.generate_private_key(ec.SECP256R1())
RSA = rsa.generate_private_key(65537, 2048)
NAME = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "somebody")])


def pem(key, password: bytes = b"") -> bytes:
    sealed = BestAvailableEncryption(password) if password else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, sealed)


def certificate(key) -> bytes:
    builder = x509.CertificateBuilder().subject_name(NAME).issuer_name(NAME).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(datetime(2026, 1, 1, tzinfo=UTC))
    return (
        builder.not_valid_after(datetime(2027, 1, 1, tzinfo=UTC))
        .sign(key, SHA256())
        .public_bytes(Encoding.PEM)
    )


CERTIFICATE = certificate(P256)
FILES = {
    "p256.pem": pem(P256),
    "p256-with-certificate.pem": CERTIFICATE + pem(P256),
    "rsa.pem": pem(RSA),
    "rsa-short.pem": pem(rsa.generate_private_key(65537, 1024)),  # noqa: S505  to be refused
    "p384.pem": pem(ec.generate_private_key(ec.SECP384R1())),
    "ed25519.pem": pem(ed25519.Ed25519PrivateKey.generate()),
    "locked.pem": pem(P256, b"password"),
    "certificate.pem": CERTIFICATE,
    "another-s-key.pem": CERTIFICATE + pem(RSA),
    "keys.json": b'{"keys": []}',
    "no-list.json": b'{"keys": "none"}',
    "words.txt": b"no key at all",
}


@pytest.fixture
def files(tmp_path: Path) -> Path:
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content)
    return tmp_path


def given(files: Path, variable: str, names: str):
    paths = names if "://" in names else ",".join(str(files / name) for name in names.split(","))
    return getattr(read_environment({**REQUIRED, variable: paths}), variable.lower())


@pytest.mark.parametrize(
    ("variable", "names"),
    [
        ("APPLE_PAY_PROCESSING_KEYS", "p256.pem,rsa.pem"),
        ("APPLE_PAY_PROCESSING_KEYS", "p256-with-certificate.pem"),
        ("GOOGLE_PAY_PRIVATE_KEYS", "p256.pem,p256-with-certificate.pem"),
    ],
)
def test_given_private_keys_then_their_paths_are_kept(files, variable, names):
    assert given(files, variable, names) == tuple(str(files / name) for name in names.split(","))


@pytest.mark.parametrize(
    ("variable", "name"),
    [
        ("APPLE_PAY_ROOT_CA", "certificate.pem"),
        ("APPLE_PAY_MERCHANT_IDENTITY", "p256-with-certificate.pem"),
        ("GOOGLE_PAY_ROOT_KEYS", "keys.json"),
    ],
)
def test_given_one_file_then_its_path_is_kept(files, variable, name):
    assert given(files, variable, name) == str(files / name)


@pytest.mark.parametrize("url", ["https://keys.example.com/keys.json?v=1", "http://127.0.0.1:9/keys.json"])
def test_given_a_url_of_root_keys_then_it_is_kept(files, url):
    assert given(files, "GOOGLE_PAY_ROOT_KEYS", url) == url


@pytest.mark.parametrize(
    ("variable", "names", "expected"),
    [
        *(
            ("APPLE_PAY_PROCESSING_KEYS", names, "paths of PEM files")
            for names in (
                "none.pem",
                "words.txt",
                "certificate.pem",
                "locked.pem",
                "p384.pem",
                "ed25519.pem",
                "rsa-short.pem",
                "p256.pem,none.pem",
            )
        ),
        *(
            ("GOOGLE_PAY_PRIVATE_KEYS", names, "paths of PEM files")
            for names in ("none.pem", "rsa.pem", "p384.pem")
        ),
        *(
            ("APPLE_PAY_ROOT_CA", name, "the path of a PEM file with a certificate")
            for name in ("none.pem", "p256.pem")
        ),
        *(
            (
                "APPLE_PAY_MERCHANT_IDENTITY",
                name,
                "the path of a PEM file with a certificate and its private key",
            )
            for name in ("none.pem", "p256.pem", "certificate.pem", "another-s-key.pem")
        ),
        *(
            ("GOOGLE_PAY_ROOT_KEYS", name, "an https: URL, or the path of a JSON file")
            for name in (
                "none.json",
                "words.txt",
                "no-list.json",
                "http://keys.example.com/keys.json",
                "https://me@keys.example.com/",
                "https:///keys.json",
            )
        ),
        ("GOOGLE_PAY_RECIPIENT_ID", "https://example.com", "merchant: or gateway: followed by an id"),
        ("GOOGLE_PAY_ENVIRONMENT", "https://TEST", "one of TEST, PRODUCTION"),
        ("APPLE_PAY_DOMAIN", "https://wallet.example.com", "a domain name such as wallet.example.com"),
        ("APPLE_PAY_MERCHANT_ID", "https://example.com", "a key of printable characters"),
        ("MERCHANT_NAME", "https://" + "é" * 29, "a name of at most 64 bytes"),
    ],
)
def test_given_what_cant_be_used_then_the_boot_stops_with_the_name_of_the_variable(
    files, variable, names, expected
):
    with pytest.raises(ImproperlyConfigured) as refused:
        given(files, variable, names)

    assert str(refused.value).startswith(f"{variable} can't be used: expected {expected}")


def test_given_production_then_root_keys_come_by_tls_alone(files):
    production = {
        **REQUIRED,
        "OPEN_WALLET_MODE": "production",
        "ALLOWED_HOSTS": "wallet.example.com",
        "PUBLIC_URL": "https://wallet.example.com",
        "GOOGLE_PAY_ROOT_KEYS": "http://127.0.0.1:9/keys.json",
    }

    with pytest.raises(ImproperlyConfigured, match=r"^GOOGLE_PAY_ROOT_KEYS can't be used: "):
        read_environment(production)
