"""The book of record in the back office: to find and to read. Only the ledger writes it."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import OuterRef, QuerySet, Subquery, Sum
from django.http import HttpRequest
from django.urls import reverse
from django.utils.safestring import SafeString

from events.screens import audit_panel
from transactions.amount_cells import amount_cell, amounts_moved, grouped, sums_moved
from transactions.models import LedgerAccount, RollUpDelta, Transaction, Transfer
from users.staff_screens import (
    NOTHING,
    Figure,
    Panel,
    StaffScreen,
    actor,
    identifier,
    moment,
    screen_url,
    state,
)


def party(account: LedgerAccount) -> SafeString:
    """Name one side of a movement: a wallet by its id, a system account by its code."""
    if account.code:
        return identifier(account.code, url=screen_url("transactions.ledgeraccount", account.id))
    return identifier(account.id, url=screen_url("wallets.wallet", account.id))


def type_name(line: Transaction) -> str:
    """Name a line's type in words."""
    return line.type.replace("_", " ").capitalize()


LINE_COLUMNS = (
    ("Transaction", ""),
    ("Type", ""),
    ("Amount", "numeric"),
    ("Balance after", "numeric"),
    ("Status", ""),
    ("Created", ""),
)


def line_cells(line: Transaction) -> Sequence[Any]:
    """Give one line of the book in the columns above; its account has been read with it."""
    currency = line.account.currency
    return (
        identifier(line.id, url=screen_url("transactions.transaction", line.id)),
        type_name(line),
        amount_cell(line.amount, currency, with_sign=True),
        NOTHING if line.balance_after is None else amount_cell(line.balance_after, currency),
        state(line.status),
        moment(line.created_at),
    )


def latest_lines_panel(account_id: UUID) -> Panel:
    """Show an account's latest lines."""
    lines = Transaction.objects.filter(account_id=account_id).select_related("account")
    # By (account, created, id): an index holds that order, and the primary key would be walked for it.
    latest = lines.order_by("-created_at", "-id")[:10]
    url = f"{reverse('backoffice:transactions')}?wallet_id={account_id}"
    return Panel("Latest transactions", LINE_COLUMNS, [line_cells(line) for line in latest], url)


