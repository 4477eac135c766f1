"""What the explorers narrow the book to, from the address of the page; and the same rows as a file, one for one."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from uuid import UUID

from django import forms
from django.db.models import Model, QuerySet
from django.http import QueryDict
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from transactions.models import LineType, PostingStatus, Transaction, Transfer, TransferKind
from transactions.money import EXPONENTS, Money
from users.api.csv_files import text_cell
from users.staff_screens import NEWER_THAN, OLDER_THAN

ROWS_AT_ONCE: Final = 500
ANY: Final = ("", gettext_lazy("Any"))


class Narrowing(forms.Form):
    """What both lists can be narrowed to; days are those of the zone that the reader has chosen."""

    status = forms.ChoiceField(
        label=gettext_lazy("State"), required=False, choices=[ANY, *PostingStatus.choices]
    )
    reference = forms.CharField(label=gettext_lazy("Reference"), required=False, max_length=200)
    created_from = forms.DateField(
        label=gettext_lazy("From"), required=False, widget=forms.DateInput(attrs={"type": "date"})
    )
    created_to = forms.DateField(
        label=gettext_lazy("To"), required=False, widget=forms.DateInput(attrs={"type": "date"})
    )

    def conditions(self) -> dict[str, Any]:
        """Give what the rows must be, as lookups."""
        given, found = self.cleaned_data, {}
        if given["created_from"]:
            found["created_at__gte"] = _beginning_of(given["created_from"])
        if given["created_to"]:
            found["created_at__lt"] = _beginning_of(given["created_to"] + timedelta(days=1))
        return found


class TransactionNarrowing(Narrowing):
    """What the list of lines can be narrowed to."""

    type = forms.ChoiceField(label=gettext_lazy("Type"), required=False, choices=[ANY, *LineType.choices])
    currency = forms.CharField(label=gettext_lazy("Currency"), required=False, max_length=3)
    amount_from = forms.CharField(label=gettext_lazy("Amount from"), required=False, max_length=24)
    amount_to = forms.CharField(label=gettext_lazy("Amount to"), required=False, max_length=24)
    wallet_id = forms.UUIDField(label=gettext_lazy("Wallet"), required=False)
    transfer_id = forms.UUIDField(label=gettext_lazy("Transfer"), required=False)

    def clean_currency(self) -> str:
        """Read a currency code in either case."""
        currency: str = self.cleaned_data["currency"].upper()
        if currency and currency not in EXPONENTS:
            raise forms.ValidationError(_("There is no such currency."))
        return currency

    def clean(self) -> dict[str, Any]:
        """Read the amounts, which mean something in a currency alone; negative ones are money out."""
        given = super().clean() or {}
        for name in ("amount_from", "amount_to"):
            written, currency = given.get(name), given.get("currency")
            if not written:
                continue
            try:
                given[name] = Money.from_major(written.replace(",", ""), currency or "").amount
            except ValueError:
                self.add_error(name, _("Write an amount such as 12.50, and the currency beside it."))
        return given

    def conditions(self) -> dict[str, Any]:
        """Give what the lines must be, as lookups."""
        given, found = self.cleaned_data, super().conditions()
        for lookup, name in (
            ("status", "status"),
            ("type", "type"),
            ("account__currency", "currency"),
            ("account_id", "wallet_id"),
            ("transfer_id", "transfer_id"),
            ("transfer__reference", "reference"),
            ("amount__gte", "amount_from"),
            ("amount__lte", "amount_to"),
        ):
            if given[name] not in ("", None):
                found[lookup] = given[name]
        return found


class TransferNarrowing(Narrowing):
    """What the list of movements can be narrowed to."""

    kind = forms.ChoiceField(label=gettext_lazy("Kind"), required=False, choices=[ANY, *TransferKind.choices])
    actor = forms.CharField(label=gettext_lazy("By"), required=False, max_length=80)
    payment_id = forms.UUIDField(label=gettext_lazy("Payment"), required=False)

    def conditions(self) -> dict[str, Any]:
        """Give what the movements must be, as lookups."""
        given, found = self.cleaned_data, super().conditions()
        names = ("status", "reference", "kind", "actor", "payment_id")
        return found | {name: given[name] for name in names if given[name] not in ("", None)}


@dataclass(frozen=True, slots=True)
class Explorer:
    """One list of the book: its rows, what they can be narrowed to, and how one stands in a file."""

    name: str
    form: type[Narrowing]
    rows: Callable[[], QuerySet[Any]]
    columns: Sequence[str]
    cells: Callable[[Any], Sequence[Any]]

    def narrowed(self, query: Mapping[str, Any]) -> tuple[Narrowing, QuerySet[Any]]:
        """Give the form of what was asked for, and the rows that match; none where it can't be understood."""
        form = self.form(query)
        if not form.is_valid():
            return form, self.rows().none()
        return form, self.rows().filter(**form.conditions())

    def file_rows(self, found: QuerySet[Any]) -> Iterator[Sequence[Any]]:
        """Read all rows that match, newest first, page by page; those that come later are left out."""
        yield self.columns
        newest: UUID | None = None
        while page := self._page(found, newest):
            yield from map(self.cells, page)
            newest = page[-1].pk

    def _page(self, found: QuerySet[Any], beyond: UUID | None) -> list[Model]:
        rest = found if beyond is None else found.filter(pk__lt=beyond)
        return list(rest.order_by("-pk")[:ROWS_AT_ONCE])


