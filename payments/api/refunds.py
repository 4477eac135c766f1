"""Refunds over HTTP: asking, reading and taking back for everybody, deciding for staff."""

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request

from events.doorbells import ring
from payments import refund_decisions, refund_requests
from payments.models import Refund, RefundReason, RefundStatus
from payments.refund_decisions import MAY_DECIDE
from payments.refund_queries import refund_within, refunds_within, shown
from payments.refund_requests import MAY_ASK
from transactions.api.amounts import AmountField
from transactions.api.keys import keyed_answer, keyed_call, rendered
from transactions.idempotency import Answer, resource_id
from transactions.money import Money
from transactions.queries import line_by_id
from transactions.refusals import NotFound
from users.api.answers import answer, json_bytes, resource
from users.api.authentication import caller
from users.api.bodies import StrictBody, TextField
from users.api.csv_files import csv_answer, text_cell
from users.api.pages import PageQuery, Seek, page, seek_rows
from users.api.views import StrictViewSet
from wallets.queries import may_see

EXECUTE = "payments.execute_refund"
CSV_PAGE = 500
COLUMNS = (
    "created_at",
    "id",
    "transaction_id",
    "wallet_id",
    "amount",
    "currency",
    "reason",
    "notes",
    "status",
    "requested_by",
    "decided_by",
    "decided_at",
    "decision_reason",
    "failure_code",
    "completed_at",
)


class RefundBody(StrictBody):
    """What shall be given back, and why."""

    transaction_id = serializers.UUIDField(help_text="A completed deposit, or a payment to the merchant.")
    amount = AmountField(
        required=False, help_text="In the currency's minor unit; all that remains when absent."
    )
    reason = serializers.ChoiceField(choices=RefundReason.choices)
    notes = TextField(max_length=500, required=False, allow_blank=True, default="")


class EmptyBody(StrictBody):
    """Nothing."""


class RejectBody(StrictBody):
    """Why not."""

    reason = TextField(max_length=500)


class RefundQuery(PageQuery):
    """What the list of refunds can be narrowed to."""

    wallet_id = serializers.UUIDField(required=False, help_text="One wallet's.")
    transaction_id = serializers.UUIDField(required=False, help_text="Those of one transaction.")
    status = serializers.ChoiceField(choices=RefundStatus.choices, required=False)


class RefundQueueQuery(RefundQuery):
    """What staff's list can be narrowed to, and its form."""

    format = serializers.ChoiceField(
        choices=["json", "csv"], default="json", help_text="`csv` exports all that match, not one page."
    )


class RefundView(serializers.Serializer[Any]):
    """Money that goes back: of a deposit to its card, of a payment to the wallet."""

    id = serializers.UUIDField()
    transaction_id = serializers.UUIDField()
    wallet_id = serializers.UUIDField()
    amount = serializers.IntegerField(help_text="In the currency's minor unit.")
    currency = serializers.CharField()
    reason = serializers.ChoiceField(choices=RefundReason.choices)
    notes = serializers.CharField(allow_blank=True)
    status = serializers.ChoiceField(choices=RefundStatus.choices)
    requested_by = serializers.UUIDField()
    decided_by = serializers.UUIDField(allow_null=True)
    decided_at = serializers.DateTimeField(allow_null=True)
    failure_code = serializers.CharField(allow_null=True)
    created_at = serializers.DateTimeField()
    completed_at = serializers.DateTimeField(allow_null=True)


class RefundPage(serializers.Serializer[Any]):
    """A page of refunds, newest first."""

    results = RefundView(many=True)
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)


def _requested(refund: Refund) -> Answer:
    return rendered(201, shown(refund), f"refund:{refund.id}")


def _changed(refund: Refund) -> Answer:
    return rendered(200, shown(refund), f"refund:{refund.id}")


def _show(stored_resource: str) -> bytes:
    return json_bytes(shown(Refund.objects.get(id=resource_id(stored_resource))))


def _narrowed(query: dict[str, Any], *, owner_id: UUID | None) -> QuerySet[Refund]:
    """Narrow the refunds within reach. Refuses with NotFound a wallet or transaction that isn't."""
    if "wallet_id" in query and not may_see(query["wallet_id"], owner_id=owner_id):
        raise NotFound("There is no such wallet.", field="wallet_id")
    if "transaction_id" in query and line_by_id(query["transaction_id"], owner_id=owner_id) is None:
        raise NotFound("There is no such transaction.", field="transaction_id")
    names = ("wallet_id", "transaction_id", "status")
    return refunds_within(owner_id=owner_id).filter(**{name: query[name] for name in names if name in query})


def _page(request: Request, found: QuerySet[Refund], query: dict[str, Any]) -> dict[str, Any]:
    return page(
        request,
        lambda seek: seek_rows(found, seek, by=["id"]),
        query=query,
        key=lambda refund: (str(refund.id),),
        shape=shown,
    )


