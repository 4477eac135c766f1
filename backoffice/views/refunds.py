"""The queue of refunds: what waits, what speaks for looking twice, and the decision."""

from collections.abc import Mapping
from typing import Final
from uuid import UUID

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from backoffice.form_calls import (
    LONGEST_REASON,
    Outcome,
    form_call,
    new_form_key,
    outcome_of,
    reason_in,
    uuid_or_none,
)
from backoffice.key_pages import key_page
from backoffice.reauthentication import recently_proved
from backoffice.staff_pages import person_of, staff_page
from backoffice.views.decisions import APPROVE, REJECT, Queue, answer_to_many, answer_to_one
from events.doorbells import ring
from events.screens import audit_panel
from payments.models import Refund, RefundReason, RefundStatus
from payments.refund_decisions import MAY_DECIDE, approve_refund, reject_refund
from payments.refund_limits import room_left
from payments.refund_reviews import Obstacle, reviews_of
from users.staff_screens import principal_of, record_look

EXECUTE: Final = "payments.execute_refund"

OBSTACLES: Final[Mapping[Obstacle, str | Promise]] = {
    Obstacle.NOT_PENDING: gettext_lazy("It has been decided."),
    Obstacle.ROLE: gettext_lazy("Your role may not decide on refunds."),
    Obstacle.OWN_REQUEST: gettext_lazy("You have asked for it yourself: somebody else has to decide."),
    Obstacle.DISPUTED: gettext_lazy("The charge is disputed: its bank takes the money back already."),
    Obstacle.OVER_LIMIT: gettext_lazy("It is more than you may still approve within 24 hours."),
}


@staff_page("refund:read")
@require_safe
def refunds(request: HttpRequest) -> HttpResponse:
    """List the refunds of one state, those that wait by default, the one that has waited longest first."""
    principal = principal_of(request)
    asked = request.GET.get("status", "")
    status = asked if asked in RefundStatus.values else RefundStatus.PENDING.value
    found = Refund.objects.filter(status=status).select_related("wallet__user", "payment")
    wallet_id, reason = uuid_or_none(request.GET.get("wallet_id", "")), request.GET.get("reason", "")
    if wallet_id is not None:
        found = found.filter(wallet_id=wallet_id)
    if reason in RefundReason.values:
        found = found.filter(reason=reason)
    page = key_page(request, found, is_oldest_first=status == RefundStatus.PENDING)
    reviews = reviews_of(page.rows, principal=principal)
    currencies = sorted({*settings.REFUND_APPROVAL_LIMIT, *(row.currency for row in page.rows)} - {"*"})
    record_look(request, "list", "payments.refund")
    context = {
        "title": _("Refunds"),
        "page": page,
        "rows": [(review, _told_of(review.obstacle)) for review in reviews],
        "status": status,
        "statuses": RefundStatus.choices,
        "reasons": RefundReason.choices,
        "wallet_id": wallet_id or "",
        "reason": reason,
        "target_hours": settings.REFUND_TARGET_HOURS,
        "rooms": [(currency, room_left(principal.id, currency)) for currency in currencies],
        "may_decide": principal.may(MAY_DECIDE) and status == RefundStatus.PENDING,
        "form_key": new_form_key(),
        "longest_reason": LONGEST_REASON,
    }
    return render(request, "backoffice/refunds.html", context)


@staff_page("refund:read")
@require_safe
def refund(request: HttpRequest, refund_id: UUID) -> HttpResponse:
    """Show one refund: what it would change, what has happened to it, and the decision to those who may decide."""
    found = Refund.objects.select_related("wallet__user", "payment").filter(id=refund_id).first()
    if found is None:
        raise Http404
    principal = principal_of(request)
    (review,) = reviews_of([found], principal=principal)
    record_look(request, "screen", "payments.refund", refund_id)
    context = {
        "title": _("Refund"),
        "review": review,
        "refund": found,
        "why_not": _told_of(review.obstacle),
        "room": room_left(principal.id, found.currency),
        "history": audit_panel("refund", refund_id, has_looks=False).for_reader(person_of(request)),
        "earlier": Refund.objects.filter(wallet_id=found.wallet_id)
        .exclude(id=refund_id)
        .order_by("-id")[:10],
        "target_hours": settings.REFUND_TARGET_HOURS,
        "is_rejecting": request.GET.get("decide") == REJECT,
        "form_key": new_form_key(),
        "longest_reason": LONGEST_REASON,
    }
    return render(request, "backoffice/refund.html", context)


@staff_page(MAY_DECIDE)
@require_POST
@recently_proved
def approve(request: HttpRequest, refund_id: UUID) -> HttpResponse:
    """Approve one refund, and say what came of it."""
    return answer_to_one(
        request,
        QUEUE,
        refund_id,
        APPROVE,
        done=_("The refund is approved and will be executed."),
        then=reverse("backoffice:refund", args=[refund_id]),
    )


@staff_page(MAY_DECIDE)
@require_POST
def reject(request: HttpRequest, refund_id: UUID) -> HttpResponse:
    """Reject one refund for the reason given, and say what came of it."""
    return answer_to_one(
        request,
        QUEUE,
        refund_id,
        REJECT,
        done=_("The refund is rejected."),
        then=reverse("backoffice:refund", args=[refund_id]),
    )


@staff_page(MAY_DECIDE)
@require_POST
@recently_proved
def decide_on_many(request: HttpRequest) -> HttpResponseBase:
    """Decide on the marked refunds, each for itself, and show what came of each. Sent again it shows the same."""
    return answer_to_many(request, QUEUE, Refund.objects.select_related("wallet__user"))


def _told_of(obstacle: Obstacle | None) -> str | Promise:
    return "" if obstacle is None else OBSTACLES[obstacle]


def _decide(request: HttpRequest, refund_id: UUID, decision: str) -> Outcome:
    """Decide by the use case, once for the form, and ring for what is to be executed."""
    principal = principal_of(request)
    call = form_call(request, principal, decision, refund_id)
    if decision == REJECT:
        reason = reason_in(request)
        if not reason:
            return Outcome(refund_id, _("Say why you reject it, in up to 500 characters."))
        return outcome_of(
            refund_id,
            lambda: reject_refund(refund_id=refund_id, reason=reason, principal=principal, call=call),
        )
    outcome = outcome_of(
        refund_id, lambda: approve_refund(refund_id=refund_id, principal=principal, call=call)
    )
    if outcome.is_done:
        ring(EXECUTE, str(refund_id))
    return outcome


QUEUE: Final = Queue(
    name=gettext_lazy("Refunds"),
    route="backoffice:refunds",
    one_route="backoffice:refund",
    decide=_decide,
)
