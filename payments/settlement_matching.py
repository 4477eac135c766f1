"""Finding the line of our book behind each row of a report, and writing down what doesn't agree.

A processor owes us what its settlement account says and has withdrawn what its disputes account says; both have a
negative balance where money is due to us, so that a line's amount towards us is its negative on either.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from events import audit
from events.clock import now
from payments.models import (
    OF_BOOK,
    BreakKind,
    BreakStatus,
    RowType,
    SettlementBreak,
    SettlementImport,
    SettlementRow,
)
from transactions.prepared import run

# Each row is given as: its id, processor, currency, reference, and whether money came back to us.
_GIVEN: Final = (
    "WITH told AS (SELECT * FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::text[], %s::boolean[])"
    " AS r (id, processor, currency, reference, is_back))"
)
_LINE: Final = (
    " JOIN transactions_transaction AS l ON l.transfer_id = m.transfer_id AND l.status = 'completed'"
    " JOIN transactions_ledgeraccount AS a ON a.id = l.account_id"
    "   AND a.code = m.side || ':' || m.processor || ':' || m.currency"
)
_CHARGES: Final = _GIVEN + (  # noqa: S608 - constants alone
    ", found AS (SELECT r.*, p.transfer_id FROM told AS r JOIN payments_payment AS p"
    "   ON p.processor = r.processor AND p.processor_reference = r.reference"
    " UNION SELECT r.*, p.transfer_id FROM told AS r JOIN payments_payment AS p"
    "   ON p.processor = r.processor AND p.processor_key = r.reference)"
    " SELECT m.id, l.id, -l.amount FROM (SELECT *, 'settlement' AS side FROM found) AS m" + _LINE
)
_REFUNDS: Final = _GIVEN + (  # noqa: S608 - constants alone
    ", found AS (SELECT r.*, f.transfer_id AS refund_transfer FROM told AS r JOIN payments_refund AS f"
    "   ON f.processor_reference = r.reference"
    " UNION SELECT r.*, f.transfer_id FROM told AS r JOIN payments_refund AS f ON f.processor_key = r.reference),"
    " moved AS (SELECT f.*, f.refund_transfer AS transfer_id FROM found AS f WHERE NOT f.is_back"
    " UNION ALL SELECT f.*, t.id FROM found AS f JOIN transactions_transfer AS t"
    "   ON t.reverses = f.refund_transfer AND t.status = 'completed' WHERE f.is_back)"
    " SELECT m.id, l.id, -l.amount FROM (SELECT *, 'settlement' AS side FROM moved) AS m" + _LINE
)
_DISPUTES: Final = _GIVEN + (  # noqa: S608 - constants alone
    ", moved AS (SELECT r.*, t.id AS transfer_id FROM told AS r"
    " JOIN payments_dispute AS d ON d.processor = r.processor AND d.processor_reference = r.reference"
    " JOIN transactions_transfer AS t ON t.reference = d.processor_reference AND t.kind = 'dispute')"
    " SELECT m.id, l.id, -l.amount FROM (SELECT *, 'disputes' AS side FROM moved) AS m"
    + _LINE
    + " WHERE (l.amount < 0) = m.is_back ORDER BY l.id"
)
_SEARCHES: Final = {
    RowType.CHARGE: _CHARGES,
    RowType.REFUND: _REFUNDS,
    RowType.REFUND_FAILURE: _REFUNDS,
    RowType.DISPUTE: _DISPUTES,
    RowType.DISPUTE_REVERSAL: _DISPUTES,
}
_GIVES_BACK: Final = (RowType.REFUND_FAILURE, RowType.DISPUTE_REVERSAL)

# Lines that began and ended within what is covered, so that the report has to tell of them.
_UNTOLD: Final = (
    "SELECT l.id, a.currency, -l.amount FROM transactions_ledgeraccount AS a"
    " JOIN transactions_transaction AS l ON l.account_id = a.id"
    " WHERE (starts_with(a.code, %s) OR starts_with(a.code, %s)) AND a.currency = %s AND l.status = 'completed'"
    "   AND l.created_at >= %s AND l.created_at < %s AND l.completed_at >= %s AND l.completed_at < %s"
    "   AND NOT EXISTS (SELECT FROM payments_settlementrow AS r WHERE r.line_id = l.id)"
    "   AND NOT EXISTS (SELECT FROM payments_settlementbreak AS b"
    "     WHERE b.line_id = l.id AND b.kind = 'missing_there')"
    " ORDER BY l.id"
)

Line = tuple[UUID, int]


def match_rows(report: SettlementImport, *, actor: str) -> None:
    """Match the rows of a new report, and those that found nothing before, in the transaction under way.

    What still finds nothing, finds what another row has, or finds another amount becomes a break of `report`.
    """
    fresh = list(SettlementRow.objects.filter(report=report).order_by("number"))
    waiting = SettlementRow.objects.filter(
        processor=report.processor,
        breaks__kind=BreakKind.MISSING_HERE,
        breaks__cleared_at__isnull=True,
        line_id__isnull=True,
    ).exclude(report=report)
    rows = [row for row in (*waiting.order_by("id"), *fresh) if row.type in OF_BOOK]
    candidates = _candidates(rows)
    taken = _taken({line_id for lines in candidates.values() for line_id, _ in lines})
    breaks = [
        _break(report, row, BreakKind.UNKNOWN_TYPE) for row in fresh if row.type == RowType.UNKNOWN.value
    ]
    matched: list[SettlementRow] = []
    for row in rows:
        line = _choose(candidates[row.id], row.gross, taken)
        if line is not None:
            row.line_id, row.line_amount = line
            row.matched_at = now()
            taken.add(line[0])
            matched.append(row)
            if line[1] != row.gross:
                breaks.append(_break(report, row, BreakKind.AMOUNT_DIFFERS))
        elif row.report_id == report.id:
            kind = BreakKind.DUPLICATED if candidates[row.id] else BreakKind.MISSING_HERE
            breaks.append(_break(report, row, kind))
    SettlementRow.objects.bulk_update(matched, ["line_id", "line_amount", "matched_at"], batch_size=1000)
    _clear(matched, actor=actor)
    _write(breaks, actor=actor)


def find_untold(report: SettlementImport, *, currencies: Iterable[str], actor: str) -> None:
    """Write a break for each line that the reports should have told of by now, in the transaction under way."""
    breaks = []
    for currency in currencies:
        start, end = covered_around(report, currency)
        found = run(
            _UNTOLD,
            (
                f"settlement:{report.processor}:",
                f"disputes:{report.processor}:",
                currency,
                start,
                report.covers_until,
                report.covers_from,
                end,
            ),
        )
        breaks += [
            SettlementBreak(
                report=report,
                line_id=line_id,
                processor=report.processor,
                currency=currency,
                kind=BreakKind.MISSING_THERE,
                expected=amount,
                reported=0,
                created_at=now(),
            )
            for line_id, currency, amount in found
        ]
    _write(breaks, actor=actor)


def covered_spans(processor: str, currency: str) -> list[tuple[datetime, datetime]]:
    """Give the spans of time that all reports of a currency cover together, without gaps inside, the first one first."""
    found = SettlementImport.objects.filter(processor=processor, currency__in=("", currency))
    spans: list[tuple[datetime, datetime]] = []
    for start, end in found.order_by("covers_from").values_list("covers_from", "covers_until"):
        if spans and start <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(end, spans[-1][1]))
        else:
            spans.append((start, end))
    return spans


def covered_around(report: SettlementImport, currency: str) -> tuple[datetime, datetime]:
    """Give the span without gaps that a report belongs to."""
    return next(
        span
        for span in covered_spans(report.processor, currency)
        if span[0] <= report.covers_from and report.covers_until <= span[1]
    )


def _candidates(rows: Sequence[SettlementRow]) -> dict[UUID, list[Line]]:
    found: dict[UUID, list[Line]] = {row.id: [] for row in rows}
    by_type: dict[RowType, list[SettlementRow]] = defaultdict(list)
    for row in rows:
        by_type[RowType(row.type)].append(row)
    for kind, told in by_type.items():
        given: list[Any] = [
            [row.id for row in told],
            [row.processor for row in told],
            [row.currency for row in told],
            [row.reference for row in told],
            [kind in _GIVES_BACK] * len(told),
        ]
        for row_id, line_id, amount in run(_SEARCHES[kind], given):
            found[row_id].append((line_id, amount))
    return found


def _taken(line_ids: set[UUID]) -> set[UUID]:
    rows = SettlementRow.objects.filter(line_id__in=line_ids)
    return {line_id for line_id in rows.values_list("line_id", flat=True) if line_id is not None}


def _choose(lines: Sequence[Line], gross: int, taken: set[UUID]) -> Line | None:
    free = [line for line in lines if line[0] not in taken]
    return next((line for line in free if line[1] == gross), free[0] if free else None)


def _break(report: SettlementImport, row: SettlementRow, kind: BreakKind) -> SettlementBreak:
    return SettlementBreak(
        report=report,
        row=row,
        line_id=row.line_id,
        processor=row.processor,
        currency=row.currency,
        kind=kind,
        expected=row.line_amount or 0,
        reported=row.gross,
        created_at=now(),
    )


def _write(breaks: Sequence[SettlementBreak], *, actor: str) -> None:
    SettlementBreak.objects.bulk_create(breaks, batch_size=1000)
    for found in breaks:
        audit.record(
            actor=actor,
            action="settlement_break.opened",
            object_type="settlement_break",
            object_id=found.id,
            to_state=found.status,
            after={"kind": found.kind, "expected": found.expected, "reported": found.reported},
        )


def _clear(matched: Sequence[SettlementRow], *, actor: str) -> None:
    """Let the breaks count no more whose other half was found; what had been resolved stays so."""
    rows = {row.id for row in matched}
    lines = {row.line_id for row in matched}
    standing = SettlementBreak.objects.select_for_update().filter(cleared_at__isnull=True).order_by("id")
    found = [
        *standing.filter(kind=BreakKind.MISSING_HERE, row_id__in=rows),
        *standing.filter(kind=BreakKind.MISSING_THERE, line_id__in=lines),
    ]
    for ended in found:
        before = ended.status
        if before != BreakStatus.RESOLVED:
            ended.status = BreakStatus.CLEARED
        ended.cleared_at = now()
        ended.save(update_fields=["status", "cleared_at"])
        audit.record(
            actor=actor,
            action="settlement_break.cleared",
            object_type="settlement_break",
            object_id=ended.id,
            from_state=before,
            to_state=ended.status,
            reason="its counterpart was found",
        )
