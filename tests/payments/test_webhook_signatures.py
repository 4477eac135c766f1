"""Only what a provider signed gets in: Stripe's timed HMACs, and Basis Theory's signature by either reading."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from payments.refusals import SignatureInvalid
from payments.senders.basis_theory import BasisTheorySender
from payments.senders.bodies import MOST_LEVELS
from payments.senders.timed_signatures import TOLERANCE_S, require_signed, sign
from transactions.refusals import InvalidInput

SECRET, OLD_SECRET = "whsec_new_secret", "whsec_old_secret"
RAW = b'{"id": "evt_1", "amount": 25.0}'
AT = datetime(2026, 1, 15, 12, 0, 0, tzinfo=UTC)
T = int(AT.timestamp())


def v1(secret: str = SECRET, raw: bytes = RAW, moment: int = T) -> str:
    return hmac.new(secret.encode(), f"{moment}.".encode() + raw, hashlib.sha256).hexdigest()


GOOD = {
    "one signature": f"t={T},v1={v1()}",
    "another scheme beside it": f"t={T},v1={v1()},v0={'0' * 64}",
    "two while the secret changes": f"t={T},v1={v1('whsec_other')},v1={v1()}",
    "by the secret that is being replaced": f"t={T},v1={v1(OLD_SECRET)}",
    "blanks after the comma": f"t={T}, v1={v1()}",
    "just within the tolerance": f"t={T - TOLERANCE_S},v1={v1(moment=T - TOLERANCE_S)}",
    "a clock that is ahead": f"t={T + 60},v1={v1(moment=T + 60)}",
}
BAD = {
    "nothing": "",
    "no moment": f"v1={v1()}",
    "no signature": f"t={T}",
    "only another scheme": f"t={T},v0={v1()}",
    "another secret": f"t={T},v1={v1('whsec_other')}",
    "the secret without its prefix": f"t={T},v1={v1('new_secret')}",
    "another body": f"t={T},v1={v1(raw=RAW + b' ')}",
    "another moment": f"t={T + 1},v1={v1()}",
    "too old by a second": f"t={T - TOLERANCE_S - 1},v1={v1(moment=T - TOLERANCE_S - 1)}",
    "a moment that is no number": f"t=now,v1={v1()}",
    "a moment in other digits": f"t=١٧٦٨٤٧٨٤٠٠,v1={v1()}",
    "a signature that is no hex": f"t={T},v1=ünlesbar",
    "an empty signature": f"t={T},v1=",
    "an endless header": f"t={T}," + "v1=00," * 100_000 + f"v1={v1()}",
}


@pytest.mark.parametrize("header", GOOD.values(), ids=GOOD)
def test_when_a_body_is_signed_then_it_passes(header):
    require_signed(header, raw=RAW, secrets=[SECRET, OLD_SECRET], at=AT)


@pytest.mark.parametrize("header", BAD.values(), ids=BAD)
def test_when_a_signature_is_not_good_then_it_is_refused(header):
    with pytest.raises(SignatureInvalid):
        require_signed(header, raw=RAW, secrets=[SECRET, OLD_SECRET], at=AT)


def test_when_no_secret_is_set_then_nothing_passes():
    with pytest.raises(SignatureInvalid):
        require_signed(GOOD["one signature"], raw=RAW, secrets=[], at=AT)


def test_when_we_sign_then_it_passes_until_the_tolerance_is_over():
    header = sign(raw=RAW, secret=SECRET, at=AT)

    require_signed(header, raw=RAW, secrets=[SECRET], at=AT + timedelta(seconds=TOLERANCE_S))
    with pytest.raises(SignatureInvalid):
        require_signed(header, raw=RAW, secrets=[SECRET], at=AT + timedelta(seconds=TOLERANCE_S + 1))


EVENT = {
    "event": {
        "id": "e99b3bb9-25e4-484f-8a6d-6bc28edbbf39",
        "type": "token.expired",
        "data": {"token": {"id": "c06d0789"}, "note": "Zürich"},
    },
    "delivered_at": "2026-01-15T12:00:05.000Z",
}
UNSORTED = json.dumps(EVENT, indent=1).encode()
STABLE = json.dumps(EVENT, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


@pytest.fixture(scope="module")
def private_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def by_rsa(key: rsa.RSAPrivateKey, text: bytes, *, salt_length: int = 32) -> str:
    return base64.b64encode(
        key.sign(text, padding.PSS(padding.MGF1(SHA256()), salt_length), SHA256())
    ).decode()


def by_hmac(secret: str, text: bytes) -> str:
    return base64.b64encode(hmac.new(secret.encode(), text, hashlib.sha256).digest()).decode()


def read(signature: str, **headers: str) -> Any:
    given = {"BT-Signature": signature, "BT-Signature-Version": "v1", **headers}
    return BasisTheorySender().read(raw=UNSORTED, headers=given, at=AT)


@pytest.fixture
def rsa_only(settings: Any, private_key: rsa.RSAPrivateKey) -> None:
    settings.BASIS_THEORY_WEBHOOK_SECRET = ""
    settings.BASIS_THEORY_WEBHOOK_KEY = private_key.public_key().public_bytes(
        Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
    )


@pytest.fixture
def hmac_only(settings: Any) -> None:
    settings.BASIS_THEORY_WEBHOOK_SECRET = "shared"
    settings.BASIS_THEORY_WEBHOOK_KEY = b""


@pytest.mark.parametrize("salt_length", [0, 20, 32])
def test_when_basis_theory_signs_by_rsa_over_the_sorted_body_then_it_passes(
    rsa_only, private_key, salt_length
):
    notice = read(by_rsa(private_key, STABLE, salt_length=salt_length))

    assert (notice.event_id, notice.type) == (EVENT["event"]["id"], "token.expired")
    assert notice.body == {"object": {"id": "c06d0789"}}


@pytest.mark.parametrize("text", [UNSORTED, STABLE], ids=["raw", "sorted"])
def test_when_basis_theory_signs_by_hmac_then_it_passes_over_either_form_of_the_body(hmac_only, text):
    assert read(by_hmac("shared", text)).type == "token.expired"


def test_when_basis_theory_signs_another_body_by_rsa_then_it_is_refused(rsa_only, private_key):
    with pytest.raises(SignatureInvalid):
        read(by_rsa(private_key, STABLE.replace(b"expired", b"deleted")))


def test_when_another_key_signs_then_it_is_refused(rsa_only):
    with pytest.raises(SignatureInvalid):
        read(by_rsa(rsa.generate_private_key(public_exponent=65537, key_size=2048), STABLE))


@pytest.mark.parametrize("signature", ["", "%%%", base64.b64encode(b"x" * 256).decode()])
def test_when_the_signature_is_no_signature_then_it_is_refused(rsa_only, signature):
    with pytest.raises(SignatureInvalid):
        read(signature)


def test_when_the_public_key_is_taken_for_a_shared_secret_then_it_is_refused(rsa_only, settings):
    with pytest.raises(SignatureInvalid):
        read(by_hmac(settings.BASIS_THEORY_WEBHOOK_KEY.decode(), STABLE))


def test_when_no_secret_is_set_then_an_hmac_with_an_empty_one_is_refused(rsa_only):
    with pytest.raises(SignatureInvalid):
        read(by_hmac("", STABLE))


def test_when_the_signature_is_of_another_version_then_it_is_refused(hmac_only):
    with pytest.raises(SignatureInvalid):
        read(by_hmac("shared", STABLE), **{"BT-Signature-Version": "v2"})


def test_when_the_body_is_no_event_then_it_is_refused(hmac_only):
    raw = b'{"event": {"type": "token.expired"}}'

    with pytest.raises(InvalidInput):
        BasisTheorySender().read(
            raw=raw, headers={"BT-Signature": by_hmac("shared", raw), "BT-Signature-Version": "v1"}, at=AT
        )


@pytest.mark.parametrize("levels", [MOST_LEVELS, 1000, 100_000])
@pytest.mark.parametrize("opening", [b"[", b'{"a":'], ids=["lists", "objects"])
def test_when_the_body_nests_deeper_than_it_may_then_it_is_refused(hmac_only, levels, opening):
    closing = b"]" if opening == b"[" else b"}"
    raw = b'{"a":' + opening * levels + b"1" * (opening != b"[") + closing * levels + b"}"

    with pytest.raises(InvalidInput):
        BasisTheorySender().read(raw=raw, headers={"BT-Signature": by_hmac("shared", raw)}, at=AT)


def test_when_the_body_nests_as_deeply_as_it_may_then_it_is_read(hmac_only):
    inside = b"[" * (MOST_LEVELS - 1) + b"]" * (MOST_LEVELS - 1)
    raw = b'{"event": {"id": "1", "type": "token.expired"}, "a": ' + inside + b', "b": [[], [], []]}'

    notice = BasisTheorySender().read(raw=raw, headers={"BT-Signature": by_hmac("shared", raw)}, at=AT)

    assert notice.type == "token.expired"


def test_when_neither_key_is_set_then_nobody_is_listened_to(settings):
    settings.BASIS_THEORY_WEBHOOK_SECRET, settings.BASIS_THEORY_WEBHOOK_KEY = "", b""

    assert BasisTheorySender().is_expected() is False
