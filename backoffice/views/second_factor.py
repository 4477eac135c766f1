"""The second factor of staff: learnt by an authenticator, shown at each log-in, with codes for the day it is lost."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from backoffice.qr_codes import qr_drawing
from backoffice.reauthentication import recently_proved, told
from backoffice.session_guard import session_of, way_back
from backoffice.staff_pages import STAFF, person_of, staff_page
from users import second_factors
from users.client_addresses import client_address
from users.proofs import confirm_factor, show_factor
from users.refusals import Refusal
from users.staff_sessions import factor_of


@staff_page(STAFF)
@require_safe
def factor(request: HttpRequest) -> HttpResponse:
    """Show how somebody's second factor stands: none, waiting for its first code, or in use."""
    return _shown(request)


@staff_page(STAFF)
@require_POST
@recently_proved
def begin(request: HttpRequest) -> HttpResponse:
    """Make the secret that an authenticator is to learn."""
    try:
        second_factors.begin_enrolment(user=person_of(request))
    except Refusal as refused:
        messages.error(request, refused.detail)
    return HttpResponseRedirect(f"{reverse('backoffice:factor')}?{request.GET.urlencode()}".rstrip("?"))


@staff_page(STAFF)
@require_POST
def confirm(request: HttpRequest) -> HttpResponse:
    """Take the authenticator's first code, and show the recovery codes, this once."""
    try:
        codes = confirm_factor(
            session=session_of(request),
            code=request.POST.get("code", ""),
            address=client_address(request),
            now=timezone.now(),
        )
    except Refusal as refused:
        return _shown(request, refused)
    return _codes(request, codes)


@staff_page(STAFF)
@require_POST
@recently_proved
def renew_codes(request: HttpRequest) -> HttpResponse:
    """Make new recovery codes, and show them, this once."""
    try:
        codes = second_factors.renew_recovery_codes(user=person_of(request))
    except Refusal as refused:
        return _shown(request, refused)
    return _codes(request, codes)


@staff_page(STAFF)
@require_http_methods(["GET", "HEAD", "POST"])
def show(request: HttpRequest) -> HttpResponse:
    """Ask for the code that follows the password at a log-in."""
    session = session_of(request)
    if factor_of(session) is None or session.factor_shown_at:
        return HttpResponseRedirect(way_back(request))
    refusal: Refusal | None = None
    if request.method == "POST":
        try:
            show_factor(
                session=session,
                code=request.POST.get("code", ""),
                address=client_address(request),
                now=timezone.now(),
            )
        except Refusal as refused:
            refusal = refused
        else:
            return HttpResponseRedirect(way_back(request))
    context = {
        "title": _("Your code"),
        "problem": told(refusal) if refusal else "",
        "next": way_back(request),
    }
    return _with_wait(render(request, "backoffice/factor_show.html", context), refusal)


def _shown(request: HttpRequest, refusal: Refusal | None = None) -> HttpResponse:
    person = person_of(request)
    enrolled, pending = second_factors.enrolled_factor(person), second_factors.pending_factor(person)
    context: dict[str, Any] = {
        "title": _("Second factor"),
        "enrolled": enrolled,
        "codes_left": second_factors.recovery_codes_left(enrolled) if enrolled else 0,
        "problem": told(refusal) if refusal else "",
        "next": way_back(request),
    }
    if pending and not enrolled:
        secret = second_factors.secret_text(pending)
        context |= {
            "drawing": qr_drawing(second_factors.enrolment_uri(pending, email=person.email)),
            "secret": " ".join(secret[at : at + 4] for at in range(0, len(secret), 4)),
        }
    return _with_wait(render(request, "backoffice/factor.html", context), refusal)


def _codes(request: HttpRequest, codes: list[str]) -> HttpResponse:
    context = {"title": _("Recovery codes"), "codes": codes, "next": way_back(request)}
    return render(request, "backoffice/recovery_codes.html", context)


def _with_wait(answer: HttpResponse, refusal: Refusal | None) -> HttpResponse:
    if refusal and "Retry-After" in refusal.headers:
        answer.status_code = 429
        answer.headers["Retry-After"] = refusal.headers["Retry-After"]
    return answer
