"""Payments over HTTP."""

from typing import Any, ClassVar
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from payments.answers import answer_of, balance_of, body_as_it_is_now
from payments.api.charge_bells import ring_for_unknown
from payments.api.serializers import ChargeAnswer, FundBody, PaymentPage, PaymentsQuery, PaymentView
from payments.models import Payment, PaymentKind
from payments.queries import payment_within, payments_within, shown
from payments.topups import top_up
from transactions.api.keys import keyed_answer, keyed_call
from transactions.idempotency import Answer
from transactions.money import Money
from transactions.refusals import NotFound
from users.api.answers import answer, resource
from users.api.authentication import caller
from users.api.pages import page, seek_rows
from users.api.views import StrictViewSet
from wallets.queries import may_see


def _charged(payment: Payment) -> Answer:
    return answer_of(payment, balance=balance_of(payment.wallet_id))


@extend_schema(tags=["Wallets"])
class FundingViewSet(StrictViewSet):
    """Money from a saved card into a wallet."""

    scopes: ClassVar = {"fund": "payment:write"}
    keys: ClassVar = {"fund": "required"}

    @extend_schema(
        summary="Fund a wallet",
        request=FundBody,
        responses={201: ChargeAnswer, 202: ChargeAnswer},
    )
    def fund(self, request: Request, wallet_id: UUID) -> HttpResponse:
        """Charge a saved card, then credit the wallet.

        202 with `status: pending` says that the outcome isn't known yet: the payment shows it once it is.
        """
        call = keyed_call(request, _charged, body_as_it_is_now)
        body = FundBody.read(request)
        principal = caller(request)
        funded = top_up(
            wallet_id=wallet_id,
            owner_id=principal.owner_id,
            amount=Money(body["amount"], body["currency"]),
            token_id=body["token_id"],
            kind=PaymentKind.FUNDING,
            actor=principal.name,
            description=body["description"],
            request_path=request.path,
            call=call,
        )
        ring_for_unknown(funded)
        return keyed_answer(funded)


@extend_schema(tags=["Payments"])
class PaymentViewSet(StrictViewSet):
    """Charges of cards and mobile wallets, each with what became of it."""

    scopes: ClassVar = {"list": "payment:read", "retrieve": "payment:read"}
    keys: ClassVar[dict[str, Any]] = {}

    @extend_schema(summary="List payments", parameters=[PaymentsQuery], responses={200: PaymentPage})
    def list(self, request: Request) -> HttpResponse:
        """Payments, newest first."""
        query = PaymentsQuery.read(request)
        owner_id = caller(request).owner_id
        payments = payments_within(owner_id=owner_id)
        if "wallet_id" in query:
            if not may_see(query["wallet_id"], owner_id=owner_id):
                raise NotFound("There is no such wallet.", field="wallet_id")
            payments = payments.filter(wallet_id=query["wallet_id"])
        return answer(
            page(
                request,
                lambda seek: seek_rows(payments, seek, by=["id"]),
                query=query,
                key=lambda payment: (payment.id,),
                shape=shown,
            )
        )

    @extend_schema(summary="Read a payment", responses={200: PaymentView})
    def retrieve(self, request: Request, payment_id: UUID) -> HttpResponse:
        """One payment."""
        payment = payment_within(payment_id=payment_id, owner_id=caller(request).owner_id)
        return resource(request, shown(payment))
