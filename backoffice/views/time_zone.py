"""The switch of the time zone."""

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from backoffice import time_zones
from backoffice.staff_pages import STAFF, staff_page


@staff_page(STAFF)
@require_http_methods(["GET", "HEAD", "POST"])
def time_zone(request: HttpRequest) -> HttpResponse:
    """Offer all zones, or switch this session to one and go back to where it was switched."""
    came_from = request.POST.get("next") or request.GET.get("next") or ""
    if not url_has_allowed_host_and_scheme(came_from, allowed_hosts=None):
        came_from = reverse("backoffice:home")
    problem = ""
    if request.method == "POST":
        if time_zones.switch(request, request.POST.get("time_zone", "")):
            return HttpResponseRedirect(came_from)
        problem = _("There is no such time zone.")
    context = {
        "title": _("Time zone"),
        "zones": time_zones.known(),
        "came_from": came_from,
        "problem": problem,
    }
    return render(request, "backoffice/time_zone.html", context, status=400 if problem else 200)
