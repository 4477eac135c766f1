"""Payments in the back office: to find and to read. Money is moved by use cases alone."""

from collections.abc import Sequence

from django.contrib import admin
from django.utils.safestring import SafeString

from events.screens import audit_panel
from payments.models import Payment
from transactions.amount_cells import amount_cell
from users.staff_screens import (
    NOTHING,
    Figure,
    Panel,
    StaffScreen,
    actor,
    identifier,
    moment,
    person_cell,
    screen_url,
    state,
)

_DISPUTE_COLUMNS = (
    ("dispute", ""),
    ("reason", ""),
    ("status", ""),
    ("amount", "amount"),
    ("withdrawn", "amount"),
    ("changed", ""),
)


@admin.register(Payment)
class PaymentScreen(StaffScreen):
    """Charges of cards and mobile wallets."""

    permissions = ("payment:read",)
    purpose = "Charges of cards and mobile wallets, and what became of each"
    list_display = ("payment", "owner", "amount_label", "method", "status_label", "reason", "created")
    list_filter = ("status", "method", "kind")
    list_select_related = ("user",)
    search_help_text = (
        "Payment, wallet, user, token, transaction or transfer id, e-mail, or the processor's reference"
    )
    id_lookups = ("pk", "transaction_id", "transfer_id", "wallet_id", "user_id", "token_id")
    email_lookups = ("user__email",)
    text_lookups = ("processor_key", "processor_reference")
    fieldsets = (
        (None, {"fields": ("owner", "wallet_key", "token_key", "kind", "method")}),
        (
            "Outcome",
            {"fields": ("status_label", "decline_code", "decline_class", "failure_code", "awaited")},
        ),
        ("Processor", {"fields": ("processor", "processor_key", "processor_reference")}),
        ("Book", {"fields": ("transaction_key", "transfer_key")}),
        ("Reconciliation", {"fields": ("due", "checks", "checked")}),
        ("Life", {"fields": ("by", "request_id", "created", "completed")}),
    )

    def figures(self, obj: Payment) -> Sequence[Figure]:
        """Give what was charged and what went back."""
        return (
            Figure("Amount", amount_cell(obj.amount, obj.currency)),
            Figure("Refunded", amount_cell(obj.refunded_amount, obj.currency)),
        )

    def panels(self, obj: Payment) -> Sequence[Panel]:
        """Give its disputes, where there are any, and the changes of its state."""
        disputes = [
            (
                dispute.processor_reference,
                dispute.reason or NOTHING,
                state(dispute.status),
                amount_cell(dispute.amount, dispute.currency),
                amount_cell(dispute.withdrawn, dispute.currency),
                moment(dispute.updated_at),
            )
            for dispute in obj.disputes.order_by("-id")
        ]
        changes = audit_panel("payment", obj.id)
        return (Panel("Disputes", _DISPUTE_COLUMNS, disputes), changes) if disputes else (changes,)

    @admin.display(description="payment")
    def payment(self, payment: Payment) -> SafeString:
        return identifier(payment.id, url=screen_url("payments.payment", payment.id))

    @admin.display(description="owner")
    def owner(self, payment: Payment) -> SafeString:
        return person_cell(payment.user)

    @admin.display(description="wallet")
    def wallet_key(self, payment: Payment) -> SafeString:
        return identifier(payment.wallet_id, url=screen_url("wallets.wallet", payment.wallet_id))

    @admin.display(description="token")
    def token_key(self, payment: Payment) -> SafeString:
        return identifier(payment.token_id, url=screen_url("tokens.paymenttoken", payment.token_id))

    @admin.display(description="transaction")
    def transaction_key(self, payment: Payment) -> SafeString:
        url = screen_url("transactions.transaction", payment.transaction_id)
        return identifier(payment.transaction_id, url=url)

    @admin.display(description="transfer")
    def transfer_key(self, payment: Payment) -> SafeString:
        return identifier(payment.transfer_id, url=screen_url("transactions.transfer", payment.transfer_id))

    @admin.display(description="amount")
    def amount_label(self, payment: Payment) -> SafeString:
        return amount_cell(payment.amount, payment.currency)

    @admin.display(description="status")
    def status_label(self, payment: Payment) -> SafeString:
        return state(payment.status)

    @admin.display(description="reason")
    def reason(self, payment: Payment) -> str | SafeString:
        return payment.decline_code or payment.failure_code or NOTHING

    @admin.display(description="waits for")
    def awaited(self, payment: Payment) -> str:
        # What else there is lets its holder confirm the charge.
        return str((payment.next_action or {}).get("type", NOTHING))

    @admin.display(description="by")
    def by(self, payment: Payment) -> SafeString:
        return actor(payment.actor)

    @admin.display(description="due")
    def due(self, payment: Payment) -> SafeString:
        return moment(payment.due_at)

    @admin.display(description="checked")
    def checked(self, payment: Payment) -> SafeString:
        return moment(payment.checked_at)

    @admin.display(description="created")
    def created(self, payment: Payment) -> SafeString:
        return moment(payment.created_at)

    @admin.display(description="completed")
    def completed(self, payment: Payment) -> SafeString:
        return moment(payment.completed_at)
