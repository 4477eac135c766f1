"""Statements and explained balances over HTTP."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from django.http import HttpResponse, StreamingHttpResponse
from django.utils.dateparse import parse_date, parse_datetime
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, extend_schema_field, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request

from events.clock import now
from transactions.api.serializers import TransactionView, shown_line
from transactions.explanations import explain_balance
from transactions.models import LineType
from transactions.refusals import InvalidInput, NotFound
from transactions.replicas import read_accounts
from transactions.statements import statement_lines
from users.api.answers import PRIVATE, answer, json_bytes
from users.api.authentication import caller
from users.api.bodies import StrictQuery
from users.api.csv_files import csv_answer
from users.api.views import StrictViewSet
from wallets.api.serializers import BalanceQuery
from wallets.api.statement_csv import statement_rows
from wallets.queries import wallet_by_id
from wallets.statements import AskedPeriod, WalletStatement, statement_of_wallet

MOST_PDF_LINES = 10_000


@extend_schema_field(
    {"oneOf": [{"type": "string", "format": "date"}, {"type": "string", "format": "date-time"}]}
)
class PointField(serializers.Field[date | datetime, str, str, date | datetime]):
    """A day (`2026-10-31`) or a moment of RFC 3339."""

    default_error_messages = {"invalid": "Give a day (2026-10-31) or a moment with its offset from UTC."}

    def to_internal_value(self, data: str) -> date | datetime:
        """Read the day or the moment. Refuses a moment without an offset."""
        try:
            day, moment = parse_date(data), parse_datetime(data)
        except ValueError:
            self.fail("invalid")
        if day is not None:
            return day
        if moment is None or moment.tzinfo is None:
            self.fail("invalid")
        return moment

    def to_representation(self, value: date | datetime) -> str:
        """Write it as it is read."""
        return value.isoformat()


class StatementQuery(StrictQuery):
    """A month, or both ends of a span, in the customer's time zone; and the form."""

    month = serializers.CharField(required=False, help_text="A calendar month, such as 2026-10.")
    to = PointField(required=False, help_text="The last day, or the moment just after the last one.")
    format = serializers.ChoiceField(choices=["json", "csv", "pdf"], default="json")

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """Add `from`, which is a word of Python's own."""
        return {
            **super().get_fields(),
            "from": PointField(required=False, help_text="The first day, or the first moment."),
        }


StatementView = inline_serializer(
    name="Statement",
    fields={
        "wallet_id": serializers.UUIDField(),
        "currency": serializers.CharField(),
        "from": serializers.DateTimeField(),
        "to": serializers.DateTimeField(),
        "time_zone": serializers.CharField(),
        "opening_balance": serializers.IntegerField(),
        "closing_balance": serializers.IntegerField(),
        "total_in": serializers.IntegerField(),
        "total_out": serializers.IntegerField(),
        "lines": TransactionView(many=True),
    },
)

ExplanationView = inline_serializer(
    name="BalanceExplanation",
    fields={
        "wallet_id": serializers.UUIDField(),
        "currency": serializers.CharField(),
        "at": serializers.DateTimeField(),
        "opening": serializers.IntegerField(),
        "sums": inline_serializer(
            name="BalanceSum",
            fields={
                "type": serializers.ChoiceField(choices=LineType.choices),
                "count": serializers.IntegerField(),
                "amount": serializers.IntegerField(),
            },
            many=True,
        ),
        "closing": serializers.IntegerField(),
        "proof": inline_serializer(
            name="BalanceProof",
            fields={
                "lines": serializers.IntegerField(),
                "first_seq": serializers.IntegerField(allow_null=True),
                "last_seq": serializers.IntegerField(allow_null=True),
                "sum": serializers.IntegerField(),
                "balance_after_of_last": serializers.IntegerField(allow_null=True),
                "agrees": serializers.BooleanField(),
            },
        ),
    },
)


