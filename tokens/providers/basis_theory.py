"""The wire of Basis Theory's API: keys, traces, and how we write down what an item of its vault is called.

Which calls are made is the business of its vault (here) and of the proxy's processor (in payments). Our application
key needs `token:create`, `token:read`, `token:delete`, `token-intent:create`, `token-intent:read`,
`apple-pay:create`, `apple-pay:read`, `apple-pay:delete`, `google-pay:create`, `google-pay:read`,
`google-pay:delete`, and for charges `proxy:invoke`. It must have neither `reveal` nor `token:use`: without them no
answer holds a whole card number. Source: Basis Theory's documentation and Python SDK.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args
from uuid import uuid4

import orjson
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from events import context
from tokens.providers.calls import Call, Limits, Provider, ProviderAnswer

ItemKind = Literal["token", "apple_pay", "google_pay"]


@dataclass(frozen=True, slots=True, repr=False)
class BasisTheoryReference:
    """An item of the vault: `kind` is the word that proxy expressions call it by. Written `kind:id`."""

    kind: ItemKind
    id: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.id}"

    @classmethod
    def read(cls, ref: str) -> "BasisTheoryReference":
        """Read what `str` wrote. Raises ValueError."""
        kind, _, item_id = ref.partition(":")
        if kind not in get_args(ItemKind) or not item_id:
            raise ValueError("The reference is not one of Basis Theory.")
        return cls(cast("ItemKind", kind), item_id)


def send(
    *,
    name: str,
    method: str,
    path: str,
    document: Mapping[str, Any] | None = None,
    idempotency_key: str = "",
    limits: Limits | None = None,
) -> ProviderAnswer:
    """Call Basis Theory with a JSON document; the trace id is that of the request under way.

    Raises NotSent and NoAnswer, and ImproperlyConfigured without a key. Basis Theory keeps successes alone under a
    key, for 24 hours; a failed request runs again.
    """
    headers = {} if method == "GET" else trace_headers()
    if idempotency_key:
        headers["BT-IDEMPOTENCY-KEY"] = idempotency_key
    body = b""
    if document is not None:
        body = orjson.dumps(document)
        headers["Content-Type"] = "application/json"
    call = Call(name=name, method=method, path=path, headers=headers, body=body)
    return provider().send(call, limits=limits or Limits())


def provider() -> Provider:
    """Describe Basis Theory as the settings have it. Raises ImproperlyConfigured, naming the variable, without a key."""
    if not settings.BASIS_THEORY_API_KEY:
        raise ImproperlyConfigured(
            "BASIS_THEORY_API_KEY is not set: Basis Theory answers nobody without a key."
        )
    headers = {"BT-API-KEY": settings.BASIS_THEORY_API_KEY}
    return Provider(
        name="basis_theory", base=settings.BASIS_THEORY_API_BASE, headers=headers, is_retried=is_retried
    )


def is_retried(answer: ProviderAnswer) -> bool:
    """Whether the same request may be sent again under its key; a 409 is the same key still at work."""
    return answer.status in (408, 409, 429) or answer.status >= 500


def trace_headers() -> dict[str, str]:
    """Name the request under way, so that Basis Theory's logs and ours tell of the same call."""
    return {"BT-TRACE-ID": context.current().request_id or str(uuid4())}
