"""The first page: it leads people, and programs that ask for JSON, to everything else."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

LINKS = {
    "api": "/api/v1",
    "docs": "/api/docs",
    "schema": "/api/schema",
    "errors": "/docs/errors",
    "back_office": "/admin/",
    "health": "/health",
    "readiness": "/health/ready",
    "metrics": "/metrics",
    "jwks": "/.well-known/jwks.json",
}


@require_safe
def front_page(request: HttpRequest) -> HttpResponse:
    """Show the way: as a page, unless JSON is what the client would rather have."""
    response: HttpResponse
    if request.get_preferred_type(["text/html", "application/json"]) == "application/json":
        paths = LINKS | ({"demo": "/demo/"} if settings.SANDBOX else {})
        links = {name: f"{settings.PUBLIC_URL}{path}" for name, path in paths.items()}
        response = JsonResponse({"name": "Open Wallet", "mode": settings.OPEN_WALLET_MODE, "links": links})
    else:
        response = render(request, "front_page.html", {"base_url": settings.PUBLIC_URL})
    response.headers["Vary"] = "Accept"
    return response
