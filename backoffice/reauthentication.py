"""Decisions about money ask once more who decides, where that was shown too long ago; the form that was sent isn't lost."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Final, TypeVar, cast

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _

from backoffice.session_guard import session_of, way_back
from users.client_addresses import client_address
from users.proofs import prove_again
from users.refusals import Refusal, TooManyLogins
from users.staff_sessions import is_proved

PROOF: Final = "proof"
_NOT_SENT_AGAIN: Final = frozenset({PROOF, "csrfmiddlewaretoken"})

View = TypeVar("View", bound=Callable[..., HttpResponseBase])


def recently_proved(view: View) -> View:
    """Guard the forms of a view: whoever showed who they are longer ago than STAFF_PROOF_LASTS_S is asked again.

    The question carries the whole form along, its key too, so that the answer does what was sent, once. Stands below
    `staff_page` and `require_POST`.
    """

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.method != "POST" or is_proved(session_of(request), now=timezone.now()):
            return view(request, *args, **kwargs)
        refusal: Refusal | None = None
        if PROOF in request.POST:
            try:
                prove_again(
                    session=session_of(request),
                    proof=request.POST[PROOF],
                    address=client_address(request),
                    now=timezone.now(),
                )
            except Refusal as refused:
                refusal = refused
            else:
                return view(request, *args, **kwargs)
        return _asked(request, refusal)

    page: Any = guarded
    page.needs_proof = True
    return cast("View", page)


def wait_told(refusal: TooManyLogins) -> str:
    """Say how long somebody has to wait, with the code of the refusal."""
    minutes = -(-int(refusal.headers.get("Retry-After", "60")) // 60)
    return _("Too many attempts have failed: wait %(minutes)s min. (%(code)s)") % {
        "minutes": minutes,
        "code": refusal.code,
    }


def told(refusal: Refusal) -> str:
    """Say why a password or code wasn't taken."""
    return wait_told(refusal) if isinstance(refusal, TooManyLogins) else refusal.detail


def _asked(request: HttpRequest, refusal: Refusal | None) -> HttpResponseBase:
    context = {
        "title": _("Is it you?"),
        "problem": told(refusal) if refusal else "",
        "sent": [
            (name, value)
            for name, values in request.POST.lists()
            if name not in _NOT_SENT_AGAIN
            for value in values
        ],
        "back": way_back(request),
        "minutes": -(-settings.STAFF_PROOF_LASTS_S // 60),
    }
    answer = render(request, "backoffice/prove.html", context)
    if isinstance(refusal, TooManyLogins):
        answer.status_code = 429
        answer.headers["Retry-After"] = refusal.headers["Retry-After"]
    return answer
