"""Processors' reports and what doesn't agree with them over HTTP, for staff."""

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpResponse, HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request

from payments import settlement_breaks, settlement_imports
from payments.models import (
    BreakKind,
    BreakStatus,
    ReportFormat,
    Resolution,
    SettlementBreak,
    SettlementImport,
)
from payments.settlement_imports import MAY_RECONCILE, Imported, ReportFile, import_report
from payments.settlement_proofs import settlement_proofs
from payments.settlement_reports import LARGEST_FILE
from transactions.api.keys import keyed_answer, keyed_call, rendered
from transactions.idempotency import Answer, resource_id
from transactions.money import EXPONENTS, Money
from transactions.refusals import NotFound
from users.api.answers import answer, json_bytes
from users.api.authentication import caller
from users.api.bodies import StrictBody, TextField
from users.api.csv_files import csv_answer, text_cell
from users.api.pages import PageQuery, Seek, page, seek_rows
from users.api.views import StrictViewSet
from wallets.api.serializers import ReasonBody

CSV_PAGE = 500
COLUMNS = (
    "created_at",
    "id",
    "import_id",
    "processor",
    "kind",
    "row_reference",
    "told_type",
    "reference",
    "transaction_id",
    "currency",
    "expected",
    "reported",
    "difference",
    "status",
    "resolution",
    "adjustment_id",
    "proposed_by",
    "proposal_reason",
    "resolved_by",
    "resolved_at",
    "cleared_at",
)


class ReportBody(StrictBody):
    """A report, whole, and the days (UTC, both inclusive) that it tells of completely."""

    processor = TextField(max_length=64)
    format = serializers.ChoiceField(choices=ReportFormat.choices)
    currency = serializers.ChoiceField(
        choices=["", *EXPONENTS],
        required=False,
        default="",
        help_text="Empty where it tells of all currencies.",
    )
    first_day = serializers.DateField()
    last_day = serializers.DateField()
    file_name = TextField(max_length=200, required=False, allow_blank=True, default="")
    content = TextField(max_length=LARGEST_FILE, trim_whitespace=False, help_text="The CSV file's text.")


class ProposalBody(StrictBody):
    """How a break is resolved, and why; `adjusted` names the adjustment that put the books right."""

    resolution = serializers.ChoiceField(choices=Resolution.choices)
    reason = TextField(max_length=500)
    adjustment_id = serializers.UUIDField(required=False)


class ResolveBody(StrictBody):
    """Nothing."""


class ImportQuery(PageQuery):
    """What the list of reports can be narrowed to."""

    processor = serializers.CharField(max_length=64, required=False)


class BreakQuery(PageQuery):
    """What the list of breaks can be narrowed to."""

    status = serializers.ChoiceField(choices=BreakStatus.choices, required=False)
    kind = serializers.ChoiceField(choices=BreakKind.choices, required=False)
    processor = serializers.CharField(max_length=64, required=False)
    import_id = serializers.UUIDField(required=False)
    format = serializers.ChoiceField(
        choices=["json", "csv"], default="json", help_text="`csv` exports all that match, not one page."
    )


class ImportView(serializers.Serializer[Any]):
    """A report as it was imported."""

    id = serializers.UUIDField()
    processor = serializers.CharField()
    format = serializers.ChoiceField(choices=ReportFormat.choices)
    currency = serializers.CharField(allow_blank=True)
    file_name = serializers.CharField(allow_blank=True)
    digest = serializers.CharField(help_text="SHA-256 of the file and what was said of it.")
    covers_from = serializers.DateTimeField()
    covers_until = serializers.DateTimeField()
    rows = serializers.IntegerField(help_text="Rows that no earlier report had.")
    repeated = serializers.IntegerField(help_text="Rows that an earlier report had in the same words.")
    imported_by = serializers.UUIDField()
    created_at = serializers.DateTimeField()


class ImportPage(serializers.Serializer[Any]):
    """A page of reports, newest first."""

    results = ImportView(many=True)
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)


class BreakView(serializers.Serializer[Any]):
    """One disagreement between our book and a report, in minor units, positive towards us."""

    id = serializers.UUIDField()
    import_id = serializers.UUIDField()
    row_id = serializers.UUIDField(allow_null=True)
    transaction_id = serializers.UUIDField(allow_null=True)
    processor = serializers.CharField()
    currency = serializers.CharField()
    kind = serializers.ChoiceField(choices=BreakKind.choices)
    expected = serializers.IntegerField()
    reported = serializers.IntegerField()
    difference = serializers.IntegerField()
    status = serializers.ChoiceField(choices=BreakStatus.choices)
    resolution = serializers.CharField(allow_blank=True)
    adjustment_id = serializers.UUIDField(allow_null=True)
    proposed_by = serializers.UUIDField(allow_null=True)
    proposed_at = serializers.DateTimeField(allow_null=True)
    proposal_reason = serializers.CharField(allow_blank=True)
    resolved_by = serializers.UUIDField(allow_null=True)
    resolved_at = serializers.DateTimeField(allow_null=True)
    cleared_at = serializers.DateTimeField(
        allow_null=True, help_text="When its counterpart was found; it counts no more since."
    )
    created_at = serializers.DateTimeField()


