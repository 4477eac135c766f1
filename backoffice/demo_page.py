"""The demo client at `/demo/`: a page of the sandbox that uses the API as any client does, and shows each call.

The real pay buttons need Apple's and Google's scripts. This page alone may load them, and each only where its
merchant id is configured; the policy of its answer says so.
"""

from typing import Any

import orjson
from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from events.context import current
from payments.payment_requests import GOOGLE_NETWORKS
from transactions.money import EXPONENTS
from users.models import User
from users.roles import Role
from wallets.queries import list_wallets

PEOPLE = ("alice@example.com", "bob@example.com")
"""The customers that a sandbox begins with."""

LOOPBACK = ("127.0.0.1", "::1")
APPLE = "https://applepay.cdn-apple.com"
GOOGLE = "https://pay.google.com"


@require_safe
def demo_page(request: HttpRequest) -> HttpResponse:
    """Show the demo client. Refuses with Http404 outside the sandbox."""
    if not settings.SANDBOX:
        raise Http404
    response = render(
        request,
        "demo.html",
        {
            "facts": orjson.dumps(_facts()).decode(),
            "email": PEOPLE[0],
            "password": settings.DEMO_PASSWORD if _is_from_this_machine(request) else "",
            "merchant_name": settings.MERCHANT_NAME,
        },
    )
    response.headers["Content-Security-Policy"] = content_policy(
        has_apple=bool(settings.APPLE_PAY_MERCHANT_ID), has_google=bool(settings.GOOGLE_PAY_MERCHANT_ID)
    )
    response.headers["Permissions-Policy"] = f'payment=(self "{GOOGLE}")'
    # Google's sheet is a window of its own that reports back to this page.
    response.headers["Cross-Origin-Opener-Policy"] = "same-origin-allow-popups"
    return response


def content_policy(*, has_apple: bool, has_google: bool) -> str:
    """Write the page's content policy: this host, and the hosts of the pay buttons that are there.

    Google's script styles its own button inline.
    """
    hosts = [host for host, is_there in ((APPLE, has_apple), (GOOGLE, has_google)) if is_there]
    assets = [settings.STATIC_HOST] if settings.STATIC_HOST else []
    allowed = {
        "script-src": [*assets, *hosts],
        "style-src": [*assets, *(["'unsafe-inline'"] if has_google else [])],
        "img-src": [*assets, *hosts, *(["https://www.gstatic.com"] if has_google else [])],
        "font-src": assets,
        "connect-src": [*hosts, *(["https://google.com"] if has_google else [])],
        "frame-src": hosts,
        "form-action": [],
    }
    sources = [" ".join([directive, "'self'", *found]) for directive, found in allowed.items()]
    return "; ".join(["default-src 'none'", *sources, "base-uri 'none'", "frame-ancestors 'none'"])


def _facts() -> dict[str, Any]:
    """Tell the page's script what it can't ask the API: who there is to send to, and which buttons are set up."""
    has_apple, has_google = bool(settings.APPLE_PAY_MERCHANT_ID), bool(settings.GOOGLE_PAY_MERCHANT_ID)
    return {
        "exponents": EXPONENTS,
        "people": [
            _person(user) for user in User.objects.filter(email__in=PEOPLE, role=Role.USER).order_by("id")
        ],
        "apple_pay": {} if has_apple else None,
        "google_pay": (
            {"environment": settings.GOOGLE_PAY_ENVIRONMENT, "networks": GOOGLE_NETWORKS}
            if has_google
            else None
        ),
    }


def _person(user: User) -> dict[str, Any]:
    wallets = list_wallets(
        owner_id=user.id,
        user_id=None,
        currency=None,
        status="active",
        key=None,
        is_backwards=False,
        count=100,
    )
    return {
        "email": user.email,
        "name": user.name,
        "wallets": {wallet.currency: wallet.id for wallet in wallets},
    }


def _is_from_this_machine(request: HttpRequest) -> bool:
    """Whether the browser runs where Open Wallet does: then its owner has read the demo password already."""
    return (
        current().address in LOOPBACK and not {"HTTP_X_FORWARDED_FOR", "HTTP_FORWARDED"} & request.META.keys()
    )
