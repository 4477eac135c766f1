"""A detached CMS signature (RFC 5652) taken apart: SignedData with one signer. Nothing is believed here yet."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from payments.schemes import ber
from payments.schemes.ber import Element, Malformed

SIGNED_DATA = "1.2.840.113549.1.7.2"
DATA = "1.2.840.113549.1.7.1"
CONTENT_TYPE = "1.2.840.113549.1.9.3"
MESSAGE_DIGEST = "1.2.840.113549.1.9.4"
SIGNING_TIME = "1.2.840.113549.1.9.5"
SHA256 = "2.16.840.1.101.3.4.2.1"


@dataclass(frozen=True, slots=True)
class Signature:
    """What a signature says. `signed_attributes` are the bytes that it signs; the issuer is the name in DER."""

    certificates: tuple[bytes, ...]
    issuer: bytes
    serial_number: int
    digest_algorithm: str
    signature_algorithm: str
    signed_attributes: bytes
    content_type: str
    message_digest: bytes
    signed_at: datetime
    value: bytes


def read_signature(data: bytes) -> Signature:
    """Take a detached signature apart. Raises Malformed what isn't one, or has not exactly one signer."""
    envelope = _sequence(ber.read_one(data), at_least=2)
    if envelope[0].identifier() != SIGNED_DATA:
        raise Malformed("not signed data")
    signed = _sequence(_only(envelope[1].expect(ber.CONTEXT_0).children()), at_least=4)
    _version, _digests, content, *parts = signed
    inner = _sequence(content, at_least=1)
    if len(inner) != 1 or inner[0].identifier() != DATA:
        raise Malformed("the signature is not detached, or not over plain data")
    certificates = parts[0].expect(ber.CONTEXT_0).children()
    signer = _sequence(_only(parts[-1].expect(ber.SET).children()), at_least=6)
    _version, name_and_serial, digest, attributes, algorithm, value = signer[:6]
    issuer, serial = _pair(_sequence(name_and_serial, at_least=2))
    if not attributes.expect(ber.CONTEXT_0).is_definite():
        raise Malformed("signed attributes that aren't DER")
    named = _attributes(attributes)
    return Signature(
        certificates=tuple(certificate.expect(ber.SEQUENCE).raw for certificate in certificates),
        issuer=issuer.expect(ber.SEQUENCE).raw,
        serial_number=serial.integer(),
        digest_algorithm=_sequence(digest, at_least=1)[0].identifier(),
        signature_algorithm=_sequence(algorithm, at_least=1)[0].identifier(),
        # What is signed is the SET OF itself, not its place in the signer's record (RFC 5652, 5.4).
        signed_attributes=bytes([ber.SET]) + attributes.raw[1:],
        content_type=_needed(named, CONTENT_TYPE).identifier(),
        message_digest=_needed(named, MESSAGE_DIGEST).expect(ber.OCTET_STRING).content,
        signed_at=_utc_time(_needed(named, SIGNING_TIME)),
        value=value.expect(ber.OCTET_STRING).content,
    )


def _attributes(attributes: Element) -> dict[str, Element]:
    """Read attributes, each of which may stand once and has one value."""
    found: dict[str, Element] = {}
    for attribute in attributes.children():
        name, values = _pair(_sequence(attribute, at_least=2))
        kind = name.identifier()
        if kind in found:
            raise Malformed("an attribute stands twice")
        found[kind] = _only(values.expect(ber.SET).children())
    return found


def _needed(attributes: dict[str, Element], kind: str) -> Element:
    if kind not in attributes:
        raise Malformed(f"no attribute {kind}")
    return attributes[kind]


def _utc_time(element: Element) -> datetime:
    """Read a UTCTime, whose two digits of a year stand for 1950 to 2049 (RFC 5280, 4.1.2.5.1)."""
    text = element.expect(ber.UTC_TIME).content
    if not re.fullmatch(rb"[0-9]{12}Z", text):
        raise Malformed("a time in another form")
    century = b"19" if text >= b"50" else b"20"
    try:
        return datetime.strptime((century + text).decode(), "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise Malformed("no such time") from None


def _sequence(element: Element, *, at_least: int) -> list[Element]:
    children = element.expect(ber.SEQUENCE).children()
    if len(children) < at_least:
        raise Malformed("a sequence is too short")
    return children


def _only(elements: list[Element]) -> Element:
    if len(elements) != 1:
        raise Malformed(f"expected one element, found {len(elements)}")
    return elements[0]


def _pair(elements: list[Element]) -> tuple[Element, Element]:
    if len(elements) != 2:
        raise Malformed(f"expected two elements, found {len(elements)}")
    return elements[0], elements[1]
