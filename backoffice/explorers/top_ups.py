"""The explorers of automatic top-ups: the rules, those that go by the calendar, and what wasn't charged for."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

from django.db.models import Q, QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from backoffice.explorers.narrowing import Explorer, Narrowing, choice, key, moment_cell, text
from events.models import AuditEntry
from payments.models import AutoTopUp
from payments.schedules import schedule_of
from payments.top_up_rules import next_look_at, state_of
from transactions.money import Money

FAILED, DISABLED = "top_up.failed", "auto_top_up.disabled"

STATES: Final[Mapping[str, tuple[str | Promise, Q]]] = {
    "active": (
        _("Active"),
        Q(removed_at=None, is_enabled=True, is_paused=False, failures=0),
    ),
    "failing": (
        _("Failing"),
        Q(removed_at=None, is_enabled=True, is_paused=False, failures__gt=0),
    ),
    "paused": (_("Paused"), Q(removed_at=None, is_enabled=True, is_paused=True)),
    "disabled": (_("Switched off"), Q(removed_at=None, is_enabled=False)),
    "removed": (_("Removed"), Q(removed_at__isnull=False)),
}
"""What a rule's state is called, and which rows are in it; `top_up_rules.state_of` says the same of one."""

OCCASIONS: Final[Mapping[str, tuple[str | Promise, Q]]] = {
    "threshold": (_("A low balance"), Q(threshold__isnull=False)),
    "schedule": (_("The calendar"), Q(schedule__isnull=False)),
}


class RuleNarrowing(Narrowing):
    """What the list of rules can be narrowed to."""

    equal: ClassVar = {
        "reason": "disabled_reason",
        "wallet_id": "wallet_id",
        "user_id": "wallet__user_id",
        "token_id": "token_id",
    }

    state = choice(_("State"), [(name, label) for name, (label, _rows) in STATES.items()])
    occasion = choice(_("Charges on"), [(name, label) for name, (label, _rows) in OCCASIONS.items()])
    reason = text(_("Switched off because"), 64)
    wallet_id = key(_("Wallet"))
    user_id = key(_("Customer"))
    token_id = key(_("Card"))

    def narrow(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        """Keep the rows that were asked for."""
        found, given = super().narrow(rows), self.cleaned_data
        if given["state"]:
            found = found.filter(STATES[given["state"]][1])
        if given["occasion"]:
            found = found.filter(OCCASIONS[given["occasion"]][1])
        return found


class ScheduleNarrowing(Narrowing):
    """What the list of schedules can be narrowed to; days are those on which one is charged for next."""

    equal: ClassVar = {"wallet_id": "wallet_id", "user_id": "wallet__user_id"}
    when = "next_run_at"

    state = choice(_("State"), [(name, label) for name, (label, _rows) in STATES.items()])
    every = choice(_("Every"), (("month", _("Month")), ("week", _("Week"))))
    wallet_id = key(_("Wallet"))
    user_id = key(_("Customer"))

    def narrow(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        """Keep the rows that were asked for."""
        found, given = super().narrow(rows), self.cleaned_data
        if given["state"]:
            found = found.filter(STATES[given["state"]][1])
        return found.filter(schedule__every=given["every"]) if given["every"] else found


class FailureNarrowing(Narrowing):
    """What the list of failures can be narrowed to."""

    equal: ClassVar = {"what": "action", "reason": "reason", "wallet_id": "object_id"}
    when = "at"
    field_order = ("what", "reason", "created_from", "created_to")

    what = choice(_("What"), ((FAILED, _("Not charged")), (DISABLED, _("Switched off"))))
    reason = text(_("Because"), 64)
    wallet_id = key(_("Wallet"))

    def conditions(self) -> dict[str, Any]:
        """Give what the rows must be, as lookups."""
        found = super().conditions()
        if "object_id" in found:
            found["object_id"] = str(found["object_id"])
        return found


def _rules() -> QuerySet[AutoTopUp]:
    return AutoTopUp.objects.select_related("token", "wallet__user")


def _schedules() -> QuerySet[AutoTopUp]:
    return _rules().filter(schedule__isnull=False)


def _failures() -> QuerySet[AuditEntry]:
    return AuditEntry.objects.filter(object_type="auto_top_up", action__in=(FAILED, DISABLED))


def _rule_cells(rule: AutoTopUp) -> Sequence[Any]:
    currency = rule.wallet.currency
    schedule = schedule_of(rule.schedule)
    return (
        moment_cell(rule.created_at),
        rule.wallet_id,
        rule.wallet.user_id,
        rule.token_id,
        state_of(rule),
        Money(rule.amount, currency).major,
        "" if rule.threshold is None else Money(rule.threshold, currency).major,
        "" if rule.monthly_limit is None else Money(rule.monthly_limit, currency).major,
        currency,
        "" if schedule is None else str(schedule),
        moment_cell(rule.next_run_at),
        rule.failures,
        moment_cell(next_look_at(rule)),
        rule.disabled_reason,
    )


def _failure_cells(entry: AuditEntry) -> Sequence[Any]:
    told: dict[str, Any] = entry.after or {}
    amount = ""
    if told.get("amount") is not None:
        amount = Money(told["amount"], told["currency"]).major
    return (
        moment_cell(entry.at),
        entry.id,
        entry.object_id,
        entry.action,
        entry.reason,
        amount,
        told.get("currency", ""),
        told.get("occasion") or "",
        told.get("payment_id") or "",
        told.get("failures", ""),
        told.get("retry_at") or "",
    )


_RULE_COLUMNS: Final = (
    "created_at",
    "wallet_id",
    "user_id",
    "token_id",
    "state",
    "amount",
    "threshold",
    "monthly_limit",
    "currency",
    "schedule",
    "next_run_at",
    "failures",
    "next_look_at",
    "disabled_reason",
)
TOP_UP_RULES: Final = Explorer(
    name="top-up-rules",
    title=_("Top-up rules"),
    lead=_("What customers have agreed to be charged for by itself, and how that goes."),
    permission="payment:read",
    form=RuleNarrowing,
    rows=_rules,
    columns=_RULE_COLUMNS,
    cells=_rule_cells,
)
TOP_UP_SCHEDULES: Final = Explorer(
    name="top-up-schedules",
    title=_("Top-up schedules"),
    lead=_("Rules that go by the calendar, each in its customer’s own time zone, and the next day of each."),
    permission="payment:read",
    form=ScheduleNarrowing,
    rows=_schedules,
    columns=_RULE_COLUMNS,
    cells=_rule_cells,
)
TOP_UP_FAILURES: Final = Explorer(
    name="top-up-failures",
    title=_("Top-up failures"),
    lead=_(
        "What a rule was to charge and didn’t, why, and when it tries again; and rules that were switched off."
    ),
    permission="payment:read",
    form=FailureNarrowing,
    rows=_failures,
    columns=(
        "at",
        "id",
        "wallet_id",
        "what",
        "reason",
        "amount",
        "currency",
        "occasion",
        "payment_id",
        "failures",
        "retry_at",
    ),
    cells=_failure_cells,
)
