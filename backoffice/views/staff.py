"""The staff: who they are and how they log in, and what an administrator may do about it."""

from collections.abc import Callable
from typing import Any, Final
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from backoffice.form_calls import LONGEST_REASON, back_to, form_call, new_form_key, outcome_of, reason_in
from backoffice.invitations import hand_over
from backoffice.key_pages import key_page
from backoffice.reauthentication import recently_proved
from backoffice.staff_pages import staff_page
from events.screens import audit_panel
from transactions.idempotency import once, store
from users import staff as lookup
from users.login_attempts import shut_addresses, shut_until
from users.models import User
from users.proofs import accounts_of
from users.refusals import NotFound, Refusal
from users.roles import STAFF_ROLES, Role
from users.staff import MAY_MANAGE
from users.staff_screens import principal_of, record_look
from users.staff_sessions import open_sessions, revoke_session
from users.standing import ACTIVE, INACTIVE

MAY_SEE: Final = (MAY_MANAGE, "audit:read")
ROLES: Final = tuple((role.value, role.label) for role in Role if role in STAFF_ROLES)
SESSIONS_SHOWN = 50


@staff_page(*MAY_SEE)
@require_safe
def staff(request: HttpRequest) -> HttpResponse:
    """List the staff, and the addresses from which nobody may try to log in now."""
    role = request.GET.get("role", "")
    found = lookup.staff()
    if role in STAFF_ROLES:
        found = found.filter(role=role)
    page = key_page(request, found)
    record_look(request, "list", "users.staff")
    context = {
        "title": _("Staff"),
        "page": page,
        "rows": [(one, _status(one), _has_factor(one)) for one in page.rows],
        "roles": ROLES,
        "role": role,
        "addresses": shut_addresses(),
        "may_manage": principal_of(request).may(MAY_MANAGE),
        "key": new_form_key(),
    }
    return render(request, "backoffice/staff.html", context)


@staff_page(*MAY_SEE)
@require_safe
def member(request: HttpRequest, staff_id: UUID) -> HttpResponse:
    """Show one member of staff: role, second factor, sessions, lock-out, and what was done about them."""
    try:
        person = lookup.colleague(staff_id)
    except NotFound as nobody:
        raise Http404 from nobody
    principal = principal_of(request)
    record_look(request, "screen", "users.staff", staff_id)
    context = {
        "title": _("Member of staff"),
        "person": person,
        "status": _status(person),
        "has_factor": _has_factor(person),
        "locked_until": shut_until(accounts_of(user_id=person.id, email=person.email)),
        "sessions": list(open_sessions(person.id, now=timezone.now())[:SESSIONS_SHOWN]),
        "history": audit_panel("user", person.id, has_looks=False),
        "roles": [(value, label) for value, label in ROLES if value != person.role],
        "is_own": person.id == principal.id,
        "may_manage": principal.may(MAY_MANAGE) and person.id != principal.id,
        "key": new_form_key(),
    }
    return render(request, "backoffice/staff_member.html", context)


@staff_page(MAY_MANAGE)
@require_http_methods(["GET", "HEAD", "POST"])
@recently_proved
def invite(request: HttpRequest) -> HttpResponse:
    """Invite somebody to the staff, and hand the invitation over."""
    problem = ""
    if request.method == "POST":
        given = {name: request.POST.get(name, "").replace("\0", "") for name in ("email", "name", "role")}
        try:
            invitation = lookup.invite(**given, reason=reason_in(request), principal=principal_of(request))
        except Refusal as refused:
            problem = " ".join(error["detail"] for error in refused.errors) or refused.detail
        else:
            return _handed_over(request, invitation)
    context = {
        "title": _("Invite somebody"),
        "problem": problem,
        "given": request.POST,
        "roles": ROLES,
        "longest_reason": LONGEST_REASON,
    }
    return render(request, "backoffice/staff_invite.html", context, status=422 if problem else 200)


@staff_page(MAY_MANAGE)
@require_POST
@recently_proved
def invite_again(request: HttpRequest, staff_id: UUID) -> HttpResponse:
    """Let somebody who has lost their password choose another one."""
    try:
        invitation = lookup.invite_again(
            staff_id=staff_id, reason=reason_in(request), principal=principal_of(request)
        )
    except Refusal as refused:
        return _told(request, refused.detail, "", reverse("backoffice:staff-member", args=[staff_id]))
    return _handed_over(request, invitation)


