"""Apple's merchant sessions over HTTP, for web pages."""

from typing import Any, ClassVar
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from payments.merchant_validation import validate_merchant
from payments.schemes.merchant_sessions import LONGEST_URL
from transactions.api.keys import keyed_answer, keyed_call, rendered
from transactions.idempotency import Answer
from users.api.authentication import caller
from users.api.bodies import StrictBody, TextField
from users.api.views import StrictViewSet


class ValidationBody(StrictBody):
    """Where Apple's script wants the merchant session to come from."""

    validation_url = TextField(
        max_length=LONGEST_URL,
        help_text="`event.validationURL` of `onvalidatemerchant`: one of Apple's gateways.",
    )


def _given(session: dict[str, Any]) -> Answer:
    return rendered(200, session, "merchant_session")


@extend_schema(tags=["Payments"])
class MerchantSessionViewSet(StrictViewSet):
    """What a web page needs before Apple's sheet opens."""

    scopes: ClassVar = {"merchant_session": "payment:write"}
    keys: ClassVar = {"merchant_session": "accepted"}

    @extend_schema(
        summary="Get a merchant session from Apple",
        request=ValidationBody,
        responses={200: OpenApiTypes.OBJECT},
    )
    def merchant_session(self, request: Request, session_id: UUID) -> HttpResponse:
        """Apple's own object, to be handed to `completeMerchantValidation` unchanged, within 5 minutes and once."""
        call = keyed_call(request, _given)
        body = ValidationBody.read(request)
        return keyed_answer(
            validate_merchant(
                session_id=session_id,
                owner_id=caller(request).owner_id,
                validation_url=body["validation_url"],
                call=call,
            )
        )
