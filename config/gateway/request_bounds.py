"""What is refused before any view looks at it: strange hosts, U+0000, bodies that are too large."""

from collections.abc import Callable
from io import BytesIO
from typing import Any

from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from config.gateway.errors import PROGRAM_PATHS, problem_answer
from config.redaction import holds_card_number, may_hold_card_number

MIB = 1024 * 1024
BODY_LIMIT_BYTES = MIB
MOST_DRAINED_BYTES = 16 * MIB
BODY_LIMITS_BYTES = {"/api/v1/wallet/transfer/batch": 8 * MIB}


def without_slash(path: str) -> str:
    """Drop the one trailing slash that an API path may have."""
    return path[:-1] if path.endswith("/") and path.startswith(PROGRAM_PATHS) else path


def drain(request: HttpRequest, left_bytes: int) -> None:
    """Read away what is left of a refused body.

    A server that hangs up on a client that is still sending cuts off the answer, or the client's next call.
    """
    body = _input_of(request)
    while left_bytes > 0 and (chunk := body.read(min(64 * 1024, left_bytes))):
        left_bytes -= len(chunk)


def _input_of(request: HttpRequest) -> Any:
    """Give what the body is read from; under ASGI the server has read it already."""
    return request.META.get("wsgi.input") or request._stream


class RequestBoundsMiddleware:
    """Refuse what is out of bounds, and let an API path with a trailing slash answer as well."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        refusal = self.refusal(request)
        if refusal is not None:
            return refusal
        path = request.path_info
        if path[-1:] == "/":
            request.path_info = without_slash(path)
            request.path = without_slash(request.path)
        response = self.get_response(request)
        if response.status_code == 405 and response.get("Content-Type", "").startswith("text/html"):
            return problem_answer(request, "method_not_allowed", headers={"Allow": response["Allow"]})
        return response

    def refusal(self, request: HttpRequest) -> HttpResponse | None:
        """Answer a request that is out of bounds, None for all others."""
        meta = request.META
        try:
            request.get_host()
        except DisallowedHost:
            return problem_answer(request, "bad_request", detail="This host name is not served.")
        if "%00" in meta.get("QUERY_STRING", "") or "\x00" in request.path_info:
            return problem_answer(
                request, "validation_error", detail="The address holds the character U+0000."
            )
        key = meta.get("HTTP_IDEMPOTENCY_KEY", "")
        if may_hold_card_number(key.encode(errors="replace")) and holds_card_number(key):
            # Keys are kept for ever.
            return problem_answer(
                request, "validation_error", detail="The Idempotency-Key holds a card number."
            )
        limit_bytes = BODY_LIMITS_BYTES.get(without_slash(request.path_info), BODY_LIMIT_BYTES)
        if meta.get("CONTENT_LENGTH"):
            left_bytes = int(meta["CONTENT_LENGTH"])
            is_too_large = left_bytes > limit_bytes
        else:
            left_bytes = MOST_DRAINED_BYTES
            is_too_large = meta.get("HTTP_TRANSFER_ENCODING") is not None and self.read_chunks(
                request, limit_bytes
            )
        if is_too_large:
            drain(request, min(left_bytes, MOST_DRAINED_BYTES))
            return problem_answer(
                request,
                "payload_too_large",
                detail=f"The body may have {limit_bytes} bytes.",
            )
        return None

    def read_chunks(self, request: HttpRequest, limit_bytes: int) -> bool:
        """Read a body that announces no length, which Django would take for none; tells whether it is too large."""
        body = _input_of(request).read(limit_bytes + 1)
        request.META["CONTENT_LENGTH"] = str(len(body))
        request._stream = BytesIO(body)
        return len(body) > limit_bytes
