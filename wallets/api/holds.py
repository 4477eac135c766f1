"""Holds over HTTP."""

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request

from transactions.api.amounts import AmountField, CurrencyField
from transactions.api.keys import keyed_answer, keyed_call, rendered
from transactions.held_amounts import HeldAmount, as_shown, hold_by_id, hold_key, list_holds
from transactions.idempotency import Answer, resource_id
from transactions.models import HoldStatus
from transactions.money import Money
from transactions.refusals import NotFound
from users.api.answers import answer, json_bytes, resource
from users.api.authentication import caller
from users.api.bodies import StrictBody, TextField
from users.api.pages import PageQuery, page
from users.api.views import StrictViewSet
from wallets import holds
from wallets.queries import may_see


class SecondsField(serializers.IntegerField):
    """A JSON integer of seconds; no float, string or boolean."""

    def to_internal_value(self, data: Any) -> int:
        """Read the seconds. Refuses everything but JSON integers."""
        if type(data) is not int:
            self.fail("invalid")
        return data


class HoldBody(StrictBody):
    """Money to be set aside; `expires_in` is in seconds, seven days when it is left out, thirty at the most."""

    amount = AmountField()
    currency = CurrencyField()
    expires_in = SecondsField(
        min_value=1,
        max_value=holds.LONGEST_LIFETIME_S,
        required=False,
        default=holds.USUAL_LIFETIME_S,
        help_text="In seconds.",
    )
    description = TextField(max_length=500, required=False, allow_blank=True, default="")
    reference = TextField(max_length=200, required=False, allow_blank=True, default="")


class CaptureBody(StrictBody):
    """How much is captured, in minor units; all that remains when it is left out."""

    amount = AmountField(required=False)


class VoidBody(StrictBody):
    """Nothing."""


class HoldQuery(PageQuery):
    """What the list of holds can be narrowed to."""

    status = serializers.ChoiceField(choices=HoldStatus.choices, required=False)


class HoldView(serializers.Serializer[Any]):
    """A hold; amounts in minor units. `transaction_ids` are the payments that were captured, oldest first."""

    id = serializers.UUIDField()
    wallet_id = serializers.UUIDField()
    amount = serializers.IntegerField()
    captured = serializers.IntegerField()
    remaining = serializers.IntegerField()
    currency = serializers.CharField()
    status = serializers.ChoiceField(choices=HoldStatus.choices)
    description = serializers.CharField(allow_blank=True)
    reference = serializers.CharField(allow_blank=True)
    transaction_ids = serializers.ListField(child=serializers.UUIDField())
    expires_at = serializers.DateTimeField()
    created_at = serializers.DateTimeField()
    closed_at = serializers.DateTimeField(allow_null=True)


class HoldPage(serializers.Serializer[Any]):
    """A page of holds, newest first."""

    results = HoldView(many=True)
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)


def _authorised(hold: HeldAmount) -> Answer:
    return rendered(201, as_shown(hold), f"hold:{hold.id}")


def _changed(hold: HeldAmount) -> Answer:
    return rendered(200, as_shown(hold), f"hold:{hold.id}")


def _show(stored_resource: str) -> bytes:
    hold = hold_by_id(resource_id(stored_resource))
    return json_bytes(as_shown(hold)) if hold is not None else b"{}"


class HoldViewSet(StrictViewSet):
    """Money of a wallet that is set aside for the merchant."""

    scopes = {
        "list": "wallet:read",
        "create": "wallet:write",
        "retrieve": "wallet:read",
        "capture": "wallet:write",
        "void": ("wallet:write", "wallet:manage"),
    }
    keys = {"create": "required", "capture": "required", "void": "accepted"}

    @extend_schema(parameters=[HoldQuery], responses=HoldPage)
    def list(self, request: Request, wallet_id: UUID) -> HttpResponse:
        """List a wallet's holds, newest first."""
        query = HoldQuery.read(request)
        if not may_see(wallet_id, owner_id=caller(request).owner_id):
            raise NotFound
        return answer(
            page(
                request,
                lambda seek: list_holds(
                    wallet_id,
                    status=query.get("status"),
                    key=seek.key,
                    is_backwards=seek.is_backwards,
                    count=seek.count,
                ),
                query=query,
                key=hold_key,
                shape=as_shown,
            )
        )

    @extend_schema(request=HoldBody, responses={201: HoldView})
    def create(self, request: Request, wallet_id: UUID) -> HttpResponse:
        """Set money aside until it is captured, voided or expires."""
        call = keyed_call(request, _authorised, _show)
        body = HoldBody.read(request)
        principal = caller(request)
        return keyed_answer(
            holds.authorise_hold(
                wallet_id=wallet_id,
                amount=Money(body["amount"], body["currency"]),
                owner_id=principal.owner_id,
                actor=principal.name,
                expires_in_s=body["expires_in"],
                description=body["description"],
                reference=body["reference"],
                call=call,
            )
        )

    @extend_schema(responses=HoldView)
    def retrieve(self, request: Request, wallet_id: UUID, hold_id: UUID) -> HttpResponse:
        """Show a hold."""
        hold = hold_by_id(hold_id, account_id=wallet_id)
        if hold is None or not may_see(wallet_id, owner_id=caller(request).owner_id):
            raise NotFound
        return resource(request, as_shown(hold))

    @extend_schema(request=CaptureBody, responses=HoldView)
    def capture(self, request: Request, wallet_id: UUID, hold_id: UUID) -> HttpResponse:
        """Pay the merchant from a hold, in part or whole, until its amount is used up."""
        call = keyed_call(request, _changed, _show)
        body = CaptureBody.read(request)
        principal = caller(request)
        return keyed_answer(
            holds.capture_hold(
                wallet_id=wallet_id,
                hold_id=hold_id,
                amount=body.get("amount"),
                owner_id=principal.owner_id,
                actor=principal.name,
                call=call,
            )
        )

    @extend_schema(request=VoidBody, responses=HoldView)
    def void(self, request: Request, wallet_id: UUID, hold_id: UUID) -> HttpResponse:
        """Free what a hold still keeps."""
        call = keyed_call(request, _changed, _show)
        VoidBody.read(request)
        principal = caller(request)
        return keyed_answer(
            holds.void_hold(
                wallet_id=wallet_id,
                hold_id=hold_id,
                owner_id=principal.owner_id,
                actor=principal.name,
                call=call,
            )
        )
