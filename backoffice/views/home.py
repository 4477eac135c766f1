"""Where staff begin."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from backoffice.staff_pages import STAFF, staff_page


@staff_page(STAFF)
@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """Show every place that this person may go to, and what each is for."""
    return render(request, "backoffice/home.html", {"title": _("Back office")})
