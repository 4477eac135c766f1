"""Apple's payment tokens: the CMS signature by itself, real tokens with a part changed, and what is inside them."""

import base64
import json
from collections.abc import Callable
from copy import deepcopy
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

from rest_framework.exceptions import ParseError

from config.gateway.json_bodies import read_json
from payments.refusals import PaymentTokenInvalid
from payments.schemes import cms
from payments.schemes.apple_tokens import EC_V1, P256_KEY_BYTES, RSA_BLOCK_BYTES, RSA_V1, read_apple_token
from payments.schemes.ber import Malformed
from payments.schemes.contract import SessionFacts
from payments.schemes.registry import scheme_of
from tests.payments.schemes import apple_forge
from tests.payments.schemes.apple_forge import CHAIN, NONCE, NOW, PLAINTEXT, Cms, b64, key
from tests.proof.targets.contract import READ, REFUSED, Believed, Seed, Target, Way, seed
from transactions.money import Money

FIELDS = ("data", "version", "ephemeralPublicKey", "publicKeyHash", "transactionId", "applicationData")
REAL = Path(apple_forge.__file__).with_name("data")
P256 = apple_forge.oid("1.2.840.10045.3.1.7")
VERSION_3 = b"\xa0\3\2\1\2"
"""As a certificate says it, in DER."""
KEY_BYTES = {EC_V1: P256_KEY_BYTES, RSA_V1: RSA_BLOCK_BYTES}
SESSION = SessionFacts(id=UUID(int=1), amount=Money(2500, "USD"), nonce=NONCE)
FIXED = {"ephemeral": key(5), "transaction_id": bytes(range(32))}

configuration = apple_forge.merchant


def target() -> Target:
    """Make the target around one token that is as it should be."""
    genuine = apple_forge.token(**FIXED)
    known = _facts(genuine)
    ways: dict[str, Way] = {
        "signature alone": _read_signature,
        "signature": partial(_change_signature, genuine, known),
        "field": partial(_change_field, genuine, known),
        "object": partial(_read_object, known),
        "plaintext": _open_plaintext,
        "ephemeral key": partial(_open_key, EC_V1),
        "wrapped key": partial(_open_key, RSA_V1),
    }
    return Target(ways, _seeds(ways, genuine), words=_words())


def _facts(payment_data: dict[str, Any]) -> tuple[Any, ...]:
    """Verify a token, and give all of it that is signed or follows from that. Refuses with PaymentTokenInvalid."""
    verified = scheme_of("apple_pay").verify(payment_data, session=None, now=NOW, decrypt=True)
    token = read_apple_token(payment_data)
    return (token.signed_content, token.public_key_hash, verified.replay_key, verified.device_card)


def _verify(payment_data: dict[str, Any], known: tuple[Any, ...]) -> str:
    try:
        facts = _facts(payment_data)
    except PaymentTokenInvalid:
        return REFUSED
    if facts != known:
        raise Believed("a token verifies that nobody signed")
    return READ


def _read_signature(rest: bytes) -> str:
    try:
        cms.read_signature(rest)
    except Malformed:
        return REFUSED
    return READ


def _change_signature(genuine: dict[str, Any], known: tuple[Any, ...], rest: bytes) -> str:
    changed = deepcopy(genuine)
    changed["paymentData"]["signature"] = b64(rest)
    return _verify(changed, known)


def _change_field(genuine: dict[str, Any], known: tuple[Any, ...], rest: bytes) -> str:
    """Put a text into the field that the first byte chooses; the identifier beside the header would hide it."""
    changed = deepcopy(genuine)
    del changed["transactionIdentifier"]
    name = FIELDS[rest[0] % len(FIELDS)] if rest else FIELDS[0]
    where = changed["paymentData"] if name in ("data", "version") else changed["paymentData"]["header"]
    where[name] = rest[1:].decode(errors="replace")
    return _verify(changed, known)


def _read_object(known: tuple[Any, ...], rest: bytes) -> str:
    """Read a body as the gateway does, and verify it as a token."""
    try:
        payment_data = read_json(rest)
    except ParseError:
        return REFUSED
    return _verify(payment_data, known) if isinstance(payment_data, dict) else REFUSED


def _open(payment_data: dict[str, Any]) -> str:
    """Verify a token that Apple did sign, whatever is in it, against a session."""
    try:
        verified = scheme_of("apple_pay").verify(payment_data, session=SESSION, now=NOW, decrypt=True)
    except PaymentTokenInvalid:
        return REFUSED
    card = verified.device_card
    if card is None or not (card.number.isascii() and card.number.isdigit()):
        raise Believed("a card without a number")
    return READ


