"""Requests that the server can't read: refused in the form of all other refusals, and nothing of them is kept.

gunicorn by itself answers them with a page of HTML that repeats what was sent, and writes it to its log. What was sent may
be a card number.
"""

import socket
from http import HTTPStatus
from typing import Any, Final

import orjson
import structlog
from gunicorn.http.errors import LimitRequestHeaders, LimitRequestLine, ParseException
from gunicorn.workers.gthread import ThreadWorker
from uuid_utils.compat import uuid7

CODES: Final[dict[type[Exception], str]] = {
    LimitRequestLine: "uri_too_long",
    LimitRequestHeaders: "headers_too_large",
}
"""The codes of what has one of its own; all else is a `bad_request`."""

log = structlog.get_logger("errors")


class Worker(ThreadWorker):
    """gunicorn's worker of threads, with our answers to what it can't read."""

    def handle_error(self, req: Any, client: socket.socket, addr: Any, exc: Exception) -> None:
        """Answer a request that failed before the application had it, or with the server itself."""
        code = "internal_error"
        if isinstance(exc, ParseException):
            code = CODES.get(type(exc), "bad_request")
        request_id = str(uuid7())
        log.warning("unread_request", code=code, reason=type(exc).__name__, request_id=request_id)
        try:
            client.sendall(refusal(code, request_id=request_id))
        except OSError:
            log.info("refusal_not_sent", request_id=request_id)


def refusal(code: str, *, request_id: str) -> bytes:
    """Write the whole answer, status line included, after which the connection ends."""
    # gunicorn loads its worker's class before there are settings.
    from config.gateway.errors import problem_body
    from config.gateway.problems import PROBLEMS

    problem = PROBLEMS[code]
    body = orjson.dumps(problem_body(problem, instance="", request_id=request_id))
    head = (
        f"HTTP/1.1 {problem.status} {HTTPStatus(problem.status).phrase}\r\n"
        "Content-Type: application/problem+json\r\n"
        f"Content-Length: {len(body)}\r\n"
        f"X-Request-ID: {request_id}\r\n"
        "Cache-Control: no-store\r\n"
        "X-Content-Type-Options: nosniff\r\n"
        "Connection: close\r\n\r\n"
    )
    return head.encode() + body
