"""Apple Pay's tokens: each thing that can be wrong with one, wrong alone."""

import json
from copy import deepcopy
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from uuid_utils.compat import uuid7

from payments.refusals import PaymentTokenInvalid
from payments.schemes import sandbox_phone
from payments.schemes.apple_pay import APPLE_ROOT
from payments.schemes.apple_signatures import verify_signature
from payments.schemes.apple_tokens import read_apple_token
from payments.schemes.contract import SessionFacts, VerifiedPayment, application_data
from payments.schemes.registry import scheme_of
from tests.payments.schemes import apple_forge as forge
from tests.payments.schemes.apple_forge import (
    CHAIN,
    NONCE,
    NOW,
    PLAINTEXT,
    Chain,
    b64,
    der,
    key,
    rsa_key,
    token,
)
from transactions.money import Money

DATA = Path(__file__).parent / "data"
P256_OID, NO_CURVES_OID = forge.oid("1.2.840.10045.3.1.7"), forge.oid("1.2.840.10045.3.1.99")
OF_NO_CURVE = (
    key(5)
    .public_key()
    .public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    .replace(P256_OID, NO_CURVES_OID)
)
"""A public key that is well-formed, of a curve that nobody knows."""


def session(amount: int = 2500, currency: str = "USD", nonce: str = NONCE) -> SessionFacts:
    return SessionFacts(id=uuid7(), amount=Money(amount, currency), nonce=nonce)


def verify(
    payment_data: dict[str, Any],
    *,
    facts: SessionFacts | None = None,
    now: datetime = NOW,
    decrypt: bool = True,
) -> VerifiedPayment:
    return scheme_of("apple_pay").verify(payment_data, session=facts or session(), now=now, decrypt=decrypt)


def refusal(payment_data: dict[str, Any], **how: Any) -> tuple[str, str]:
    """The code and the name of the check that a token is refused by."""
    with pytest.raises(PaymentTokenInvalid) as refused:
        verify(payment_data, **how)
    return refused.value.code, refused.value.check


def spoiled(path: str, value: Any) -> dict[str, Any]:
    """A good token with one part replaced after it was signed; without the part where the value is None."""
    made = deepcopy(token())
    *way, last = path.split(".")
    part: Any = made
    for name in way:
        part = part[name]
    if value is None:
        del part[last]
    else:
        part[last] = value
    return made


@pytest.mark.parametrize("kind", ["ec", "rsa"])
def test_when_a_real_phones_token_is_verified_then_apples_own_root_signed_it(kind: str) -> None:
    real = json.loads((DATA / f"real_{kind}_v1.json").read_text())
    root = x509.load_pem_x509_certificate(APPLE_ROOT.read_bytes())
    at = datetime.fromisoformat(real["signing_time"])
    given = read_apple_token(real["payment_data"])

    signed_at = verify_signature(given, roots=[root], now=at + timedelta(seconds=300))

    assert signed_at == at
    assert given.transaction_id.hex() == real["payment_data"]["paymentData"]["header"]["transactionId"]


@pytest.mark.parametrize("kind", ["ec", "rsa"])
def test_when_a_real_phones_token_is_told_to_be_of_another_payment_then_it_is_refused(kind: str) -> None:
    real = json.loads((DATA / f"real_{kind}_v1.json").read_text())
    root = x509.load_pem_x509_certificate(APPLE_ROOT.read_bytes())
    real["payment_data"]["paymentData"]["header"]["transactionId"] = "0" * 64
    del real["payment_data"]["transactionIdentifier"]
    given = read_apple_token(real["payment_data"])

    with pytest.raises(PaymentTokenInvalid) as refused:
        verify_signature(given, roots=[root], now=datetime.fromisoformat(real["signing_time"]))

    assert refused.value.check == "message_digest"


def test_when_the_pinned_root_is_read_then_it_is_apple_root_ca_g3() -> None:
    root = x509.load_pem_x509_certificate(APPLE_ROOT.read_bytes())

    digest = sha256(root.public_bytes(Encoding.DER)).hexdigest()
    assert digest == "63343abfb89a6a03ebb57e9b3f5fa7be7c4f5c756f3017b3a8c488c3653e9179"


