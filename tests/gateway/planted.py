"""A small URL table for the gateway's tests: calls that echo, refuse and fail in every known way."""

from typing import Any, ClassVar

import psycopg
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db import DataError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import path
from redis.exceptions import ConnectionError as RedisConnectionError
from rest_framework import exceptions as drf
from rest_framework.request import Request
from rest_framework.viewsets import ViewSet

from config import urls
from events.context import current
from transactions.refusals import InsufficientFunds, LimitExceeded
from users.api.answers import answer
from users.refusals import TooManyLogins

handler400, handler403, handler404, handler500 = (
    urls.handler400,
    urls.handler403,
    urls.handler404,
    urls.handler500,
)

FAILURES: dict[str, Exception] = {
    "bug": ZeroDivisionError("the secret of the house"),
    "refusal": InsufficientFunds(),
    "field": LimitExceeded("Too much.", field="amount", extra={"limit": "daily_outflow"}),
    "login": TooManyLogins(headers={"Retry-After": "17"}),
    "unvalidated": drf.ValidationError({"amount": ["Wrong."], "lines": [{}, {"to": ["Missing."]}]}),
    "throttled": drf.Throttled(wait=41.0),
    "lost": OperationalError("server closed the connection"),
    "busy": psycopg.errors.LockNotAvailable("canceling statement due to lock timeout"),
    "deadlock": psycopg.errors.DeadlockDetected("deadlock detected"),
    "serialization": psycopg.errors.SerializationFailure("could not serialize access"),
    "idle": psycopg.errors.IdleInTransactionSessionTimeout(
        "terminating connection due to idle-in-transaction"
    ),
    "slow": psycopg.errors.QueryCanceled("canceling statement due to statement timeout"),
    "range": DataError("bigint out of range"),
    "redis": RedisConnectionError("refused"),
    "missing": Http404("no such row in table x"),
    "denied": PermissionDenied("reason"),
    "suspicious": SuspiciousOperation("reason"),
}


class EchoViewSet(ViewSet):
    """Answers what it was sent."""

    scopes: ClassVar = {
        "read": "public",
        "write": "public",
        "whoami": "authenticated",
        "wallets": "wallet:read",
    }

    def read(self, request: Request) -> HttpResponse:
        context = current()
        return answer(
            {
                "request_id": context.request_id,
                "traceparent": context.traceparent,
                "tracestate": context.tracestate,
                "address": context.address,
            }
        )

    def write(self, request: Request) -> HttpResponse:
        return answer({"data": request.data, "raw_bytes": len(request._request.body)})

    def whoami(self, request: Request) -> HttpResponse:
        return answer({"role": request.user.role})

    def wallets(self, request: Request) -> HttpResponse:
        return answer([])

    def undeclared(self, request: Request) -> HttpResponse:
        return answer([])


class FailingViewSet(ViewSet):
    """Fails as it is told to."""

    scopes: ClassVar = {"fail": "public"}

    def fail(self, request: Request, how: str) -> HttpResponse:
        raise FAILURES[how]


def page(request: HttpRequest) -> HttpResponse:
    return HttpResponse("<!DOCTYPE html><title>page</title>")


def failing_page(request: HttpRequest) -> HttpResponse:
    raise ZeroDivisionError("the secret of the house")


urlpatterns: list[Any] = [
    path("api/v1/echo", EchoViewSet.as_view({"get": "read", "post": "write"})),
    path("api/v1/whoami", EchoViewSet.as_view({"get": "whoami"})),
    path("api/v1/echo/wallets", EchoViewSet.as_view({"get": "wallets"})),
    path("api/v1/echo/undeclared", EchoViewSet.as_view({"get": "undeclared"})),
    path("api/v1/payment/echo", EchoViewSet.as_view({"get": "read", "post": "write"})),
    path("api/v1/payment/webhooks/echo", EchoViewSet.as_view({"post": "write"})),
    path("api/v1/wallet/one/fund", EchoViewSet.as_view({"post": "write"})),
    path("api/v1/tokens/echo", EchoViewSet.as_view({"post": "write"})),
    path("api/v1/wallet/transfer/batch", EchoViewSet.as_view({"post": "write"})),
    path("api/v1/fail/<str:how>", FailingViewSet.as_view({"get": "fail"})),
    path("page", page),
    path("failing-page", failing_page),
    *urls.urlpatterns,
]
