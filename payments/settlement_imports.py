"""Taking in a processor's report of its own books: read as a whole, kept, matched, once for each file."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from uuid import UUID

from django.core.exceptions import ImproperlyConfigured

from events import audit, context
from events.clock import now
from payments.models import ReportFormat, SettlementImport, SettlementRow
from payments.processors.registry import processor_of
from payments.settlement_matching import find_untold, match_rows
from payments.settlement_reports import ReportRow, read_report
from transactions.idempotency import Answer, KeyedCall, once, store
from transactions.money import EXPONENTS
from transactions.prepared import run
from transactions.refusals import InvalidInput
from users.principals import Principal
from users.standing import staff_member

MAY_RECONCILE: Final = "adjustment:decide"
"""Who may import reports and resolve breaks: those who may correct the books."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportFile:
    """A file, and what whoever brings it says of it: the days (UTC, both inclusive) that it tells of completely.

    Of a last day that isn't over it tells what has been so far. `currency` is empty where it tells of all currencies.
    """

    processor: str
    format: ReportFormat
    currency: str
    first_day: date
    last_day: date
    file_name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Imported:
    """What came of a file: `is_new` is False where the very same one had been imported before."""

    report: SettlementImport
    is_new: bool

    @property
    def id(self) -> UUID:
        """The report's id."""
        return self.report.id


def as_shown(report: SettlementImport) -> dict[str, Any]:
    """Give a report's fields as the API names them."""
    return {
        "id": report.id,
        "processor": report.processor,
        "format": report.format,
        "currency": report.currency,
        "file_name": report.file_name,
        "digest": report.digest,
        "covers_from": report.covers_from,
        "covers_until": report.covers_until,
        "rows": report.rows,
        "repeated": report.repeated,
        "imported_by": report.imported_by,
        "created_at": report.created_at,
    }


def import_report(*, file: ReportFile, principal: Principal, call: KeyedCall) -> Answer:
    """Keep a report's rows, match them with the book, and open a break for whatever doesn't agree.

    `call.render` is given an Imported. A file that was imported before has no second effect, whatever the key; rows
    that an earlier report told in the same words are counted and left out.

    Refuses with InvalidInput what `read_report` refuses, an unknown processor or currency and days to come;
    with PermissionDenied; and as `idempotency.once` does.
    """
    _require_sense(file)
    rows = read_report(file.content, format=file.format, currency=file.currency)
    digest = _digest(file)

    def effect() -> Answer:
        person = staff_member(principal=principal, permission=MAY_RECONCILE)
        # One import of a processor after the other: a row is matched once, and each sees the breaks of the one before.
        run("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"settlement:{file.processor}",))
        known = SettlementImport.objects.filter(digest=digest).first()
        if known is not None:
            return store(call, Imported(known, is_new=False))
        report = _keep(file, rows, digest=digest, imported_by=person.id)
        audit.record(
            actor=principal.name,
            action="settlement_report.imported",
            object_type="settlement_report",
            object_id=report.id,
            to_state="imported",
            after={"processor": report.processor, "digest": digest, "rows": report.rows},
        )
        match_rows(report, actor=principal.name)
        find_untold(report, currencies=_currencies(file), actor=principal.name)
        return store(call, Imported(report, is_new=True))

    return once(call, effect)


def _digest(file: ReportFile) -> str:
    """Tell the same file, of which the same is said, from every other one; its name says nothing."""
    said = (file.processor, file.format, file.currency, file.first_day.isoformat(), file.last_day.isoformat())
    return hashlib.sha256("\0".join((*said, "")).encode() + file.content).hexdigest()


def _require_sense(file: ReportFile) -> None:
    try:
        name = processor_of(file.processor).name
    except ImproperlyConfigured:
        name = ""
    if name != file.processor:
        raise InvalidInput("There is no such processor.", field="processor")
    if file.currency and file.currency not in EXPONENTS:
        raise InvalidInput("There is no such currency.", field="currency")
    if file.last_day < file.first_day:
        raise InvalidInput("The last day is before the first.", field="last_day")
    if file.last_day > now().astimezone(UTC).date():
        raise InvalidInput("A report can not tell of days to come (UTC).", field="last_day")


def _keep(file: ReportFile, rows: list[ReportRow], *, digest: str, imported_by: UUID) -> SettlementImport:
    earlier = SettlementRow.objects.filter(
        processor=file.processor, row_reference__in=[row.row_reference for row in rows]
    )
    told = set(earlier.values_list("row_reference", "fingerprint"))
    fresh = [row for row in rows if (row.row_reference, row.fingerprint) not in told]
    report = SettlementImport.objects.create(
        processor=file.processor,
        format=file.format,
        currency=file.currency,
        file_name=file.file_name,
        digest=digest,
        covers_from=datetime.combine(file.first_day, time(), UTC),
        covers_until=min(now(), datetime.combine(file.last_day + timedelta(days=1), time(), UTC)),
        rows=len(fresh),
        repeated=len(rows) - len(fresh),
        imported_by=imported_by,
        request_id=context.current().request_id,
        created_at=now(),
    )
    SettlementRow.objects.bulk_create(
        [
            SettlementRow(
                report=report,
                number=row.number,
                processor=file.processor,
                row_reference=row.row_reference,
                fingerprint=row.fingerprint,
                type=row.type,
                told_type=row.told_type,
                gross=row.gross,
                fee=row.fee,
                net=row.net,
                currency=row.currency,
                reference=row.reference,
                payout_reference=row.payout_reference,
                occurred_at=row.occurred_at,
            )
            for row in fresh
        ],
        batch_size=1000,
    )
    return report


def _currencies(file: ReportFile) -> list[str]:
    """Tell which currencies the file has to be complete in: its own, or all that the processor's accounts have."""
    if file.currency:
        return [file.currency]
    found = run(
        "SELECT DISTINCT currency FROM transactions_ledgeraccount WHERE starts_with(code, %s)",
        (f"settlement:{file.processor}:",),
    )
    return sorted(currency for (currency,) in found)
