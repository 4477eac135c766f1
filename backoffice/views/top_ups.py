"""One automatic top-up: what was agreed to, how it goes, what the customer sees of it, and switching it off."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from backoffice import personal_data
from backoffice.explorers.top_ups import DISABLED, FAILED
from backoffice.form_calls import back_to, form_call, new_form_key, outcome_of, reason_in
from backoffice.staff_pages import person_of, staff_page
from events.models import AuditEntry, Notification
from events.screens import audit_panel
from payments.models import AutoTopUp, Payment, PaymentKind
from payments.top_up_previews import preview_rule
from payments.top_up_rules import as_shown, pause_rule, state_of, switch_off_rule
from transactions.idempotency import KeyedCall
from users.staff_screens import principal_of, record_look

MAY_MANAGE = "wallet:manage"
ROWS_SHOWN = 20


@staff_page("payment:read")
@require_safe
def top_up_rule(request: HttpRequest, wallet_id: UUID) -> HttpResponse:
    """Show a wallet's rule with its charges, failures, the coming 30 days, and what the customer is shown and told."""
    rule = AutoTopUp.objects.select_related("token", "wallet__user").filter(wallet_id=wallet_id).first()
    if rule is None:
        raise Http404
    record_look(request, "screen", "payments.autotopup", wallet_id)
    state = state_of(rule)
    failures = AuditEntry.objects.filter(
        object_id=str(wallet_id), object_type="auto_top_up", action__in=(FAILED, DISABLED)
    )
    charges = Payment.objects.filter(wallet_id=wallet_id, kind=PaymentKind.TOP_UP)
    context = {
        "title": _("Top-up rule"),
        "rule": rule,
        "state": state,
        "currency": rule.wallet.currency,
        "person": personal_data.person_shown(request, rule.wallet.user),
        "charges": charges.order_by("-id")[:ROWS_SHOWN],
        "failures": failures.order_by("-id")[:ROWS_SHOWN],
        "coming": [] if rule.removed_at else preview_rule(wallet_id=wallet_id, owner_id=None)["results"],
        "shown": as_shown(rule),
        "notices": _notices(rule),
        "history": audit_panel("auto_top_up", wallet_id, has_looks=False).for_reader(person_of(request)),
        "may_manage": state not in ("removed", "disabled") and principal_of(request).may(MAY_MANAGE),
        "key": new_form_key(),
        "here": reverse("backoffice:autotopup", args=[wallet_id]),
    }
    return render(request, "backoffice/top_up_rule.html", context)


@staff_page(MAY_MANAGE)
@require_POST
def top_up_rule_pause(request: HttpRequest, wallet_id: UUID) -> HttpResponse:
    """Let a rule charge nothing until its customer resumes it."""

    def pause(reason: str, call: KeyedCall) -> object:
        return pause_rule(
            wallet_id=wallet_id,
            owner_id=None,
            actor=principal_of(request).name,
            call=call,
            reason=reason,
        )

    return _decided(request, wallet_id, "pause", pause, _("The rule is paused; the customer may resume it."))


@staff_page(MAY_MANAGE)
@require_POST
def top_up_rule_switch_off(request: HttpRequest, wallet_id: UUID) -> HttpResponse:
    """Switch a rule off; its customer is told."""

    def switch_off(reason: str, call: KeyedCall) -> object:
        actor = principal_of(request).name
        return switch_off_rule(wallet_id=wallet_id, actor=actor, reason=reason, call=call)

    done = _("The rule is switched off, and the customer is told.")
    return _decided(request, wallet_id, "switch-off", switch_off, done)


def _decided(
    request: HttpRequest, wallet_id: UUID, name: str, decide: Callable[[str, KeyedCall], object], done: str
) -> HttpResponse:
    page, reason = reverse("backoffice:autotopup", args=[wallet_id]), reason_in(request)
    if not reason:
        messages.error(request, _("Say why, in up to 500 characters."))
        return back_to(request, page)
    call = form_call(request, principal_of(request), name, wallet_id)
    outcome = outcome_of(wallet_id, lambda: decide(reason, call))
    if outcome.is_done:
        messages.success(request, done)
    else:
        messages.error(request, outcome.refusal)
    return back_to(request, page)


def _notices(rule: AutoTopUp) -> list[dict[str, Any]]:
    """Give the mails about the rule as their reader sees them."""
    sent = Notification.objects.filter(
        user_id=rule.wallet.user_id,
        notice="top_up_failed",
        facts__wallet_id=str(rule.wallet_id),
    )
    return [
        {"notice": notice, "subject": subject.strip(), "body": body.strip()}
        for notice in sent.order_by("-id")[:5]
        for subject, _line, body in [_written(notice, rule).partition("\n")]
    ]


def _written(notice: Notification, rule: AutoTopUp) -> str:
    facts = {"data": notice.facts, "person": rule.wallet.user, "event_type": notice.event_type}
    return render_to_string(f"notices/{notice.notice}.txt", facts)
