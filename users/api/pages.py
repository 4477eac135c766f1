"""Keyset pages: a cursor names a row by its key, so that a page costs the same however deep it is.

A cursor is signed and belongs to one path: one that was cut, edited, made up or carried over to another list is
refused with `invalid_cursor`.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import orjson
from django.conf import settings
from django.db.models import Model, Q, QuerySet
from django.http import QueryDict
from rest_framework import serializers
from rest_framework.exceptions import APIException
from rest_framework.request import Request

from users.api.bodies import StrictQuery

SMALLEST_PAGE = 1
LARGEST_PAGE = 100
USUAL_PAGE = 20
SIGNATURE_BYTES = 12

Row = TypeVar("Row")
AnyModel = TypeVar("AnyModel", bound=Model)


class InvalidCursor(APIException):
    """The cursor isn't one that this list has given."""

    status_code = 400
    code = "invalid_cursor"
    default_code = "invalid_cursor"
    default_detail = "The cursor is not one that this list has given."


class PageQuery(StrictQuery):
    """The query parameters of every list; lists with filters add theirs in a subclass."""

    limit = serializers.IntegerField(
        min_value=SMALLEST_PAGE,
        max_value=LARGEST_PAGE,
        default=USUAL_PAGE,
        help_text="How many results a page holds at most.",
    )
    cursor = serializers.CharField(
        max_length=1024, required=False, help_text="From `next` or `previous` of another page."
    )


@dataclass(frozen=True, slots=True)
class Seek:
    """What a list must fetch: at most `count` rows beyond `key`, nearest first.

    Newest first, beginning with the row just older than `key` (or with the newest row of all when `key` is None);
    with `is_backwards` oldest first, beginning with the row just newer than `key`. Members of `key` are JSON
    values: ids and moments come back as strings.
    """

    key: tuple[Any, ...] | None
    is_backwards: bool
    count: int


def page(
    request: Request,
    fetch: Callable[[Seek], Sequence[Row]],
    *,
    query: dict[str, Any],
    key: Callable[[Row], tuple[Any, ...]],
    shape: Callable[[Row], Any],
) -> dict[str, Any]:
    """Make one page: `{"results", "next", "previous"}`, newest first, with absolute links that keep the filters.

    `query` is what a PageQuery has read; `key` names a row, `shape` shows it. Refuses with InvalidCursor.
    """
    limit: int = query["limit"]
    cursor = query.get("cursor")
    start, is_backwards = _opened(request.path, cursor) if cursor else (None, False)
    rows = list(fetch(Seek(key=start, is_backwards=is_backwards, count=limit + 1)))
    has_more = len(rows) > limit
    rows = rows[:limit]
    if is_backwards:
        rows.reverse()
    has_older = is_backwards or has_more
    has_newer = has_more if is_backwards else start is not None
    following = previous = None
    if has_older:
        older = _sealed(request.path, key(rows[-1]), is_backwards=False) if rows else None
        following = _link(request, older)
    if has_newer and rows:
        previous = _link(request, _sealed(request.path, key(rows[0]), is_backwards=True))
    return {"results": [shape(row) for row in rows], "next": following, "previous": previous}


def seek_rows(rows: QuerySet[AnyModel], seek: Seek, *, by: Sequence[str]) -> list[AnyModel]:
    """Fetch from a queryset as `page` asks; `by` names the columns of the key, which order the list together."""
    if seek.key is not None:
        beyond = "gt" if seek.is_backwards else "lt"
        condition = Q()
        for position, column in enumerate(by):
            equal = dict(zip(by[:position], seek.key, strict=False))
            condition |= Q(**equal, **{f"{column}__{beyond}": seek.key[position]})
        rows = rows.filter(condition)
    return list(
        rows.order_by(*(column if seek.is_backwards else f"-{column}" for column in by))[: seek.count]
    )


def _link(request: Request, cursor: str | None) -> str:
    parameters: QueryDict = request.GET.copy()
    parameters.pop("cursor", None)
    if cursor:
        parameters["cursor"] = cursor
    query = parameters.urlencode()
    return request.build_absolute_uri(f"{request.path}?{query}" if query else request.path)


def _signature(path: str, payload: bytes) -> bytes:
    secret = settings.SECRET_KEY.encode()
    return hmac.new(secret, b"cursor\0" + path.encode() + b"\0" + payload, hashlib.sha256).digest()[
        :SIGNATURE_BYTES
    ]


def _sealed(path: str, key: tuple[Any, ...], *, is_backwards: bool) -> str:
    payload = orjson.dumps([is_backwards, *key], option=orjson.OPT_UTC_Z)
    return base64.urlsafe_b64encode(_signature(path, payload) + payload).rstrip(b"=").decode()


def _opened(path: str, cursor: str) -> tuple[tuple[Any, ...], bool]:
    try:
        sealed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise InvalidCursor from None
    if base64.urlsafe_b64encode(sealed).rstrip(b"=").decode() != cursor:
        raise InvalidCursor
    signature, payload = sealed[:SIGNATURE_BYTES], sealed[SIGNATURE_BYTES:]
    if not hmac.compare_digest(signature, _signature(path, payload)):
        raise InvalidCursor
    is_backwards, *key = orjson.loads(payload)
    return tuple(key), is_backwards
