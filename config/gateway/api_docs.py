"""The API's description: for programs at `/api/schema`, for people at `/api/docs`."""

import hashlib

from django.http import HttpRequest, HttpResponse, HttpResponseNotModified
from django.template.loader import render_to_string
from django.views.decorators.http import require_safe
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiJsonRenderer

from config.gateway.response_cache import kept_answer, public_for


def _document() -> bytes:
    schema = SchemaGenerator().get_schema(request=None, public=True)
    return bytes(OpenApiJsonRenderer().render(schema))


@require_safe
def schema(request: HttpRequest) -> HttpResponse:
    """The OpenAPI 3.1 document."""
    body = kept_answer("schema", _document)
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {"ETag": etag, "Cache-Control": public_for("schema")}
    if etag in request.META.get("HTTP_IF_NONE_MATCH", ""):
        return HttpResponseNotModified(headers=headers)
    return HttpResponse(body, content_type="application/json", headers=headers)


@require_safe
def docs(request: HttpRequest) -> HttpResponse:
    """The document, to read and to try."""
    return HttpResponse(render_to_string("docs/api.html", request=request))
