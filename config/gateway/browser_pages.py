"""What only pages for people need: sessions, languages, logins, messages, time zones. A call of the API pays for none of it.

Django's checks want these in MIDDLEWARE and accept subclasses; each one steps aside for data.
"""

from collections.abc import Awaitable

from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.middleware.locale import LocaleMiddleware
from django.utils import timezone
from django.utils.deprecation import MiddlewareMixin

from backoffice import session_guard, time_zones
from config.gateway.errors import PAGE_PATHS, PROGRAM_PATHS

STAFF_PATH = "/admin/"


class ForPages(MiddlewareMixin):
    """Step aside for data."""

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        path = request.path_info
        if path.startswith(PROGRAM_PATHS) and not path.startswith(PAGE_PATHS):
            return self.get_response(request)
        return super().__call__(request)


class PageSessions(ForPages, SessionMiddleware):
    """Django's sessions, for pages."""


class PageLanguages(ForPages, LocaleMiddleware):
    """Django's choice of language, for pages."""


class PageLogins(ForPages, AuthenticationMiddleware):
    """Django's logged-in user, for pages."""


class StaffSessions(MiddlewareMixin):
    """Whether the session of staff still holds, and whether a password is enough; for every one of their pages."""

    def process_view(
        self, request: HttpRequest, view: object, args: object, kwargs: object
    ) -> HttpResponseBase | None:
        """Answer instead of the page where it isn't."""
        return session_guard.answer_instead(request) if request.path_info.startswith(STAFF_PATH) else None


class PageMessages(ForPages, MessageMiddleware):
    """Django's messages, for pages."""


class PageTimeZones(ForPages):
    """The session's choice of time zone, for staff's pages; over with the request, since threads serve others next."""

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        if not request.path_info.startswith(STAFF_PATH):
            return self.get_response(request)
        with timezone.override(time_zones.chosen(request)):
            return self.get_response(request)
