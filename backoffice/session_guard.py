"""Whether the session behind a page of staff still holds, and how far it reaches: asked before each of these pages."""

from typing import Final, cast
from urllib.parse import urlencode, urlsplit
from uuid import UUID

from django.conf import settings
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme

from users.client_addresses import client_address
from users.models import StaffSession, User
from users.refusals import SessionOver
from users.staff_sessions import ENDED, continue_staff_session, factor_of, log_out, open_staff_session

SESSION_KEY: Final = "staff_session"
LOGIN: Final = "admin:login"
SHOW_FACTOR: Final = "backoffice:factor-show"
ENROL: Final = "backoffice:factor"
# What may be done before the second factor was shown, and before there is one.
ALWAYS_OPEN: Final = frozenset({LOGIN, "admin:logout", "admin:jsi18n"})
UNTIL_SHOWN: Final = ALWAYS_OPEN | {SHOW_FACTOR}
UNTIL_ENROLLED: Final = ALWAYS_OPEN | {ENROL, "backoffice:factor-begin", "backoffice:factor-confirm"}


def answer_instead(request: HttpRequest) -> HttpResponseRedirect | None:
    """Give what is answered instead of the page, where the session is over or lacks its second factor; else nothing.

    Whoever isn't of the staff is left to the page's own guard.
    """
    person = request.user
    if not isinstance(person, User) or not person.is_staff:
        return None
    asked = request.resolver_match.view_name if request.resolver_match else ""
    try:
        session = _continued(request, person)
    except SessionOver as over:
        logout(request)
        return None if asked == LOGIN else led_to(LOGIN, request, ended=over.detail)
    request.staff_session = session  # type: ignore[attr-defined]  # Django's requests carry what middleware finds
    factor = factor_of(session)
    if factor is not None and session.factor_shown_at is None:
        way_in, open_now = SHOW_FACTOR, UNTIL_SHOWN
    elif factor is None and settings.STAFF_SECOND_FACTOR_IS_REQUIRED:
        way_in, open_now = ENROL, UNTIL_ENROLLED
    else:
        return None
    request.is_confined = True  # type: ignore[attr-defined]
    return None if asked in open_now else led_to(way_in, request)


def session_of(request: HttpRequest) -> StaffSession:
    """Give the session of a page that the guard has let through."""
    return cast("StaffSession", request.staff_session)  # type: ignore[attr-defined]


def is_confined(request: HttpRequest) -> bool:
    """Tell whether somebody is logged in by a password alone where that isn't enough."""
    return getattr(request, "is_confined", False)


def open_session(*, request: HttpRequest, user: User, **_signal: object) -> None:
    """Begin the session of a member of staff whom Django has just logged in: the receiver of `user_logged_in`."""
    if user.is_staff:
        session = open_staff_session(
            user=user,
            address=client_address(request),
            device=request.headers.get("User-Agent", ""),
            now=timezone.now(),
        )
        keep(request, session)


def keep(request: HttpRequest, session: StaffSession) -> None:
    """Let the browser go on with this session."""
    request.session[SESSION_KEY] = str(session.id)


def close_session(request: HttpRequest) -> None:
    """End the session of somebody who leaves."""
    if kept := request.session.get(SESSION_KEY):
        log_out(session_id=UUID(kept), now=timezone.now())


def led_to(route: str, request: HttpRequest, **more: str) -> HttpResponseRedirect:
    """Lead to a page that leads back here: to the page itself, or to the one whose form was sent."""
    return HttpResponseRedirect(f"{reverse(route)}?{urlencode({'next': _place(request), **more})}")


def way_back(request: HttpRequest) -> str:
    """Read where somebody wants to go on; home where that isn't a place of ours."""
    wanted = request.POST.get("next") or request.GET.get("next", "")
    is_ours = url_has_allowed_host_and_scheme(wanted, allowed_hosts=None)
    return wanted if is_ours and wanted.startswith("/") else reverse("backoffice:home")


def _continued(request: HttpRequest, person: User) -> StaffSession:
    kept = request.session.get(SESSION_KEY)
    if kept is None:
        raise SessionOver(ENDED)  # logged in by a version that kept no such sessions
    return continue_staff_session(session_id=UUID(kept), user_id=person.id, now=timezone.now())


def _place(request: HttpRequest) -> str:
    if request.method in ("GET", "HEAD"):
        return request.get_full_path()
    came_from = request.headers.get("Referer", "")
    parts = urlsplit(came_from)
    if parts.netloc != request.get_host():
        return reverse("backoffice:home")
    return f"{parts.path}?{parts.query}" if parts.query else parts.path
