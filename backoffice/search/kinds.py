"""What can be found: each kind of thing, who may see it, and where its page is."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from events.models import AuditEntry, Event, WebhookDelivery, WebhookEndpoint
from payments.models import Dispute, Payment, ProviderEvent, Refund
from tokens.models import PaymentToken
from transactions.amount_cells import amount_cell
from transactions.models import Hold, LedgerAccount, Transaction, Transfer
from users.masking import masked_email, masked_name
from users.models import ServiceClient, User
from users.staff_screens import StaffScreen, screen_url, state
from wallets.models import Adjustment, Wallet


def link_of_person(person: User) -> str:
    """Give the page of a customer, or the record of somebody of the staff."""
    if person.is_staff:
        return screen_url("users.user", person.pk)
    return reverse("backoffice:customer", args=[person.pk])


def name_of_person(person: User) -> str:
    """Name somebody of the staff, and a customer masked: who that is has to be asked for on their page."""
    if person.is_staff:
        return f"{person.name} {person.email}".strip()
    return f"{masked_name(person.name)} {masked_email(person.email)}".strip()


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of thing: any of `permissions` shows it; `link` and `naming` where its own page isn't asked."""

    name: str
    label: str | Promise
    model: type[Model]
    permissions: tuple[str, ...]
    icon: str
    link: Callable[[Any], str] | None = None
    naming: Callable[[Any], str] | None = None
    related: tuple[str, ...] = ()

    def rows(self) -> QuerySet[Any]:
        """Begin a query on the primary, with what a hit shows; never on a replica, which may be late."""
        return self.model._default_manager.using("default").select_related(*self.related).order_by("-pk")

    def url(self, found: Any) -> str:
        """Give the page of one that was found."""
        return self.link(found) if self.link else screen_url(self.model._meta.label_lower, found.pk)

    def title(self, found: Any) -> str | SafeString:
        """Name one that was found as its own page does."""
        if self.naming:
            return self.naming(found)
        screen = admin.site._registry.get(self.model)
        return screen.heading(found) if isinstance(screen, StaffScreen) else str(found)

    def note(self, found: Any) -> SafeString:
        """Say how it stands: its amount and its status, where it has them."""
        amount = getattr(found, "amount", None)
        currency = getattr(found, "currency", "") or getattr(getattr(found, "account", None), "currency", "")
        status = getattr(found, "status", "")
        shown = amount_cell(amount, currency) if isinstance(amount, int) and currency else SafeString("")
        return format_html("{} {}", shown, state(status)) if status else shown


KINDS: Final = {
    kind.name: kind
    for kind in (
        Kind(
            "user",
            _("Customers and staff"),
            User,
            ("customer:read",),
            "people",
            link=link_of_person,
            naming=name_of_person,
        ),
        Kind(
            "wallet",
            _("Wallets"),
            Wallet,
            ("wallet:read",),
            "wallet",
            naming=lambda wallet: f"{wallet.currency} wallet of {masked_email(wallet.user.email)}",
            related=("account", "user"),
        ),
        Kind(
            "payment",
            _("Payments"),
            Payment,
            ("payment:read",),
            "card",
            naming=lambda payment: (
                f"{payment.get_kind_display()} by {payment.get_method_display()}".capitalize()
            ),
        ),
        Kind("refund", _("Refunds"), Refund, ("refund:read",), "refund"),
        Kind("transfer", _("Transfers"), Transfer, ("transaction:read",), "transfer"),
        Kind(
            "transaction", _("Transactions"), Transaction, ("transaction:read",), "list", related=("account",)
        ),
        Kind(
            "hold",
            _("Holds"),
            Hold,
            ("wallet:read",),
            "clock",
            naming=lambda hold: hold.description or f"{_('Hold of')} {hold.account.currency}",
            related=("account",),
        ),
        Kind("token", _("Cards and phones"), PaymentToken, ("token:read",), "card"),
        Kind(
            "adjustment",
            _("Adjustments"),
            Adjustment,
            ("adjustment:request", "adjustment:decide", "audit:read"),
            "adjust",
        ),
        Kind(
            "dispute",
            _("Disputes"),
            Dispute,
            ("payment:read",),
            "failed",
            link=lambda dispute: screen_url("payments.payment", dispute.payment_id),
        ),
        Kind("provider_event", _("Provider events"), ProviderEvent, ("payment:read",), "event"),
        Kind("client", _("Service clients"), ServiceClient, ("staff:manage", "audit:read"), "key"),
        Kind("webhook_endpoint", _("Webhook endpoints"), WebhookEndpoint, ("webhook:manage",), "webhook"),
        Kind("webhook_delivery", _("Webhook deliveries"), WebhookDelivery, ("webhook:manage",), "webhook"),
        Kind("account", _("Accounts of the book"), LedgerAccount, ("transaction:read",), "records"),
        Kind("event", _("Events"), Event, ("event:read",), "event"),
        Kind("audit_entry", _("Audit trail"), AuditEntry, ("audit:read",), "audit"),
    )
}