@pytest.mark.usefixtures("at_apple")
@pytest.mark.parametrize(
    "parts",
    [
        {},
        {"version": "RSA_v1"},
        {"processing_key": key(7)},
        {"cms": forge.Cms(Chain(leaf_key=rsa_key(4)))},
        {"cms": forge.Cms(Chain(leaf_key=rsa_key(4)), signature_algorithm=forge.RSA)},
        {"cms": forge.Cms(CHAIN, certificates=[CHAIN.intermediate, CHAIN.leaf])},
        {"application_data": sha256(application_data(NONCE).encode()).digest()},
    ],
    ids=[
        "EC_v1",
        "RSA_v1",
        "an older key of ours",
        "signed by an RSA broker",
        "RSA named without its digest",
        "the certificates in the other order",
        "applicationData hashed as written",
    ],
)
def test_when_a_token_is_good_then_its_card_comes_out(parts: dict[str, Any]) -> None:
    given = token(**parts) if "cms" not in parts else forge.Token(**parts).made()

    verified = verify(given)

    card = verified.device_card
    assert card is not None
    assert (card.number, card.exp_month, card.exp_year) == ("4242424242424242", 12, 2029)
    assert (card.cryptogram, card.eci) == ("AAAAAAAAAAAAAAAAAAAAAAAAAAA=", "7")
    assert verified.replay_key == given["paymentData"]["header"]["transactionId"]
    assert verified.payload.payment_data == given


@pytest.mark.usefixtures("at_apple")
@pytest.mark.parametrize(
    ("path", "value", "check"),
    [
        ("paymentData", [], "payment_data"),
        ("paymentData.header", None, "header"),
        ("paymentData.version", None, "version"),
        ("paymentData.version", "EC_v2", "version"),
        ("paymentData.version", "RSA_v1", "wrapped_key"),
        ("paymentData.data", None, "data"),
        ("paymentData.data", "no base64!", "data"),
        ("paymentData.data", "AAAA" * 2049, "data"),
        ("paymentData.data", 5, "data"),
        ("paymentData.signature", None, "signature_encoding"),
        ("paymentData.signature", "AAAA\n", "signature_encoding"),
        ("paymentData.signature", "AAAA" * 4097, "signature_encoding"),
        ("paymentData.header.ephemeralPublicKey", None, "ephemeral_public_key"),
        ("paymentData.header.ephemeralPublicKey", "é" * 124, "ephemeral_public_key"),
        ("paymentData.header.ephemeralPublicKey", b64(bytes(90)), "key_length"),
        ("paymentData.header.ephemeralPublicKey", b64(bytes(92)), "key_length"),
        ("paymentData.header.publicKeyHash", None, "public_key_hash"),
        ("paymentData.header.publicKeyHash", b64(bytes(31)), "public_key_hash"),
        ("paymentData.header.transactionId", None, "transaction_id"),
        ("paymentData.header.transactionId", "0" * 63, "transaction_id"),
        ("paymentData.header.transactionId", "0" * 66, "transaction_id"),
        ("paymentData.header.transactionId", "g" * 64, "transaction_id"),
        ("paymentData.header.transactionId", "٠" * 64, "transaction_id"),
        ("paymentData.header.applicationData", "0" * 62, "application_data"),
        ("paymentData.header.applicationData", 5, "application_data"),
        ("transactionIdentifier", "0" * 64, "transaction_identifier"),
        ("transactionIdentifier", ["0"], "transaction_identifier"),
    ],
)
def test_when_a_part_is_missing_or_malformed_then_it_is_refused_before_any_signature(
    path: str, value: Any, check: str
) -> None:
    assert refusal(spoiled(path, value)) == ("payment_token_invalid", check)


@pytest.mark.usefixtures("at_apple")
@pytest.mark.parametrize(
    "given",
    [
        {"paymentData": {}, "transactionIdentifier": "Simulated Identifier"},
        {"paymentData": "", "transactionIdentifier": "Simulated Identifier"},
        {"paymentData": {}},
        {**token(), "transactionIdentifier": "Simulated Identifier"},
    ],
    ids=["empty object", "empty text", "without an identifier", "with somebody's token"],
)
def test_when_a_simulator_pays_then_the_refusal_says_so(given: dict[str, Any]) -> None:
    assert refusal(given) == ("payment_token_simulated", "simulator")


SELF_MADE = Chain(root_key=key(21))
OTHER_ISSUER = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "somebody else")])


