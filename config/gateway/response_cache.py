"""Answers that are the same for everybody, kept for the lifetimes stated in `RESPONSE_CACHE_S`."""

import time
from collections.abc import Callable

from django.conf import settings
from django.core.cache import cache

_kept: dict[str, tuple[float, bytes]] = {}


def kept_answer(name: str, build: Callable[[], bytes]) -> bytes:
    """Take the answer from this process, else from the shared cache, else build it."""
    lifetime_s = settings.RESPONSE_CACHE_S[name]
    now_s = time.monotonic()
    until_s, body = _kept.get(name, (0.0, b""))
    if now_s < until_s:
        return body
    key = f"response:{settings.VERSION}:{name}"
    shared = cache.get(key)
    body = shared if isinstance(shared, bytes) else build()
    if shared is None:
        cache.set(key, body, lifetime_s)
    _kept[name] = (now_s + lifetime_s, body)
    return body


def forget_answers() -> None:
    """Forget what this process keeps."""
    _kept.clear()


def public_for(name: str) -> str:
    """Render the Cache-Control header of an answer that anybody may keep for its lifetime."""
    return f"public, max-age={settings.RESPONSE_CACHE_S[name]}"
