"""Whatever strangers send, the parsers refuse by code or find it good: they never crash, and believe no change."""

import json
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from payments.refusals import PaymentTokenInvalid
from payments.schemes import cms
from payments.schemes.ber import Malformed
from payments.schemes.registry import scheme_of
from tests.payments.schemes import apple_forge, google_forge
from tests.payments.schemes.apple_forge import NOW, b64

ROUNDS = 150
SETTINGS = settings(
    max_examples=ROUNDS,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

APPLES = apple_forge.token()
SIGNATURE = apple_forge.base64.b64decode(APPLES["paymentData"]["signature"])
GOOGLES = google_forge.Token().made()

TREES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=20)),
    lambda inside: st.one_of(
        st.lists(inside, max_size=4),
        st.dictionaries(
            st.sampled_from(
                [
                    "paymentData",
                    "header",
                    "version",
                    "data",
                    "signature",
                    "transactionId",
                    "paymentMethodData",
                    "tokenizationData",
                    "token",
                    "protocolVersion",
                    "signedMessage",
                    "transactionIdentifier",
                ]
            ),
            inside,
            max_size=5,
        ),
    ),
    max_leaves=15,
)
CHANGES = st.lists(
    st.tuples(st.integers(0, len(SIGNATURE) - 1), st.integers(0, 255), st.sampled_from("rid")),
    min_size=1,
    max_size=6,
)


def changed(original: bytes, changes: list[tuple[int, int, str]]) -> bytes:
    """Replace, insert or delete bytes."""
    result = bytearray(original)
    for position, octet, how in changes:
        at = position % len(result)
        if how == "r":
            result[at] = octet
        elif how == "i":
            result.insert(at, octet)
        else:
            del result[at]
    return bytes(result)


def is_refused(scheme: str, payment_data: Any) -> bool:
    try:
        scheme_of(scheme).verify(payment_data, session=None, now=NOW, decrypt=True)
    except PaymentTokenInvalid:
        return True
    return False


@pytest.mark.usefixtures("at_apple", "at_google")
@pytest.mark.parametrize("scheme", ["apple_pay", "google_pay"])
@SETTINGS
@given(payment_data=st.dictionaries(st.sampled_from(["paymentData", "paymentMethodData", "x"]), TREES))
def test_when_any_object_is_sent_then_it_is_refused(scheme: str, payment_data: dict[str, Any]) -> None:
    assert is_refused(scheme, payment_data)


@pytest.mark.usefixtures("at_apple")
@SETTINGS
@given(changes=CHANGES)
def test_when_bytes_of_a_real_signature_change_then_the_verifier_never_crashes(
    changes: list[tuple[int, int, str]],
) -> None:
    spoiled = deepcopy(APPLES)
    signature = changed(SIGNATURE, changes)
    spoiled["paymentData"]["signature"] = b64(signature)

    is_refused("apple_pay", spoiled)


@SETTINGS
@given(noise=st.binary(max_size=300))
def test_when_noise_is_read_as_a_signature_then_it_is_malformed(noise: bytes) -> None:
    with pytest.raises(Malformed):
        cms.read_signature(noise)


@SETTINGS
@given(
    start=st.sampled_from([b"\x30\x80", b"\x30\x84", b"\xa0\x80" * 8, b"\x24\x80"]),
    times=st.integers(1, 4000),
    rest=st.binary(max_size=20),
)
def test_when_elements_nest_without_end_then_the_reader_stops(start: bytes, times: int, rest: bytes) -> None:
    with pytest.raises(Malformed):
        cms.read_signature((start * times)[:16000] + rest)


@pytest.mark.usefixtures("at_apple")
@SETTINGS
@given(
    part=st.sampled_from(["data", "ephemeralPublicKey", "transactionId", "publicKeyHash"]),
    position=st.integers(0, 60),
    character=st.characters(),
)
def test_when_a_character_of_apples_token_changes_then_it_is_refused(
    part: str, position: int, character: str
) -> None:
    spoiled = deepcopy(APPLES)
    del spoiled["transactionIdentifier"]
    where = spoiled["paymentData"] if part == "data" else spoiled["paymentData"]["header"]
    before = where[part]
    at = position % (len(before) - 3)  # the last characters may spell the same bytes
    where[part] = before[:at] + character + before[at + 1 :]
    is_same = where[part].lower() == before if part == "transactionId" else where[part] == before

    assert is_refused("apple_pay", spoiled) is not is_same


@pytest.mark.usefixtures("at_google")
@SETTINGS
@given(
    part=st.sampled_from(["signature", "signedMessage", "signedKey"]),
    position=st.integers(0, 400),
    character=st.characters(),
)
def test_when_a_character_of_googles_token_changes_then_it_is_refused(
    part: str, position: int, character: str
) -> None:
    spoiled = deepcopy(GOOGLES)
    where = spoiled["intermediateSigningKey"] if part == "signedKey" else spoiled
    before = where[part]
    at = position % (len(before) - 3)
    where[part] = before[:at] + character + before[at + 1 :]

    assert is_refused("google_pay", google_forge.payment_data(json.dumps(spoiled))) is (where[part] != before)


@pytest.mark.usefixtures("at_google")
@SETTINGS
@given(noise=st.text(max_size=300))
def test_when_any_text_is_sent_as_googles_token_then_it_is_refused(noise: str) -> None:
    assert is_refused("google_pay", google_forge.payment_data(noise))
