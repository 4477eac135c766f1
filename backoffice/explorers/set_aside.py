"""The explorers of what is set aside and of what is charged: holds, and saved cards by their last four digits."""

from collections.abc import Sequence
from typing import Any, ClassVar, Final

from django.core.validators import RegexValidator
from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from backoffice.explorers.narrowing import (
    AmountNarrowing,
    Explorer,
    Narrowing,
    choice,
    key,
    moment_cell,
    text,
)
from events.clock import now
from tokens.models import ACTIVE, DELETED, EXPIRED, PaymentToken
from transactions.models import Hold, HoldStatus
from transactions.money import Money
from users.api.csv_files import text_cell


class HoldNarrowing(AmountNarrowing):
    """What the list of holds can be narrowed to."""

    equal: ClassVar = {"reference": "reference", "wallet_id": "account_id", "actor": "actor"}
    currency_lookup = "account__currency"

    status = choice(_("State"), HoldStatus.choices)
    reference = text(_("Reference"))
    wallet_id = key(_("Wallet"))
    actor = text(_("By"), 80)

    def narrow(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        """Keep the rows that were asked for; an open hold whose time is over counts as expired, swept or not."""
        found, status = super().narrow(rows), self.cleaned_data["status"]
        if status == HoldStatus.EXPIRED:
            is_over = Q(status=HoldStatus.OPEN, expires_at__lte=now())
            return found.filter(Q(status=HoldStatus.EXPIRED) | is_over)
        if status == HoldStatus.OPEN:
            return found.filter(status=HoldStatus.OPEN, expires_at__gt=now())
        return found.filter(status=status) if status else found


class CardNarrowing(Narrowing):
    """What the list of cards can be narrowed to."""

    equal: ClassVar = {
        "last4": "last4",
        "brand": "brand",
        "type": "type",
        "user_id": "user_id",
        "fingerprint": "fingerprint",
    }

    status = choice(_("State"), ((ACTIVE, _("Active")), (EXPIRED, _("Expired")), (DELETED, _("Deleted"))))
    last4 = text(_("Last four digits"), 4)
    brand = text(_("Brand"), 32)
    type = choice(_("Type"), PaymentToken.Type.choices)
    user_id = key(_("Customer"))
    fingerprint = text(_("Fingerprint"), 32)

    def __init__(self, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        # Whoever types a whole number here must not find it in an address, a log or the audit trail.
        self.fields["last4"].validators.append(
            RegexValidator(r"^[0-9]{4}$", _("Write the last four digits, never more."))
        )

    def narrow(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        """Keep the rows that were asked for; a card whose month is over has expired without anybody writing it."""
        found, status, at = super().narrow(rows), self.cleaned_data["status"], now()
        month_is_over = Q(exp_year__lt=at.year) | Q(exp_year=at.year, exp_month__lt=at.month)
        if status == EXPIRED:
            return found.exclude(status=DELETED).filter(Q(status=EXPIRED) | month_is_over)
        if status == ACTIVE:
            return found.filter(status=ACTIVE).exclude(month_is_over)
        return found.filter(status=status) if status else found


def _holds() -> QuerySet[Hold]:
    return Hold.objects.select_related("account")


def _hold_cells(hold: Hold) -> Sequence[Any]:
    currency = hold.account.currency
    return (
        moment_cell(hold.created_at),
        hold.id,
        hold.account_id,
        hold.status_at(now()),
        Money(hold.amount, currency).major,
        Money(hold.captured, currency).major,
        currency,
        hold.actor,
        text_cell(hold.description),
        text_cell(hold.reference),
        moment_cell(hold.expires_at),
        moment_cell(hold.closed_at),
    )


def _cards() -> QuerySet[PaymentToken]:
    return PaymentToken.objects.select_related("user").defer("provider_ref", "provider_ref_hmac")


def _card_cells(token: PaymentToken) -> Sequence[Any]:
    return (
        moment_cell(token.created_at),
        token.id,
        token.user_id,
        token.type,
        token.brand,
        token.last4,
        f"{token.exp_year}-{token.exp_month:02}",
        token.status_at(now()),
        token.fingerprint,
        token.provider,
        moment_cell(token.deleted_at),
    )


HOLDS: Final = Explorer(
    name="holds",
    title=_("Holds"),
    lead=_("Money set aside for the merchant until it is captured, voided, or its time is over."),
    permission="wallet:read",
    form=HoldNarrowing,
    rows=_holds,
    columns=(
        "created_at",
        "id",
        "wallet_id",
        "status",
        "amount",
        "captured",
        "currency",
        "actor",
        "description",
        "reference",
        "expires_at",
        "closed_at",
    ),
    cells=_hold_cells,
)
CARDS: Final = Explorer(
    name="cards",
    title=_("Cards and phones"),
    lead=_("Saved cards by their last four digits; the numbers stay in the vault."),
    permission="token:read",
    form=CardNarrowing,
    rows=_cards,
    columns=(
        "created_at",
        "id",
        "user_id",
        "type",
        "brand",
        "last4",
        "expires",
        "status",
        "fingerprint",
        "provider",
        "deleted_at",
    ),
    cells=_card_cells,
)
