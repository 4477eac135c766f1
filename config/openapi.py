"""How the OpenAPI document tells what the code promises: scopes, keys, headers and every error answer."""

from http import HTTPStatus
from typing import Any

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework.serializers import Serializer

from config.gateway.problems import ADVICE_TEXTS, PROBLEMS
from users.roles import AUTHENTICATED, PUBLIC

WRITES = ("POST", "PUT", "PATCH", "DELETE")
# Calls whose path ends so speak with a payment provider.
PROVIDER_CALLS = (
    "/fund",
    "/process",
    "/merchant-session",
    "/tokens/card",
    "/tokens/apple-pay",
    "/tokens/google-pay",
)

IDEMPOTENCY_KEY_TEXT = (
    "1 to 255 visible ASCII characters that name this one intended effect, such as a UUID. The same key with the same "
    "request answers what the first one did, with `Idempotent-Replayed: true`; with another request it is 422 "
    "`idempotency_key_reused`. A key never expires."
)


# The group of each operation, by the first part of its path.
TAGS = {
    "auth": "Authentication",
    ".well-known": "Authentication",
    "wallet": "Wallets",
    "payment": "Payments",
    "tokens": "Tokens",
    "transactions": "Transactions",
    "refunds": "Refunds",
    "admin": "Administration",
    "events": "Events",
    "webhook-endpoints": "Events",
    "webhook-deliveries": "Events",
    "sandbox": "Sandbox",
}


class ContractSchema(AutoSchema):
    """One operation of the document."""

    def _is_list_view(self, serializer: Any = None) -> bool:
        """A list is an object with `results`, which its serializer declares; nothing is wrapped unasked."""
        return False

    def _parts(self) -> list[str]:
        path = self.path.removeprefix("/api/v1")
        return [part for part in path.split("/") if part and not part.startswith("{")]

    def get_operation_id(self) -> str:
        """Name the operation by its path and its action: `wallet_holds_capture`."""
        parts = [part.strip(".").replace("-", "_") for part in self._parts()]
        action = str(getattr(self.view, "action", "") or self.method.lower())
        return "_".join(parts if parts[-1] == action else [*parts, action])

    def get_tags(self) -> list[str]:
        """Group the operation by the first part of its path."""
        first = self._parts()[0]
        return [TAGS.get(first, first)]

    def get_summary(self) -> str | None:
        """Take the first sentence of the action's description."""
        first = super().get_description().strip().split("\n")[0]
        return first.partition(". ")[0].removesuffix(".") or None

    def scope(self) -> str:
        """Tell what the view declares for this operation; where any of several permissions will do, all of them."""
        declared = getattr(self.view, "scopes", {}).get(getattr(self.view, "action", ""), PUBLIC)
        return declared if isinstance(declared, str) else "` or `".join(declared)

    def key_use(self) -> str:
        """Tell whether the operation needs an Idempotency-Key: `required`, `accepted` or nothing."""
        if self.method not in WRITES:
            return ""
        return str(getattr(self.view, "keys", {}).get(getattr(self.view, "action", ""), ""))

    def get_auth(self) -> list[dict[str, list[str]]]:
        """Name the bearer token where one is needed."""
        return [] if self.scope() == PUBLIC else [{"bearer": []}]

    def get_description(self) -> str:  # type: ignore[override]
        """Add the permission to the description."""
        scope = self.scope()
        needs = {PUBLIC: "Needs no token.", AUTHENTICATED: "Needs any access token."}
        return (
            f"{super().get_description()}\n\n{needs.get(scope, f'Needs the permission `{scope}`.')}".strip()
        )

    def get_override_parameters(self) -> list[OpenApiParameter | Serializer[Any] | type[Serializer[Any]]]:
        """Add the headers that the gateway reads."""
        headers: list[OpenApiParameter | Serializer[Any] | type[Serializer[Any]]] = [
            OpenApiParameter(
                "X-Request-ID",
                OpenApiTypes.STR,
                OpenApiParameter.HEADER,
                description="8 to 128 of `[A-Za-z0-9._-]`; made when absent. Returned on every answer.",
            )
        ]
        use = self.key_use()
        if use:
            headers.append(
                OpenApiParameter(
                    "Idempotency-Key",
                    OpenApiTypes.STR,
                    OpenApiParameter.HEADER,
                    required=use == "required",
                    description=IDEMPOTENCY_KEY_TEXT,
                )
            )
        return headers

    def problem_statuses(self) -> list[int]:
        """List the statuses of the problems that the operation may answer with."""
        statuses = {400, 414, 429, 431, 500, 503}
        if self.scope() != PUBLIC or "/auth/" in self.path or self.view.authentication_classes:
            # Whoever needs no token may send one that isn't valid.
            statuses.add(401)
        if self.scope() != PUBLIC:
            statuses.add(403)
        if "{" in self.path or self.method in WRITES or self.scope() not in (PUBLIC, AUTHENTICATED):
            # A list may be narrowed to what isn't the caller's.
            statuses.add(404)
        if self.method in ("POST", "PUT", "PATCH"):
            statuses |= {413, 415}
        if self.key_use():
            statuses |= {409, 422}
        if self.method == "POST" and self.path.endswith(PROVIDER_CALLS):
            statuses |= {402, 410, 502, 504}
        if any(word in self.path for word in ("session", "tokens", "payment-methods", "auto-top-up")):
            statuses.add(410)
        return sorted(statuses)

    def get_operation(self, *args: Any, **kwargs: Any) -> dict[str, Any] | None:
        """Add the error answers and the headers of each answer."""
        operation: dict[str, Any] | None = super().get_operation(*args, **kwargs)
        if operation is None:
            return None
        for status, answer in operation["responses"].items():
            answer["description"] = answer.get("description") or HTTPStatus(int(status)).phrase
            headers = answer.setdefault("headers", {})
            headers["X-Request-ID"] = {"$ref": "#/components/headers/RequestId"}
            headers["RateLimit"] = {"$ref": "#/components/headers/RateLimit"}
            headers["RateLimit-Policy"] = {"$ref": "#/components/headers/RateLimitPolicy"}
            if self.key_use() and status.startswith("2"):
                headers["Idempotent-Replayed"] = {"$ref": "#/components/headers/IdempotentReplayed"}
        for status in self.problem_statuses():
            operation["responses"].setdefault(
                str(status), {"$ref": f"#/components/responses/Problem{status}"}
            )
        return operation


