"""One's own account: where one is logged in, and the password."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from backoffice.form_calls import outcome_of
from backoffice.reauthentication import told
from backoffice.session_guard import keep, session_of
from backoffice.staff_pages import STAFF, person_of, staff_page
from users.client_addresses import client_address
from users.passwords import change_password
from users.refusals import Refusal
from users.second_factors import enrolled_factor, recovery_codes_left
from users.signing_in import LONGEST_SECRET
from users.staff_screens import principal_of
from users.staff_sessions import open_sessions, revoke_others, revoke_session

SESSIONS_SHOWN = 50


@staff_page(STAFF)
@require_safe
def account(request: HttpRequest) -> HttpResponse:
    """Show where somebody is logged in to the back office, and what guards their account."""
    person = person_of(request)
    factor = enrolled_factor(person)
    context = {
        "title": _("Your account"),
        "factor": factor,
        "codes_left": recovery_codes_left(factor) if factor else 0,
        "sessions": list(open_sessions(person.id, now=timezone.now())[:SESSIONS_SHOWN]),
        "current": session_of(request).id,
    }
    return render(request, "backoffice/account.html", context)


@staff_page(STAFF)
@require_POST
def end_session(request: HttpRequest, session_id: UUID) -> HttpResponse:
    """End one of one's own sessions."""
    person = person_of(request)
    outcome = outcome_of(
        session_id,
        lambda: revoke_session(
            session_id=session_id,
            user_id=person.id,
            actor=principal_of(request).name,
            reason="",
            now=timezone.now(),
        ),
    )
    if outcome.is_done:
        messages.success(request, _("The session is ended."))
    else:
        messages.error(request, outcome.refusal)
    return HttpResponseRedirect(reverse("backoffice:account"))


@staff_page(STAFF)
@require_POST
def end_other_sessions(request: HttpRequest) -> HttpResponse:
    """End all of one's own sessions but this one."""
    count = revoke_others(session=session_of(request), reason="revoked", now=timezone.now())
    messages.success(request, _("%(count)s other sessions are ended.") % {"count": count})
    return HttpResponseRedirect(reverse("backoffice:account"))


@staff_page(STAFF)
@require_http_methods(["GET", "HEAD", "POST"])
def password(request: HttpRequest) -> HttpResponse:
    """Change one's own password; all other sessions end."""
    problems: list[str] = []
    status = 200
    if request.method == "POST":
        wanted = request.POST.get("new_password", "")
        if wanted != request.POST.get("again", ""):
            problems, status = [_("The two new passwords differ.")], 422
        else:
            try:
                _change(request, wanted)
            except Refusal as refused:
                problems = [error["detail"] for error in refused.errors] or [told(refused)]
                status = 429 if "Retry-After" in refused.headers else 422
            else:
                messages.success(request, _("The password is changed, and all other sessions are ended."))
                return HttpResponseRedirect(reverse("backoffice:account"))
    context = {"title": _("Password"), "problems": problems, "longest": LONGEST_SECRET}
    return render(request, "backoffice/password.html", context, status=status)


def _change(request: HttpRequest, wanted: str) -> None:
    fresh = change_password(
        session=session_of(request),
        proof=request.POST.get("proof", ""),
        new_password=wanted,
        address=client_address(request),
        now=timezone.now(),
    )
    person = person_of(request)
    person.refresh_from_db()
    update_session_auth_hash(request, person)
    keep(request, fresh)
