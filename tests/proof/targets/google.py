"""Google's payment tokens: envelopes with a part changed, and whatever Google could have signed or sealed."""

import json
from collections.abc import Callable
from functools import partial
from typing import Any

from django.test import override_settings
from rest_framework.exceptions import ParseError

from config.gateway.json_bodies import read_json
from payments.refusals import PaymentTokenInvalid
from payments.schemes.google_root_keys import read_root_keys
from payments.schemes.google_tokens import read_google_token
from payments.schemes.merchant_identities import STRIPES
from payments.schemes.registry import scheme_of
from tests.payments.schemes import google_forge
from tests.payments.schemes.apple_forge import NOW, key
from tests.payments.schemes.google_forge import CONTENT, Token
from tests.proof.targets.contract import READ, REFUSED, Believed, Seed, Target, Way, seed

FIELDS = ("protocolVersion", "signature", "signedMessage", "signedKey", "signatures")
EPHEMERAL = key(5)
DETAILS = CONTENT["paymentMethodDetails"]
CARDS: dict[str, tuple[dict[str, Any], str]] = {
    "a card on file": ({"authMethod": "PAN_ONLY"}, READ),
    "no method": ({"authMethod": "PIN"}, REFUSED),
    "no number": ({"pan": "4242"}, REFUSED),
    "no month": ({"expirationMonth": 13}, REFUSED),
    "no year": ({"expirationYear": "29"}, REFUSED),
}

configuration = google_forge.merchant


def target() -> Target:
    """Make the target around one envelope that is as it should be."""
    genuine = Token(ephemeral=EPHEMERAL).made()
    known = _facts(google_forge.payment_data(genuine))
    ways: dict[str, Way] = {
        "object": partial(_read_object, known),
        "envelope": partial(_read_envelope, known),
        "field": partial(_change_field, genuine, known),
        "signed key": _read_signed_key,
        "signed message": _read_signed_message,
        "plaintext": _open_plaintext,
        "Stripe's": _read_stripes,
        "root keys": _read_roots,
    }
    return Target(ways, _seeds(ways, genuine), words=_words())


def _facts(payment_data: dict[str, Any]) -> tuple[Any, ...]:
    """Verify a token, and give all of it that is signed or follows from that. Refuses with PaymentTokenInvalid."""
    verified = scheme_of("google_pay").verify(payment_data, session=None, now=NOW, decrypt=True)
    token = read_google_token(payment_data["paymentMethodData"]["tokenizationData"]["token"])
    return (token.signed_key, token.signed_message, verified.replay_key, verified.device_card)


def _verify(payment_data: dict[str, Any], known: tuple[Any, ...]) -> str:
    try:
        facts = _facts(payment_data)
    except PaymentTokenInvalid:
        return REFUSED
    if facts != known:
        raise Believed("a token verifies that nobody signed")
    return READ


def _read_object(known: tuple[Any, ...], rest: bytes) -> str:
    """Read a body as the gateway does, and verify it as a token."""
    try:
        payment_data = read_json(rest)
    except ParseError:
        return REFUSED
    return _verify(payment_data, known) if isinstance(payment_data, dict) else REFUSED


def _read_envelope(known: tuple[Any, ...], rest: bytes) -> str:
    return _verify(google_forge.payment_data(rest.decode(errors="replace")), known)


def _change_field(genuine: dict[str, Any], known: tuple[Any, ...], rest: bytes) -> str:
    """Put a text into the field that the first byte chooses."""
    name = FIELDS[rest[0] % len(FIELDS)] if rest else FIELDS[0]
    text = rest[1:].decode(errors="replace")
    by = genuine["intermediateSigningKey"]
    if name in by:
        changed = {**genuine, "intermediateSigningKey": {**by, name: _shaped(name, text)}}
    else:
        changed = {**genuine, name: text}
    return _verify(google_forge.payment_data(json.dumps(changed)), known)


def _shaped(name: str, text: str) -> str | list[str]:
    return text.split(",") if name == "signatures" else text


def _open(envelope: dict[str, Any]) -> str:
    """Verify a token that Google did sign, whatever is in it."""
    payment_data = google_forge.payment_data(envelope)
    try:
        verified = scheme_of("google_pay").verify(payment_data, session=None, now=NOW, decrypt=True)
    except PaymentTokenInvalid:
        return REFUSED
    card = verified.device_card
    if card is None or not (card.number.isascii() and card.number.isdigit()):
        raise Believed("a card without a number")
    if not 0 < len(verified.replay_key) <= 512:
        raise Believed("a replay key that can't be kept")
    return READ


