"""How the business stands, and whether the book agrees with the payments behind it."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from backoffice.charts import Chart, bar_chart
from backoffice.dashboard_tiles import day_range_query, tiles_of
from backoffice.staff_pages import person_of, staff_page
from payments.dashboard import PERIODS, kept_dashboard
from payments.settlement_days import late_since, settlement_days
from transactions.amount_cells import grouped
from transactions.money import EXPONENTS

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
    person = person_of(request)
    context = {
        "title": _("Dashboard"),
        "figures": figures,
        "since": datetime.fromisoformat(figures["since"]),
        "until": datetime.fromisoformat(figures["until"]),
        "tiles": tiles_of(figures, person),
        "charts": _charts(figures) if period != "today" else (),
        "period_query": day_range_query(figures, status="completed"),
        "may_see_lines": person.may("transaction:read"),
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
        "changed": [row for row in rows if row.changed_at],
        "late_since": late_since(rows),
    }
    return render(request, "backoffice/reconciliation.html", context)


def _charts(figures: dict[str, Any]) -> Sequence[Chart]:
    """Draw charges by day, and the volume of each currency by day."""
    first, last = (datetime.fromisoformat(figures[name]).date() for name in ("since", "until"))
    days = [(first + timedelta(days=number)).isoformat() for number in range((last - first).days + 1)]
    decided = {row["date"]: (row["succeeded"], row["failed"]) for row in figures["payments_by_day"]}
    charts = [
        bar_chart(
            name=_("Charges by day"),
            series=(_("succeeded"), _("failed")),
            rows=[(day, decided.get(day, (0, 0))) for day in days],
            shown=str,
            short=str,
        )
    ]
    for currency in [row["currency"] for row in figures["volume"]]:
        moved = {
            row["date"]: row["amount"] for row in figures["volume_by_day"] if row["currency"] == currency
        }
        charts.append(
            bar_chart(
                name=_("Volume by day in %(currency)s") % {"currency": currency},
                series=(currency,),
                rows=[(day, (moved.get(day, 0),)) for day in days],
                shown=partial(grouped, currency=currency),
                short=partial(_short, currency=currency),
            )
        )
    return charts


def _short(amount: int, currency: str) -> str:
    """Write minor units briefly, for an axis: 1.5k, 20M."""
    major = amount / 10 ** EXPONENTS[currency]
    for size, letter in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if major >= size:
            return f"{major / size:.4g}{letter}"
    return f"{major:.4g}"