@pytest.mark.usefixtures("at_apple")
@pytest.mark.parametrize(
    ("signed", "check"),
    [
        # 2: the structure
        ({"kind": forge.ENVELOPED_DATA}, "signature_structure"),
        ({"content_kind": forge.SIGNED_DATA}, "signature_structure"),
        ({"content": der(forge.CONTEXT_0, der(forge.OCTETS, b"content"))}, "signature_structure"),
        ({"trailing": b"\0"}, "signature_structure"),
        ({"signers": 0}, "signature_structure"),
        ({"signers": 2}, "signature_structure"),
        ({"open_ended_attributes": True}, "signature_structure"),
        # 3: exactly two certificates, told by their marks
        ({"certificates": [CHAIN.leaf]}, "certificate_count"),
        ({"certificates": [CHAIN.leaf, CHAIN.intermediate, CHAIN.root]}, "certificate_count"),
        ({"certificates": []}, "certificate_count"),
        ({"certificates": [CHAIN.leaf, CHAIN.leaf]}, "certificate_markers"),
        ({"certificates": [CHAIN.leaf, CHAIN.root]}, "certificate_markers"),
        ({"chain": Chain(leaf_markers=())}, "certificate_markers"),
        ({"chain": Chain(intermediate_markers=())}, "certificate_markers"),
        ({"chain": Chain(leaf_markers=(forge.LEAF, forge.INTERMEDIATE))}, "certificate_markers"),
        ({"chain": Chain(intermediate_markers=(forge.LEAF, forge.INTERMEDIATE))}, "certificate_markers"),
        (
            {"chain": Chain(leaf_markers=(), intermediate_markers=(forge.LEAF, forge.INTERMEDIATE))},
            "certificate_markers",
        ),
        # 4: the chain
        ({"chain": SELF_MADE}, "intermediate_issuer"),
        ({"chain": Chain(intermediate_issuer_key=key(21))}, "intermediate_issuer"),
        ({"chain": Chain(intermediate_authority=forge.authority(ca=False))}, "intermediate_authority"),
        ({"chain": Chain(intermediate_authority=[])}, "intermediate_authority"),
        ({"chain": Chain(leaf_issuer_key=key(21))}, "leaf_issuer"),
        # 5: the signer
        ({"issuer": OTHER_ISSUER.public_bytes()}, "signer"),
        ({"serial": 4712}, "signer"),
        ({"digest_algorithm": forge.SHA_1}, "digest_algorithm"),
        # 6: the signed attributes
        ({"without": forge.CONTENT_TYPE}, "signature_structure"),
        ({"without": forge.MESSAGE_DIGEST}, "signature_structure"),
        ({"without": forge.SIGNING_TIME}, "signature_structure"),
        ({"twice": forge.SIGNING_TIME}, "signature_structure"),
        ({"twice": forge.MESSAGE_DIGEST}, "signature_structure"),
        ({"attributes": {forge.CONTENT_TYPE: [forge.oid(forge.SIGNED_DATA)]}}, "content_type"),
        (
            {"attributes": {forge.SIGNING_TIME: [der(forge.UTC_TIME, b"261101090000Z")] * 2}},
            "signature_structure",
        ),
        ({"attributes": {forge.SIGNING_TIME: [der(0x18, b"20261101090000Z")]}}, "signature_structure"),
        ({"attributes": {forge.SIGNING_TIME: [der(forge.UTC_TIME, b"2611010900Z")]}}, "signature_structure"),
        (
            {"attributes": {forge.SIGNING_TIME: [der(forge.UTC_TIME, b"261301090000Z")]}},
            "signature_structure",
        ),
        # 7: the digest
        ({"attributes": {forge.MESSAGE_DIGEST: [der(forge.OCTETS, bytes(32))]}}, "message_digest"),
        ({"attributes": {forge.MESSAGE_DIGEST: [der(forge.OCTETS, b"")]}}, "message_digest"),
        # 8: the signature itself
        ({"signing_key": key(21)}, "signature_value"),
        ({"signing_key": rsa_key(4)}, "signature_value"),
        ({"attributes_tag": forge.CONTEXT_0}, "signature_value"),
        ({"signature_algorithm": forge.RSA_SHA_256}, "signature_algorithm"),
        ({"signature_algorithm": forge.SHA_1}, "signature_algorithm"),
        (
            {"chain": Chain(leaf_key=rsa_key(4)), "signature_algorithm": forge.ECDSA},
            "signature_algorithm",
        ),
        ({"chain": Chain(leaf_key=rsa_key(4)), "signing_key": rsa_key(5)}, "signature_value"),
        # 10: certificates of another time
        ({"chain": Chain(leaf_days=(-1000, -1))}, "certificate_validity"),
        ({"chain": Chain(leaf_days=(1, 1000))}, "certificate_validity"),
        ({"chain": Chain(intermediate_days=(-1000, -1))}, "certificate_validity"),
        ({"chain": Chain(intermediate_days=(1, 1000))}, "certificate_validity"),
    ],
)
def test_when_a_signature_is_not_apples_then_it_is_refused(signed: dict[str, Any], check: str) -> None:
    chain = signed.get("chain", CHAIN)
    cms = forge.Cms(**{**signed, "chain": chain})

    assert refusal(forge.Token(cms).made()) == ("payment_token_invalid", check)


