"""What an explorer is: rows narrowed by the address of its page, and the same rows as a file, one for one."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, ClassVar, Final
from uuid import UUID

from django import forms
from django.db.models import Model, QuerySet
from django.http import QueryDict
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from transactions.money import EXPONENTS, Money
from users.staff_screens import NEWER_THAN, OLDER_THAN
from users.trail import without_secrets

ROWS_AT_ONCE: Final = 500
FIELDS_SHOWN: Final = 4
ANY: Final = ("", gettext_lazy("Any"))


class Narrowing(forms.Form):
    """What every list can be narrowed to; days are those of the zone that the reader has chosen.

    `equal` says which fields stand for one value of a column, `when` by which moment days are counted.
    """

    equal: ClassVar[Mapping[str, str]] = {}
    when: ClassVar[str] = "created_at"
    field_order: Sequence[str] = ("state", "status", "reference", "created_from", "created_to")

    created_from = forms.DateField(
        label=gettext_lazy("From"), required=False, widget=forms.DateInput(attrs={"type": "date"})
    )
    created_to = forms.DateField(
        label=gettext_lazy("To"), required=False, widget=forms.DateInput(attrs={"type": "date"})
    )

    @property
    def first_fields(self) -> Sequence[forms.BoundField]:
        """What lists are narrowed by most."""
        return list(self)[:FIELDS_SHOWN]

    @property
    def more_fields(self) -> Sequence[forms.BoundField]:
        """What stands behind “more”."""
        return list(self)[FIELDS_SHOWN:]

    @property
    def is_narrowed_further(self) -> bool:
        """Whether any of the fields behind “more” is filled in."""
        return any(field.data for field in self.more_fields)

    def clean(self) -> dict[str, Any]:
        """Refuse a card number, which would stand in views, files and histories from then on."""
        given = super().clean() or {}
        for name, value in list(given.items()):
            if isinstance(value, str) and without_secrets(value) != value:
                self.add_error(name, _("This may be a card number. Look for its last four digits."))
        return given

    def conditions(self) -> dict[str, Any]:
        """Give what the rows must be, as lookups."""
        given, found = self.cleaned_data, {}
        if given["created_from"]:
            found[f"{self.when}__gte"] = _beginning_of(given["created_from"])
        if given["created_to"]:
            found[f"{self.when}__lt"] = _beginning_of(given["created_to"] + timedelta(days=1))
        for name, lookup in self.equal.items():
            if given[name] not in ("", None):
                found[lookup] = given[name]
        return found

    def narrow(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        """Keep the rows that were asked for."""
        return rows.filter(**self.conditions())


class AmountNarrowing(Narrowing):
    """Lists of amounts; negative ones are money out."""

    currency_lookup: ClassVar[str] = "currency"

    currency = forms.CharField(label=gettext_lazy("Currency"), required=False, max_length=3)
    amount_from = forms.CharField(label=gettext_lazy("Amount from"), required=False, max_length=24)
    amount_to = forms.CharField(label=gettext_lazy("Amount to"), required=False, max_length=24)

    def clean_currency(self) -> str:
        """Read a currency code in either case."""
        currency: str = self.cleaned_data["currency"].upper()
        if currency and currency not in EXPONENTS:
            raise forms.ValidationError(_("There is no such currency."))
        return currency

    def clean(self) -> dict[str, Any]:
        """Read the amounts, which mean something in a currency alone."""
        given = super().clean()
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
        """Give what the rows must be, as lookups."""
        given, found = self.cleaned_data, super().conditions()
        for lookup, name in (
            (self.currency_lookup, "currency"),
            ("amount__gte", "amount_from"),
            ("amount__lte", "amount_to"),
        ):
            if given[name] not in ("", None):
                found[lookup] = given[name]
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Explorer:
    """One list: who may read it, its rows, what they can be narrowed to, and how one stands in a file.

    `name` is its route, and with underscores its template.
    """

    name: str
    title: str | Promise
    lead: str | Promise
    permission: str
    form: type[Narrowing]
    rows: Callable[[], QuerySet[Any]]
    columns: Sequence[str]
    cells: Callable[[Any], Sequence[Any]]

    @property
    def template(self) -> str:
        """The page that shows it."""
        return f"backoffice/{self.name.replace('-', '_')}.html"

    def narrowed(self, query: Mapping[str, Any]) -> tuple[Narrowing, QuerySet[Any]]:
        """Give the form of what was asked for, and the rows that match; none where it can't be understood."""
        form = self.form(query)
        if not form.is_valid():
            return form, self.rows().none()
        return form, form.narrow(self.rows())

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


def choice(label: Any, choices: Sequence[tuple[Any, Any]]) -> forms.ChoiceField:
    """Make a field of one of several values, or any."""
    return forms.ChoiceField(label=label, required=False, choices=[ANY, *choices])


def text(label: Any, longest: int = 200) -> forms.CharField:
    """Make a field of one whole text."""
    return forms.CharField(label=label, required=False, max_length=longest)


def key(label: Any) -> forms.UUIDField:
    """Make a field of one whole id."""
    return forms.UUIDField(label=label, required=False)


def asked_in(query: QueryDict) -> QueryDict:
    """Give what a page was asked for without its place in the list."""
    asked = query.copy()
    for cursor in (OLDER_THAN, NEWER_THAN):
        asked.pop(cursor, None)
    for name in [name for name, value in asked.items() if not value]:
        del asked[name]
    return asked


def moment_cell(when: datetime | None) -> str:
    """Write a moment as files have it: in UTC, to the microsecond."""
    return when.astimezone(UTC).isoformat() if when else ""


def _beginning_of(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))
