"""Headers that tell browsers what an answer of this host may do: next to nothing."""

from collections.abc import Callable

from corsheaders.middleware import CorsMiddleware
from django.conf import settings
from django.core.exceptions import MiddlewareNotUsed
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from config.gateway.errors import PAGE_PATHS, PROGRAM_PATHS

DATA_POLICY = "default-src 'none'; frame-ancestors 'none'"
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
PERMISSIONS_POLICY = (
    "accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), magnetometer=(), microphone=(), "
    "midi=(), payment=(self), usb=()"
)


class SecurityHeadersMiddleware:
    """Set the headers that Django's SecurityMiddleware doesn't; a view's own header wins."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        headers = response.headers
        path = request.path_info
        is_data = path.startswith(PROGRAM_PATHS) and not path.startswith(PAGE_PATHS)
        headers.setdefault("Content-Security-Policy", DATA_POLICY if is_data else PAGE_POLICY)
        headers.setdefault("Permissions-Policy", PERMISSIONS_POLICY)
        headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        headers.setdefault("Cache-Control", "no-store")
        return response


class CrossOriginMiddleware(CorsMiddleware):
    """CORS by the allow-list of `CORS_ORIGINS`; not there at all while the list is empty."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        if not settings.CORS_ALLOWED_ORIGINS:
            raise MiddlewareNotUsed
        super().__init__(get_response)