def _csv_rows(found: QuerySet[Refund]) -> Iterator[Sequence[Any]]:
    yield COLUMNS
    key: tuple[Any, ...] | None = None
    while rows := seek_rows(found, Seek(key=key, is_backwards=False, count=CSV_PAGE), by=["id"]):
        for refund in rows:
            cells = {
                **shown(refund),
                "amount": Money(refund.amount, refund.currency).major,
                "notes": text_cell(refund.notes),
                "decision_reason": text_cell(refund.decision_reason),
                "created_at": refund.created_at.isoformat(),
                "decided_at": refund.decided_at.isoformat() if refund.decided_at else "",
                "completed_at": refund.completed_at.isoformat() if refund.completed_at else "",
            }
            yield tuple("" if cells[name] is None else cells[name] for name in COLUMNS)
        key = (str(rows[-1].id),)


@extend_schema(tags=["Refunds"])
class RefundViewSet(StrictViewSet):
    """Refunds of what a principal may see."""

    scopes: ClassVar = {
        "list": "refund:read",
        "retrieve": "refund:read",
        "create": MAY_ASK,
        "cancel": MAY_ASK,
    }
    keys: ClassVar = {"create": "required", "cancel": "accepted"}

    @extend_schema(summary="List refunds", parameters=[RefundQuery], responses={200: RefundPage})
    def list(self, request: Request) -> HttpResponseBase:
        """Refunds, newest first."""
        query = RefundQuery.read(request)
        return answer(_page(request, _narrowed(query, owner_id=caller(request).owner_id), query))

    @extend_schema(summary="Ask for a refund", request=RefundBody, responses={201: RefundView})
    def create(self, request: Request) -> HttpResponseBase:
        """Ask for a deposit or a payment back, in part or whole; staff decide on it.

        A deposit goes back to its card, and waits as a pending debit of the wallet until then. A payment comes
        back to the wallet.
        """
        call = keyed_call(request, _requested, _show)
        body = RefundBody.read(request)
        asked = refund_requests.request_refund(
            line_id=body["transaction_id"],
            amount=body.get("amount"),
            reason=RefundReason(body["reason"]),
            notes=body["notes"],
            principal=caller(request),
            call=call,
        )
        ring(EXECUTE, str(resource_id(asked.resource)))
        return keyed_answer(asked)

    @extend_schema(summary="Read a refund", responses={200: RefundView})
    def retrieve(self, request: Request, refund_id: UUID) -> HttpResponseBase:
        """One refund."""
        return resource(request, shown(refund_within(refund_id=refund_id, owner_id=caller(request).owner_id)))

    @extend_schema(summary="Take a refund back", request=EmptyBody, responses={200: RefundView})
    def cancel(self, request: Request, refund_id: UUID) -> HttpResponseBase:
        """Take back a refund that nobody has decided on."""
        call = keyed_call(request, _changed, _show)
        EmptyBody.read(request)
        return keyed_answer(
            refund_requests.cancel_refund(refund_id=refund_id, principal=caller(request), call=call)
        )


@extend_schema(tags=["Administration"])
class RefundQueueViewSet(StrictViewSet):
    """Staff's queue of refunds: one person asks, another one decides."""

    scopes: ClassVar = {
        "list": (MAY_DECIDE, "adjustment:request", "report:read"),
        "approve": MAY_DECIDE,
        "reject": MAY_DECIDE,
    }
    keys: ClassVar = {"approve": "accepted", "reject": "accepted"}

    @extend_schema(
        summary="List all refunds",
        parameters=[RefundQueueQuery],
        responses={(200, "application/json"): RefundPage, (200, "text/csv"): OpenApiTypes.STR},
    )
    def list(self, request: Request) -> HttpResponseBase:
        """Refunds of all customers, newest first; as a CSV file with `format=csv`."""
        query = RefundQueueQuery.read(request)
        found = _narrowed(query, owner_id=caller(request).owner_id)
        if query["format"] == "csv":
            return csv_answer(_csv_rows(found), filename="refunds.csv")
        return answer(_page(request, found, query))

    @extend_schema(summary="Approve a refund", request=EmptyBody, responses={200: RefundView})
    def approve(self, request: Request, refund_id: UUID) -> HttpResponseBase:
        """Have a refund executed that somebody else has asked for."""
        call = keyed_call(request, _changed, _show)
        EmptyBody.read(request)
        approved = refund_decisions.approve_refund(refund_id=refund_id, principal=caller(request), call=call)
        ring(EXECUTE, str(refund_id))
        return keyed_answer(approved)

    @extend_schema(summary="Reject a refund", request=RejectBody, responses={200: RefundView})
    def reject(self, request: Request, refund_id: UUID) -> HttpResponseBase:
        """Refuse a refund that somebody else has asked for, and say why."""
        call = keyed_call(request, _changed, _show)
        body = RejectBody.read(request)
        return keyed_answer(
            refund_decisions.reject_refund(
                refund_id=refund_id, reason=body["reason"], principal=caller(request), call=call
            )
        )
