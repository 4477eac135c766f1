"""Reading bodies and query parameters strictly."""

from typing import Any

import pytest
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from users.api.bodies import FlagField, InvalidRequest, StrictBody, StrictQuery, TextField


class ItemBody(StrictBody):
    """One item of an order."""

    sku = TextField(max_length=5)


class OrderBody(StrictBody):
    """A body with every kind of field."""

    label = TextField(max_length=10)
    gift = FlagField(default=False)
    items = ItemBody(many=True, required=False)
    details = serializers.DictField(required=False, allow_null=True)
    number = serializers.IntegerField(source="order_number", required=False)


class SearchQuery(StrictQuery):
    """Some query parameters."""

    status = serializers.ChoiceField(["open", "closed"], required=False)
    limit = serializers.IntegerField(default=20, max_value=100)


def errors_of(data: Any) -> tuple[str, list[tuple[str, str]]]:
    """Read a body that must be refused; tell the code, and the fields with theirs."""
    with pytest.raises(InvalidRequest) as refused:
        OrderBody.check(data)
    return refused.value.code, [(error["field"], error["code"]) for error in refused.value.errors]


def read_query(query: str) -> dict[str, Any]:
    """Read the parameters of a URL."""
    return SearchQuery.read(Request(APIRequestFactory().get(f"/orders?{query}")))


def test_when_the_body_is_good_then_its_values_come_with_their_defaults() -> None:
    values = OrderBody.check(
        {"label": " Mine ", "items": [{"sku": "A1"}], "number": 7, "details": {"a": [1, {}]}}
    )

    assert values == {
        "label": "Mine",
        "gift": False,
        "items": [{"sku": "A1"}],
        "order_number": 7,
        "details": {"a": [1, {}]},
    }


def test_when_bodies_are_read_in_turn_then_one_leaves_nothing_behind_for_the_next() -> None:
    first = OrderBody.check({"label": "one", "number": 1})
    refused = errors_of({"label": 2, "number": "x"})
    second = OrderBody.check({"label": "two"})

    assert first == {"label": "one", "gift": False, "order_number": 1}
    assert refused == ("validation_error", [("label", "invalid"), ("number", "invalid")])
    assert second == {"label": "two", "gift": False}


@pytest.mark.parametrize(
    ("data", "code", "errors"),
    [
        ({"lable": "x"}, "unknown_field", [("lable", "unknown_field"), ("label", "required")]),
        ({"label": "x", "order_number": 7}, "unknown_field", [("order_number", "unknown_field")]),
        ({"label": 7}, "validation_error", [("label", "invalid")]),
        ({"label": True}, "validation_error", [("label", "invalid")]),
        ({"label": None}, "validation_error", [("label", "null")]),
        ({"label": ""}, "validation_error", [("label", "blank")]),
        ({"label": "x" * 11}, "validation_error", [("label", "max_length")]),
        ({"label": "a\0b"}, "validation_error", [("label", "invalid_text")]),
        ({"label": "\ud800"}, "validation_error", [("label", "invalid_text")]),
        ({"label": "x", "gift": 1}, "validation_error", [("gift", "invalid")]),
        ({"label": "x", "gift": "true"}, "validation_error", [("gift", "invalid")]),
        ({"label": "x", "details": {"a": ["\0"]}}, "validation_error", [("details.a.0", "invalid_text")]),
        ({"label": "x", "details": {"\0": 1}}, "validation_error", [("details", "invalid_text")]),
        ({"label": "x", "items": {}}, "validation_error", [("items", "not_a_list")]),
        (
            {"label": "x", "items": [{"sku": "A1"}, {"sku": "A1", "qty": 2}, 7]},
            "unknown_field",
            [("items.1.qty", "unknown_field"), ("items.2", "invalid")],
        ),
        ([], "validation_error", [("", "invalid")]),
        (None, "validation_error", [("", "invalid")]),
        ("text", "validation_error", [("", "invalid")]),
    ],
)
def test_when_the_body_is_wrong_then_each_fault_is_named(
    data: Any, code: str, errors: list[tuple[str, str]]
) -> None:
    refusal = errors_of(data)

    assert refusal == (code, errors)


def test_when_parameters_are_good_then_they_come_in_their_types() -> None:
    values = read_query("status=open&limit=5")

    assert values == {"status": "open", "limit": 5}


@pytest.mark.parametrize(
    ("query", "code", "errors"),
    [
        ("sataus=open", "unknown_parameter", [("sataus", "unknown_parameter")]),
        ("status=shut", "validation_error", [("status", "invalid_choice")]),
        ("limit=101", "validation_error", [("limit", "max_value")]),
        ("limit=x", "validation_error", [("limit", "invalid")]),
        ("limit=5&limit=6", "validation_error", [("limit", "repeated")]),
        ("status=%00", "validation_error", [("status", "invalid_text")]),
    ],
)
def test_when_parameters_are_wrong_then_each_fault_is_named(
    query: str, code: str, errors: list[tuple[str, str]]
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        read_query(query)

    assert refused.value.code == code
    assert [(error["field"], error["code"]) for error in refused.value.errors] == errors