def _open_plaintext(rest: bytes) -> str:
    return _open(apple_forge.token(plaintext=rest or b" ", **FIXED))


def _open_key(version: str, rest: bytes) -> str:
    """Let Apple sign a token whose ephemeral or wrapped key is these bytes."""
    size = KEY_BYTES[version]
    return _open(apple_forge.token(version=version, material=rest[:size].ljust(size, b"\0"), **FIXED))


def _seeds(ways: dict[str, Way], genuine: dict[str, Any]) -> dict[str, Seed]:
    write: Callable[[str, bytes, str], Seed] = partial(seed, ways)
    parts = genuine["paymentData"]
    signature, material = (
        base64.b64decode(text) for text in (parts["signature"], parts["header"]["ephemeralPublicKey"])
    )
    signed = read_apple_token(genuine).signed_content
    found = {
        "a signature alone": write("signature alone", signature, READ),
        "a signature that is cut off": write("signature alone", signature[:-40], REFUSED),
        "nested without end": write("signature alone", b"\x30\x80" * 4000, REFUSED),
        "the token's own signature": write("signature", signature, READ),
        **{
            f"a signature with {what}": write("signature", Cms(CHAIN, **spoiled).over(signed), REFUSED)
            for what, spoiled in _spoiled().items()
        },
        "a certificate of no known version": write(
            "signature", signature.replace(VERSION_3, VERSION_3[:-1] + b"\x22", 1), REFUSED
        ),
        "another token's signature": write("signature", Cms(CHAIN).over(b"something else"), REFUSED),
        "the whole token": write("object", json.dumps(genuine).encode(), READ),
        "a simulator's": write(
            "object", b'{"transactionIdentifier": "Simulated Identifier", "paymentData": {}}', REFUSED
        ),
        "what is inside": write("plaintext", json.dumps(PLAINTEXT).encode(), READ),
        "another amount": write(
            "plaintext", json.dumps({**PLAINTEXT, "transactionAmount": 2501}).encode(), REFUSED
        ),
        "China's kind": write(
            "plaintext", json.dumps({**PLAINTEXT, "paymentDataType": "EMV"}).encode(), REFUSED
        ),
        "its ephemeral key": write("ephemeral key", material, READ),
        "a point that isn't on the curve": write("ephemeral key", material[:-1] + b"\0", REFUSED),
        "a curve that nobody knows": write(
            "ephemeral key", material.replace(P256, P256[:-1] + b"\x63"), REFUSED
        ),
        "a wrapped key": write("wrapped key", bytes(256), REFUSED),
    }
    for number, name in enumerate(FIELDS):
        text = parts[name] if name in ("data", "version") else parts["header"][name]
        found[f"its {name}"] = write("field", bytes([number]) + text.encode(), READ)
    for name in ("real_ec_v1", "real_rsa_v1"):
        # Signed by Apple itself, years ago and for somebody else: only the signature can be taken apart.
        real = json.loads((REAL / f"{name}.json").read_text())
        told = base64.b64decode(real["payment_data"]["paymentData"]["signature"])
        found[name] = write("signature alone", told, READ)
    return found


def _spoiled() -> dict[str, dict[str, Any]]:
    """Give signatures that somebody with Apple's keys could have made, each with one thing that is refused."""
    return {
        "one certificate": {"certificates": [CHAIN.leaf]},
        "a certificate twice": {"certificates": [CHAIN.leaf, CHAIN.leaf]},
        "the root in the leaf's place": {"certificates": [CHAIN.root, CHAIN.intermediate]},
        "two signers": {"signers": 2},
        "another serial number": {"serial": 4712},
        "another digest": {"digest_algorithm": apple_forge.SHA_1},
        "another algorithm": {"signature_algorithm": apple_forge.RSA},
        "its content": {"content": apple_forge.der(apple_forge.OCTETS, b"x")},
        "no moment": {"without": apple_forge.SIGNING_TIME},
        "two moments": {"twice": apple_forge.SIGNING_TIME},
        "an old moment": {"at": NOW - timedelta(hours=1)},
        "attributes that aren't DER": {"open_ended_attributes": True},
        "another kind": {"kind": apple_forge.ENVELOPED_DATA},
        "something after it": {"trailing": b"\0"},
    }


def _words() -> tuple[str, ...]:
    return (
        *FIELDS,
        *PLAINTEXT,
        *("paymentData", "paymentMethod", "transactionIdentifier", "header", "signature", "wrappedKey"),
        *("EC_v1", "RSA_v1", "3DSecure", "EMV", "network", "displayName", "type"),
    )
