"""What the dashboard's tiles say, what they are compared with, and the narrowed list that each one opens."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from users.models import User


@dataclass(frozen=True, slots=True)
class Tile:
    """One figure: `url` is empty for whoever may not open the list behind it, `is_bad` puts it in red."""

    name: str
    value: str
    note: str
    url: str = ""
    is_bad: bool = False
    trend: str = ""


@dataclass(frozen=True, slots=True)
class _List:
    route: str
    permission: str


PAYMENTS = _List("backoffice:payments", "payment:read")
TRANSACTIONS = _List("backoffice:transactions", "transaction:read")
WALLETS = _List("backoffice:wallets", "wallet:read")
REFUNDS = _List("backoffice:refunds", "refund:read")
DELIVERIES = _List("admin:events_webhookdelivery_changelist", "event:read")
BREAKS = _List("backoffice:settlement-breaks", "report:read")
RECONCILIATION = _List("backoffice:reconciliation", "report:read")

PROOF_NAMES = {
    "float_is_ledger": gettext_lazy("The float isn’t what the ledger says"),
    "floors_hold": gettext_lazy("An account is below its floor"),
    "debts_are_below_the_credit_line": gettext_lazy("A debt isn’t covered by a floor"),
}


def tiles_of(figures: dict[str, Any], person: User) -> Sequence[Tile]:
    """Give the tiles of a dashboard's figures, as `payments.dashboard.kept_dashboard` gives them, for one reader."""

    def url(of: _List, **query: str) -> str:
        if not person.may(of.permission):
            return ""
        return reverse(of.route) + (f"?{urlencode(query)}" if query else "")

    since = _day(figures["since"])
    payments, failed = figures["payments"], figures["failed_top_ups"]
    unknown, waiting = figures["unknown_payments"], figures["pending_refunds"]
    backlog, breaks = figures["webhook_backlog"], figures["reconciliation"]
    rate, rate_before = (payments[which]["success_rate_bp"] for which in ("current", "previous"))
    return (
        Tile(
            _("Charges that succeeded"),
            _percent(rate),
            _("%(succeeded)d succeeded, %(failed)d failed; %(before)s before")
            % {**payments["current"], "before": _percent(rate_before)},
            url(PAYMENTS, created_from=since),
            trend=_trend(rate, rate_before),
        ),
        _compared(_("Wallets created"), figures["wallets_created"], url(WALLETS, created_from=since)),
        _compared(_("Active customers"), figures["active_users"], url(TRANSACTIONS, created_from=since)),
        _compared(
            _("Failed top-ups"),
            failed,
            url(PAYMENTS, status="failed", kind="top_up", created_from=since),
            more_is_good=False,
        ),
        _waiting(_("Refunds that wait"), waiting, url(REFUNDS, status="pending")),
        _waiting(_("Unknown payments"), unknown, url(PAYMENTS, status="pending"), is_bad=True),
        _waiting(_("Webhooks that wait"), backlog, url(DELIVERIES, status__exact="pending")),
        _waiting(_("Breaks of settlement"), breaks, url(BREAKS, status="open"), is_bad=True),
        _books(figures["invariants"], url(RECONCILIATION)),
    )


def day_range_query(figures: dict[str, Any], **query: str) -> str:
    """Give the query that narrows a list to the period's days."""
    return urlencode({**query, "created_from": _day(figures["since"])})


def _books(proofs: dict[str, Any], url: str) -> Tile:
    """Say what was proved, and when: proofs that ran too long ago say nothing of now."""
    proved_at = timezone.localtime(datetime.fromisoformat(proofs["proved_at"]))
    when = _("float, floors and debts were proved at %(at)s") % {"at": f"{proved_at:%Y-%m-%d %H:%M:%S}"}
    if proofs["broken"]:
        notes = [str(PROOF_NAMES[name]) for name in proofs["broken"]]
        return Tile(_("Books"), _("Broken"), "; ".join([*notes, when]), url, is_bad=True)
    if proofs["state"] == "late":
        return Tile(_("Books"), _("Not proved lately"), when, url, is_bad=True)
    return Tile(_("Books"), _("In order"), when, url)


def _compared(name: str, pair: dict[str, Any], url: str, *, more_is_good: bool = True) -> Tile:
    before = pair["previous"]
    note = (
        _("%(count)d in the period before") % {"count": before}
        if before is not None
        else _("not known before")
    )
    trend = _trend(pair["current"], before) if more_is_good else _trend(before, pair["current"])
    return Tile(name, str(pair["current"]), note, url, trend=trend)


def _waiting(name: str, waits: dict[str, Any], url: str, *, is_bad: bool = False) -> Tile:
    age_s = waits["oldest_age_s"]
    note = _("nothing waits") if age_s is None else _("the first one for %(age)s") % {"age": _age(age_s)}
    return Tile(name, str(waits["count"]), note, url, is_bad=is_bad and waits["count"] > 0)


def _trend(now_is: int | None, was: int | None) -> str:
    if now_is is None or was is None or now_is == was:
        return ""
    return "good" if now_is > was else "bad"


def _percent(rate_bp: int | None) -> str:
    return "–" if rate_bp is None else f"{rate_bp / 100:.1f} %"


def _age(seconds: int) -> str:
    for unit_s, text in ((86_400, _("%d days")), (3600, _("%d hours")), (60, _("%d minutes"))):
        if seconds >= 2 * unit_s:
            return text % (seconds // unit_s)
    return _("%d seconds") % seconds


def _day(moment: str) -> str:
    """Tell the reader's day of a moment: lists are narrowed by those."""
    return timezone.localtime(datetime.fromisoformat(moment)).date().isoformat()
