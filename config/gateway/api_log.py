"""The log of API calls that staff read on a customer's timeline: every write, whatever it was answered.

A call only leaves its facts in this process's memory; a thread of its own, with a connection of its own, writes them
down once a second. A process that is killed loses its last second: what moved is told by the book and the audit trail.
"""

import atexit
import re
import threading
import time
from collections import deque
from collections.abc import Callable
from os import getpid
from typing import Any, Final

import orjson
import structlog
from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from uuid_utils.compat import uuid7

from config.gateway.access_log import caller
from config.redaction import redacted
from events.clock import now
from events.context import current

MOST_WAITING: Final = 10_000
MOST_AT_ONCE: Final = 500
_WRITES: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_UUID: Final = r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"
_WALLET_IN_PATH: Final = re.compile(rf"/wallets?/{_UUID}")
_WALLET_IN_BODY: Final = re.compile(rf'"(?:from_)?wallet_id"\s*:\s*"{_UUID}"'.encode())
_INSERT: Final = (
    "INSERT INTO events_apicall (id, at, principal, method, path, status, code, duration_us, wallet_id, request_id,"
    " idempotency_key, address) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
)

_waiting: deque[tuple[Any, ...]] = deque(maxlen=MOST_WAITING)
_writer_of: list[int] = []
logger = structlog.get_logger()


class ApiLogMiddleware:
    """Note each write of the API as it is answered."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.method not in _WRITES or not request.path_info.startswith("/api/v1/"):
            return self.get_response(request)
        started = time.perf_counter()
        response = self.get_response(request)
        _waiting.append(_facts(request, response, round((time.perf_counter() - started) * 1_000_000)))
        if settings.API_LOG_EVERY_S and getpid() not in _writer_of:
            _start_writer()
        return response


def write_waiting() -> int:
    """Write down the calls that wait, some hundreds at a time; tells how many. Raises Django's database errors."""
    written = 0
    while _waiting:
        rows = [_waiting.popleft() for _ in range(min(len(_waiting), MOST_AT_ONCE))]
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.executemany(_INSERT, rows)
        written += len(rows)
    return written


def _facts(request: HttpRequest, response: HttpResponseBase, duration_us: int) -> tuple[Any, ...]:
    who, context = caller(request), current()
    return (
        uuid7(),
        now(),
        f"{who['role']}:{who['user']}" if who["role"] else "",
        request.method,
        redacted(request.path)[:500].replace("\0", ""),
        response.status_code,
        _code(response) if response.status_code >= 400 else "",
        duration_us,
        _wallet_id(request),
        context.request_id,
        redacted(request.META.get("HTTP_IDEMPOTENCY_KEY", ""))[:255],
        context.address,
    )


def _code(response: HttpResponseBase) -> str:
    try:
        problem = orjson.loads(response.content)  # type: ignore[attr-defined]  # a problem is never streamed
        return str(problem["code"])[:64]
    except (AttributeError, KeyError, TypeError, ValueError):
        return ""


def _wallet_id(request: HttpRequest) -> str | None:
    """Find the wallet that a call is about: named in the path, or read already with the body."""
    in_path = _WALLET_IN_PATH.search(request.path)
    if in_path is not None:
        return in_path[1]
    in_body = _WALLET_IN_BODY.search(getattr(request, "_body", b""))
    return in_body[1].decode() if in_body is not None else None


def _start_writer() -> None:
    """Start this process's thread: a worker is forked after the application was loaded, and threads aren't."""
    _writer_of[:] = [getpid()]
    threading.Thread(target=_keep_writing, name="api-log", daemon=True).start()
    atexit.register(_write_what_can_be)


def _keep_writing() -> None:
    while every_s := settings.API_LOG_EVERY_S:
        time.sleep(every_s)
        _write_what_can_be()
    _writer_of.clear()


def _write_what_can_be() -> None:
    """Write once; what a database that is away refuses is lost, and said so."""
    if not _waiting:
        return
    try:
        connection.close_if_unusable_or_obsolete()
        write_waiting()
    except DatabaseError:
        logger.warning("api_calls_not_logged", waiting=len(_waiting))
        connection.close()