@staff_page(MAY_MANAGE)
@require_POST
@recently_proved
def change_role(request: HttpRequest, staff_id: UUID) -> HttpResponse:
    """Give somebody another role."""
    role = request.POST.get("role", "")

    def change(**about: Any) -> User:
        return lookup.change_role(**about, role=role)

    return _decided(request, staff_id, change, _("The role is changed."), about=f"role {role}")


@staff_page(MAY_MANAGE)
@require_POST
@recently_proved
def deactivate(request: HttpRequest, staff_id: UUID) -> HttpResponse:
    """Switch somebody off."""
    return _decided(request, staff_id, lookup.deactivate_staff, _("The person is switched off."))


@staff_page(MAY_MANAGE)
@require_POST
@recently_proved
def reactivate(request: HttpRequest, staff_id: UUID) -> HttpResponse:
    """Switch somebody on again."""
    return _decided(request, staff_id, lookup.reactivate_staff, _("The person is switched on again."))


@staff_page(MAY_MANAGE)
@require_POST
@recently_proved
def reset_factor(request: HttpRequest, staff_id: UUID) -> HttpResponse:
    """Forget somebody's second factor."""
    done = _("The second factor is reset: the person enrols another one.")
    return _decided(request, staff_id, lookup.reset_factor, done)


@staff_page(MAY_MANAGE)
@require_POST
@recently_proved
def unlock(request: HttpRequest, staff_id: UUID) -> HttpResponse:
    """Let somebody who failed too often try again."""
    return _decided(request, staff_id, lookup.unlock, _("The person may try again."))


@staff_page(MAY_MANAGE)
@require_POST
@recently_proved
def unlock_address(request: HttpRequest) -> HttpResponse:
    """Let everybody at an address try again."""
    address = request.POST.get("address", "")
    outcome = outcome_of(
        address,
        lambda: lookup.unlock_address(
            address=address, reason=reason_in(request), principal=principal_of(request)
        ),
    )
    return _told(request, outcome.refusal, _("From there people may try again."), reverse("backoffice:staff"))


@staff_page(MAY_MANAGE)
@require_POST
def sign_out(request: HttpRequest, staff_id: UUID) -> HttpResponse:
    """End all sessions of somebody."""
    return _decided(request, staff_id, lookup.sign_out_staff, _("All sessions are ended."))


@staff_page(MAY_MANAGE)
@require_POST
def end_session(request: HttpRequest, staff_id: UUID, session_id: UUID) -> HttpResponse:
    """End one session of somebody."""
    outcome = outcome_of(
        session_id,
        lambda: revoke_session(
            session_id=session_id,
            user_id=staff_id,
            actor=principal_of(request).name,
            reason=reason_in(request),
            now=timezone.now(),
        ),
    )
    return _told(
        request,
        outcome.refusal,
        _("The session is ended."),
        reverse("backoffice:staff-member", args=[staff_id]),
    )


def _status(person: User) -> str:
    return ACTIVE if person.is_active else INACTIVE


def _has_factor(person: User) -> bool:
    factor = getattr(person, "second_factor", None)
    return factor is not None and factor.confirmed_at is not None


def _handed_over(request: HttpRequest, invitation: lookup.Invitation) -> HttpResponse:
    context = {
        "title": _("Invitation"),
        "person": invitation.user,
        "link": hand_over(invitation),
    }
    return render(request, "backoffice/staff_invited.html", context)


def _decided(
    request: HttpRequest, staff_id: UUID, decide: Callable[..., User], done: str, *, about: str = ""
) -> HttpResponse:
    principal, reason = principal_of(request), reason_in(request)
    call = form_call(request, principal, "staff", decide.__name__, staff_id, about)
    outcome = outcome_of(
        staff_id,
        lambda: once(
            call, lambda: store(call, decide(staff_id=staff_id, reason=reason, principal=principal))
        ),
    )
    return _told(request, outcome.refusal, done, reverse("backoffice:staff-member", args=[staff_id]))


def _told(request: HttpRequest, refusal: str, done: str, where: str) -> HttpResponse:
    if refusal:
        messages.error(request, refusal)
    else:
        messages.success(request, done)
    return back_to(request, where)
