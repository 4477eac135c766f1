"""The sandbox's phones over HTTP."""

from typing import Any, ClassVar

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request

from payments.sandbox_devices import pay_by_android, pay_by_iphone
from users.api.answers import answer
from users.api.bodies import StrictBody, TextField
from users.api.views import StrictViewSet
from users.roles import PUBLIC


class PhoneBody(StrictBody):
    """What the phone is held to, and the card in its wallet."""

    session_id = serializers.UUIDField(help_text="The payment session that the phone shall pay.")
    card_number = TextField(
        required=False, max_length=19, help_text="One of the sandbox's cards; one that succeeds by default."
    )


class PhoneAnswer(serializers.Serializer[Any]):
    """What the phone gives."""

    payment_data = serializers.DictField(help_text="To be sent to the session's process call as it is.")


@extend_schema(tags=["Sandbox"])
class DeviceViewSet(StrictViewSet):
    """Phones that pay pretended money. A phone isn't logged in; its token moves nothing before the customer sends it."""

    scopes: ClassVar = {"apple_pay": PUBLIC, "google_pay": PUBLIC}
    keys: ClassVar[dict[str, Any]] = {}
    authentication_classes: list[Any] = []

    @extend_schema(summary="Pay with the sandbox's iPhone", request=PhoneBody, responses={200: PhoneAnswer})
    def apple_pay(self, request: Request) -> HttpResponse:
        """Really signed and encrypted, by the sandbox's own certificate authority, for this session."""
        body = PhoneBody.read(request)
        return answer({"payment_data": pay_by_iphone(**body)})

    @extend_schema(
        summary="Pay with the sandbox's Android phone", request=PhoneBody, responses={200: PhoneAnswer}
    )
    def google_pay(self, request: Request) -> HttpResponse:
        """Really signed and encrypted, by the sandbox's own root key."""
        body = PhoneBody.read(request)
        return answer({"payment_data": pay_by_android(**body)})
