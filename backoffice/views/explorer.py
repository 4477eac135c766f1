"""The explorers: lists that are narrowed by their address, kept as views, taken away as files."""

from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from backoffice.explorers.narrowing import Explorer, asked_in
from backoffice.key_pages import key_page
from backoffice.saved_views import views_for
from backoffice.staff_pages import person_of, staff_page
from users.api.csv_files import csv_answer
from users.staff_screens import principal_of, record_look

MAY_EXPORT: Final = "report:read"


def routes_of(explorer: Explorer) -> list[URLPattern]:
    """Make an explorer's two routes: the list, and the file of exactly its rows."""

    @staff_page(explorer.permission)
    @require_safe
    def listed(request: HttpRequest) -> HttpResponse:
        return _listed(request, explorer)

    @staff_page(MAY_EXPORT)
    @require_safe
    def sent(request: HttpRequest) -> HttpResponseBase:
        return _sent(request, explorer)

    return [
        path(f"{explorer.name}/", listed, name=explorer.name),
        path(f"{explorer.name}/file/", sent, name=f"{explorer.name}-file"),
    ]


def _listed(request: HttpRequest, explorer: Explorer) -> HttpResponse:
    form, found = explorer.narrowed(request.GET)
    record_look(request, "list", explorer.name)
    context: dict[str, Any] = {
        "title": explorer.title,
        "lead": explorer.lead,
        "explorer": explorer.name,
        "form": form,
        "problems": [(form.fields[name].label, errors) for name, errors in form.errors.items()],
        "page": key_page(request, found),
        "views": views_for(person_of(request), explorer=explorer.name),
        "query": asked_in(request.GET).urlencode(),
        "file_url": reverse(f"backoffice:{explorer.name}-file"),
        "may_export": principal_of(request).may(MAY_EXPORT),
    }
    return render(request, explorer.template, context, status=400 if form.errors else 200)


def _sent(request: HttpRequest, explorer: Explorer) -> HttpResponseBase:
    form, found = explorer.narrowed(request.GET)
    if form.errors:
        return HttpResponse(_("What was asked for can’t be understood."), status=400)
    record_look(request, "export", explorer.name)
    return csv_answer(explorer.file_rows(found), filename=f"{explorer.name}.csv")