def asked_in(query: QueryDict) -> QueryDict:
    """Give what a page was asked for without its place in the list."""
    asked = query.copy()
    for cursor in (OLDER_THAN, NEWER_THAN):
        asked.pop(cursor, None)
    for name in [name for name, value in asked.items() if not value]:
        del asked[name]
    return asked


def _beginning_of(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))


def _moment(when: datetime | None) -> str:
    return when.astimezone(UTC).isoformat() if when else ""


def _lines() -> QuerySet[Transaction]:
    return Transaction.objects.filter(account__rolled_up=False).select_related("account", "transfer")


def _line_cells(line: Transaction) -> Sequence[Any]:
    currency = line.account.currency
    after = "" if line.balance_after is None else Money(line.balance_after, currency).major
    return (
        _moment(line.created_at),
        line.id,
        line.transfer_id,
        line.account_id,
        line.seq or "",
        line.type,
        line.status,
        Money(line.amount, currency).major,
        currency,
        after,
        text_cell(line.transfer.description),
        text_cell(line.transfer.reference),
        _moment(line.completed_at),
    )


def _transfer_cells(transfer: Transfer) -> Sequence[Any]:
    return (
        _moment(transfer.created_at),
        transfer.id,
        transfer.kind,
        transfer.status,
        transfer.actor,
        text_cell(transfer.description),
        text_cell(transfer.reference),
        transfer.payment_id or "",
        transfer.refund_of or "",
        transfer.reverses or "",
        transfer.failure_code,
        _moment(transfer.completed_at),
    )


TRANSACTIONS: Final = Explorer(
    "transactions",
    TransactionNarrowing,
    _lines,
    (
        "created_at",
        "id",
        "transfer_id",
        "wallet_id",
        "seq",
        "type",
        "status",
        "amount",
        "currency",
        "balance_after",
        "description",
        "reference",
        "completed_at",
    ),
    _line_cells,
)
TRANSFERS: Final = Explorer(
    "transfers",
    TransferNarrowing,
    Transfer.objects.all,
    (
        "created_at",
        "id",
        "kind",
        "status",
        "actor",
        "description",
        "reference",
        "payment_id",
        "refund_of",
        "reverses",
        "failure_code",
        "completed_at",
    ),
    _transfer_cells,
)
EXPLORERS: Final = {explorer.name: explorer for explorer in (TRANSACTIONS, TRANSFERS)}
