"""Where staff begin."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from backoffice.staff_pages import STAFF, person_of, staff_page
from backoffice.waiting import waiting_for


@staff_page(STAFF)
@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """Show what waits for this person, and every place that they may go to."""
    context = {"title": _("Back office"), "waiting": waiting_for(person_of(request))}
    return render(request, "backoffice/home.html", context)
