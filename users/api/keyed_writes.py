"""Writes that happen once for their Idempotency-Key, for the apps on the floors below the book that keeps the keys.

The setting KEYED_WRITER names who does it: those apps may not import it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpResponse
from django.utils.module_loading import import_string
from rest_framework.request import Request


@dataclass(frozen=True, slots=True)
class Written:
    """What a write is answered: HTTP status, the data (None for an empty body), and the object shown (`endpoint:id`).

    The answer is kept with the key, so that data must not hold a secret: `reveal` of `write_once` puts it in.
    """

    status: int
    data: Any
    resource: str


def write_once(
    request: Request,
    write: Callable[[], Written],
    *,
    reveal: Callable[[bytes], bytes] = bytes,
) -> HttpResponse:
    """Run `write` in one transaction, once for the request's key; a repeated request gets the first answer.

    `reveal` turns the body that is kept into the one that is sent, each time anew. Refuses as `write` does, and with
    the refusals of keys.
    """
    writer: Callable[..., HttpResponse] = import_string(settings.KEYED_WRITER)
    return writer(request, write, reveal=reveal)
