"""The OpenAPI document describes what is served."""

import re
from typing import Any

import pytest
from django.test import Client
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from pytest_django import Settings

from config.checks import API, route_errors, served_routes
from config.gateway.problems import PROBLEMS
from config.gateway.response_cache import forget_answers

METHODS = ("get", "post", "put", "patch", "delete")


@pytest.fixture
def document(client: Client) -> dict[str, Any]:
    forget_answers()
    response = client.get("/api/schema")
    assert response["Content-Type"] == "application/json"
    found: dict[str, Any] = response.json()
    return found


def operations(document: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (path, method): operation
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method in METHODS
    }


def test_when_the_document_is_checked_then_it_is_valid_openapi_3_1(document: dict[str, Any]) -> None:
    assert document["openapi"] == "3.1.0"
    assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []


def test_when_a_route_is_served_then_the_document_has_it(document: dict[str, Any]) -> None:
    from django.urls import get_resolver

    described = operations(document)
    served = [
        ("/" + route, method)
        for route, pattern in served_routes(get_resolver().url_patterns)
        if route.startswith(API)
        for method in pattern.callback.actions  # type: ignore[attr-defined]
        if method in METHODS
    ]

    assert served
    for route, method in served:
        path = "/".join(
            "{" + part[1:-1].split(":")[-1] + "}" if part[:1] == "<" else part for part in route.split("/")
        )
        assert (path, method) in described, f"{method} {path} is not described"


def test_when_an_operation_is_described_then_its_scope_key_and_problems_are_told(
    document: dict[str, Any],
) -> None:
    for (path, method), operation in operations(document).items():
        if not path.startswith("/api/v1/"):
            continue
        answers = operation["responses"]
        text = operation["description"]
        secured = operation.get("security") == [{"bearer": []}]
        assert secured != ("Needs no token." in text), path
        assert {"429", "500", "503"} <= set(answers), path
        assert not secured or {"401", "403"} <= set(answers), path
        for status, answer in answers.items():
            if int(status) >= 400:
                assert answer == {"$ref": f"#/components/responses/Problem{status}"}, (path, method)
            else:
                assert "X-Request-ID" in answer["headers"]


def test_when_a_list_can_be_had_as_csv_then_its_answer_is_described_as_csv_too(
    document: dict[str, Any],
) -> None:
    offered = {
        (path, method): operation
        for (path, method), operation in operations(document).items()
        for parameter in operation.get("parameters", [])
        if parameter["name"] == "format" and "csv" in parameter["schema"].get("enum", [])
    }

    assert {
        "/api/v1/admin/adjustments",
        "/api/v1/admin/reconciliation/breaks",
        "/api/v1/admin/refunds",
    } <= {path for path, _method in offered}
    for call, operation in offered.items():
        assert {"application/json", "text/csv"} <= set(operation["responses"]["200"]["content"]), call


def test_when_a_call_needs_a_key_then_the_document_says_so(document: dict[str, Any]) -> None:
    from django.urls import get_resolver

    described = operations(document)
    for route, pattern in served_routes(get_resolver().url_patterns):
        if not route.startswith(API):
            continue
        assert list(route_errors(route, pattern)) == []
        view = pattern.callback.cls  # type: ignore[attr-defined]
        path = "/" + "/".join(
            "{" + part[1:-1].split(":")[-1] + "}" if part[:1] == "<" else part for part in route.split("/")
        )
        for method, action in pattern.callback.actions.items():  # type: ignore[attr-defined]
            if method not in METHODS:
                continue
            parameters = {
                parameter["name"]: parameter.get("required", False)
                for parameter in described[path, method].get("parameters", [])
                if parameter["in"] == "header"
            }
            use = getattr(view, "keys", {}).get(action) if method != "get" else None
            expected = {None: None, "required": True, "accepted": False}[use]
            assert parameters.get("Idempotency-Key") is expected, (method, path)