@admin.register(Transfer)
class TransferScreen(StaffScreen):
    """Balanced movements of money."""

    permissions = ("transaction:read",)
    list_page = "backoffice:transfers"
    purpose = "Balanced movements of money, with both sides"
    fieldsets = (
        ("About", {"fields": ("kind", "description", "reference", "actor_name", "request", "metadata")}),
        ("Linked", {"fields": ("payment", "hold", "refunds", "reversed_transfer")}),
        ("When", {"fields": ("created", "effective", "completed", "failure_code")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Read the lines of a page at once."""
        return super().get_queryset(request).prefetch_related("lines__account")

    @admin.display(description="created")
    def created(self, transfer: Transfer) -> SafeString:
        return moment(transfer.created_at)

    @admin.display(description="effective")
    def effective(self, transfer: Transfer) -> SafeString:
        return moment(transfer.effective_at)

    @admin.display(description="completed")
    def completed(self, transfer: Transfer) -> SafeString:
        return moment(transfer.completed_at)

    @admin.display(description="asked for by")
    def actor_name(self, transfer: Transfer) -> SafeString:
        return actor(transfer.actor)

    @admin.display(description="request")
    def request(self, transfer: Transfer) -> SafeString:
        return identifier(transfer.request_id)

    @admin.display(description="payment")
    def payment(self, transfer: Transfer) -> SafeString:
        return identifier(transfer.payment_id, url=screen_url("payments.payment", transfer.payment_id))

    @admin.display(description="hold")
    def hold(self, transfer: Transfer) -> SafeString:
        return identifier(transfer.hold_id)

    @admin.display(description="refund of")
    def refunds(self, transfer: Transfer) -> SafeString:
        return identifier(transfer.refund_of)

    @admin.display(description="reverses")
    def reversed_transfer(self, transfer: Transfer) -> SafeString:
        return identifier(transfer.reverses, url=screen_url("transactions.transfer", transfer.reverses))

    def heading(self, obj: Transfer) -> str:
        amounts = (f"{grouped(amount, code)} {code}" for code, amount in sums_moved(obj).items())
        return f"{obj.get_kind_display()} of {' and '.join(amounts)}"

    def figures(self, obj: Transfer) -> Sequence[Figure]:
        return (Figure("Amount", amounts_moved(obj)), Figure("Status", state(obj.status)))

    def panels(self, obj: Transfer) -> Sequence[Panel]:
        columns = (("Account", ""), *LINE_COLUMNS)
        lines = sorted(obj.lines.all(), key=lambda line: (line.amount, line.id))
        rows = [(party(line.account), *line_cells(line)) for line in lines]
        return (Panel("Lines", columns, rows), audit_panel("transfer", obj.id))


@admin.register(Transaction)
class TransactionScreen(StaffScreen):
    """The lines of the book."""

    permissions = ("transaction:read",)
    list_page = "backoffice:transactions"
    purpose = "One account's line of each movement, with its running balance"
    fields = ("type_label", "account_name", "transfer_link", "seq", "created", "completed")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Read the account with its line, as the amount needs its currency."""
        return super().get_queryset(request).select_related("account")

    @admin.display(description="amount")
    def amount_signed(self, line: Transaction) -> SafeString:
        return amount_cell(line.amount, line.account.currency, with_sign=True)

    @admin.display(description="balance after")
    def after(self, line: Transaction) -> SafeString:
        return (
            NOTHING if line.balance_after is None else amount_cell(line.balance_after, line.account.currency)
        )

    @admin.display(description="type")
    def type_label(self, line: Transaction) -> str:
        return type_name(line)

    @admin.display(description="account")
    def account_name(self, line: Transaction) -> SafeString:
        return party(line.account)

    @admin.display(description="transfer")
    def transfer_link(self, line: Transaction) -> SafeString:
        return identifier(line.transfer_id, url=screen_url("transactions.transfer", line.transfer_id))

    @admin.display(description="created")
    def created(self, line: Transaction) -> SafeString:
        return moment(line.created_at)

    @admin.display(description="completed")
    def completed(self, line: Transaction) -> SafeString:
        return moment(line.completed_at)

    def heading(self, obj: Transaction) -> str:
        return f"{type_name(obj)} of {grouped(obj.amount, obj.account.currency)} {obj.account.currency}"

    def figures(self, obj: Transaction) -> Sequence[Figure]:
        return (
            Figure("Amount", self.amount_signed(obj)),
            Figure("Balance after", self.after(obj)),
            Figure("Status", state(obj.status)),
        )

    def panels(self, obj: Transaction) -> Sequence[Panel]:
        return (audit_panel("transaction", obj.id),)


@admin.register(LedgerAccount)
class LedgerAccountScreen(StaffScreen):
    """Accounts: the wallets' and the system's."""

    permissions = ("transaction:read",)
    purpose = "What each wallet and each side of the world outside holds"
    list_display = ("account", "kind", "balance_now", "held_now", "created")
    list_filter = ("rolled_up",)
    search_help_text = "Account, wallet or user id, or an account code such as merchant:USD"
    id_lookups = ("pk", "owner_id")
    text_lookups = ("code",)
    fields = ("account", "kind", "currency", "floor", "version", "last_seq", "created")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Read with each system account what hasn't been summed up into it yet."""
        deltas = RollUpDelta.objects.filter(account_id=OuterRef("pk")).order_by().values("account_id")
        unsummed = Subquery(deltas.values_list(Sum("amount")))
        accounts: QuerySet[Any] = super().get_queryset(request).annotate(unsummed=unsummed)
        return accounts

    @admin.display(description="balance")
    def balance_now(self, account: Any) -> SafeString:
        return amount_cell(account.balance + (account.unsummed or 0), account.currency)

    @admin.display(description="held")
    def held_now(self, account: LedgerAccount) -> SafeString:
        return amount_cell(account.held, account.currency) if account.held else NOTHING

    @admin.display(description="account")
    def account(self, account: LedgerAccount) -> SafeString:
        return identifier(
            account.code or account.id, url=screen_url("transactions.ledgeraccount", account.id)
        )

    @admin.display(description="kind")
    def kind(self, account: LedgerAccount) -> str:
        return "System account" if account.rolled_up else "Wallet"

    @admin.display(description="created")
    def created(self, account: LedgerAccount) -> SafeString:
        return moment(account.created_at)

    def heading(self, obj: LedgerAccount) -> str:
        return f"Account {obj}"

    def figures(self, obj: LedgerAccount) -> Sequence[Figure]:
        return (
            Figure("Balance", self.balance_now(obj)),
            Figure("Held", amount_cell(obj.held, obj.currency)),
        )

    def panels(self, obj: LedgerAccount) -> Sequence[Panel]:
        return (latest_lines_panel(obj.id),)
