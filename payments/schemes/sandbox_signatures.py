"""Writing the CMS signature of the sandbox's Apple phones, with the indefinite lengths of the real ones."""

from datetime import UTC, datetime
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from payments.schemes import ber, cms
from payments.schemes.apple_signatures import ECDSA_WITH_SHA256
from payments.schemes.sandbox_authority import AppleAuthority

_END_OF_CONTENTS = b"\x00\x00"


def detached_signature(content: bytes, *, authority: AppleAuthority, at: datetime) -> bytes:
    """Sign content by the authority's leaf, as of `at`; the leaf and its intermediate come along."""
    signed_at = at.astimezone(UTC).strftime("%y%m%d%H%M%SZ").encode()
    attributes = (
        _attribute(cms.CONTENT_TYPE, _identifier(cms.DATA)),
        _attribute(cms.SIGNING_TIME, _element(ber.UTC_TIME, signed_at)),
        _attribute(cms.MESSAGE_DIGEST, _element(ber.OCTET_STRING, sha256(content).digest())),
    )
    # DER orders what is in a set by its bytes (X.690, 11.6).
    ordered = b"".join(sorted(attributes))
    value = authority.leaf_key.sign(_element(ber.SET, ordered), ec.ECDSA(SHA256()))
    digest_algorithm = _sequence(_identifier(cms.SHA256))
    leaf = authority.leaf
    signer = _sequence(
        _integer(1),
        _sequence(leaf.issuer.public_bytes(), _integer(leaf.serial_number)),
        digest_algorithm,
        _element(ber.CONTEXT_0, ordered),
        _sequence(_identifier(ECDSA_WITH_SHA256)),
        _element(ber.OCTET_STRING, value),
    )
    certificates = b"".join(each.public_bytes(Encoding.DER) for each in (leaf, authority.intermediate))
    signed_data = _open_ended(
        ber.SEQUENCE,
        _integer(1),
        _element(ber.SET, digest_algorithm),
        _open_ended(ber.SEQUENCE, _identifier(cms.DATA)),
        _open_ended(ber.CONTEXT_0, certificates),
        _element(ber.SET, signer),
    )
    return _open_ended(ber.SEQUENCE, _identifier(cms.SIGNED_DATA), _open_ended(ber.CONTEXT_0, signed_data))


def _attribute(kind: str, value: bytes) -> bytes:
    return _sequence(_identifier(kind), _element(ber.SET, value))


def _sequence(*parts: bytes) -> bytes:
    return _element(ber.SEQUENCE, b"".join(parts))


def _element(tag: int, content: bytes) -> bytes:
    """Write an element with a definite length, in DER's shortest form."""
    length = len(content)
    if length < 0x80:
        return bytes([tag, length]) + content
    octets = length.to_bytes((length.bit_length() + 7) // 8)
    return bytes([tag, 0x80 | len(octets)]) + octets + content


def _open_ended(tag: int, *parts: bytes) -> bytes:
    """Write an element whose length only its end tells."""
    return bytes([tag, 0x80]) + b"".join(parts) + _END_OF_CONTENTS


def _integer(value: int) -> bytes:
    return _element(ber.INTEGER, value.to_bytes(value.bit_length() // 8 + 1))


def _identifier(dotted: str) -> bytes:
    """Write an object identifier: the first two arcs in one, seven bits to an octet (X.690, 8.19)."""
    first, second, *rest = (int(arc) for arc in dotted.split("."))
    content = b""
    for arc in (40 * first + second, *rest):
        septets = [arc & 0x7F]
        while arc := arc >> 7:
            septets.append(arc & 0x7F | 0x80)
        content += bytes(reversed(septets))
    return _element(ber.OBJECT_IDENTIFIER, content)
