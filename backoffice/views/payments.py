"""One charge with all its steps, one event of a provider, and having either looked at again."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from backoffice import personal_data
from backoffice.form_calls import back_to, form_call, new_form_key, outcome_of
from backoffice.payment_stories import story_of, unknown_since
from backoffice.staff_pages import person_of, staff_page
from events.doorbells import ring
from events.screens import audit_panel, document
from payments.inquiries import (
    ASK_PAYMENT,
    MAY_INQUIRE,
    WORK_OFF_EVENT,
    ask_about_payment,
    work_off_again,
)
from payments.models import Payment, ProviderEvent
from users.staff_screens import principal_of, record_look


@staff_page("payment:read")
@require_safe
def payment(request: HttpRequest, payment_id: UUID) -> HttpResponse:
    """Show one charge: its steps, what the processor calls it, lines, refunds, disputes, and what isn't known of it."""
    found = Payment.objects.select_related("user", "token").filter(id=payment_id).first()
    if found is None:
        raise Http404
    record_look(request, "screen", "payments.payment", payment_id)
    context = {
        "title": _("Payment"),
        "payment": found,
        "person": personal_data.person_shown(request, found.user),
        "story": story_of(found),
        "unknown_since": unknown_since(found),
        # What else there is lets its holder confirm the charge.
        "awaited": (found.next_action or {}).get("type", ""),
        "may_inquire": found.is_under_way and principal_of(request).may(MAY_INQUIRE),
        "history": audit_panel("payment", payment_id, has_looks=False).for_reader(person_of(request)),
        "key": new_form_key(),
        "here": reverse("backoffice:payment", args=[payment_id]),
        "request_page": reverse("backoffice:wallet", args=[found.wallet_id]),
    }
    return render(request, "backoffice/payment.html", context)


@staff_page(MAY_INQUIRE)
@require_POST
def payment_ask(request: HttpRequest, payment_id: UUID) -> HttpResponse:
    """Have the processor asked now what became of a charge."""
    return _inquired(
        request,
        lambda call: ask_about_payment(payment_id=payment_id, principal=principal_of(request), call=call),
        ("ask", payment_id),
        bell=ASK_PAYMENT,
        done=_("The processor is being asked. Open this page again in a moment."),
        page=reverse("backoffice:payment", args=[payment_id]),
    )


@staff_page("payment:read")
@require_safe
def provider_event(request: HttpRequest, event_id: UUID) -> HttpResponse:
    """Show what a provider told us: what is kept of it, how it was checked, whose it is, and what came of it."""
    found = ProviderEvent.objects.filter(id=event_id).first()
    if found is None:
        raise Http404
    record_look(request, "screen", "payments.providerevent", event_id)
    context = {
        "title": _("Provider event"),
        "event": found,
        "body": document(found.body),
        "may_inquire": found.status in ("received", "failed") and principal_of(request).may(MAY_INQUIRE),
        "history": audit_panel("provider_event", event_id, has_looks=False).for_reader(person_of(request)),
        "key": new_form_key(),
    }
    return render(request, "backoffice/provider_event.html", context)


@staff_page(MAY_INQUIRE)
@require_POST
def provider_event_retry(request: HttpRequest, event_id: UUID) -> HttpResponse:
    """Have a provider's event worked off again."""
    return _inquired(
        request,
        lambda call: work_off_again(event_id=event_id, principal=principal_of(request), call=call),
        ("work-off", event_id),
        bell=WORK_OFF_EVENT,
        done=_("It is due now and will be worked off again."),
        page=reverse("backoffice:providerevent", args=[event_id]),
    )


def _inquired(
    request: HttpRequest,
    act: Callable[[Any], object],
    about: tuple[str, UUID],
    *,
    bell: str,
    done: str,
    page: str,
) -> HttpResponse:
    call = form_call(request, principal_of(request), *about)
    outcome = outcome_of(about[1], lambda: act(call))
    if outcome.is_done:
        ring(bell, str(about[1]))
        messages.success(request, done)
    else:
        messages.error(request, outcome.refusal)
    return back_to(request, page)
