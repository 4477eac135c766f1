"""What only pages for people need: sessions, languages, logins, messages. A call of the API pays for none of it.

Django's checks want these in MIDDLEWARE and accept subclasses; each one steps aside for data.
"""

from collections.abc import Awaitable

from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.middleware.locale import LocaleMiddleware
from django.utils.deprecation import MiddlewareMixin

from config.gateway.errors import PAGE_PATHS, PROGRAM_PATHS


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


class PageMessages(ForPages, MessageMiddleware):
    """Django's messages, for pages."""
