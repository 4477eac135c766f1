"""Corrections of balances over HTTP, for staff."""

from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpResponse, HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request

from transactions.api.amounts import AmountField, CurrencyField
from transactions.api.keys import keyed_answer, keyed_call, rendered
from transactions.idempotency import Answer, resource_id
from transactions.money import MAXIMUM_AMOUNT, Money
from users.api.answers import answer, json_bytes
from users.api.authentication import caller
from users.api.bodies import StrictBody, TextField
from users.api.csv_files import csv_answer, text_cell
from users.api.pages import PageQuery, Seek, page, seek_rows
from users.api.views import StrictViewSet
from wallets import adjustments
from wallets.adjustments import MAY_ASK, MAY_DECIDE, as_shown
from wallets.api.serializers import ReasonBody
from wallets.models import Adjustment, AdjustmentStatus

CSV_PAGE = 500
COLUMNS = (
    "created_at",
    "id",
    "wallet_id",
    "amount",
    "currency",
    "reason",
    "status",
    "requested_by",
    "decided_by",
    "decided_at",
    "decision_reason",
    "transaction_id",
)


class SignedAmountField(AmountField):
    """A JSON integer of minor units that moves something: positive puts money in, negative takes it out."""

    default_error_messages = {"nothing": "An adjustment moves something: the amount must not be 0."}

    def __init__(self, **options: Any) -> None:
        super().__init__(min_value=-MAXIMUM_AMOUNT, **options)

    def to_internal_value(self, data: Any) -> int:
        """Read the amount. Refuses 0 and everything but JSON integers."""
        amount = super().to_internal_value(data)
        if amount == 0:
            self.fail("nothing")
        return amount


class AdjustmentBody(StrictBody):
    """A correction that is asked for, and why."""

    amount = SignedAmountField()
    currency = CurrencyField()
    reason = TextField(max_length=500)


class ApproveBody(StrictBody):
    """Nothing."""


class AdjustmentQuery(PageQuery):
    """What the list of adjustments can be narrowed to."""

    status = serializers.ChoiceField(choices=AdjustmentStatus.choices, required=False)
    wallet_id = serializers.UUIDField(required=False)
    format = serializers.ChoiceField(
        choices=["json", "csv"], default="json", help_text="`csv` exports all that match, not one page."
    )


class AdjustmentView(serializers.Serializer[Any]):
    """A correction of a wallet's balance, in minor units, signed as the wallet's owner sees it."""

    id = serializers.UUIDField()
    wallet_id = serializers.UUIDField()
    amount = serializers.IntegerField()
    currency = serializers.CharField()
    reason = serializers.CharField()
    status = serializers.ChoiceField(choices=AdjustmentStatus.choices)
    requested_by = serializers.UUIDField()
    decided_by = serializers.UUIDField(allow_null=True)
    decided_at = serializers.DateTimeField(allow_null=True)
    decision_reason = serializers.CharField(allow_blank=True)
    transaction_id = serializers.UUIDField()
    created_at = serializers.DateTimeField()


class AdjustmentPage(serializers.Serializer[Any]):
    """A page of adjustments, newest first."""

    results = AdjustmentView(many=True)
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)


def _requested(adjustment: Adjustment) -> Answer:
    return rendered(201, as_shown(adjustment), f"adjustment:{adjustment.id}")


def _decided(adjustment: Adjustment) -> Answer:
    return rendered(200, as_shown(adjustment), f"adjustment:{adjustment.id}")


def _show(stored_resource: str) -> bytes:
    return json_bytes(as_shown(Adjustment.objects.get(id=resource_id(stored_resource))))


def _csv_rows(found: QuerySet[Adjustment]) -> Iterator[Sequence[Any]]:
    yield COLUMNS
    key: tuple[Any, ...] | None = None
    while rows := seek_rows(found, Seek(key=key, is_backwards=False, count=CSV_PAGE), by=["id"]):
        for adjustment in rows:
            cells = {
                **as_shown(adjustment),
                "amount": Money(adjustment.amount, adjustment.currency).major,
                "reason": text_cell(adjustment.reason),
                "decision_reason": text_cell(adjustment.decision_reason),
                "created_at": adjustment.created_at.isoformat(),
                "decided_at": adjustment.decided_at.isoformat() if adjustment.decided_at else "",
            }
            yield tuple("" if cells[name] is None else cells[name] for name in COLUMNS)
        key = (str(rows[-1].id),)


class AdjustmentViewSet(StrictViewSet):
    """Corrections of balances: one member of staff asks, another one decides."""

    scopes = {
        "list": (MAY_ASK, MAY_DECIDE, "audit:read"),
        "create": MAY_ASK,
        "approve": MAY_DECIDE,
        "reject": MAY_DECIDE,
    }
    keys = {"create": "required", "approve": "accepted", "reject": "accepted"}

    @extend_schema(
        parameters=[AdjustmentQuery],
        responses={(200, "application/json"): AdjustmentPage, (200, "text/csv"): OpenApiTypes.STR},
    )
    def list(self, request: Request) -> HttpResponseBase:
        """List adjustments, newest first; as a CSV file with `format=csv`."""
        query = AdjustmentQuery.read(request)
        found = Adjustment.objects.filter(
            **{name: query[name] for name in ("status", "wallet_id") if name in query}
        )
        if query["format"] == "csv":
            return csv_answer(_csv_rows(found), filename="adjustments.csv")
        return answer(
            page(
                request,
                lambda seek: seek_rows(found, seek, by=["id"]),
                query=query,
                key=lambda adjustment: (str(adjustment.id),),
                shape=as_shown,
            )
        )

    @extend_schema(request=AdjustmentBody, responses={201: AdjustmentView})
    def create(self, request: Request, wallet_id: UUID) -> HttpResponse:
        """Ask for a correction of a wallet's balance; somebody else has to approve it."""
        call = keyed_call(request, _requested, _show)
        body = AdjustmentBody.read(request)
        return keyed_answer(
            adjustments.request_adjustment(
                wallet_id=wallet_id,
                amount=Money(body["amount"], body["currency"]),
                reason=body["reason"],
                principal=caller(request),
                call=call,
            )
        )

    @extend_schema(request=ApproveBody, responses=AdjustmentView)
    def approve(self, request: Request, adjustment_id: UUID) -> HttpResponse:
        """Post a correction that somebody else has asked for."""
        call = keyed_call(request, _decided, _show)
        ApproveBody.read(request)
        return keyed_answer(
            adjustments.approve_adjustment(adjustment_id=adjustment_id, principal=caller(request), call=call)
        )

    @extend_schema(request=ReasonBody, responses=AdjustmentView)
    def reject(self, request: Request, adjustment_id: UUID) -> HttpResponse:
        """Refuse a correction that somebody else has asked for."""
        call = keyed_call(request, _decided, _show)
        body = ReasonBody.read(request)
        return keyed_answer(
            adjustments.reject_adjustment(
                adjustment_id=adjustment_id, reason=body["reason"], principal=caller(request), call=call
            )
        )