class BreakPage(serializers.Serializer[Any]):
    """A page of breaks, newest first."""

    results = BreakView(many=True)
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)


class ProofView(serializers.Serializer[Any]):
    """One processor in one currency over all of its reports; minor units, positive towards us."""

    processor = serializers.CharField()
    currency = serializers.CharField()
    ledger = serializers.IntegerField(help_text="What our book says that it owes us.")
    not_covered = serializers.IntegerField(help_text="The part of it that no report covers.")
    expected = serializers.IntegerField(help_text="The part that the reports have to tell of.")
    reported = serializers.IntegerField(help_text="What they tell, before fees.")
    difference = serializers.IntegerField()
    open_breaks = serializers.IntegerField()
    open_amount = serializers.IntegerField(help_text="The difference of the breaks that aren't resolved.")
    resolved_amount = serializers.IntegerField()
    unproved = serializers.IntegerField(help_text="What no break accounts for: 0, or the matching is wrong.")
    fees = serializers.IntegerField()
    payouts = serializers.IntegerField()
    remaining = serializers.IntegerField(help_text="What is left with it by its own account.")


class ProofsView(serializers.Serializer[Any]):
    """Every processor that has reported."""

    results = ProofView(many=True)


def _imported(result: Imported) -> Answer:
    shown = settlement_imports.as_shown(result.report)
    return rendered(201 if result.is_new else 200, shown, f"settlement_import:{result.id}")


def _show_import(stored_resource: str) -> bytes:
    found = SettlementImport.objects.get(id=resource_id(stored_resource))
    return json_bytes(settlement_imports.as_shown(found))


def _decided(found: SettlementBreak) -> Answer:
    return rendered(200, settlement_breaks.as_shown(found), f"settlement_break:{found.id}")


def _show_break(stored_resource: str) -> bytes:
    return json_bytes(
        settlement_breaks.as_shown(SettlementBreak.objects.get(id=resource_id(stored_resource)))
    )


def _import(import_id: UUID) -> SettlementImport:
    found = SettlementImport.objects.filter(id=import_id).first()
    if found is None:
        raise NotFound
    return found


def _break(break_id: UUID) -> SettlementBreak:
    found = SettlementBreak.objects.filter(id=break_id).first()
    if found is None:
        raise NotFound
    return found


def break_rows(found: QuerySet[SettlementBreak]) -> Iterator[Sequence[Any]]:
    """Give the rows of a CSV file of breaks, columns first; amounts in major units, text that is no formula."""
    yield COLUMNS
    key: tuple[Any, ...] | None = None
    found = found.select_related("row")
    while rows := seek_rows(found, Seek(key=key, is_backwards=False, count=CSV_PAGE), by=["id"]):
        for one in rows:
            row = one.row
            cells = {
                **settlement_breaks.as_shown(one),
                "row_reference": text_cell(row.row_reference) if row else "",
                "told_type": text_cell(row.told_type) if row else "",
                "reference": text_cell(row.reference) if row else "",
                "proposal_reason": text_cell(one.proposal_reason),
                **{
                    name: Money(getattr(one, name), one.currency).major
                    for name in ("expected", "reported", "difference")
                },
                **{
                    name: moment.isoformat()
                    for name in ("created_at", "resolved_at", "cleared_at")
                    if (moment := getattr(one, name)) is not None
                },
            }
            yield tuple("" if cells[name] is None else cells[name] for name in COLUMNS)
        key = (str(rows[-1].id),)