@pytest.mark.usefixtures("at_apple")
@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("paymentData.data", b64(bytes(100))),
        ("paymentData.header.transactionId", "0" * 64),
        ("paymentData.header.applicationData", "0" * 64),
        ("paymentData.header.applicationData", None),
        ("paymentData.header.ephemeralPublicKey", b64(bytes(91))),
    ],
)
def test_when_a_part_was_changed_after_it_was_signed_then_it_is_refused(path: str, value: Any) -> None:
    given = spoiled(path, value)
    del given["transactionIdentifier"]

    assert refusal(given) == ("payment_token_invalid", "message_digest")


@pytest.mark.usefixtures("at_apple")
def test_when_a_certificate_is_of_no_known_version_then_it_is_refused() -> None:
    made = token()
    signature = forge.base64.b64decode(made["paymentData"]["signature"])
    made["paymentData"]["signature"] = b64(signature.replace(b"\xa0\3\2\1\2", b"\xa0\3\2\1\x22", 1))

    assert refusal(made) == ("payment_token_invalid", "certificate_encoding")


@pytest.mark.usefixtures("at_apple")
def test_when_bytes_move_from_one_signed_part_to_the_next_then_it_is_refused() -> None:
    """The signed parts are joined without lengths: with parts of any length another transaction id would verify."""
    given = token()
    parts = given["paymentData"]
    header = parts["header"]
    moved = bytes.fromhex(header["transactionId"])[:1]
    parts["data"] = b64(forge.base64.b64decode(parts["data"]) + moved)
    header["transactionId"] = header["transactionId"][2:]
    del given["transactionIdentifier"]

    assert refusal(given) == ("payment_token_invalid", "transaction_id")


@pytest.mark.usefixtures("at_apple")
@pytest.mark.parametrize("seconds", [-300, 0, 300])
def test_when_a_token_is_of_the_last_minutes_then_it_is_fresh(seconds: int) -> None:
    assert verify(token(), now=NOW + timedelta(seconds=seconds)).replay_key


@pytest.mark.usefixtures("at_apple")
@pytest.mark.parametrize("seconds", [-301, 301, 86400])
def test_when_a_token_is_of_another_time_then_it_has_expired(seconds: int) -> None:
    refused = refusal(token(), now=NOW + timedelta(seconds=seconds))

    assert refused == ("payment_token_expired", "signing_time")


@pytest.mark.usefixtures("at_apple")
def test_when_the_sandboxs_phones_signed_it_but_a_root_is_configured_then_it_is_refused() -> None:
    card = sandbox_phone.card_in_phone("4242424242424242", at=NOW)
    given = sandbox_phone.apple_payment_data(session=session(), card=card, at=NOW)

    assert refusal(given) == ("payment_token_invalid", "intermediate_issuer")


@pytest.mark.usefixtures("at_apple")
@pytest.mark.parametrize(
    ("parts", "code", "check"),
    [
        ({"processing_key": key(21)}, "payment_token_key_unknown", "public_key_hash"),
        ({"merchant_id": "merchant.somebody.else"}, "payment_token_invalid", "ciphertext"),
        ({"version": "RSA_v1", "wrapped_bytes": 32}, "payment_token_invalid", "wrapped_key"),
        ({"material": bytes(91)}, "payment_token_invalid", "ephemeral_public_key"),
        ({"material": OF_NO_CURVE}, "payment_token_invalid", "ephemeral_public_key"),
        ({"plaintext": b"no json"}, "payment_token_invalid", "plaintext"),
        ({"plaintext": b"[]"}, "payment_token_invalid", "plaintext"),
        ({"plaintext": b"\xff\xfe"}, "payment_token_invalid", "plaintext"),
        (
            {"plaintext": b'{"currencyCode": "840", "currencyCode": "978"}'},
            "payment_token_invalid",
            "plaintext",
        ),
        ({"plaintext": b'{"transactionAmount": NaN}'}, "payment_token_invalid", "plaintext"),
    ],
)
def test_when_a_token_does_not_open_for_us_then_it_is_refused(
    parts: dict[str, Any], code: str, check: str
) -> None:
    assert refusal(token(**parts)) == (code, check)


