"""Wallets: the list, one wallet with all that bears on its balance, and what may be done about it."""

from collections.abc import Callable, Sequence
from datetime import datetime, time
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from backoffice import annotations, personal_data
from backoffice.explorers.registry import lists_about
from backoffice.form_calls import (
    back_to,
    date_or_none,
    form_call,
    new_form_key,
    outcome_of,
    reason_in,
    uuid_or_none,
)
from backoffice.key_pages import key_page
from backoffice.staff_pages import person_of, staff_page
from backoffice.under_way import rules_of, under_way
from backoffice.views.customers import notes_context
from backoffice.views.timeline_parts import timeline_context
from events.clock import now_of
from payments.models import SavedMethod
from tokens.models import DELETED
from transactions.refusals import Refusal
from users.staff_screens import principal_of, record_look
from wallets import lifecycle
from wallets.api.statements import statement_file
from wallets.limits import limits_of
from wallets.models import Wallet, WalletStatus
from wallets.queries import status_now, wallet_by_id
from wallets.statements import AskedPeriod, statement_of_wallet

ROWS_SHOWN = 20


@staff_page("wallet:read")
@require_safe
def wallets(request: HttpRequest) -> HttpResponse:
    """List wallets, found by their owner's whole address, status, currency or a tag."""
    given = {
        name: request.GET.get(name, "").strip().replace("\0", "")
        for name in ("email", "status", "currency", "tag", "user", "created_from")
    }
    found = Wallet.objects.select_related("account", "user")
    if given["email"]:
        found = found.filter(user__email=given["email"].lower())
    if (owner := uuid_or_none(given["user"])) is not None:
        found = found.filter(user_id=owner)
    if given["status"] in WalletStatus.values:
        found = found.filter(status=given["status"])
    if given["currency"]:
        found = found.filter(currency=given["currency"].upper())
    if (day := date_or_none(given["created_from"])) is not None:
        found = found.filter(created_at__gte=timezone.make_aware(datetime.combine(day, time.min)))
    if given["tag"]:
        found = found.filter(pk__in=annotations.tagged("wallet", given["tag"]))
    page = key_page(request, found)
    rows = [
        {"wallet": one, "status": status_now(one)} | personal_data.person_shown(request, one.user)
        for one in page.rows
    ]
    record_look(request, "list", "wallets.wallet")
    context = {
        "title": _("Wallets"), "page": page, "rows": rows, "given": given, "statuses": WalletStatus.values,
    }  # fmt: skip
    return render(request, "backoffice/wallets.html", context)


@staff_page("wallet:read")
@require_safe
def wallet(request: HttpRequest, wallet_id: UUID) -> HttpResponse:
    """Show one wallet: balances, limits, cards, holds, what is under way, top-ups, notes, and the timeline."""
    one = Wallet.objects.select_related("account", "user").filter(pk=wallet_id).first()
    if one is None:
        raise Http404
    principal = principal_of(request)
    record_look(request, "screen", "wallets.wallet", wallet_id)
    context = {
        "title": _("%(currency)s wallet") % {"currency": one.currency},
        "wallet": one,
        "available": one.account.balance - one.account.held,
        "status": status_now(one),
        "person": personal_data.person_shown(request, one.user),
        "limits": _limits(one),
        "cards": _cards(wallet_id),
        "open_things": under_way([wallet_id]),
        "rules": rules_of([wallet_id]),
        "lists": lists_about(person_of(request), field="wallet_id", key=wallet_id),
        "may_manage": principal.may("wallet:manage"),
        "may_adjust": principal.may("adjustment:request"),
        "may_write": principal.may("customer:write"),
        "month": f"{timezone.localtime():%Y-%m}",
        "key": new_form_key(),
        "here": reverse("backoffice:wallet", args=[wallet_id]),
        **notes_context("wallet", wallet_id),
        **timeline_context(request, user_id=one.user_id, wallet_ids=[wallet_id], is_one_wallet=True),
    }
    return render(request, "backoffice/wallet.html", context)


