"""Answers of the API: JSON bytes with the headers that private data needs."""

import hashlib
from collections.abc import Mapping
from typing import Any

import orjson
from django.http import HttpRequest, HttpResponse, HttpResponseNotModified
from django.utils.functional import Promise
from django.utils.http import parse_etags
from rest_framework.request import Request

PRIVATE = "no-store"


def _text(value: object) -> str:
    if isinstance(value, Promise):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no form in JSON")


def json_bytes(data: Any) -> bytes:
    """Write JSON: UUIDs as strings, moments in RFC 3339 with `Z` and their microseconds, no spaces."""
    return orjson.dumps(data, default=_text, option=orjson.OPT_UTC_Z | orjson.OPT_NAIVE_UTC)


def answer(data: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> HttpResponse:
    """Answer with JSON that no cache may keep; `headers` may say otherwise."""
    return HttpResponse(
        json_bytes(data),
        status=status,
        content_type="application/json",
        headers={"Cache-Control": PRIVATE, **(headers or {})},
    )


def no_content() -> HttpResponse:
    """Answer 204 without a body."""
    return HttpResponse(status=204, headers={"Cache-Control": PRIVATE})


def resource(request: Request | HttpRequest, data: Any, version: int | str | None = None) -> HttpResponse:
    """Answer a GET of one resource with its ETag, or 304 when the client has this version.

    `version` must change with all that `data` shows; without one the ETag is the hash of the body.
    """
    return resource_bytes(request, json_bytes(data), version)


def resource_bytes(
    request: Request | HttpRequest, body: bytes, version: int | str | None = None
) -> HttpResponse:
    """Answer as `resource` does with JSON that has been written already."""
    tag = hashlib.blake2b(body, digest_size=16).hexdigest() if version is None else str(version)
    etag = f'"{tag}"'
    headers = {"Cache-Control": PRIVATE, "ETag": etag}
    known = request.META.get("HTTP_IF_NONE_MATCH")
    if known:
        tags = [known_tag.removeprefix("W/") for known_tag in parse_etags(known)]
        if etag in tags or "*" in tags:
            return HttpResponseNotModified(headers=headers)
    return HttpResponse(body, content_type="application/json", headers=headers)
