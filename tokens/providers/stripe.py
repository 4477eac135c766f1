"""The wire of Stripe's API v1: keys, form encoding, errors, and how we write down what a saved card is called there.

Which calls are made is the business of its vault (here) and of its processor (in payments).
Source: Stripe's API reference and stripe-python, version string below.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_plus

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from tokens.providers.calls import Call, Garbled, Limits, Provider, ProviderAnswer

VERSION = "2026-06-24.dahlia"

KEY_IN_METADATA = "open_wallet_key"
"""The name of our own key in the metadata of all that charges make; Stripe's webhooks bring it back."""


@dataclass(frozen=True, slots=True, repr=False)
class StripeReference:
    """A saved card: the PaymentMethod and the Customer that it's attached to, which every charge names too.

    The card of a phone is attached but not set up for charges without the customer: its first charge, with the
    customer there, asks for `setup_future_usage=off_session`. Written `customer/payment_method`.
    """

    customer: str
    payment_method: str

    def __str__(self) -> str:
        return f"{self.customer}/{self.payment_method}"

    @classmethod
    def read(cls, ref: str) -> "StripeReference":
        """Read what `str` wrote."""
        customer, _, payment_method = ref.partition("/")
        return cls(customer, payment_method)


@dataclass(frozen=True, slots=True)
class StripeError:
    """The error of an answer, without its message, which may quote what was sent; empty strings where it says nothing.

    `object_id` is the PaymentIntent, SetupIntent or PaymentMethod that the error is about.
    """

    type: str
    code: str
    decline_code: str
    advice_code: str
    param: str
    object_id: str


def send(
    *,
    name: str,
    method: str,
    path: str,
    params: Mapping[str, Any] | None = None,
    idempotency_key: str = "",
    limits: Limits | None = None,
) -> ProviderAnswer:
    """Call Stripe; `path` begins with `/v1/` and `params` are encoded into the body, or into the query of a GET.

    Raises NotSent and NoAnswer, and ImproperlyConfigured without a key. Stripe keeps the first answer for a key,
    even a 500, for 24 hours.
    """
    encoded = form_encoded(params or {})
    headers = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
    if method == "GET":
        path, body = f"{path}?{encoded}" if encoded else path, b""
    else:
        body = encoded.encode()
        headers["Content-Type"] = "application/x-www-form-urlencoded"
    call = Call(name=name, method=method, path=path, headers=headers, body=body)
    return provider().send(call, limits=limits or Limits())


def provider() -> Provider:
    """Describe Stripe as the settings have it. Raises ImproperlyConfigured, naming the variable, without a key."""
    if not settings.STRIPE_API_KEY:
        raise ImproperlyConfigured("STRIPE_API_KEY is not set: Stripe answers nobody without a key.")
    headers = {"Authorization": f"Bearer {settings.STRIPE_API_KEY}", "Stripe-Version": VERSION}
    return Provider(name="stripe", base=settings.STRIPE_API_BASE, headers=headers, is_retried=is_retried)


def is_retried(answer: ProviderAnswer) -> bool:
    """Whether the same request may be sent again under its key: as Stripe says in so many words, or by its status.

    A 429 never reached the layer that keeps answers; a 409 is the same key still at work.
    """
    said = answer.headers.get("stripe-should-retry", "")
    if said in ("true", "false"):
        return said == "true"
    return answer.status in (409, 429) or answer.status >= 500


def error_of(answer: ProviderAnswer) -> StripeError:
    """Read the error of an answer that is no success; one that can't be read has no words."""
    try:
        error = answer.document().get("error")
    except Garbled:
        error = None
    said = error if isinstance(error, dict) else {}
    about = next(
        (said[kind] for kind in ("payment_intent", "setup_intent", "payment_method") if said.get(kind)), ""
    )
    return StripeError(
        type=_word(said.get("type")),
        code=_word(said.get("code")),
        decline_code=_word(said.get("decline_code")),
        advice_code=_word(said.get("advice_code")),
        param=_word(said.get("param")),
        object_id=_word(about.get("id") if isinstance(about, dict) else about),
    )


def form_encoded(params: Mapping[str, Any]) -> str:
    """Encode as Stripe reads it: `a[b]=c`, `a[0]=c`, `true`, nothing for None, blanks as `+`."""
    return "&".join(
        f"{quote_plus(name)}={quote_plus(value)}"
        for key, item in params.items()
        for name, value in _pairs(key, item)
    )


def _pairs(name: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _pairs(f"{name}[{key}]", item)
    elif isinstance(value, list | tuple):
        for place, item in enumerate(value):
            yield from _pairs(f"{name}[{place}]", item)
    elif isinstance(value, bool):
        yield name, str(value).lower()
    elif value is not None:
        yield name, str(value)


def _word(value: Any) -> str:
    return value if isinstance(value, str) else ""
