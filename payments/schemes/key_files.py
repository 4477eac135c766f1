"""Keys and certificates in PEM files, read once for each process: the configuration has looked at them at the boot."""

from functools import lru_cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@lru_cache(maxsize=32)
def private_key(path: str) -> PrivateKey:
    """Read the private key of a file. Raises ValueError where it is of another kind than EC or RSA."""
    key = load_pem_private_key(Path(path).read_bytes(), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise ValueError("an EC or RSA key was expected")
    return key


@lru_cache(maxsize=8)
def certificate(path: str) -> x509.Certificate:
    """Read the first certificate of a file."""
    return x509.load_pem_x509_certificate(Path(path).read_bytes())
