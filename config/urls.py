"""Every path that is served."""

from importlib import import_module

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

APPS = ("users", "events", "transactions", "wallets", "tokens", "payments", "backoffice")


def api_of(app: str) -> list[URLResolver]:
    """Include the app's API as soon as it can be imported."""
    try:
        return [path("api/v1/", include(import_module(f"{app}.api.urls")))]
    except ImportError:
        return []


urlpatterns: list[URLPattern | URLResolver] = [
    path("admin/", admin.site.urls),
    path(".well-known/", include("users.api.well_known_urls")),
    *(route for app in APPS for route in api_of(app)),
]

handler400 = "config.gateway.errors.bad_request"
handler403 = "config.gateway.errors.permission_denied"
handler404 = "config.gateway.errors.not_found"
handler500 = "config.gateway.errors.server_error"
