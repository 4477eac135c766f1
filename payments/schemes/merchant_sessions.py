"""Apple's merchant sessions: what a web page needs before Apple's sheet opens, fetched with our own certificate.

Where to is the page's word, as Apple's script told it. Only Apple's own gateways are ever called: any other host would
be shown our certificate.
"""

import re
from typing import Any

import orjson
from django.conf import settings

from payments.refusals import ProcessorFailed, ProcessorTimeout, ProcessorUnavailable, SchemeUnavailable
from tokens.providers.calls import Call, Garbled, Limits, NotSent, Provider, ProviderSilent
from transactions.refusals import InvalidInput

HOSTS = frozenset(
    {
        "apple-pay-gateway.apple.com",
        "cn-apple-pay-gateway.apple.com",
        "apple-pay-gateway-cert.apple.com",
        "cn-apple-pay-gateway-cert.apple.com",
    }
)
LONGEST_URL = 300
_URL = re.compile(r"https://([a-z0-9.:-]+)((?:/[A-Za-z0-9_-]+)+)")
_LIMITS = Limits(connect_s=3.0, read_s=8.0, total_s=10.0, attempts=1, answer_bytes=65_536)


def is_available() -> bool:
    """Whether pages may pay: our merchant id, its certificate and the domain that is registered for it."""
    return bool(
        settings.APPLE_PAY_MERCHANT_ID and settings.APPLE_PAY_MERCHANT_IDENTITY and settings.APPLE_PAY_DOMAIN
    )


def fetch(*, validation_url: str) -> dict[str, Any]:
    """Fetch a new merchant session, as it comes: it is good for 5 minutes and one payment, and never kept here.

    Not to be called inside a database transaction. Refuses with InvalidInput (field `validation_url`) what isn't one
    of Apple's gateways, SchemeUnavailable, ProcessorUnavailable, ProcessorTimeout, and ProcessorFailed where Apple
    gives none.
    """
    base, path = gateway_in(validation_url)
    if not is_available():
        raise SchemeUnavailable("Apple Pay on web pages is not set up here.")
    apple = Provider(
        name="apple_pay_gateway",
        base=base,
        headers={"Content-Type": "application/json"},
        is_retried=lambda _answer: False,
        identity_file=settings.APPLE_PAY_MERCHANT_IDENTITY,
    )
    call = Call(name="merchant_session", method="POST", path=path, body=orjson.dumps(_request(path)))
    try:
        answer = apple.send(call, limits=_LIMITS)
        session = answer.document()
    except NotSent:
        raise ProcessorUnavailable("Apple can not be reached.") from None
    except ProviderSilent:
        raise ProcessorTimeout("Apple did not answer in time.") from None
    except Garbled:
        raise ProcessorFailed("Apple gave no merchant session.") from None
    if answer.status != 200 or not session:
        raise ProcessorFailed("Apple gave no merchant session.")
    return session


def gateway_in(validation_url: str) -> tuple[str, str]:
    """Take a validation URL apart into base and path: https, one of Apple's hosts to the letter, and nothing else.

    Refuses with InvalidInput.
    """
    found = _URL.fullmatch(validation_url) if len(validation_url) <= LONGEST_URL else None
    if found is None or found[1] not in HOSTS:
        raise InvalidInput("This is no gateway of Apple Pay.", field="validation_url")
    return f"https://{found[1]}", found[2]


def _request(path: str) -> dict[str, str]:
    """Say who asks; the older address has its own words for it."""
    merchant = {
        "merchantIdentifier": settings.APPLE_PAY_MERCHANT_ID,
        "displayName": settings.MERCHANT_NAME,
    }
    if path.endswith("/startSession"):
        return {**merchant, "domainName": settings.APPLE_PAY_DOMAIN}
    return {**merchant, "initiative": "web", "initiativeContext": settings.APPLE_PAY_DOMAIN}
