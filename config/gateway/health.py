"""Whether this process lives, and whether it can serve: what orchestrators and load balancers ask."""

from collections.abc import Callable
from functools import cache

import structlog
from django.conf import settings
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe
from django_redis import get_redis_connection

from config.celery import app as celery_app
from config.gateway.errors import problem_answer
from events.partitions import missing_ahead

log = structlog.get_logger("health")

OK = "ok"
NOT_USED = "not_used"


@require_safe
def live(request: HttpRequest) -> HttpResponse:
    """Answer at once, without asking anything else: a process that can't is to be started again."""
    return JsonResponse({"status": OK})


def _database() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return OK


@cache
def _shipped_migrations() -> frozenset[tuple[str, str]]:
    return frozenset(MigrationLoader(None).disk_migrations or ())


def _migrations() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT app, name FROM django_migrations")
        applied = set(cursor.fetchall())
    missing = _shipped_migrations() - applied
    return "pending" if missing else OK


def _partitions() -> str:
    return "missing" if missing_ahead(months=0) else OK


def _cache() -> str:
    if not settings.REDIS_URL:
        return NOT_USED
    get_redis_connection("default").ping()
    return OK


def _broker() -> str:
    if not settings.REDIS_URL:
        return NOT_USED
    with celery_app.connection_for_write() as broker:
        broker.ensure_connection(max_retries=0, timeout=1)
    return OK


PARTS: dict[str, Callable[[], str]] = {
    "database": _database,
    "migrations": _migrations,
    "partitions": _partitions,
    "cache": _cache,
    "broker": _broker,
}


def state_of(part: str) -> str:
    """Tell `ok`, `not_used`, `pending`, `missing` or `failed` of one part."""
    try:
        return PARTS[part]()
    except Exception as failure:  # noqa: BLE001 (whatever a driver raises, the part has failed)
        log.warning("not_ready", part=part, reason=type(failure).__name__)
        return "failed"


@require_safe
def ready(request: HttpRequest) -> HttpResponse:
    """Answer 200 when every part that is used works, otherwise 503 that names those that don't."""
    parts = {part: state_of(part) for part in PARTS}
    failing = [part for part, state in parts.items() if state not in (OK, NOT_USED)]
    if failing:
        return problem_answer(
            request,
            "unavailable",
            detail=f"Not ready: {', '.join(failing)}.",
            extra={"failing": failing, "parts": parts},
        )
    return JsonResponse({"status": OK, "parts": parts})
