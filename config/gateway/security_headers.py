"""Headers that tell browsers what an answer of this host may do: next to nothing."""

from collections.abc import Callable

from corsheaders.middleware import CorsMiddleware
from django.conf import settings
from django.core.exceptions import MiddlewareNotUsed
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from config.gateway.errors import PAGE_PATHS, PROGRAM_PATHS

DATA_POLICY = "default-src 'none'; frame-ancestors 'none'"
STATIC_PATH = "/static/"
PERMISSIONS_POLICY = (
    "accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), magnetometer=(), microphone=(), "
    "midi=(), payment=(self), usb=()"
)


def page_policy(static_host: str) -> str:
    """Write the content policy of pages: this host, and the one that serves its styles, scripts, pictures and fonts."""
    assets = f"'self' {static_host}".rstrip()
    return (
        f"default-src 'none'; script-src {assets}; style-src {assets}; img-src {assets}; font-src {assets}; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )


class SecurityHeadersMiddleware:
    """Set the headers that Django's SecurityMiddleware doesn't; a view's own header wins."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        self.page_policy = page_policy(settings.STATIC_HOST)
        self.assets_are_for = "cross-origin" if settings.STATIC_HOST else "same-origin"

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        headers = response.headers
        path = request.path_info
        is_data = path.startswith(PROGRAM_PATHS) and not path.startswith(PAGE_PATHS)
        headers.setdefault("Content-Security-Policy", DATA_POLICY if is_data else self.page_policy)
        headers.setdefault("Permissions-Policy", PERMISSIONS_POLICY)
        is_asset = path.startswith(STATIC_PATH)
        headers.setdefault("Cross-Origin-Resource-Policy", self.assets_are_for if is_asset else "same-origin")
        headers.setdefault("Cache-Control", "no-store")
        return response


class CrossOriginMiddleware(CorsMiddleware):
    """CORS by the allow-list of `CORS_ORIGINS`; not there at all while the list is empty."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        if not settings.CORS_ALLOWED_ORIGINS:
            raise MiddlewareNotUsed
        super().__init__(get_response)
