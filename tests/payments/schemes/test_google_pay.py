"""Google Pay's tokens: each thing that can be wrong with one, wrong alone."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from payments.refusals import PaymentTokenInvalid, SchemeKeysUnavailable
from payments.schemes import sandbox_phone
from payments.schemes.contract import VerifiedPayment
from payments.schemes.registry import scheme_of
from tests.payments.schemes import google_forge as forge
from tests.payments.schemes.apple_forge import NOW, b64, key
from tests.payments.schemes.google_forge import CONTENT, ms, payment_data, spki, token

SOON = ms(NOW + timedelta(milliseconds=1))
GATEWAY = "gateway:example-gateway"


def verify(given: dict[str, Any], *, now: datetime = NOW, decrypt: bool = True) -> VerifiedPayment:
    return scheme_of("google_pay").verify(given, session=None, now=now, decrypt=decrypt)


def refusal(given: dict[str, Any], **how: Any) -> tuple[str, str]:
    """The code and the name of the check that a token is refused by."""
    with pytest.raises(PaymentTokenInvalid) as refused:
        verify(given, **how)
    return refused.value.code, refused.value.check


@pytest.mark.usefixtures("at_google")
@pytest.mark.parametrize(
    "parts",
    [
        {},
        {"encryption_key": key(7)},
        {"signers": (key(21), key(forge.ROOT))},
        {"signed_key": {"keyExpiration": SOON}},
        {"content": {**CONTENT, "messageExpiration": SOON}},
        {"content": {**CONTENT, "somethingNew": True}},
    ],
    ids=[
        "as it comes",
        "to an older key of ours",
        "the second signature counts",
        "the key's last millisecond",
        "the message's last millisecond",
        "more inside than we know",
    ],
)
def test_when_a_token_is_good_then_its_card_comes_out(parts: dict[str, Any]) -> None:
    given = token(**parts)

    verified = verify(given)

    card = verified.device_card
    assert card is not None
    assert (card.number, card.exp_month, card.exp_year) == ("4242424242424242", 12, 2029)
    assert (card.cryptogram, card.eci) == ("AAAAAAAAAAAAAAAAAAAAAAAAAAA=", "05")
    assert verified.replay_key == "AH2EjtfkuIIH7jXX"
    kept = verified.payload.payment_data["paymentMethodData"]
    assert kept == given["paymentMethodData"]


@pytest.mark.usefixtures("at_google")
def test_when_google_gives_a_plain_number_then_there_is_no_cryptogram() -> None:
    details = {**CONTENT["paymentMethodDetails"], "authMethod": "PAN_ONLY"}

    card = verify(token(content={**CONTENT, "paymentMethodDetails": details})).device_card

    assert card is not None
    assert (card.number, card.cryptogram, card.eci) == ("4242424242424242", "", "")


@pytest.mark.usefixtures("at_google")
@pytest.mark.parametrize(
    ("given", "check"),
    [
        ({}, "payment_method_data"),
        ({"paymentMethodData": []}, "payment_method_data"),
        ({"paymentMethodData": {}}, "tokenization_data"),
        (payment_data(""), "token"),
        ({"paymentMethodData": {"tokenizationData": {"token": {}}}}, "token"),
        (payment_data("x" * 32769), "token"),
        (payment_data("no json"), "envelope"),
        (payment_data("[]"), "envelope"),
        (payment_data("[" * 32768), "envelope"),
        (payment_data('{"a":' * 5000), "envelope"),
        (payment_data('{"protocolVersion": "ECv2", "protocolVersion": "ECv2"}'), "envelope"),
        (payment_data({"protocolVersion": "ECv1", "signature": "", "signedMessage": ""}), "protocol_version"),
        (payment_data({"protocolVersion": "ECv2SigningOnly"}), "protocol_version"),
        (token(envelope={"extra": 1}), "envelope"),
        (payment_data({"protocolVersion": "ECv2", "signature": "AAAA"}), "envelope"),
        (token(envelope={"signature": "no base64!"}), "signature_encoding"),
        (token(envelope={"signature": "AAAA" * 65}), "signature_encoding"),
        (token(envelope={"intermediateSigningKey": "key"}), "intermediate_signing_key"),
        (token(envelope={"intermediateSigningKey": {"signedKey": "{}", "signatures": []}}), "key_signatures"),
        (
            token(envelope={"intermediateSigningKey": {"signedKey": "{}", "signatures": ["AAAA"] * 9}}),
            "key_signatures",
        ),
        (
            token(envelope={"intermediateSigningKey": {"signedKey": "{}", "signatures": [5]}}),
            "key_signatures",
        ),
        (token(envelope={"intermediateSigningKey": {"signatures": ["AAAA"]}}), "signed_key"),
        (
            token(envelope={"intermediateSigningKey": {"signedKey": "x" * 1025, "signatures": ["AAAA"]}}),
            "signed_key",
        ),
        (token(envelope={"signedMessage": {}}), "signed_message"),
        (token(envelope={"signedMessage": "x" * 16385}), "signed_message"),
        (token(envelope={"signedMessage": "\ud800"}), "signed_message"),
    ],
)
def test_when_an_envelope_is_malformed_then_it_is_refused_before_any_signature(
    given: dict[str, Any], check: str
) -> None:
    assert refusal(given) == ("payment_token_invalid", check)


@pytest.mark.usefixtures("at_google")
@pytest.mark.parametrize(
    ("parts", "code", "check"),
    [
        # 3: the intermediate key's signature
        ({"root": key(21)}, "payment_token_invalid", "intermediate_signature"),
        ({"root": key(13)}, "payment_token_invalid", "intermediate_signature"),
        ({"root": key(14)}, "payment_token_invalid", "intermediate_signature"),
        ({"sender": "Gooogle"}, "payment_token_invalid", "intermediate_signature"),
        # 4: its time
        ({"signed_key": {"keyExpiration": ms(NOW)}}, "payment_token_expired", "key_expiration"),
        ({"signed_key": {"keyExpiration": None}}, "payment_token_invalid", "key_expiration"),
        ({"signed_key": {"keyExpiration": "-1"}}, "payment_token_invalid", "key_expiration"),
        ({"signed_key": {"keyExpiration": "9" * 16}}, "payment_token_invalid", "key_expiration"),
        ({"signed_key": {"keyExpiration": True}}, "payment_token_invalid", "key_expiration"),
        ({"signed_key": {"keyValue": 5}}, "payment_token_invalid", "key_value"),
        ({"signed_key": {"keyValue": b64(bytes(91))}}, "payment_token_invalid", "message_signature"),
        # 5: the message's signature
        ({"signed_key": {"keyValue": spki(key(21))}}, "payment_token_invalid", "message_signature"),
        ({"recipient": "merchant:somebody-else"}, "payment_token_invalid", "message_signature"),
        ({"recipient": "gateway:BCR2DN4TEXAMPLE"}, "payment_token_invalid", "message_signature"),
        ({"envelope": {"signature": b64(bytes(72))}}, "payment_token_invalid", "message_signature"),
        # 6: the MAC, and with it the key
        ({"encryption_key": key(21)}, "payment_token_key_unknown", "tag"),
        ({"message": {"tag": b64(bytes(32))}}, "payment_token_key_unknown", "tag"),
        ({"message": {"tag": b64(bytes(16))}}, "payment_token_key_unknown", "tag"),
        ({"message": {"encryptedMessage": b64(b"other")}}, "payment_token_key_unknown", "tag"),
        ({"message": {"encryptedMessage": None}}, "payment_token_invalid", "encrypted_message"),
        ({"message": {"tag": "no base64!"}}, "payment_token_invalid", "tag"),
        (
            {"message": {"ephemeralPublicKey": b64(b"\4" + bytes(64))}},
            "payment_token_invalid",
            "ephemeral_public_key",
        ),
        (
            {"message": {"ephemeralPublicKey": b64(b"\4" + b"\1" * 64)}},
            "payment_token_invalid",
            "ephemeral_public_key",
        ),
        (
            {"message": {"ephemeralPublicKey": b64(b"\2" + b"\1" * 32)}},
            "payment_token_invalid",
            "ephemeral_public_key",
        ),
        ({"signed_message": "no json"}, "payment_token_invalid", "signed_message"),
        ({"signed_message": "[" * 10_000}, "payment_token_invalid", "signed_message"),
        # 7: what opens is no message
        ({"content": b"no json"}, "payment_token_invalid", "plaintext"),
        ({"content": b"\xff"}, "payment_token_invalid", "plaintext"),
        # 8: the message's time
        (
            {"content": {**CONTENT, "messageExpiration": ms(NOW)}},
            "payment_token_expired",
            "message_expiration",
        ),
        ({"content": {**CONTENT, "messageExpiration": ""}}, "payment_token_invalid", "message_expiration"),
        (
            {"content": {**CONTENT, "messageExpiration": "1e12"}},
            "payment_token_invalid",
            "message_expiration",
        ),
        # 10: what makes it unique
        ({"content": {**CONTENT, "messageId": ""}}, "payment_token_invalid", "message_id"),
        ({"content": {**CONTENT, "messageId": 5}}, "payment_token_invalid", "message_id"),
        ({"content": {**CONTENT, "messageId": "x" * 513}}, "payment_token_invalid", "message_id"),
        ({"content": {**CONTENT, "messageId": "a\0"}}, "payment_token_invalid", "message_id"),
        # the card
        ({"content": {**CONTENT, "paymentMethod": "BANK"}}, "payment_token_invalid", "payment_method"),
        (
            {"content": {**CONTENT, "paymentMethodDetails": 5}},
            "payment_token_invalid",
            "payment_method_details",
        ),
    ],
)
def test_when_a_token_is_not_googles_or_not_for_us_then_it_is_refused(
    parts: dict[str, Any], code: str, check: str
) -> None:
    assert refusal(token(**parts)) == (code, check)


@pytest.mark.usefixtures("at_google")
@pytest.mark.parametrize(
    ("change", "check"),
    [
        ({"pan": "4242-4242"}, "card_number"),
        ({"pan": 4242424242424242}, "card_number"),
        ({"expirationMonth": 13}, "expiry"),
        ({"expirationMonth": "12"}, "expiry"),
        ({"expirationMonth": True}, "expiry"),
        ({"expirationYear": 29}, "expiry"),
        ({"authMethod": "PIN"}, "auth_method"),
        ({"cryptogram": ""}, "cryptogram"),
        ({"eciIndicator": "005"}, "eci"),
    ],
)
def test_when_the_card_inside_is_none_then_it_is_refused(change: dict[str, Any], check: str) -> None:
    details = {**CONTENT["paymentMethodDetails"], **change}

    refused = refusal(token(content={**CONTENT, "paymentMethodDetails": details}))

    assert refused == ("payment_token_invalid", check)


@pytest.mark.usefixtures("at_google")
def test_when_a_signed_string_is_written_anew_then_its_signature_is_gone() -> None:
    envelope = forge.Token().made()
    envelope["signedMessage"] = json.dumps(json.loads(envelope["signedMessage"]))

    assert refusal(payment_data(envelope)) == ("payment_token_invalid", "message_signature")


@pytest.mark.usefixtures("at_google")
def test_when_a_message_is_put_into_another_envelope_then_it_is_refused() -> None:
    one, another = forge.Token(intermediate=key(15)).made(), forge.Token(intermediate=key(16)).made()
    one["signedMessage"] = another["signedMessage"]

    assert refusal(payment_data(one)) == ("payment_token_invalid", "message_signature")


def test_when_a_gateway_is_the_recipient_then_only_its_tokens_for_our_merchant_pass(at_google: Any) -> None:
    at_google.GOOGLE_PAY_RECIPIENT_ID = GATEWAY
    at_google.GOOGLE_PAY_GATEWAY_MERCHANT_ID = "ours"

    def by_gateway(merchant: Any) -> dict[str, Any]:
        return token(recipient=GATEWAY, content={**CONTENT, "gatewayMerchantId": merchant})

    assert verify(by_gateway("ours")).device_card is not None
    mismatch = ("payment_token_mismatch", "gateway_merchant_id")
    assert refusal(by_gateway("another's")) == mismatch
    assert refusal(token(recipient=GATEWAY)) == mismatch
    assert refusal(token()) == ("payment_token_invalid", "message_signature")
    at_google.GOOGLE_PAY_GATEWAY_MERCHANT_ID = ""
    assert refusal(by_gateway("")) == mismatch


@pytest.mark.parametrize(
    ("environment", "merchant", "recipient"),
    [
        ("TEST", "", "merchant:12345678901234567890"),
        ("TEST", "BCR2", "merchant:12345678901234567890"),
        ("PRODUCTION", "BCR2", "merchant:BCR2"),
    ],
)
def test_when_no_recipient_is_configured_then_the_environment_and_the_merchant_say_who(
    at_google: Any, environment: str, merchant: str, recipient: str
) -> None:
    at_google.GOOGLE_PAY_RECIPIENT_ID = ""
    at_google.GOOGLE_PAY_ENVIRONMENT = environment
    at_google.GOOGLE_PAY_MERCHANT_ID = merchant

    assert verify(token(recipient=recipient)).device_card is not None
    assert refusal(token(recipient="merchant:0"))[1] == "message_signature"


def test_when_stripe_is_the_gateway_then_its_own_token_passes_through_by_its_id(at_google: Any) -> None:
    at_google.GOOGLE_PAY_RECIPIENT_ID = "gateway:stripe"
    stripes = payment_data({"id": "tok_1Abc", "object": "token", "card": {"last4": "4242"}})

    verified = verify(stripes, decrypt=False)

    assert (verified.replay_key, verified.device_card) == ("tok_1Abc", None)
    assert refusal(stripes) == ("payment_token_invalid", "protocol_version")
    for forged in ({"id": "pm_1"}, {"id": "tok_"}, {"id": ["tok_1"]}, {"id": "tok_1\n"}, {}):
        assert refusal(payment_data(forged), decrypt=False) == ("payment_token_invalid", "stripe_token")


@pytest.mark.usefixtures("at_google")
def test_when_the_sandboxs_phones_signed_it_but_root_keys_are_configured_then_it_is_refused() -> None:
    card = sandbox_phone.card_in_phone("4242424242424242", at=NOW)

    refused = refusal(sandbox_phone.google_payment_data(card=card, at=NOW))

    assert refused == ("payment_token_invalid", "intermediate_signature")


def test_when_every_root_key_has_expired_then_no_token_can_be_verified(at_google: Any, tmp_path: Any) -> None:
    expired = {"keyValue": spki(key(forge.ROOT)), "protocolVersion": "ECv2", "keyExpiration": ms(NOW)}
    without = {"keyValue": spki(key(forge.ROOT)), "protocolVersion": "ECv2"}
    path = tmp_path / "expired.json"
    path.write_text(json.dumps(forge.root_list(expired, without)))
    at_google.GOOGLE_PAY_ROOT_KEYS = str(path)

    with pytest.raises(SchemeKeysUnavailable):
        verify(token())
    assert verify(token(), now=NOW - timedelta(milliseconds=1)).device_card is not None
