"""Every path that is served."""

from django.conf import settings
from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

from config.gateway import api_docs, error_pages, health, metrics

# Django tries the paths one after the other: what is called most comes first.
APPS = ("wallets", "transactions", "payments", "tokens", "events", "users")
SANDBOX_APPS = ("payments",) if settings.SANDBOX else ()

urlpatterns: list[URLPattern | URLResolver] = [
    *(path("api/v1/", include(f"{app}.api.urls")) for app in APPS),
    *(path("sandbox/", include(f"{app}.api.sandbox_urls")) for app in SANDBOX_APPS),
    path("", include("backoffice.urls")),
    path("admin/", admin.site.urls),
    path(".well-known/", include("users.api.well_known_urls")),
    path("health", health.live, name="health"),
    path("health/ready", health.ready, name="health-ready"),
    path("metrics", metrics.metrics, name="metrics"),
    path("api/schema", api_docs.schema, name="schema"),
    path("api/docs", api_docs.docs, name="api-docs"),
    path("docs/errors", error_pages.error_index, name="error-codes"),
    path("docs/errors/<str:code>", error_pages.error_page, name="error-code"),
]

handler400 = "config.gateway.errors.bad_request"
handler403 = "config.gateway.errors.permission_denied"
handler404 = "config.gateway.errors.not_found"
handler500 = "config.gateway.errors.server_error"
