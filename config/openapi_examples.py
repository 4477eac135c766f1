"""Examples of every body in the OpenAPI document, made from its schemas and one value for each name of a field.

Made rather than written, so that no call is without one and none shows a field that is gone.
"""

from typing import Any, Final

Schema = dict[str, Any]

WALLET: Final = "019a3f2e-7c1b-7d52-9b1e-0c8f4a6d2e11"
OTHER_WALLET: Final = "019a3f2e-81d4-7c39-8a52-5b1f0e9c7d22"
MOMENT: Final = "2026-10-01T12:00:00.000000Z"
JSON: Final = "application/json"

BY_NAME: Final[Schema] = {
    "access": "eyJhbGciOiJFZERTQSIsImtpZCI6IjEifQ.eyJzdWIiOiIwMTlhIn0.c2lnbmF0dXJl",
    "action": "wallet.suspended",
    "actor": "support:019a3f2e-6a10-7f00-8c44-2d9e1b7a5f01",
    "address": "203.0.113.7",
    "after": None,
    "amount": 1050,
    "available": 8950,
    "average_amount": 1050,
    "balance": 10000,
    "balance_after": 8950,
    "balance_after_of_last": 8950,
    "before": None,
    "brand": "visa",
    "by": "user:019a3f2e-6a10-7f00-8c44-2d9e1b7a5f01",
    "captured": 0,
    "client_id": "shop-backend",
    "client_secret": "what-was-shown-once",
    "closing": 8950,
    "closing_balance": 8950,
    "code": "insufficient_funds",
    "currency": "USD",
    "cvc": "123",
    "decline_code": None,
    "description": "Lunch",
    "email": "alice@example.com",
    "exp_month": 12,
    "exp_year": 2030,
    "expires_in": 900,
    "failure_code": None,
    "fingerprint": "c2f1a09be6d84711",
    "from_wallet_id": WALLET,
    "held": 1050,
    "holder": "Alice Example",
    "index": 0,
    "kid": "2026-10",
    "label": "Everyday",
    "last4": "4242",
    "locale": "en",
    "metadata": {"order": "4711"},
    "new_balance": 11050,
    "next": None,
    "next_action": None,
    "number": "4242424242424242",
    "one_time_code": "492039",
    "opening": 10000,
    "opening_balance": 10000,
    "password": "correct horse battery",
    "previous": None,
    "provider": "local",
    "reason": "Asked for by the customer",
    "reference": "order-4711",
    "refresh": "eyJhbGciOiJFZERTQSIsImtpZCI6IjEifQ.eyJqdGkiOiIwMTlhIn0.c2lnbmF0dXJl",
    "refund_of": None,
    "request_id": "order-4711-attempt-1",
    "seq": 42,
    "time_zone": "Europe/Berlin",
    "to_wallet_id": OTHER_WALLET,
    "wallet_id": WALLET,
    "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
}
BY_FORMAT: Final[Schema] = {
    "uuid": WALLET,
    "date-time": MOMENT,
    "date": "2026-10-01",
    "uri": "https://wallet.example.com/api/v1/wallet",
    "email": "alice@example.com",
}
BY_TYPE: Final[Schema] = {
    "string": "text",
    "integer": 1,
    "number": 1.5,
    "boolean": True,
    "object": {},
    "null": None,
}


def resolved(schema: Schema, components: Schema) -> Schema:
    """Follow the reference of a schema, and take the first of several choices."""
    while "$ref" in schema or "oneOf" in schema or "allOf" in schema:
        if "$ref" in schema:
            schema = components[schema["$ref"].rsplit("/", 1)[1]]
        else:
            schema = (schema.get("oneOf") or schema["allOf"])[0]
    return schema


def fits(value: Any, schema: Schema) -> bool:
    """Whether a value is of the schema's type."""
    types = schema.get("type", "object")
    names = {
        str: "string",
        int: "integer",
        bool: "boolean",
        dict: "object",
        type(None): "null",
        list: "array",
    }
    return names[type(value)] in ([types] if isinstance(types, str) else types)


def example_of(schema: Schema, components: Schema, name: str = "") -> Any:
    """Make an example: by the field's choices or its name, otherwise by its format or its type."""
    schema = resolved(schema, components)
    if "enum" in schema:
        return schema["enum"][0]
    if name in BY_NAME and fits(BY_NAME[name], schema):
        return BY_NAME[name]
    if "properties" in schema:
        return {key: example_of(inner, components, key) for key, inner in schema["properties"].items()}
    types = schema.get("type", "object")
    kind = types if isinstance(types, str) else types[0]
    if kind == "array":
        return [example_of(schema["items"], components, name)]
    if kind == "string" and schema.get("format") in BY_FORMAT:
        return BY_FORMAT[schema["format"]]
    return BY_TYPE[kind]


def add_examples(result: Schema, **_generator: Any) -> Schema:
    """Give each JSON body its example."""
    components = result["components"]["schemas"]
    for item in result["paths"].values():
        for operation in item.values():
            bodies = [operation.get("requestBody", {}), *operation["responses"].values()]
            for body in bodies:
                content = body.get("content", {}).get(JSON)
                if content is not None and "examples" not in content:
                    content["examples"] = {"example": {"value": example_of(content["schema"], components)}}
    return result
