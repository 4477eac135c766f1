"""Payments by phone over HTTP: sessions, and what the phones gave for them."""

from typing import Any, ClassVar
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from events.clock import now
from payments import mobile_payments, sessions
from payments.answers import body_as_it_is_now
from payments.api.charge_bells import ring_for_unknown
from payments.api.phone_bodies import (
    OpenedAppleSession,
    OpenedGoogleSession,
    OpenSessionBody,
    PhoneTokenBody,
    ProcessBody,
    SessionView,
)
from payments.api.serializers import ChargeAnswer
from payments.models import PaymentSession
from payments.payment_requests import request_of
from payments.schemes.registry import APPLE_PAY, GOOGLE_PAY
from payments.shown_sessions import read_session
from tokens.api.serializers import TokenResource
from tokens.queries import shown as shown_token
from tokens.queries import tokens_within
from transactions.api.keys import keyed_answer, keyed_call, rendered
from transactions.idempotency import Answer, resource_id
from transactions.money import Money
from transactions.refusals import InvalidInput, NotFound
from users.api.answers import json_bytes, resource
from users.api.authentication import caller
from users.api.views import StrictViewSet


def _opened(session: PaymentSession) -> dict[str, Any]:
    return {"session_id": session.id, "expires_at": session.expires_at, **request_of(session)}


def _opened_as_now(stored: str) -> bytes:
    return json_bytes(_opened(PaymentSession.objects.get(id=resource_id(stored))))


def _saved_as_now(stored: str) -> bytes:
    token = tokens_within(owner_id=None).get(id=resource_id(stored))
    return json_bytes(shown_token(token, at=now()))


class PhoneViewSet(StrictViewSet):
    """Payments by one kind of phone."""

    scheme: ClassVar[str]
    scopes: ClassVar = {"init": "payment:write", "process": "payment:write", "tokenize": "token:write"}
    keys: ClassVar = {"init": "accepted", "process": "required", "tokenize": "accepted"}

    def init(self, request: Request) -> HttpResponse:
        """Agree on a payment before the phone is asked: 15 minutes, one payment."""
        call = keyed_call(
            request,
            lambda session: rendered(201, _opened(session), f"payment_session:{session.id}"),
            _opened_as_now,
        )
        body = OpenSessionBody.read(request)
        principal = caller(request)
        reload = body.get("automatic_reload")
        return keyed_answer(
            sessions.open_session(
                wallet_id=body["wallet_id"],
                owner_id=principal.owner_id,
                scheme=self.scheme,
                amount=Money(body["amount"], body["currency"]),
                reload=sessions.Reload(**reload) if reload else None,
                actor=principal.name,
                call=call,
            )
        )

    def process(self, request: Request) -> HttpResponse:
        """Verify and charge what the phone gave, then credit the session's wallet.

        Amount and currency are the session's. 202 with `status: pending` says that the outcome isn't known yet:
        the payment shows it once it is.
        """
        call = keyed_call(request, lambda _payment: Answer(201, b""), body_as_it_is_now)
        body = ProcessBody.read(request)
        principal = caller(request)
        paid = mobile_payments.pay_by_phone(
            session_id=body["session_id"],
            owner_id=principal.owner_id,
            scheme=self.scheme,
            payment_data=body["payment_data"],
            is_saved=body["save"],
            actor=principal.name,
            request_path=request.path,
            call=call,
        )
        ring_for_unknown(paid)
        return keyed_answer(paid)

    def tokenize(self, request: Request) -> HttpResponse:
        """Save the card of a phone without a payment."""
        call = keyed_call(
            request,
            lambda token: rendered(201, shown_token(token, at=now()), f"token:{token.id}"),
            _saved_as_now,
        )
        body = PhoneTokenBody.read(request)
        principal = caller(request)
        named = body.get("user_id")
        if principal.owner_id is not None and named not in (None, principal.owner_id):
            raise NotFound("There is no such customer.", field="user_id")
        owner_id = named or principal.owner_id
        if owner_id is None:
            raise InvalidInput("Name the customer that the card belongs to.", field="user_id")
        return keyed_answer(
            mobile_payments.save_phone_card(
                owner_id=owner_id,
                scheme=self.scheme,
                payment_data=body["payment_data"],
                actor=principal.name,
                call=call,
            )
        )


class ApplePayViewSet(PhoneViewSet):
    """Payments by Apple Pay."""

    scheme = APPLE_PAY

    @extend_schema(
        summary="Open an Apple Pay session",
        tags=["Payments"],
        request=OpenSessionBody,
        responses={201: OpenedAppleSession},
    )
    def init(self, request: Request) -> HttpResponse:
        """Agree on what is about to be paid, for 15 minutes."""
        return super().init(request)

    @extend_schema(
        summary="Pay with Apple Pay",
        tags=["Payments"],
        request=ProcessBody,
        responses={201: ChargeAnswer, 202: ChargeAnswer},
    )
    def process(self, request: Request) -> HttpResponse:
        """Charge what the phone has signed for an open session, then credit the wallet."""
        return super().process(request)

    @extend_schema(
        summary="Save an Apple Pay card",
        tags=["Tokens"],
        request=PhoneTokenBody,
        responses={201: TokenResource},
    )
    def tokenize(self, request: Request) -> HttpResponse:
        """Keep the phone's card as a token."""
        return super().tokenize(request)


class GooglePayViewSet(PhoneViewSet):
    """Payments by Google Pay."""

    scheme = GOOGLE_PAY

    @extend_schema(
        summary="Open a Google Pay session",
        tags=["Payments"],
        request=OpenSessionBody,
        responses={201: OpenedGoogleSession},
    )
    def init(self, request: Request) -> HttpResponse:
        """Agree on what is about to be paid, for 15 minutes."""
        return super().init(request)

    @extend_schema(
        summary="Pay with Google Pay",
        tags=["Payments"],
        request=ProcessBody,
        responses={201: ChargeAnswer, 202: ChargeAnswer},
    )
    def process(self, request: Request) -> HttpResponse:
        """Charge what the phone has signed for an open session, then credit the wallet."""
        return super().process(request)

    @extend_schema(
        summary="Save a Google Pay card",
        tags=["Tokens"],
        request=PhoneTokenBody,
        responses={201: TokenResource},
    )
    def tokenize(self, request: Request) -> HttpResponse:
        """Keep the phone's card as a token."""
        return super().tokenize(request)


@extend_schema(tags=["Payments"])
class SessionViewSet(StrictViewSet):
    """Payment sessions: what was agreed on, and where it stands."""

    scopes: ClassVar = {"retrieve": "payment:read", "destroy": "payment:write"}
    keys: ClassVar = {"destroy": "accepted"}

    @extend_schema(summary="Read a payment session", responses={200: SessionView})
    def retrieve(self, request: Request, session_id: UUID) -> HttpResponse:
        """One session; an open one whose time is over reads as `expired`."""
        shown = read_session(session_id)
        if shown is None or caller(request).owner_id not in (None, shown.user_id):
            raise NotFound("There is no such payment session.")
        return resource(request, shown.fields)

    @extend_schema(summary="Cancel a payment session", responses={204: None})
    def destroy(self, request: Request, session_id: UUID) -> HttpResponse:
        """Cancel an open session: it can't be paid any more."""
        principal = caller(request)
        call = keyed_call(request, lambda session: Answer(204, b"", f"payment_session:{session.id}"))
        return keyed_answer(
            sessions.cancel_session(
                session_id=session_id, owner_id=principal.owner_id, actor=principal.name, call=call
            )
        )
