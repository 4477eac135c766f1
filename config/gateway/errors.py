"""Every "no" in one form: RFC 9457 problems for programs, a page with the same words for people."""

from collections.abc import Mapping
from typing import Any

import orjson
import psycopg
import structlog
from django.conf import settings
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db import DatabaseError, DataError, InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils.encoding import escape_uri_path
from redis.exceptions import RedisError
from rest_framework import exceptions as drf
from rest_framework.views import APIView

from config.gateway.problems import ADVICE_TEXTS, PROBLEMS, Problem
from config.gateway.rate_limits import count_refused_call
from config.redaction import redacted
from events.context import current

log = structlog.get_logger("errors")

PROGRAM_PATHS = ("/api/", "/.well-known/", "/sandbox/", "/health", "/metrics")
PAGE_PATHS = ("/api/docs",)

# What DRF raises by itself, and the code that it is here; whoever raises a code of the table keeps it.
_DRF_CODES: tuple[tuple[type[drf.APIException], str], ...] = (
    (drf.ValidationError, "validation_error"),
    (drf.ParseError, "invalid_json"),
    (drf.NotAuthenticated, "not_authenticated"),
    (drf.AuthenticationFailed, "invalid_token"),
    (drf.PermissionDenied, "permission_denied"),
    (drf.NotFound, "not_found"),
    (drf.MethodNotAllowed, "method_not_allowed"),
    (drf.UnsupportedMediaType, "unsupported_media_type"),
    (drf.Throttled, "rate_limited"),
)
_DEFAULT_DETAILS = {
    "not_authenticated": "This call needs an access token.",
    "permission_denied": "Your role does not hold the permission that this call needs.",
    "not_found": "There is no such object.",
    "internal_error": "The server failed; the request id finds the failure in its logs.",
    "unavailable": "The service is busy. Send the same request again.",
    "csrf_failed": "The form's token is missing or has expired.",
    "bad_request": "The request is malformed.",
}


# The server ends a transaction that its client has left alone, on a machine with far too much to do: all is rolled
# back, as with a lost connection, but the driver counts it among its own bugs.
_ENDED_BY_SERVER = (psycopg.errors.IdleInTransactionSessionTimeout, psycopg.errors.TransactionTimeout)


def is_for_people(request: HttpRequest) -> bool:
    """Whether a person's browser asks for a page, rather than a program for data."""
    path = request.path_info
    if path.startswith(PROGRAM_PATHS) and not path.startswith(PAGE_PATHS):
        return False
    return "text/html" in request.META.get("HTTP_ACCEPT", "")