def test_when_a_body_is_described_then_it_has_an_example_that_its_schema_allows(
    document: dict[str, Any],
) -> None:
    bodies = [
        (f"{method} {path}", body["content"]["application/json"])
        for (path, method), operation in operations(document).items()
        for body in (operation.get("requestBody", {}), *operation["responses"].values())
        if "application/json" in body.get("content", {})
    ]

    assert bodies
    for call, content in bodies:
        schema = {**content["schema"], "components": document["components"]}
        (example,) = content["examples"].values()
        faults = [fault.message for fault in Draft202012Validator(schema).iter_errors(example["value"])]
        assert faults == [], call


def test_when_operations_are_described_then_each_has_a_summary_a_group_and_a_name_of_its_own(
    document: dict[str, Any],
) -> None:
    described = operations(document)
    groups = {tag["name"] for tag in document["tags"]}

    assert len({operation["operationId"] for operation in described.values()}) == len(described)
    for call, operation in described.items():
        assert operation["summary"], call
        assert set(operation["tags"]) <= groups, call


def test_when_a_list_is_described_then_it_is_a_page_and_no_bare_array(document: dict[str, Any]) -> None:
    for (path, _), operation in operations(document).items():
        for answer in operation["responses"].values():
            for content in answer.get("content", {}).values():
                assert content["schema"].get("type") != "array", path


def test_when_a_problem_is_described_then_every_code_has_an_example(document: dict[str, Any]) -> None:
    schema = document["components"]["schemas"]["Problem"]
    examples = {
        code: example["value"]["status"]
        for answer in document["components"]["responses"].values()
        for code, example in answer["content"]["application/problem+json"]["examples"].items()
    }

    assert schema["properties"]["code"]["enum"] == sorted(PROBLEMS)
    assert examples == {code: problem.status for code, problem in PROBLEMS.items()}


def test_when_the_document_is_asked_for_again_then_it_is_kept_for_its_lifetime(
    client: Client, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    forget_answers()
    first = client.get("/api/schema")
    monkeypatch.setattr("config.gateway.api_docs._document", lambda: pytest.fail("built again"))

    second = client.get("/api/schema")
    unchanged = client.get("/api/schema", headers={"If-None-Match": first["ETag"]})

    assert first["Cache-Control"] == second["Cache-Control"] == "public, max-age=300"
    assert second.content == first.content
    assert (unchanged.status_code, unchanged.content) == (304, b"")


def test_when_another_process_built_the_document_then_redis_has_it(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    forget_answers()
    first = client.get("/api/schema")
    forget_answers()
    monkeypatch.setattr("config.gateway.api_docs._document", lambda: pytest.fail("built again"))

    assert client.get("/api/schema").content == first.content


def test_when_people_read_the_document_then_every_asset_is_the_projects_own(client: Client, db: None) -> None:
    page = client.get("/api/docs").content.decode()

    assert 'data-schema="/api/schema"' in page
    assert not re.search(r"""(src|href|data-schema)=["'](?!/(?!/)|#)""", page)
    assert page.count("<script") == page.count('<script src="/static/')
    for asset in ("swagger-ui.css", "swagger-ui-bundle.js"):
        response = client.get(f"/static/drf_spectacular_sidecar/swagger-ui-dist/{asset}")
        response.close()
        assert response.status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        *(("get", path, "404") for path in ("transactions", "payment", "refunds", "events", "admin/refunds")),
        ("post", "wallet/{wallet_id}/payment-methods", "410"),
    ],
)
def test_when_a_call_names_a_thing_outside_of_its_path_then_its_absence_is_described(
    document: dict[str, Any], method: str, path: str, status: str
) -> None:
    assert status in operations(document)[f"/api/v1/{path}", method]["responses"]


def test_when_a_value_may_be_absent_then_its_schema_allows_null_in_one_way_alone(
    document: dict[str, Any],
) -> None:
    def choices(node: Any) -> list[list[Any]]:
        if isinstance(node, list):
            return [found for inner in node for found in choices(inner)]
        if not isinstance(node, dict):
            return []
        own = [node["oneOf"]] if isinstance(node.get("oneOf"), list) else []
        return own + [found for inner in node.values() for found in choices(inner)]

    # An empty schema allows everything, null too, so that null would match two of the one.
    assert [one for one in choices(document) if {} in one] == []
