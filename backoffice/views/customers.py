"""Customers: the list, one customer with all that is theirs, and what may be done about them."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from backoffice import annotations, personal_data
from backoffice.explorers.registry import lists_about
from backoffice.form_calls import back_to, form_call, new_form_key, outcome_of, reason_in
from backoffice.key_pages import key_page
from backoffice.staff_pages import person_of, staff_page
from backoffice.under_way import rules_of, under_way
from backoffice.views.timeline_parts import timeline_context
from backoffice.views.wallet_rows import wallets_of
from tokens.queries import saved_tokens
from transactions.idempotency import once, store
from users import customers as lookup
from users.models import RefreshFamily, User
from users.refusals import NotFound
from users.staff_screens import principal_of, record_look
from users.standing import ACTIVE, INACTIVE

SESSIONS_SHOWN = 10


@staff_page("customer:read")
@require_safe
def customers(request: HttpRequest) -> HttpResponse:
    """List customers, found by their whole address, their standing or a tag."""
    email = request.GET.get("email", "").strip().replace("\0", "")
    status = request.GET.get("status", "")
    tag = request.GET.get("tag", "").strip().replace("\0", "")
    found = lookup.customers(email=email or None, status=status if status in (ACTIVE, INACTIVE) else None)
    if tag:
        found = found.filter(id__in=annotations.tagged("user", tag))
    page = key_page(request, found)
    rows = [
        {"one": one, "status": ACTIVE if one.is_active else INACTIVE}
        | personal_data.person_shown(request, one)
        for one in page.rows
    ]
    record_look(request, "list", "users.user")
    context = {
        "title": _("Customers"), "page": page, "rows": rows, "email": email, "status": status, "tag": tag,
        "statuses": (ACTIVE, INACTIVE),
    }  # fmt: skip
    return render(request, "backoffice/customers.html", context)


@staff_page("customer:read")
@require_safe
def customer(request: HttpRequest, user_id: UUID) -> HttpResponse:
    """Show one customer: who, wallets, what is under way, top-ups, cards, sessions, notes, and the timeline of all of it."""
    one = _customer(user_id)
    if not isinstance(one, User):
        return one
    rows = wallets_of(one.id)
    record_look(request, "screen", "users.user", one.id)
    context = {
        "title": _("Customer"),
        "customer": one,
        "person": personal_data.person_shown(request, one),
        "status": ACTIVE if one.is_active else INACTIVE,
        "wallets": rows,
        "open_things": under_way([row.pk for row in rows]),
        "rules": rules_of([row.pk for row in rows]),
        "lists": lists_about(person_of(request), field="user_id", key=one.id),
        "cards": list(saved_tokens(owner_id=one.id).order_by("-id")[:20]),
        "sessions": list(RefreshFamily.objects.filter(user=one).order_by("-id")[:SESSIONS_SHOWN]),
        "may_write": principal_of(request).may("customer:write"),
        "key": new_form_key(),
        "here": reverse("backoffice:customer", args=[one.id]),
        **notes_context("user", one.id),
        **timeline_context(request, user_id=one.id, wallet_ids=[row.pk for row in rows]),
    }
    return render(request, "backoffice/customer.html", context)


@staff_page("customer:read")
@require_POST
def customer_reveal(request: HttpRequest, user_id: UUID) -> HttpResponse:
    """Show a customer's address and name for ten minutes, and write down who wanted to see them and why."""
    return _told(
        request,
        user_id,
        lambda: personal_data.reveal(request, customer_id=user_id, reason=reason_in(request)),
        _("Shown for ten minutes. That you looked, and why, is in the audit trail."),
    )


@staff_page("customer:write")
@require_POST
def customer_deactivate(request: HttpRequest, user_id: UUID) -> HttpResponse:
    """Switch a customer off."""
    return _decided(request, user_id, lookup.deactivate_customer, _("The customer is switched off."))


@staff_page("customer:write")
@require_POST
def customer_reactivate(request: HttpRequest, user_id: UUID) -> HttpResponse:
    """Switch a customer on again."""
    return _decided(request, user_id, lookup.reactivate_customer, _("The customer is switched on again."))


@staff_page("customer:write")
@require_POST
def customer_sign_out(request: HttpRequest, user_id: UUID) -> HttpResponse:
    """End all sessions of a customer."""
    return _decided(request, user_id, lookup.revoke_customers_sessions, _("All sessions are ended."))


@staff_page("customer:write")
@require_POST
def customer_correct(request: HttpRequest, user_id: UUID) -> HttpResponse:
    """Correct a customer's e-mail address or name; what is left empty stays."""
    email, name = (request.POST.get(field, "").strip().replace("\0", "") for field in ("email", "name"))

    def correct(**about: Any) -> User:
        return lookup.correct_customer(**about, email=email or None, name=name or None)

    return _decided(request, user_id, correct, _("Corrected."), about=f"{email}\n{name}")


def notes_context(object_type: annotations.ObjectType, object_id: UUID) -> dict[str, Any]:
    """Give the template what staff have written down about an object."""
    return {
        "object_type": object_type,
        "object_id": object_id,
        "notes": annotations.notes_on([object_id]),
        "tags": annotations.tags_on(object_id),
    }


def _customer(user_id: UUID) -> User | HttpResponse:
    try:
        return lookup.customer(user_id)
    except NotFound as nobody:
        if User.objects.filter(id=user_id).exists():
            return HttpResponseRedirect(reverse("admin:users_user_change", args=[user_id]))  # a colleague
        raise Http404 from nobody


def _decided(
    request: HttpRequest, user_id: UUID, decide: Callable[..., User], done: str, *, about: str = ""
) -> HttpResponse:
    principal, reason = principal_of(request), reason_in(request)
    if not reason:
        messages.error(request, _("Say why, in up to 500 characters."))
        return back_to(request, reverse("backoffice:customer", args=[user_id]))
    call = form_call(request, principal, decide.__name__, user_id, about)
    return _told(
        request,
        user_id,
        lambda: once(
            call, lambda: store(call, decide(customer_id=user_id, actor=principal.name, reason=reason))
        ),
        done,
    )


def _told(request: HttpRequest, user_id: UUID, act: Callable[[], object], done: str) -> HttpResponse:
    outcome = outcome_of(user_id, act)
    if outcome.is_done:
        messages.success(request, done)
    else:
        messages.error(request, outcome.refusal)
    return back_to(request, reverse("backoffice:customer", args=[user_id]))
