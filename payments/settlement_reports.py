"""Reading a processor's report of its own books: CSV in one of the known formats, strictly, or not at all.

`open_wallet` is this project's own: `id,type,gross,fee,net,currency,reference,created,payout_id`. `stripe` is any of
Stripe's itemised reports of balance transactions (payout reconciliation, balance change from activity); columns and
categories are those of its reference of report types and of reporting categories.
"""

import csv
import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from io import StringIO
from typing import Final

from payments.models import ReportFormat, RowType
from transactions.money import EXPONENTS, MAXIMUM_AMOUNT, Money
from transactions.refusals import InvalidInput

LARGEST_FILE: Final = 6 * 1024 * 1024
"""In bytes; a larger report is split by days."""

MOST_ROWS: Final = 20_000
LONGEST_CELL: Final = 255

OWN_COLUMNS: Final = ("id", "type", "gross", "fee", "net", "currency", "reference", "created", "payout_id")
STRIPE_COLUMNS: Final = (
    "balance_transaction_id",
    "reporting_category",
    "gross",
    "fee",
    "net",
    "currency",
    "source_id",
)
_STRIPE_TYPES: Final = {
    "charge": RowType.CHARGE,
    "refund": RowType.REFUND,
    "refund_failure": RowType.REFUND_FAILURE,
    "dispute": RowType.DISPUTE,
    "dispute_reversal": RowType.DISPUTE_REVERSAL,
    "fee": RowType.FEE,
    "network_cost": RowType.FEE,
    "tax": RowType.FEE,
    "payout": RowType.PAYOUT,
    "payout_reversal": RowType.PAYOUT,
}


@dataclass(frozen=True, slots=True)
class ReportRow:
    """One row as it was told, in minor units, positive towards us; `told_type` is the processor's own word."""

    number: int
    row_reference: str
    type: RowType
    told_type: str
    gross: int
    fee: int
    net: int
    currency: str
    reference: str
    payout_reference: str
    occurred_at: datetime

    @property
    def fingerprint(self) -> str:
        """The digest of all that the row says, whatever its place in the file."""
        said = (
            self.told_type,
            self.gross,
            self.fee,
            self.net,
            self.currency,
            self.reference,
            self.payout_reference,
            self.occurred_at.isoformat(),
        )
        return hashlib.sha256("\x1f".join(map(str, said)).encode()).hexdigest()


Cells = dict[str, str]


