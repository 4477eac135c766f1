"""Wallets in the back office: to find and to read. Their life is changed by use cases alone."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from events.clock import now_of
from events.screens import audit_panel
from transactions.admin import latest_lines_panel
from transactions.amount_cells import amount_cell
from transactions.idempotency import Answer, KeyedCall
from transactions.refusals import Refusal
from users.refusals import Refusal as PersonRefusal
from users.staff_screens import (
    NOTHING,
    Figure,
    Panel,
    StaffScreen,
    identifier,
    moment,
    principal_of,
    screen_url,
    state,
)
from wallets.adjustments import MAY_DECIDE, approve_adjustment, reject_adjustment
from wallets.models import Adjustment, AdjustmentStatus, Wallet, WalletStatus

LONGEST_REASON = 500


def why_not(request: HttpRequest, adjustment: Adjustment) -> str:
    """Tell why whoever is logged in can't decide on the adjustment; nothing where they can."""
    principal = principal_of(request)
    if not principal.may(MAY_DECIDE):
        return "Your role may not decide on adjustments."
    if adjustment.requested_by == principal.id:
        return "You have asked for this adjustment yourself: somebody else has to decide on it."
    return ""


def status_now(wallet: Wallet) -> str:
    """Read the status at this moment: a suspension ends by the clock, and a sweep may be late."""
    over = wallet.suspended_until is not None and wallet.suspended_until <= now_of(wallet.pk)
    return WalletStatus.ACTIVE.value if wallet.status == WalletStatus.SUSPENDED and over else wallet.status


