"""Wallets in the back office: to find and to read. Their life is changed by use cases alone."""

from collections.abc import Sequence

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from events.clock import now_of
from events.screens import audit_panel
from transactions.admin import latest_lines_panel
from transactions.amount_cells import amount_cell
from users.staff_screens import (
    NOTHING,
    Figure,
    Panel,
    StaffScreen,
    identifier,
    moment,
    screen_url,
    state,
)
from wallets.models import Adjustment, Wallet, WalletStatus


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
