"""Adjustments: the queue of those that wait for a second person, and asking for one."""

from typing import Final
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

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
from events.screens import audit_panel
from transactions.models import LedgerAccount
from transactions.money import Money
from users.principals import Principal
from users.staff_screens import principal_of, record_look
from wallets.adjustments import (
    MAY_ASK,
    MAY_DECIDE,
    approve_adjustment,
    reject_adjustment,
    request_adjustment,
)
from wallets.models import Adjustment, AdjustmentStatus, Wallet

MAY_SEE: Final = (MAY_ASK, MAY_DECIDE, "audit:read")


@staff_page(*MAY_SEE)
@require_safe
def adjustments(request: HttpRequest) -> HttpResponse:
    """List the adjustments of one state, those that wait by default, the one that has waited longest first."""
    principal = principal_of(request)
    asked = request.GET.get("status", "")
    status = asked if asked in AdjustmentStatus.values else AdjustmentStatus.PENDING.value
    found = Adjustment.objects.filter(status=status).select_related("wallet__user")
    wallet_id = uuid_or_none(request.GET.get("wallet_id", ""))
    if wallet_id is not None:
        found = found.filter(wallet_id=wallet_id)
    page = key_page(request, found, is_oldest_first=status == AdjustmentStatus.PENDING)
    accounts = LedgerAccount.objects.in_bulk({row.wallet_id for row in page.rows})
    record_look(request, "list", "wallets.adjustment")
    context = {
        "title": _("Adjustments"),
        "page": page,
        "rows": [(row, accounts[row.wallet_id], _why_not(row, principal)) for row in page.rows],
        "status": status,
        "statuses": AdjustmentStatus.choices,
        "wallet_id": wallet_id or "",
        "may_decide": principal.may(MAY_DECIDE) and status == AdjustmentStatus.PENDING,
        "form_key": new_form_key(),
        "longest_reason": LONGEST_REASON,
    }
    return render(request, "backoffice/adjustments.html", context)


@staff_page(*MAY_SEE)
@require_safe
def adjustment(request: HttpRequest, adjustment_id: UUID) -> HttpResponse:
    """Show one adjustment, what has happened to it, and the decision to those who may decide."""
    found = get_object_or_404(Adjustment.objects.select_related("wallet__user"), id=adjustment_id)
    account = LedgerAccount.objects.get(id=found.wallet_id)
    record_look(request, "screen", "wallets.adjustment", adjustment_id)
    context = {
        "title": _("Adjustment"),
        "adjustment": found,
        "account": account,
        "why_not": _why_not(found, principal_of(request)),
        "history": audit_panel("adjustment", adjustment_id, has_looks=False).for_reader(person_of(request)),
        "is_rejecting": request.GET.get("decide") == REJECT,
        "form_key": new_form_key(),
        "longest_reason": LONGEST_REASON,
    }
    return render(request, "backoffice/adjustment.html", context)


@staff_page(MAY_DECIDE)
@require_POST
@recently_proved
def approve(request: HttpRequest, adjustment_id: UUID) -> HttpResponse:
    """Approve one adjustment, and say what came of it."""
    return answer_to_one(
        request,
        QUEUE,
        adjustment_id,
        APPROVE,
        done=_("The adjustment is approved and posted."),
        then=reverse("backoffice:adjustments"),
    )


@staff_page(MAY_DECIDE)
@require_POST
def reject(request: HttpRequest, adjustment_id: UUID) -> HttpResponse:
    """Reject one adjustment for the reason given, and say what came of it."""
    return answer_to_one(
        request,
        QUEUE,
        adjustment_id,
        REJECT,
        done=_("The adjustment is rejected."),
        then=reverse("backoffice:adjustments"),
    )


@staff_page(MAY_DECIDE)
@require_POST
@recently_proved
def decide_on_many(request: HttpRequest) -> HttpResponseBase:
    """Decide on the marked adjustments, each for itself, and show what came of each."""
    return answer_to_many(request, QUEUE, Adjustment.objects.select_related("wallet__user"))


@staff_page(MAY_ASK)
@require_http_methods(["GET", "HEAD", "POST"])
def ask_for(request: HttpRequest, wallet_id: UUID) -> HttpResponse:
    """Ask for a correction of a wallet's balance; somebody else decides on it."""
    wallet = Wallet.objects.select_related("user", "account").filter(pk=wallet_id).first()
    if wallet is None:
        raise Http404
    problem = ""
    if request.method == "POST":
        problem = _asked(request, wallet)
        if not problem:
            messages.success(request, _("The adjustment waits for somebody else to decide on it."))
            return HttpResponseRedirect(f"{reverse('backoffice:adjustments')}?wallet_id={wallet_id}")
    context = {
        "title": _("Ask for an adjustment"),
        "wallet": wallet,
        "problem": problem,
        "given": request.POST,
        "form_key": request.POST.get("key") or new_form_key(),
        "longest_reason": LONGEST_REASON,
    }
    return render(request, "backoffice/ask_for_adjustment.html", context, status=422 if problem else 200)


def _asked(request: HttpRequest, wallet: Wallet) -> str:
    """Ask by the use case, once for the form; tells what is wrong, if anything is."""
    principal, reason = principal_of(request), reason_in(request)
    written = request.POST.get("amount", "").strip().replace("−", "-").replace(",", "")
    try:
        amount = Money.from_major(written.removeprefix("+"), wallet.currency)
    except ValueError:
        amount = Money(0, wallet.currency)
    if amount.amount == 0:
        return _("Write an amount such as 12.50 or -12.50, in the digits of the wallet’s currency.")
    if not reason:
        return _("Say why, in up to 500 characters.")
    call = form_call(request, principal, "adjust", wallet.pk, amount.amount)
    outcome = outcome_of(
        wallet.pk,
        lambda: request_adjustment(
            wallet_id=wallet.pk, amount=amount, reason=reason, principal=principal, call=call
        ),
    )
    return outcome.refusal


def _why_not(found: Adjustment, principal: Principal) -> str:
    """Tell why somebody can't decide on the adjustment; nothing where they can."""
    if found.status != AdjustmentStatus.PENDING:
        return _("It has been decided.")
    if not principal.may(MAY_DECIDE):
        return _("Your role may not decide on adjustments.")
    if found.requested_by == principal.id:
        return _("You have asked for it yourself: somebody else has to decide.")
    return ""


def _decide(request: HttpRequest, adjustment_id: UUID, decision: str) -> Outcome:
    principal = principal_of(request)
    call = form_call(request, principal, decision, adjustment_id)
    if decision == APPROVE:
        return outcome_of(
            adjustment_id,
            lambda: approve_adjustment(adjustment_id=adjustment_id, principal=principal, call=call),
        )
    reason = reason_in(request)
    if not reason:
        return Outcome(adjustment_id, _("Say why you reject it, in up to 500 characters."))
    return outcome_of(
        adjustment_id,
        lambda: reject_adjustment(adjustment_id=adjustment_id, reason=reason, principal=principal, call=call),
    )


QUEUE: Final = Queue(
    name=gettext_lazy("Adjustments"),
    route="backoffice:adjustments",
    one_route="backoffice:adjustment",
    decide=_decide,
)
