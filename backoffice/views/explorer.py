"""The explorers of transfers and transactions: narrowed by the address, kept as views, taken away as files."""

from typing import Final

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from backoffice.explorers import TRANSACTIONS, TRANSFERS, Explorer, asked_in
from backoffice.key_pages import key_page
from backoffice.saved_views import views_for
from backoffice.staff_pages import person_of, staff_page
from users.api.csv_files import csv_answer
from users.staff_screens import principal_of, record_look

MAY_SEE: Final = "transaction:read"
MAY_EXPORT: Final = "report:read"


@staff_page(MAY_SEE)
@require_safe
def transactions(request: HttpRequest) -> HttpResponse:
    """List the lines of wallets, newest first."""
    return _listed(request, TRANSACTIONS, _("Transactions"))


@staff_page(MAY_SEE)
@require_safe
def transfers(request: HttpRequest) -> HttpResponse:
    """List the movements of money, newest first."""
    return _listed(request, TRANSFERS, _("Transfers"))


@staff_page(MAY_EXPORT)
@require_safe
def transactions_file(request: HttpRequest) -> HttpResponseBase:
    """Send exactly the lines that the list was narrowed to, as CSV."""
    return _sent(request, TRANSACTIONS)


@staff_page(MAY_EXPORT)
@require_safe
def transfers_file(request: HttpRequest) -> HttpResponseBase:
    """Send exactly the movements that the list was narrowed to, as CSV."""
    return _sent(request, TRANSFERS)


def _listed(request: HttpRequest, explorer: Explorer, title: str) -> HttpResponse:
    form, found = explorer.narrowed(request.GET)
    record_look(request, "list", explorer.name)
    context = {
        "title": title,
        "explorer": explorer.name,
        "form": form,
        "problems": [(form.fields[name].label, errors) for name, errors in form.errors.items()],
        "page": key_page(request, found),
        "views": views_for(person_of(request), explorer=explorer.name),
        "query": asked_in(request.GET).urlencode(),
        "may_export": principal_of(request).may(MAY_EXPORT),
    }
    return render(request, f"backoffice/{explorer.name}.html", context, status=400 if form.errors else 200)


def _sent(request: HttpRequest, explorer: Explorer) -> HttpResponseBase:
    form, found = explorer.narrowed(request.GET)
    if form.errors:
        return HttpResponse(_("What was asked for can’t be understood."), status=400)
    record_look(request, "export", explorer.name)
    return csv_answer(explorer.file_rows(found), filename=f"{explorer.name}.csv")