PROBLEM_SCHEMA: dict[str, Any] = {
    "type": "object",
    "description": "An error by RFC 9457.",
    "required": [
        "type", "title", "status", "detail", "instance", "code", "request_id", "advice", "errors",
    ],
    "properties": {
        "type": {"type": "string", "format": "uri", "description": "The page that explains the code."},
        "title": {"type": "string"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string"},
        "instance": {"type": "string", "format": "uri-reference"},
        "code": {"type": "string", "enum": sorted(PROBLEMS)},
        "request_id": {"type": "string"},
        "advice": {
            "type": "string",
            "enum": list(ADVICE_TEXTS),
            "description": " ".join(f"`{advice}`: {text}" for advice, text in ADVICE_TEXTS.items()),
        },
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "code", "detail"],
                "properties": {
                    "field": {"type": "string"},
                    "code": {"type": "string"},
                    "detail": {"type": "string"},
                },
            },
        },
        "decline_code": {"type": "string", "description": "With `payment_declined`: why the issuer declined."},
    },
}  # fmt: skip

HEADERS: dict[str, Any] = {
    "RequestId": {"description": "The request's id, to quote when asking for help.", "schema": {"type": "string"}},
    "RateLimit": {
        "description": "What remains of each quota, and the seconds until it is whole again.",
        "schema": {"type": "string", "examples": ['"global";r=99;t=900, "user";r=49;t=900']},
    },
    "RateLimitPolicy": {
        "description": "The quotas, and their windows in seconds.",
        "schema": {"type": "string", "examples": ['"global";q=100;w=900, "user";q=50;w=900']},
    },
    "RetryAfter": {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 1}},
    "IdempotentReplayed": {
        "description": "`true` when this answers a repeated request with the first one's answer.",
        "schema": {"type": "string", "enum": ["true"]},
    },
    "Challenge": {"description": "`Bearer`.", "schema": {"type": "string"}},
}  # fmt: skip


def _problem_example(code: str) -> dict[str, Any]:
    problem = PROBLEMS[code]
    return {
        "summary": problem.title,
        "value": {
            "type": f"https://wallet.example.com/docs/errors/{code}",
            "title": problem.title,
            "status": problem.status,
            "detail": f"{problem.title}.",
            "instance": "/api/v1/wallet",
            "code": code,
            "request_id": "019a3f2e-7c1b-7d52-9b1e-0c8f4a6d2e11",
            "advice": problem.advice,
            "errors": [],
        },
    }


def _problem_response(status: int) -> dict[str, Any]:
    codes = [problem.code for problem in PROBLEMS.values() if problem.status == status]
    headers = {"X-Request-ID": {"$ref": "#/components/headers/RequestId"}}
    if any(PROBLEMS[code].retry_after_s for code in codes):
        headers["Retry-After"] = {"$ref": "#/components/headers/RetryAfter"}
    if status == 401:
        headers["WWW-Authenticate"] = {"$ref": "#/components/headers/Challenge"}
    return {
        "description": ", ".join(f"`{code}`" for code in codes),
        "headers": headers,
        "content": {
            "application/problem+json": {
                "schema": {"$ref": "#/components/schemas/Problem"},
                "examples": {code: _problem_example(code) for code in codes},
            }
        },
    }


def _drop_marks(node: Any) -> None:
    """Drop the marks that drf-spectacular leaves on enumerations for a hook that isn't used here."""
    if isinstance(node, dict):
        node.pop("x-spec-enum-id", None)
    for inner in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        _drop_marks(inner)


def add_components(result: dict[str, Any], **_generator: Any) -> dict[str, Any]:
    """Add what all operations share: the bearer token, the headers and the problems."""
    components = result.setdefault("components", {})
    _drop_marks(result)
    components.setdefault("schemas", {})["Problem"] = PROBLEM_SCHEMA
    components["headers"] = HEADERS
    components["responses"] = {
        f"Problem{status}": _problem_response(status)
        for status in sorted({problem.status for problem in PROBLEMS.values()})
    }
    components.setdefault("securitySchemes", {})["bearer"] = {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "An access token of POST /api/v1/auth/token.",
    }
    return result


def add_operations(result: dict[str, Any], **_generator: Any) -> dict[str, Any]:
    """Add the health checks, which are no part of the versioned API."""
    status = {"type": "object", "properties": {"status": {"type": "string", "enum": ["ok"]}}}
    answer = {"description": "It does.", "content": {"application/json": {"schema": status}}}
    result["paths"]["/health"] = {
        "get": {
            "operationId": "health",
            "tags": ["Operations"],
            "summary": "Whether the process lives",
            "responses": {"200": answer},
        }
    }
    result["paths"]["/health/ready"] = {
        "get": {
            "operationId": "health_ready",
            "tags": ["Operations"],
            "summary": "Whether it can serve",
            "description": "Asks the database, the cache, the broker, and whether all migrations have run.",
            "responses": {"200": answer, "503": {"$ref": "#/components/responses/Problem503"}},
        }
    }
    return result
