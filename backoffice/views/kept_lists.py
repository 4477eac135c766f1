"""What is kept of the explorers: views under a name, and files that are made in the background."""

from typing import Final
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from backoffice.explorers.registry import EXPLORERS
from backoffice.exports import contents_of, export_of, request_export
from backoffice.models import Export
from backoffice.saved_views import forget_view, keep_view
from backoffice.staff_pages import person_of, staff_page
from events.doorbells import ring
from users.api.answers import PRIVATE
from users.refusals import NotFound
from users.staff_screens import record_look

MAKE: Final = "backoffice.make_export"
MOST_SHOWN: Final = 50


@staff_page("transaction:read", "payment:read", "wallet:read", "token:read")
@require_POST
def keep(request: HttpRequest, explorer: str) -> HttpResponse:
    """Keep what an explorer is narrowed to under a name."""
    query = request.POST.get("query", "")
    try:
        keep_view(
            person=person_of(request),
            explorer=explorer,
            name=request.POST.get("name", "").strip(),
            query=query,
            is_shared=request.POST.get("is_shared") == "on",
        )
    except NotFound:
        raise Http404 from None
    except ValueError:
        messages.error(request, _("Narrow the list first, then give the view a name of up to 80 characters."))
    else:
        messages.success(request, _("The view is kept."))
    return HttpResponseRedirect(f"{reverse(f'backoffice:{explorer}')}?{query}")


@staff_page("transaction:read", "payment:read", "wallet:read", "token:read")
@require_POST
def forget(request: HttpRequest, view_id: UUID) -> HttpResponse:
    """Delete a view of one's own."""
    try:
        explorer = forget_view(person=person_of(request), view_id=view_id)
    except NotFound:
        raise Http404 from None
    messages.success(request, _("The view is deleted."))
    return HttpResponseRedirect(reverse(f"backoffice:{explorer}"))


@staff_page("report:read")
@require_POST
def ask_for_file(request: HttpRequest, explorer: str) -> HttpResponse:
    """Have a file made in the background."""
    try:
        export = request_export(
            person=person_of(request),
            explorer=explorer,
            query=request.POST.get("query", ""),
            time_zone=timezone.get_current_timezone_name(),
        )
    except NotFound:
        raise Http404 from None
    ring(MAKE, str(export.id))
    return HttpResponseRedirect(reverse("backoffice:files"))


@staff_page("report:read")
@require_safe
def files(request: HttpRequest) -> HttpResponse:
    """List one's own files, and how far each has come."""
    own = Export.objects.filter(requested_by=person_of(request)).order_by("-id")[:MOST_SHOWN]
    return render(request, "backoffice/files.html", {"title": _("Files"), "files": own})


@staff_page("report:read")
@require_safe
def file(request: HttpRequest, export_id: UUID) -> HttpResponseBase:
    """Send a file of one's own that is done."""
    try:
        export = export_of(person=person_of(request), export_id=export_id)
    except NotFound:
        raise Http404 from None
    if export.finished_at is None:
        raise Http404
    record_look(request, "export", export.explorer, export.id)
    return StreamingHttpResponse(
        contents_of(export),
        content_type="text/csv; charset=utf-8",
        headers={
            "Cache-Control": PRIVATE,
            "Content-Disposition": f'attachment; filename="{EXPLORERS[export.explorer].name}.csv"',
        },
    )