def _read_signed_key(rest: bytes) -> str:
    return _open(Token(signed_key_text=rest.decode(errors="replace") or " ", ephemeral=EPHEMERAL).made())


def _read_signed_message(rest: bytes) -> str:
    return _open(Token(signed_message=rest.decode(errors="replace") or " ").made())


def _open_plaintext(rest: bytes) -> str:
    return _open(Token(content=rest, ephemeral=EPHEMERAL).made())


def _read_stripes(rest: bytes) -> str:
    """Read a token that is Stripe's own: nobody here can verify it, its id alone is taken."""
    payment_data = google_forge.payment_data(rest.decode(errors="replace"))
    with override_settings(GOOGLE_PAY_RECIPIENT_ID=STRIPES):
        try:
            verified = scheme_of("google_pay").verify(payment_data, session=None, now=NOW, decrypt=False)
        except PaymentTokenInvalid:
            return REFUSED
    if not verified.replay_key.startswith("tok_") or verified.device_card is not None:
        raise Believed("an id that isn't Stripe's")
    return READ


def _read_roots(rest: bytes) -> str:
    try:
        read_root_keys(rest)
    except PaymentTokenInvalid:
        return REFUSED
    return READ


def _seeds(ways: dict[str, Way], genuine: dict[str, Any]) -> dict[str, Seed]:
    write: Callable[[str, bytes, str], Seed] = partial(seed, ways)
    by = genuine["intermediateSigningKey"]
    texts = (genuine["protocolVersion"], genuine["signature"], genuine["signedMessage"], by["signedKey"])
    return {
        "the whole object": write("object", json.dumps(google_forge.payment_data(genuine)).encode(), READ),
        "the envelope": write("envelope", json.dumps(genuine).encode(), READ),
        "the old protocol": write(
            "envelope", json.dumps({**genuine, "protocolVersion": "ECv1"}).encode(), REFUSED
        ),
        "a member more": write("envelope", json.dumps({**genuine, "x": 1}).encode(), REFUSED),
        **{
            f"its {name}": write("field", bytes([number]) + text.encode(), READ)
            for number, (name, text) in enumerate(
                zip(FIELDS, (*texts, ",".join(by["signatures"])), strict=True)
            )
        },
        "a signed key": write("signed key", by["signedKey"].encode(), READ),
        "a signed key that isn't one": write("signed key", b'{"keyValue": "AAAA"}', REFUSED),
        "a signed message": write("signed message", genuine["signedMessage"].encode(), READ),
        "a point that isn't on the curve": write(
            "signed message",
            json.dumps(
                {
                    **json.loads(genuine["signedMessage"]),
                    "ephemeralPublicKey": google_forge.b64(b"\4" * 65),
                }
            ).encode(),
            REFUSED,
        ),
        "what is inside": write("plaintext", json.dumps(CONTENT).encode(), READ),
        **{
            f"inside, {what}": write(
                "plaintext",
                json.dumps({**CONTENT, "paymentMethodDetails": {**DETAILS, **details}}).encode(),
                becomes,
            )
            for what, (details, becomes) in CARDS.items()
        },
        "a message of yesterday": write(
            "plaintext", json.dumps({**CONTENT, "messageExpiration": "1"}).encode(), REFUSED
        ),
        "Stripe's token": write("Stripe's", b'{"id": "tok_1", "object": "token"}', READ),
        "not Stripe's token": write("Stripe's", b'{"id": "tok_ 1"}', REFUSED),
        "root keys": write("root keys", json.dumps(google_forge.root_list()).encode(), READ),
        "no root keys": write("root keys", b'{"keys": {}}', REFUSED),
    }


def _words() -> tuple[str, ...]:
    return (
        *FIELDS,
        *CONTENT,
        *CONTENT["paymentMethodDetails"],
        *("paymentMethodData", "tokenizationData", "token", "info", "cardNetwork", "cardDetails"),
        *("encryptedMessage", "ephemeralPublicKey", "tag", "keyValue", "keyExpiration", "keys"),
        *("intermediateSigningKey", "ECv2", "CARD", "PAN_ONLY", "CRYPTOGRAM_3DS", "gatewayMerchantId"),
    )