@pytest.mark.usefixtures("at_apple")
@pytest.mark.parametrize(
    ("content", "code", "check"),
    [
        ({"currencyCode": "978"}, "payment_token_mismatch", "currency"),
        ({"currencyCode": None}, "payment_token_mismatch", "currency"),
        ({"transactionAmount": 2501}, "payment_token_mismatch", "amount"),
        ({"transactionAmount": "2500"}, "payment_token_mismatch", "amount"),
        ({"transactionAmount": 25.5}, "payment_token_mismatch", "amount"),
        ({"transactionAmount": None}, "payment_token_mismatch", "amount"),
        ({"paymentDataType": "EMV"}, "payment_token_invalid", "payment_data_type"),
        ({"applicationPrimaryAccountNumber": "4242 4242"}, "payment_token_invalid", "card_number"),
        ({"applicationPrimaryAccountNumber": None}, "payment_token_invalid", "card_number"),
        ({"applicationExpirationDate": "291331"}, "payment_token_invalid", "expiry"),
        ({"applicationExpirationDate": "2912"}, "payment_token_invalid", "expiry"),
        ({"applicationExpirationDate": "29AB31"}, "payment_token_invalid", "expiry"),
        ({"paymentData": "none"}, "payment_token_invalid", "payment_proof"),
        ({"paymentData": {"onlinePaymentCryptogram": 5}}, "payment_token_invalid", "cryptogram"),
        ({"paymentData": {"eciIndicator": "007"}}, "payment_token_invalid", "eci"),
    ],
)
def test_when_what_is_inside_is_not_this_payment_then_it_is_refused(
    content: dict[str, Any], code: str, check: str
) -> None:
    given = token(plaintext={**PLAINTEXT, **content})

    assert refusal(given) == (code, check)


@pytest.mark.usefixtures("at_apple")
@pytest.mark.parametrize(
    ("currency", "number", "amount", "confirmed", "fits"),
    [
        ("JPY", "392", 500, 500, True),
        ("JPY", "392", 500, 50000, True),
        ("JPY", "392", 500, 5, False),
        ("KWD", "414", 1230, 1230, True),
        ("KWD", "414", 1230, 123, True),
        ("KWD", "414", 1235, 123, False),
        ("USD", "840", 1, 1, True),
        ("USD", "840", 100, 1, False),
        ("ALL", "8", 250, 250, True),
    ],
)
def test_when_the_currency_has_other_digits_then_both_ways_to_write_an_amount_fit_and_no_other(
    currency: str, number: str, amount: int, confirmed: int, fits: bool
) -> None:
    given = token(plaintext={**PLAINTEXT, "currencyCode": number, "transactionAmount": confirmed})

    if fits:
        assert verify(given, facts=session(amount, currency)).device_card is not None
    else:
        assert refusal(given, facts=session(amount, currency)) == ("payment_token_mismatch", "amount")


@pytest.mark.usefixtures("at_apple")
@pytest.mark.parametrize("decrypt", [True, False], ids=["decrypted here", "decrypted by the vault"])
@pytest.mark.parametrize(
    "bound_to",
    [None, sha256(b"another session").digest(), sha256(sha256(NONCE.encode()).digest()).digest()],
    ids=["nothing", "another session", "a hash of the hash"],
)
def test_when_a_token_is_not_bound_to_our_session_then_it_is_refused(
    bound_to: bytes | None, decrypt: bool
) -> None:
    refused = refusal(token(application_data=bound_to), decrypt=decrypt)

    assert refused == ("payment_token_mismatch", "application_data")


@pytest.mark.usefixtures("at_apple")
def test_when_application_data_is_there_then_a_forged_signature_is_seen_all_the_same() -> None:
    given = forge.Token(forge.Cms(CHAIN, signing_key=key(21)), application_data=forge.BOUND).made()

    assert refusal(given, decrypt=False) == ("payment_token_invalid", "signature_value")


def test_when_apple_pay_has_no_key_to_decrypt_with_then_it_is_there_for_vaults_that_have(
    at_apple: Any,
) -> None:
    at_apple.APPLE_PAY_PROCESSING_KEYS = ()
    at_apple.SANDBOX = False

    scheme = scheme_of("apple_pay")
    assert (scheme.is_available(decrypt=True), scheme.is_available(decrypt=False)) == (False, True)
    assert verify(token(), decrypt=False).device_card is None


@pytest.mark.usefixtures("at_apple")
def test_when_a_token_is_refused_then_the_answer_does_not_tell_which_check_failed() -> None:
    with pytest.raises(PaymentTokenInvalid) as refused:
        verify(forge.Token(forge.Cms(CHAIN, signing_key=key(21))).made())

    assert "signature_value" not in f"{refused.value} {refused.value.detail} {refused.value.extra}"