def problem_body(
    problem: Problem,
    *,
    instance: str,
    request_id: str,
    detail: str = "",
    errors: list[dict[str, Any]] | None = None,
    extra: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Build the members of one problem."""
    return {
        **(extra or {}),
        "type": f"{settings.PUBLIC_URL}/docs/errors/{problem.code}",
        "title": problem.title,
        "status": problem.status,
        "detail": detail or _DEFAULT_DETAILS.get(problem.code) or f"{problem.title}.",
        "instance": escape_uri_path(instance),
        "code": problem.code,
        "request_id": request_id,
        "advice": problem.advice,
        "errors": errors or [],
    }


def stored_problem(
    code: str, *, instance: str, request_id: str, detail: str, extra: Mapping[str, Any]
) -> tuple[int, bytes]:
    """Write the status and body of a problem that is stored under a key, to be replayed byte for byte.

    The setting PROBLEM_WRITER names it: apps store such answers and import nothing of the gateway.
    """
    problem = PROBLEMS[code]
    body = problem_body(problem, instance=instance, request_id=request_id, detail=detail, extra=extra)
    return problem.status, orjson.dumps(body, default=str)


def problem_answer(
    request: HttpRequest,
    code: str,
    *,
    detail: str = "",
    errors: list[dict[str, Any]] | None = None,
    extra: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> HttpResponse:
    """Answer with the problem of this code: problem+json, or its page where a person asks."""
    problem = PROBLEMS[code]
    body = problem_body(
        problem,
        # A path may hold whatever a client puts there, a card number too.
        instance=redacted(request.path),
        request_id=current().request_id,
        detail=detail,
        errors=errors,
        extra=extra,
    )
    response: HttpResponse
    if is_for_people(request):
        # Without the request: a page that says that the database is away must not ask it who is logged in.
        page = render_to_string(
            "docs/problem.html", {"body": body, "problem": problem, "advice": ADVICE_TEXTS[problem.advice]}
        )
        response = HttpResponse(page, status=problem.status)
    else:
        response = HttpResponse(
            orjson.dumps(body, default=str), status=problem.status, content_type="application/problem+json"
        )
    if problem.status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    if problem.retry_after_s:
        response.headers["Retry-After"] = str(problem.retry_after_s)
    for name, value in (headers or {}).items():
        response.headers[name] = value
    return response


def _field_errors(detail: Any, field: str = "") -> list[dict[str, Any]]:
    """Flatten DRF's nested details into one list with dotted field names."""
    if isinstance(detail, dict):
        return [
            error
            for name, inner in detail.items()
            for error in _field_errors(inner, f"{field}.{name}" if field else str(name))
        ]
    if isinstance(detail, list):
        nested = [
            _field_errors(inner, f"{field}.{index}" if isinstance(inner, dict) else field)
            for index, inner in enumerate(detail)
        ]
        return [error for errors in nested for error in errors]
    return [{"field": field, "code": getattr(detail, "code", "invalid"), "detail": str(detail)}]


def _of_drf(request: HttpRequest, failure: drf.APIException, view: APIView | None) -> HttpResponse | None:
    """Answer for an exception of DRF, or a coded one that is built on it."""
    code = getattr(failure, "code", "") or getattr(failure.detail, "code", "")
    if code not in PROBLEMS:
        code = next((code for kind, code in _DRF_CODES if isinstance(failure, kind)), "")
    if not code:
        return None
    headers: dict[str, str] = {}
    errors: list[dict[str, Any]] = getattr(failure, "errors", [])
    detail = ""
    if isinstance(failure, drf.ValidationError):
        errors = errors or _field_errors(failure.detail)
    elif isinstance(failure.detail, str) and not isinstance(failure, drf.NotAuthenticated | drf.NotFound):
        detail = str(failure.detail)
    if errors and not detail:
        first = errors[0]
        detail = f"{first['field']}: {first['detail']}" if first["field"] else str(first["detail"])
    if getattr(failure, "auth_header", None):
        headers["WWW-Authenticate"] = str(failure.auth_header)  # type: ignore[attr-defined]
    if isinstance(failure, drf.Throttled):
        wait_s = max(1, int(getattr(failure, "wait", None) or 1))
        headers["Retry-After"] = str(wait_s)
        detail = f"Too many requests: wait {wait_s} seconds."
    if isinstance(failure, drf.MethodNotAllowed):
        headers["Allow"] = ", ".join(view.allowed_methods) if view else ""
    return problem_answer(
        request, code, detail=detail, errors=errors, extra=getattr(failure, "extra", None), headers=headers
    )


def answer_for(
    request: HttpRequest, failure: BaseException, view: APIView | None = None
) -> HttpResponse | None:
    """Answer for any exception that is an expected "no"; None when it is a bug."""
    if isinstance(failure, drf.APIException):
        return _of_drf(request, failure, view)
    code = getattr(failure, "code", None)
    if isinstance(code, str) and code in PROBLEMS:
        detail = str(getattr(failure, "detail", ""))
        field = str(getattr(failure, "field", ""))
        errors = getattr(failure, "errors", None)
        if not errors and field:
            errors = [{"field": field, "code": code, "detail": detail}]
        return problem_answer(
            request,
            code,
            detail=detail,
            errors=errors,
            extra=getattr(failure, "extra", None),
            headers=getattr(failure, "headers", None),
        )
    if isinstance(failure, Http404):
        return problem_answer(request, "not_found")
    if isinstance(failure, PermissionDenied):
        return problem_answer(request, "permission_denied")
    if isinstance(failure, SuspiciousOperation):
        return problem_answer(request, "bad_request")
    if isinstance(failure, DataError | psycopg.DataError):
        log.error("data_refused_by_database", exc_info=failure)
        return problem_answer(request, "validation_error")
    if isinstance(failure, DatabaseError) and _says_read_only(failure):
        log.warning("database_takes_no_writes", exc_info=failure)
        return problem_answer(request, "unavailable")
    if isinstance(
        failure,
        OperationalError | InterfaceError | psycopg.OperationalError | psycopg.InterfaceError | RedisError,
    ) or isinstance(failure.__cause__ or failure, _ENDED_BY_SERVER):
        # A lock or statement that took too long, a deadlock, a lost connection: all rolled back as a whole.
        log.warning("unavailable", reason=type(failure.__cause__ or failure).__name__, exc_info=failure)
        return problem_answer(request, "unavailable")
    return None


def _says_read_only(failure: DatabaseError) -> bool:
    """Whether the server is a standby: a fail-over is under way, and the next connection leads to the new primary."""
    return isinstance(failure.__cause__, psycopg.errors.ReadOnlySqlTransaction)


def problem_for_exception(failure: Exception, context: dict[str, Any]) -> HttpResponse | None:
    """DRF's exception handler; None hands a bug on to Django, which logs it and answers by `server_error`."""
    view: APIView = context["view"]
    request: HttpRequest = context["request"]._request
    if isinstance(
        failure, drf.NotAuthenticated | drf.AuthenticationFailed | drf.PermissionDenied | drf.MethodNotAllowed
    ):
        try:
            count_refused_call(context["request"], view)
        except (DatabaseError, RedisError) as unavailable:
            # The refusal stands whether it can be counted or not.
            log.warning("refused_call_not_counted", reason=type(unavailable).__name__)
    return answer_for(request, failure, view)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler400."""
    return answer_for(request, exception) or problem_answer(request, "bad_request")


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler403."""
    return problem_answer(request, "permission_denied")


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler404."""
    return problem_answer(request, "not_found")


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's handler500, which tells nothing of what failed."""
    return problem_answer(request, "internal_error")


def csrf_failed(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Django's CSRF_FAILURE_VIEW."""
    return problem_answer(request, "csrf_failed")