@extend_schema(tags=["Administration"])
class SettlementImportViewSet(StrictViewSet):
    """Processors' reports of their own books."""

    scopes: ClassVar = {
        "list": "report:read",
        "create": MAY_RECONCILE,
        "retrieve": "report:read",
        "proof": "report:read",
    }
    keys: ClassVar = {"create": "accepted"}

    @extend_schema(parameters=[ImportQuery], responses=ImportPage)
    def list(self, request: Request) -> HttpResponse:
        """List the reports that were imported, newest first."""
        query = ImportQuery.read(request)
        found = SettlementImport.objects.all()
        if "processor" in query:
            found = found.filter(processor=query["processor"])
        return answer(
            page(
                request,
                lambda seek: seek_rows(found, seek, by=["id"]),
                query=query,
                key=lambda report: (str(report.id),),
                shape=settlement_imports.as_shown,
            )
        )

    @extend_schema(
        summary="Import a settlement report", request=ReportBody, responses={201: ImportView, 200: ImportView}
    )
    def create(self, request: Request) -> HttpResponse:
        """Keep a report, match it with the book and open a break for whatever doesn't agree; 200 for a file once more."""
        call = keyed_call(request, _imported, _show_import)
        body = ReportBody.read(request)
        file = ReportFile(
            processor=body["processor"],
            format=ReportFormat(body["format"]),
            currency=body["currency"],
            first_day=body["first_day"],
            last_day=body["last_day"],
            file_name=body["file_name"],
            content=body["content"].encode(),
        )
        return keyed_answer(import_report(file=file, principal=caller(request), call=call))

    @extend_schema(responses=ImportView)
    def retrieve(self, request: Request, import_id: UUID) -> HttpResponse:
        """Read one report."""
        return answer(settlement_imports.as_shown(_import(import_id)))

    @extend_schema(summary="Prove settlement accounts against reports", responses=ProofsView)
    def proof(self, request: Request) -> HttpResponse:
        """What each processor owes us by our book, less what it reports: the sum of the breaks, to the cent."""
        names = ProofView().fields
        return answer(
            {
                "results": [
                    {name: getattr(found, str(name)) for name in names} for found in settlement_proofs()
                ]
            }
        )


@extend_schema(tags=["Administration"])
class SettlementBreakViewSet(StrictViewSet):
    """What doesn't agree: one person proposes a resolution, another one resolves."""

    scopes: ClassVar = {
        "list": "report:read",
        "retrieve": "report:read",
        "propose": MAY_RECONCILE,
        "resolve": MAY_RECONCILE,
        "send_back": MAY_RECONCILE,
    }
    keys: ClassVar = {"propose": "accepted", "resolve": "accepted", "send_back": "accepted"}

    @extend_schema(
        parameters=[BreakQuery],
        responses={(200, "application/json"): BreakPage, (200, "text/csv"): OpenApiTypes.STR},
    )
    def list(self, request: Request) -> HttpResponseBase:
        """List breaks, newest first; as a CSV file with `format=csv`."""
        query = BreakQuery.read(request)
        narrowed = {name: query[name] for name in ("status", "kind", "processor") if name in query}
        found = SettlementBreak.objects.filter(**narrowed)
        if "import_id" in query:
            found = found.filter(report_id=query["import_id"])
        if query["format"] == "csv":
            return csv_answer(break_rows(found), filename="breaks.csv")
        return answer(
            page(
                request,
                lambda seek: seek_rows(found, seek, by=["id"]),
                query=query,
                key=lambda one: (str(one.id),),
                shape=settlement_breaks.as_shown,
            )
        )

    @extend_schema(responses=BreakView)
    def retrieve(self, request: Request, break_id: UUID) -> HttpResponse:
        """Read one break."""
        return answer(settlement_breaks.as_shown(_break(break_id)))

    @extend_schema(request=ProposalBody, responses=BreakView)
    def propose(self, request: Request, break_id: UUID) -> HttpResponse:
        """Say how an open break is resolved; somebody else has to resolve it."""
        call = keyed_call(request, _decided, _show_break)
        body = ProposalBody.read(request)
        return keyed_answer(
            settlement_breaks.propose_resolution(
                break_id=break_id,
                resolution=Resolution(body["resolution"]),
                reason=body["reason"],
                adjustment_id=body.get("adjustment_id"),
                principal=caller(request),
                call=call,
            )
        )

    @extend_schema(request=ResolveBody, responses=BreakView)
    def resolve(self, request: Request, break_id: UUID) -> HttpResponse:
        """Resolve a break as somebody else has proposed."""
        call = keyed_call(request, _decided, _show_break)
        ResolveBody.read(request)
        return keyed_answer(
            settlement_breaks.resolve_break(break_id=break_id, principal=caller(request), call=call)
        )

    @extend_schema(request=ReasonBody, responses=BreakView)
    def send_back(self, request: Request, break_id: UUID) -> HttpResponse:
        """Open a break again whose proposal doesn't convince."""
        call = keyed_call(request, _decided, _show_break)
        body = ReasonBody.read(request)
        return keyed_answer(
            settlement_breaks.send_back(
                break_id=break_id, reason=body["reason"], principal=caller(request), call=call
            )
        )
