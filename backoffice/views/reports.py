"""How the business stands, and whether the book agrees with the payments behind it."""

from typing import Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from backoffice.staff_pages import staff_page
from payments.dashboard import PERIODS, kept_dashboard
from payments.settlement_days import settlement_days

NAMES: Final = {
    "today": gettext_lazy("Today"),
    "7d": gettext_lazy("7 days"),
    "30d": gettext_lazy("30 days"),
    "90d": gettext_lazy("90 days"),
}
SHOWN_DAYS: Final = 31


@staff_page("report:read")
@require_safe
def dashboard(request: HttpRequest) -> HttpResponse:
    """Show the figures of a period, each leading to the list behind it."""
    asked = request.GET.get("period", "")
    period = asked if asked in PERIODS else "today"
    figures = kept_dashboard(period)
    rate = figures["payments"]["current"]["success_rate_bp"]
    context = {
        "title": _("Dashboard"),
        "figures": figures,
        "success_percent": None if rate is None else f"{rate / 100:.1f}",
        "periods": [(key, name, key == period) for key, name in NAMES.items()],
    }
    return render(request, "backoffice/dashboard.html", context)


@staff_page("report:read")
@require_safe
def reconciliation(request: HttpRequest) -> HttpResponse:
    """Show each day's settlement accounts beside the payments and refunds behind them."""
    rows = settlement_days(days=SHOWN_DAYS)
    context = {
        "title": _("Reconciliation"),
        "rows": rows,
        "breaks": sum(row.breaks for row in rows),
    }
    return render(request, "backoffice/reconciliation.html", context)