@staff_page("wallet:manage")
@require_POST
def wallet_freeze(request: HttpRequest, wallet_id: UUID) -> HttpResponse:
    """Suspend a wallet, until a moment where one is given."""
    written = request.POST.get("expires_at", "").strip()
    expires_at = _moment(written)
    if written and expires_at is None:
        messages.error(request, _("“%(text)s” is no moment.") % {"text": written[:40]})
        return back_to(request, reverse("backoffice:wallet", args=[wallet_id]))

    def freeze(**about: Any) -> object:
        return lifecycle.suspend_wallet(**about, expires_at=expires_at)

    return _decided(request, wallet_id, "freeze", freeze, _("The wallet is frozen."), about=written)


@staff_page("wallet:manage")
@require_POST
def wallet_unfreeze(request: HttpRequest, wallet_id: UUID) -> HttpResponse:
    """Let a suspended wallet move money again."""
    done = _("The wallet moves money again.")
    return _decided(request, wallet_id, "unfreeze", lifecycle.reactivate_wallet, done)


@staff_page("transaction:read")
@require_safe
def wallet_statement(request: HttpRequest, wallet_id: UUID) -> HttpResponseBase:
    """Download a month's statement as CSV or PDF."""
    if not Wallet.objects.filter(pk=wallet_id).exists():
        raise Http404
    try:
        statement = statement_of_wallet(
            wallet_id=wallet_id, owner_id=None, asked=AskedPeriod(month=request.GET.get("month", ""))
        )
        answer = statement_file(statement, "pdf" if request.GET.get("format") == "pdf" else "csv")
    except Refusal as refused:
        messages.error(request, refused.detail)
        return back_to(request, reverse("backoffice:wallet", args=[wallet_id]))
    record_look(request, "statement", "wallets.wallet", wallet_id)
    return answer


def _limits(one: Wallet) -> Sequence[dict[str, Any]]:
    """Give each limit that holds, what is used of it, and whether it is the wallet's own; in minor units."""
    read = wallet_by_id(one.pk, owner_id=None)
    if read is None:
        raise Http404
    today = now_of(one.pk).date()
    used = {
        "maximum_balance": read.balance,
        "daily_outflow": read.outflow_day_amount if read.outflow_day == today else 0,
        "monthly_outflow": read.outflow_month_amount if read.outflow_month == today.replace(day=1) else 0,
    }
    names = {
        "maximum_balance": _("Maximum balance"),
        "per_transaction": _("At once"),
        "daily_outflow": _("Out in a day"),
        "monthly_outflow": _("Out in a month"),
        "credit": _("Credit line"),
    }
    return [
        {
            "name": names[name],
            "limit": limit,
            "used": used.get(name),
            "is_own": getattr(one, name, limit) is not None,
        }
        for name, limit in limits_of(read).items()
    ]


def _cards(wallet_id: UUID) -> Sequence[SavedMethod]:
    methods = SavedMethod.objects.filter(wallet_id=wallet_id).select_related("token").order_by("-id")
    return [method for method in methods[:ROWS_SHOWN] if method.token.status != DELETED]


def _moment(text: str) -> datetime | None:
    try:
        found = parse_datetime(text)
    except ValueError:
        return None
    return timezone.make_aware(found) if found is not None and timezone.is_naive(found) else found


def _decided(
    request: HttpRequest,
    wallet_id: UUID,
    name: str,
    decide: Callable[..., object],
    done: str,
    *,
    about: str = "",
) -> HttpResponse:
    principal, reason = principal_of(request), reason_in(request)
    if not reason:
        messages.error(request, _("Say why, in up to 500 characters."))
        return back_to(request, reverse("backoffice:wallet", args=[wallet_id]))
    call = form_call(request, principal, name, wallet_id, about)
    outcome = outcome_of(
        wallet_id, lambda: decide(wallet_id=wallet_id, actor=principal.name, reason=reason, call=call)
    )
    if outcome.is_done:
        messages.success(request, done)
    else:
        messages.error(request, outcome.refusal)
    return back_to(request, reverse("backoffice:wallet", args=[wallet_id]))
