"""Stripe's form encoding and errors, against what its own library makes and what its service says."""

import json

import pytest

from tokens.providers.calls import ProviderAnswer
from tokens.providers.stripe import StripeReference, error_of, form_encoded, is_retried


@pytest.mark.parametrize(
    ("params", "encoded"),
    [
        (
            {
                "amount": 2500,
                "currency": "usd",
                "customer": "cus_1",
                "payment_method": "pm_1",
                "off_session": True,
                "confirm": True,
                "metadata": {"wallet_id": "w-1", "reason": "auto_topup"},
            },
            (
                "amount=2500&currency=usd&customer=cus_1&payment_method=pm_1&off_session=true&confirm=true"
                "&metadata%5Bwallet_id%5D=w-1&metadata%5Breason%5D=auto_topup"
            ),
        ),
        (
            {"payment_method_types": ["card"], "expand": ["latest_charge"]},
            "payment_method_types%5B0%5D=card&expand%5B0%5D=latest_charge",
        ),
        (
            {"type": "card", "card": {"token": "tok_visa"}, "billing_details": {"name": "J. Doe"}},
            "type=card&card%5Btoken%5D=tok_visa&billing_details%5Bname%5D=J.+Doe",
        ),
        (
            {"items": [{"id": "a", "qty": 1}, {"id": "b", "qty": 2}]},
            "items%5B0%5D%5Bid%5D=a&items%5B0%5D%5Bqty%5D=1&items%5B1%5D%5Bid%5D=b&items%5B1%5D%5Bqty%5D=2",
        ),
        ({"a": None, "b": ""}, "b="),
        (
            {"confirm": False, "description": "5% & tax=1 é", "metadata": {"k[x]": "v"}},
            "confirm=false&description=5%25+%26+tax%3D1+%C3%A9&metadata%5Bk%5Bx%5D%5D=v",
        ),
    ],
    ids=["off session", "arrays", "nested", "array of objects", "none and empty", "special characters"],
)
def test_when_parameters_are_encoded_then_they_read_as_from_stripes_own_library(params, encoded):
    assert form_encoded(params) == encoded


@pytest.mark.parametrize(
    ("status", "said", "expected"),
    [
        (409, "", True),
        (429, "", True),
        (500, "", True),
        (402, "", False),
        (400, "", False),
        (500, "false", False),
        (400, "true", True),
        (500, "perhaps", True),
    ],
)
def test_when_stripe_says_whether_to_retry_then_that_counts_before_the_status(status, said, expected):
    answer = ProviderAnswer(status=status, headers={"stripe-should-retry": said}, body=b"")

    assert is_retried(answer) is expected


def test_when_a_card_is_declined_then_the_error_tells_why_but_not_in_whose_words():
    body = {
        "error": {
            "type": "card_error",
            "code": "card_declined",
            "decline_code": "insufficient_funds",
            "advice_code": "try_again_later",
            "message": "Your card has insufficient funds.",
            "payment_intent": {"id": "pi_1"},
        }
    }

    error = error_of(ProviderAnswer(status=402, headers={}, body=json.dumps(body).encode()))

    assert (error.type, error.code, error.decline_code) == (
        "card_error",
        "card_declined",
        "insufficient_funds",
    )
    assert (error.advice_code, error.param, error.object_id) == ("try_again_later", "", "pi_1")
    assert "Your card" not in repr(error)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"error": "no"}', b'{"error": {"type": 7}}'])
def test_when_an_error_can_not_be_read_then_it_has_no_words(body):
    error = error_of(ProviderAnswer(status=500, headers={}, body=body))

    assert (error.type, error.code, error.object_id) == ("", "", "")


def test_when_a_reference_is_written_then_it_is_read_back_and_hidden():
    reference = StripeReference("cus_1", "pm_2")

    assert StripeReference.read(str(reference)) == reference
    assert "cus_1" not in repr(reference)
