"""From the Idempotency-Key header to the call that happens once, and back to an answer."""

import hashlib
import hmac
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from django.conf import settings
from django.http import HttpResponse
from rest_framework.request import Request
from rest_framework.viewsets import ViewSet

from transactions.idempotency import Answer, KeyedCall, once, replay, store
from transactions.refusals import IdempotencyKeyRequired
from users.api.answers import PRIVATE, json_bytes
from users.api.authentication import caller
from users.api.keyed_writes import Written
from users.refusals import Refusal as UserRefusal

_BARE = re.compile(r"[!-~]{1,255}")
_QUOTED = re.compile(r'"((?:[ !#-\[\]-~]|\\["\\]){1,255})"')


def read_key(header: str | None) -> str:
    """Read the header's value, bare or as a quoted structured-field string; empty where there is none.

    Refuses with IdempotencyKeyRequired what is no key: 1 to 255 visible ASCII characters.
    """
    if header is None:
        return ""
    quoted = _QUOTED.fullmatch(header)
    key = re.sub(r"\\(.)", r"\1", quoted[1]) if quoted else header
    if not _BARE.fullmatch(key):
        raise IdempotencyKeyRequired
    return key


def keyed_call(
    request: Request,
    render: Callable[[Any], Answer],
    show: Callable[[str], bytes] | None = None,
) -> KeyedCall:
    """Make the call of a request whose view declares in `keys` whether its action needs a key.

    The fingerprint is a keyed hash, since bodies may carry card data. Refuses with IdempotencyKeyRequired.
    """
    view: ViewSet = request.parser_context["view"]
    key = read_key(request.META.get("HTTP_IDEMPOTENCY_KEY"))
    if not key and view.keys[view.action] == "required":  # type: ignore[attr-defined]
        raise IdempotencyKeyRequired
    fingerprint = b""
    if key:
        described = f"{request.method} {request.path}\n".encode() + request._request.body
        fingerprint = hmac.digest(settings.SECRET_KEY.encode(), described, hashlib.sha256)
    return KeyedCall(
        principal=caller(request).name, key=key, fingerprint=fingerprint, render=render, show=show
    )


def rendered(status: int, data: Any, resource: str) -> Answer:
    """Render the answer that shall be stored: JSON bytes, and the object that they show (`transfer:id`)."""
    return Answer(status=status, body=json_bytes(data), resource=resource)


def keyed_write(
    request: Request, write: Callable[[], Written], *, reveal: Callable[[bytes], bytes]
) -> HttpResponse:
    """Do for `users.api.keyed_writes.write_once` what it promises; the setting KEYED_WRITER names this."""

    def render(written: Written) -> Answer:
        body = b"" if written.data is None else json_bytes(written.data)
        return Answer(status=written.status, body=body, resource=written.resource)

    call = keyed_call(request, render)
    try:
        kept = once(call, lambda: store(call, write()))
    except UserRefusal:
        # `once` looks the key up after the book's own refusals; those of the floors below it aren't known to it.
        first = replay(call)
        if first is None:
            raise
        kept = first
    return keyed_answer(replace(kept, body=reveal(kept.body)))


def keyed_answer(answer: Answer) -> HttpResponse:
    """Send an answer byte for byte as it was stored; a repeated one says so."""
    headers = {"Cache-Control": PRIVATE}
    if answer.replayed:
        headers["Idempotent-Replayed"] = "true"
    is_problem = answer.status >= 400
    return HttpResponse(
        answer.body,
        status=answer.status,
        content_type="application/problem+json" if is_problem else "application/json",
        headers=headers,
    )