def _json_parts(statement: WalletStatement) -> Iterator[bytes]:
    figures = statement.figures
    head = {
        "wallet_id": statement.wallet_id,
        "currency": statement.currency,
        "from": figures.starts,
        "to": figures.ends,
        "time_zone": statement.zone.key,
        "opening_balance": figures.opening_balance,
        "closing_balance": figures.closing_balance,
        "total_in": figures.total_in,
        "total_out": figures.total_out,
    }
    yield json_bytes(head)[:-1] + b',"lines":['
    between = b""
    for line in statement_lines(figures, using=statement.using):
        yield between + json_bytes(shown_line(line))
        between = b","
    yield b"]}"


def _filename(statement: WalletStatement, extension: str) -> str:
    period, zone = statement.period, statement.zone
    if period.month is not None:
        name = f"{period.month:%Y-%m}"
    else:
        last = period.ends.astimezone(zone) - timedelta(microseconds=1)
        name = f"{period.starts.astimezone(zone):%Y-%m-%d}-to-{last:%Y-%m-%d}"
    return f"statement-{name}-{statement.currency}.{extension}"


def _pdf_answer(statement: WalletStatement) -> HttpResponse:
    # Loaded for whoever wants a PDF: the library takes longer to load than the rest of the application.
    from wallets.api.statement_pdf import statement_pdf

    if statement.figures.line_count > MOST_PDF_LINES:
        raise InvalidInput(
            f"A PDF has at most {MOST_PDF_LINES} lines; ask for csv, or for a shorter span.", field="format"
        )
    return HttpResponse(
        statement_pdf(statement),
        content_type="application/pdf",
        headers={
            "Cache-Control": PRIVATE,
            "Content-Disposition": f'attachment; filename="{_filename(statement, "pdf")}"',
        },
    )


def statement_file(statement: WalletStatement, form: str) -> HttpResponse | StreamingHttpResponse:
    """Answer with a statement as a file to keep: `csv` or `pdf`. Refuses with InvalidInput a PDF that is too long."""
    if form == "pdf":
        return _pdf_answer(statement)
    return csv_answer(statement_rows(statement), filename=_filename(statement, "csv"))


class StatementViewSet(StrictViewSet):
    """What a wallet's book says over a span of time, and why its balance is what it is."""

    scopes = {"statement": "transaction:read", "explain": "wallet:read"}
    queried = frozenset({"statement", "explain"})

    @extend_schema(
        parameters=[StatementQuery],
        responses={
            (200, "application/json"): StatementView,
            (200, "text/csv"): OpenApiTypes.STR,
            (200, "application/pdf"): OpenApiTypes.BINARY,
        },
    )
    def statement(self, request: Request, wallet_id: UUID) -> HttpResponse | StreamingHttpResponse:
        """Give a statement: opening balance, lines with running balance, closing balance."""
        query = StatementQuery.read(request)
        statement = statement_of_wallet(
            wallet_id=wallet_id,
            owner_id=caller(request).owner_id,
            asked=AskedPeriod(month=query.get("month"), starts=query.get("from"), ends=query.get("to")),
        )
        if query["format"] != "json":
            return statement_file(statement, query["format"])
        return StreamingHttpResponse(
            _json_parts(statement), content_type="application/json", headers={"Cache-Control": PRIVATE}
        )

    @extend_schema(parameters=[BalanceQuery], responses=ExplanationView)
    def explain(self, request: Request, wallet_id: UUID) -> HttpResponse:
        """Explain the balance: the sums of its lines by type, and the proof that they make it."""
        query = BalanceQuery.read(request)
        wallet = wallet_by_id(wallet_id, owner_id=caller(request).owner_id)
        if wallet is None:
            raise NotFound
        at = query.get("at")
        explained = read_accounts([wallet_id], lambda using: explain_balance(wallet_id, at=at, using=using))
        return answer(
            {
                "wallet_id": wallet_id,
                "currency": wallet.currency,
                "at": at or now(),
                **explained.as_dict(),
            }
        )
