"""A wallet's payment methods over HTTP."""

from typing import ClassVar
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from events.clock import now
from payments import payment_methods
from payments.api.phone_bodies import MethodBody, MethodPage, MethodsQuery, MethodView
from payments.models import SavedMethod
from tokens.api.serializers import EmptyBody
from transactions.api.keys import keyed_answer, keyed_call, rendered
from transactions.idempotency import Answer, resource_id
from transactions.refusals import NotFound
from users.api.answers import answer, json_bytes
from users.api.authentication import caller
from users.api.pages import page, seek_rows
from users.api.views import StrictViewSet
from wallets.queries import may_see


def _shown(method: SavedMethod) -> dict[str, object]:
    return payment_methods.shown(method, default=payment_methods.default_of(method.wallet_id), at=now())


def _shown_as_now(stored: str) -> bytes:
    method = SavedMethod.objects.filter(id=resource_id(stored)).select_related("token").first()
    return json_bytes(_shown(method)) if method is not None else b"{}"


@extend_schema(tags=["Wallets"])
class MethodViewSet(StrictViewSet):
    """The saved cards that a wallet is paid from, one of them the default."""

    scopes: ClassVar = {
        "list": "token:read",
        "create": "token:write",
        "destroy": "token:write",
        "default": "token:write",
    }
    keys: ClassVar = {"create": "accepted", "destroy": "accepted", "default": "accepted"}

    @extend_schema(summary="List payment methods", parameters=[MethodsQuery], responses={200: MethodPage})
    def list(self, request: Request, wallet_id: UUID) -> HttpResponse:
        """The wallet's payment methods, newest first."""
        query = MethodsQuery.read(request)
        if not may_see(wallet_id, owner_id=caller(request).owner_id):
            raise NotFound("There is no such wallet.")
        methods = payment_methods.methods_of(wallet_id)
        default = payment_methods.default_of(wallet_id)
        at = now()
        return answer(
            page(
                request,
                lambda seek: seek_rows(methods, seek, by=["id"]),
                query=query,
                key=lambda method: (method.id,),
                shape=lambda method: payment_methods.shown(method, default=default, at=at),
            )
        )

    @extend_schema(summary="Add a payment method", request=MethodBody, responses={201: MethodView})
    def create(self, request: Request, wallet_id: UUID) -> HttpResponse:
        """Let a wallet be paid from a saved card, and record what its owner agreed to. The first is the default."""
        call = keyed_call(
            request,
            lambda method: rendered(201, _shown(method), f"payment_method:{method.id}"),
            _shown_as_now,
        )
        body = MethodBody.read(request)
        principal = caller(request)
        return keyed_answer(
            payment_methods.add_method(
                wallet_id=wallet_id,
                owner_id=principal.owner_id,
                token_id=body["token_id"],
                consent_text=body.get("consent_text", ""),
                actor=principal.name,
                call=call,
            )
        )

    @extend_schema(summary="Remove a payment method", responses={204: None})
    def destroy(self, request: Request, wallet_id: UUID, token_id: UUID) -> HttpResponse:
        """Take a card off the wallet. The card itself stays saved until its token is deleted."""
        principal = caller(request)
        call = keyed_call(request, lambda method: Answer(204, b"", f"payment_method:{method.id}"))
        return keyed_answer(
            payment_methods.remove_method(
                wallet_id=wallet_id,
                owner_id=principal.owner_id,
                token_id=token_id,
                actor=principal.name,
                call=call,
            )
        )

    @extend_schema(
        summary="Choose the default payment method", request=EmptyBody, responses={200: MethodView}
    )
    def default(self, request: Request, wallet_id: UUID, token_id: UUID) -> HttpResponse:
        """Make one of the wallet's methods the one that is meant when none is named."""
        EmptyBody.read(request)
        call = keyed_call(
            request,
            lambda method: rendered(200, _shown(method), f"payment_method:{method.id}"),
            _shown_as_now,
        )
        principal = caller(request)
        return keyed_answer(
            payment_methods.make_default(
                wallet_id=wallet_id,
                owner_id=principal.owner_id,
                token_id=token_id,
                actor=principal.name,
                call=call,
            )
        )