def read_report(content: bytes, *, format: ReportFormat, currency: str) -> list[ReportRow]:  # noqa: A002 - the field's name
    """Read all rows of a file; all of them have to be of `currency`, unless that is empty.

    Refuses with InvalidInput, naming the line, whatever can't be read exactly: another encoding than UTF-8, too much,
    missing or unknown columns, cells too many or too few, amounts that aren't whole in the currency's minor unit, a net
    amount that isn't gross less fee, and an id that the file has twice.
    """
    if len(content) > LARGEST_FILE:
        raise _refused(f"The file is larger than {LARGEST_FILE // 1024 // 1024} MB. Split it by days.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _refused("The file is not in UTF-8.") from None
    if "\0" in text:
        raise _refused("The file holds a NUL character: it is no CSV.")
    columns, read = _READERS[format]
    rows: list[ReportRow] = []
    seen: set[str] = set()
    for number, cells in _cells(text, columns, is_closed=format is ReportFormat.OPEN_WALLET):
        try:
            row = read(number, cells)
        except ValueError as wrong:
            raise _refused(f"Line {number}: {wrong}") from None
        if currency and row.currency != currency:
            raise _refused(f"Line {number}: the currency is not {currency}.")
        if row.row_reference in seen:
            raise _refused(f"Line {number}: the file has the id {row.row_reference!r} twice.")
        seen.add(row.row_reference)
        rows.append(row)
    return rows


def _refused(detail: str) -> InvalidInput:
    return InvalidInput(detail, field="content")


def _cells(text: str, columns: Sequence[str], *, is_closed: bool) -> Iterator[tuple[int, Cells]]:
    """Give each row's cells by column with the number of its last line; `is_closed` knows no other columns."""
    reader = csv.reader(StringIO(text, newline=""), strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        missing = [name for name in columns if name not in header]
        if missing:
            raise _refused(f"The file has no column {missing[0]!r}.")
        unknown = set(header) - set(columns) if is_closed else set()
        if unknown or len(header) != len(set(header)):
            raise _refused(f"The columns have to be {', '.join(columns)}, each once.")
        found = 0
        for cells in reader:
            if not cells:
                continue
            found += 1
            if found > MOST_ROWS:
                raise _refused(f"The file has more than {MOST_ROWS} rows. Split it by days.")
            if len(cells) != len(header):
                raise _refused(
                    f"Line {reader.line_num}: {len(cells)} cells stand under {len(header)} columns."
                )
            yield reader.line_num, dict(zip(header, map(str.strip, cells), strict=True))
    except csv.Error as wrong:
        raise _refused(f"Line {reader.line_num}: {wrong}.") from None


def _own_row(number: int, cells: Cells) -> ReportRow:
    kind = cells["type"]
    known = kind in RowType.values and kind != RowType.UNKNOWN
    return _row(
        number,
        cells,
        row_reference=cells["id"],
        type=RowType(kind) if known else RowType.UNKNOWN,
        told_type=kind,
        reference=cells["reference"],
        payout_reference=cells["payout_id"],
        occurred_at=_moment(cells["created"], has_offset=True),
    )


def _stripe_row(number: int, cells: Cells) -> ReportRow:
    category = cells["reporting_category"]
    kind = _STRIPE_TYPES.get(category, RowType.UNKNOWN)
    # Our reference of a charge is that of its payment intent, where it has one.
    is_charge = kind is RowType.CHARGE
    reference = (is_charge and cells.get("payment_intent_id")) or cells["source_id"]
    return _row(
        number,
        cells,
        row_reference=cells["balance_transaction_id"],
        type=kind,
        told_type=category,
        reference=reference,
        payout_reference=cells.get("automatic_payout_id", ""),
        occurred_at=_moment(cells.get("created_utc") or cells.get("created", ""), has_offset=False),
    )


def _row(
    number: int,
    cells: Cells,
    *,
    row_reference: str,
    type: RowType,  # noqa: A002 - the field's name
    told_type: str,
    reference: str,
    payout_reference: str,
    occurred_at: datetime,
) -> ReportRow:
    if not row_reference or not told_type:
        raise ValueError("a row needs an id and a type.")
    if max(map(len, (row_reference, reference, payout_reference))) > LONGEST_CELL or len(told_type) > 64:
        raise ValueError(f"a cell is longer than {LONGEST_CELL} characters, or a type than 64.")
    currency = cells["currency"].upper()
    if currency not in EXPONENTS:
        raise ValueError(f"{cells['currency']!r} is no currency that a wallet may have.")
    gross, fee, net = (_amount(cells[name], currency) for name in ("gross", "fee", "net"))
    if net != gross - fee:
        raise ValueError("the net amount is not gross less fee.")
    return ReportRow(
        number,
        row_reference,
        type,
        told_type,
        gross,
        fee,
        net,
        currency,
        reference,
        payout_reference,
        occurred_at,
    )


def _amount(cell: str, currency: str) -> int:
    amount = Money.from_major(cell, currency).amount
    if abs(amount) > MAXIMUM_AMOUNT:
        raise ValueError(f"{cell} is more than any amount may be.")
    return amount


def _moment(cell: str, *, has_offset: bool) -> datetime:
    """Read a moment; one without an offset is in UTC where the format says so."""
    try:
        moment = datetime.fromisoformat(cell)
    except ValueError:
        raise ValueError(f"{cell!r} is no moment such as 2026-11-05T09:30:00Z.") from None
    if moment.tzinfo is None:
        if has_offset:
            raise ValueError(f"{cell!r} doesn't say its offset from UTC.")
        moment = moment.replace(tzinfo=UTC)
    return moment.astimezone(UTC)


_READERS: Final[dict[ReportFormat, tuple[Sequence[str], Callable[[int, Cells], ReportRow]]]] = {
    ReportFormat.OPEN_WALLET: (OWN_COLUMNS, _own_row),
    ReportFormat.STRIPE: (STRIPE_COLUMNS, _stripe_row),
}
