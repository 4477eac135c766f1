"""The page behind the box at the head of every page."""

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from backoffice.search.finding import Found, find
from backoffice.staff_pages import STAFF, person_of, staff_page
from users.staff_screens import record_look


@staff_page(STAFF)
@require_safe
def search(request: HttpRequest) -> HttpResponse:
    """Open what has the quoted id, or show all that was found, by kind."""
    term = request.GET.get("q", "").strip()
    found = find(term, person_of(request)) if term else Found()
    if term:
        record_look(request, "search", "everything")
    if found.itself:
        return HttpResponseRedirect(found.itself)
    context = {"title": _("Search"), "term": term, "groups": found.groups}
    return render(request, "backoffice/search.html", context)