@admin.register(Wallet)
class WalletScreen(StaffScreen):
    """Customers' wallets."""

    purpose = "Customers' money, one wallet for each currency"
    list_display = ("wallet", "owner", "balance", "held", "status_label", "label", "created")
    list_filter = ("status",)
    list_select_related = ("account", "user")
    search_help_text = "Wallet or user id, or e-mail address"
    id_lookups = ("pk", "user_id")
    email_lookups = ("user__email",)
    fieldsets = (
        ("About", {"fields": ("owner", "user_key", "label", "metadata", "created", "updated")}),
        ("Status", {"fields": ("status_reason", "suspended")}),
        ("Limits", {"fields": ("most_held", "most_at_once", "most_a_day", "most_a_month")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Wallet]:
        """Read the account and the owner with the wallet."""
        return super().get_queryset(request).select_related("account", "user")

    @admin.display(description="wallet")
    def wallet(self, wallet: Wallet) -> SafeString:
        return identifier(wallet.pk, url=screen_url("wallets.wallet", wallet.pk))

    @admin.display(description="owner")
    def owner(self, wallet: Wallet) -> SafeString:
        return format_html('<a href="{}">{}</a>', screen_url("users.user", wallet.user_id), wallet.user.email)

    @admin.display(description="user")
    def user_key(self, wallet: Wallet) -> SafeString:
        return identifier(wallet.user_id, url=screen_url("users.user", wallet.user_id))

    @admin.display(description="balance")
    def balance(self, wallet: Wallet) -> SafeString:
        return amount_cell(wallet.account.balance, wallet.currency)

    @admin.display(description="held")
    def held(self, wallet: Wallet) -> SafeString:
        return amount_cell(wallet.account.held, wallet.currency) if wallet.account.held else NOTHING

    @admin.display(description="status")
    def status_label(self, wallet: Wallet) -> SafeString:
        return state(status_now(wallet))

    @admin.display(description="suspended until")
    def suspended(self, wallet: Wallet) -> SafeString:
        return moment(wallet.suspended_until)

    @admin.display(description="created")
    def created(self, wallet: Wallet) -> SafeString:
        return moment(wallet.created_at)

    @admin.display(description="updated")
    def updated(self, wallet: Wallet) -> SafeString:
        return moment(wallet.updated_at)

    def _limit(self, wallet: Wallet, amount: int | None) -> SafeString:
        if amount is None:
            return SafeString('<span class="nothing">the installation’s default</span>')
        return amount_cell(amount, wallet.currency)

    @admin.display(description="maximum balance")
    def most_held(self, wallet: Wallet) -> SafeString:
        return self._limit(wallet, wallet.maximum_balance)

    @admin.display(description="per transaction")
    def most_at_once(self, wallet: Wallet) -> SafeString:
        return self._limit(wallet, wallet.per_transaction)

    @admin.display(description="outflow a day")
    def most_a_day(self, wallet: Wallet) -> SafeString:
        return self._limit(wallet, wallet.daily_outflow)

    @admin.display(description="outflow a month")
    def most_a_month(self, wallet: Wallet) -> SafeString:
        return self._limit(wallet, wallet.monthly_outflow)

    def _explained_balance(self, wallet: Wallet) -> SafeString:
        return format_html(
            '{} <a class="explain" href="{}">Explain this balance</a>',
            amount_cell(wallet.account.balance, wallet.currency),
            reverse("admin:wallet_explained", args=[wallet.pk]),
        )

    def heading(self, obj: Wallet) -> str:
        return f"{obj.currency} wallet of {obj.user.email}"

    def figures(self, obj: Wallet) -> Sequence[Figure]:
        account = obj.account
        return (
            Figure("Balance", self._explained_balance(obj)),
            Figure("Held", amount_cell(account.held, obj.currency)),
            Figure("Available", amount_cell(account.balance - account.held, obj.currency)),
            *(
                [Figure("Owed to us", amount_cell(account.receivable, obj.currency))]
                if account.receivable
                else []
            ),
            Figure("Status", state(status_now(obj))),
        )

    def panels(self, obj: Wallet) -> Sequence[Panel]:
        return (latest_lines_panel(obj.pk), audit_panel("wallet", obj.pk))


@admin.register(Adjustment)
class AdjustmentScreen(StaffScreen):
    """Corrections of balances that staff asked for."""

    purpose = "Corrections of balances, asked for by one person and decided by another"
    list_display = (
        "adjustment",
        "wallet_link",
        "amount_signed",
        "status_label",
        "reason",
        "asked_by",
        "created",
    )
    list_filter = ("status",)
    search_help_text = "Adjustment, wallet or user id, or e-mail address"
    id_lookups = ("pk", "wallet_id", "wallet__user_id")
    email_lookups = ("wallet__user__email",)
    fields = (
        "wallet_link",
        "reason",
        "asked_by",
        "decided",
        "decided_at",
        "decision_reason",
        "transfer",
        "created",
    )

    def get_urls(self) -> list[URLPattern]:
        """Add the decision, ahead of Django's own route for whatever else stands behind an id."""
        decide = self.admin_site.admin_view(self.decide)
        return [
            path("<uuid:adjustment_id>/decide/", decide, name="wallets_adjustment_decide"),
            *super().get_urls(),
        ]

    def decide(self, request: HttpRequest, adjustment_id: UUID) -> HttpResponse:
        """Approve or reject by the use case, and say on the adjustment's screen what came of it."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if not self.has_view_permission(request):
            raise PermissionDenied
        if not Adjustment.objects.filter(id=adjustment_id).exists():
            raise Http404
        reason = request.POST.get("reason", "").strip()
        principal = principal_of(request)
        call = KeyedCall(principal.name, key="", fingerprint=b"", render=lambda _done: Answer(200, b""))
        try:
            match request.POST.get("decision"):
                case "approve":
                    approve_adjustment(adjustment_id=adjustment_id, principal=principal, call=call)
                    messages.success(request, "The adjustment is approved and posted.")
                case "reject" if 0 < len(reason) <= LONGEST_REASON and "\0" not in reason:
                    reject_adjustment(
                        adjustment_id=adjustment_id, reason=reason, principal=principal, call=call
                    )
                    messages.success(request, "The adjustment is rejected.")
                case _:
                    messages.error(request, "Say why you reject it, in up to 500 characters.")
        except (Refusal, PersonRefusal) as refused:
            messages.error(request, refused.detail)
        return HttpResponseRedirect(screen_url("wallets.adjustment", adjustment_id))

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show the adjustment, and the decision while it waits for one."""
        adjustment = self.get_object(request, object_id)
        waits = adjustment is not None and adjustment.status == AdjustmentStatus.PENDING
        context = {"is_undecided": waits, "why_not": why_not(request, adjustment) if adjustment else ""}
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), **context})

    @admin.display(description="adjustment")
    def adjustment(self, adjustment: Adjustment) -> SafeString:
        return identifier(adjustment.id, url=screen_url("wallets.adjustment", adjustment.id))

    @admin.display(description="wallet")
    def wallet_link(self, adjustment: Adjustment) -> SafeString:
        return identifier(adjustment.wallet_id, url=screen_url("wallets.wallet", adjustment.wallet_id))

    @admin.display(description="amount")
    def amount_signed(self, adjustment: Adjustment) -> SafeString:
        return amount_cell(adjustment.amount, adjustment.currency, with_sign=True)

    @admin.display(description="status")
    def status_label(self, adjustment: Adjustment) -> SafeString:
        return state(adjustment.status)

    @admin.display(description="asked for by")
    def asked_by(self, adjustment: Adjustment) -> SafeString:
        return identifier(adjustment.requested_by, url=screen_url("users.user", adjustment.requested_by))

    @admin.display(description="decided by")
    def decided(self, adjustment: Adjustment) -> SafeString:
        return identifier(adjustment.decided_by, url=screen_url("users.user", adjustment.decided_by))

    @admin.display(description="transfer")
    def transfer(self, adjustment: Adjustment) -> SafeString:
        return identifier(
            adjustment.transfer_id, url=screen_url("transactions.transfer", adjustment.transfer_id)
        )

    @admin.display(description="created")
    def created(self, adjustment: Adjustment) -> SafeString:
        return moment(adjustment.created_at)

    def figures(self, obj: Adjustment) -> Sequence[Figure]:
        return (Figure("Amount", self.amount_signed(obj)), Figure("Status", state(obj.status)))

    def panels(self, obj: Adjustment) -> Sequence[Panel]:
        return (audit_panel("adjustment", obj.id),)
