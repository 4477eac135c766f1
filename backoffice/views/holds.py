"""One hold: what it keeps, what was captured of it, and voiding it."""

from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from backoffice.form_calls import back_to, form_call, new_form_key, outcome_of, reason_in
from backoffice.staff_pages import person_of, staff_page
from events.clock import now
from events.screens import audit_panel
from transactions.models import Hold, HoldStatus, Transaction
from users.staff_screens import principal_of, record_look
from wallets.holds import void_hold

MAY_VOID = "wallet:manage"
CAPTURES_SHOWN = 50


@staff_page("wallet:read")
@require_safe
def hold(request: HttpRequest, hold_id: UUID) -> HttpResponse:
    """Show a hold with its captures."""
    found = Hold.objects.select_related("account").filter(id=hold_id).first()
    if found is None:
        raise Http404
    record_look(request, "screen", "transactions.hold", hold_id)
    status = found.status_at(now())
    captures = Transaction.objects.filter(transfer__hold_id=hold_id, account_id=found.account_id)
    context = {
        "title": _("Hold"),
        "hold": found,
        "status": status,
        "currency": found.account.currency,
        "left": found.amount - found.captured if status == HoldStatus.OPEN else 0,
        "captures": captures.order_by("-id")[:CAPTURES_SHOWN],
        "history": audit_panel("hold", hold_id, has_looks=False).for_reader(person_of(request)),
        "may_void": status == HoldStatus.OPEN and principal_of(request).may(MAY_VOID),
        "key": new_form_key(),
    }
    return render(request, "backoffice/hold.html", context)


@staff_page(MAY_VOID)
@require_POST
def hold_void(request: HttpRequest, hold_id: UUID) -> HttpResponse:
    """Free what an open hold still keeps."""
    page, principal, reason = (
        reverse("backoffice:hold", args=[hold_id]),
        principal_of(request),
        reason_in(request),
    )
    wallet_id = Hold.objects.filter(id=hold_id).values_list("account_id", flat=True).first()
    if wallet_id is None:
        raise Http404
    if not reason:
        messages.error(request, _("Say why, in up to 500 characters."))
        return back_to(request, page)
    call = form_call(request, principal, "void", hold_id)
    outcome = outcome_of(
        hold_id,
        lambda: void_hold(
            wallet_id=wallet_id,
            hold_id=hold_id,
            owner_id=None,
            actor=principal.name,
            call=call,
            reason=reason,
        ),
    )
    if outcome.is_done:
        messages.success(request, _("The hold is voided; the customer may spend the money again."))
    else:
        messages.error(request, outcome.refusal)
    return back_to(request, page)
