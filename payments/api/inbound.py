"""The door for providers' webhooks: no token but their signature, no quota, and the raw body as it came."""

from typing import Any, ClassVar

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.parsers import BaseParser
from rest_framework.request import Request

from events.doorbells import ring
from payments.webhooks import receive
from users.api.answers import answer
from users.api.views import StrictViewSet
from users.roles import PUBLIC


class WebhookReceived(serializers.Serializer[Any]):
    """The event is kept."""

    received = serializers.BooleanField()


@extend_schema(tags=["Payments"])
class WebhookViewSet(StrictViewSet):
    """What payment providers tell us."""

    scopes: ClassVar = {"receive": PUBLIC}
    keys: ClassVar[dict[str, Any]] = {}
    authentication_classes: list[Any] = []
    # The signature covers the bytes; whatever type they claim to be of, nothing parses them before it is checked.
    parser_classes: list[type[BaseParser]] = []

    @extend_schema(
        summary="Take a provider's webhook", request=None, responses={200: WebhookReceived}, auth=[]
    )
    def receive(self, request: Request, provider: str) -> HttpResponse:
        """Keep an event that the provider has signed, and acknowledge it; one that is known already as well."""
        event_id = receive(provider=provider, raw=request._request.body, headers=request.headers)
        if event_id is not None:
            ring("payments.handle_provider_event", str(event_id))
        return answer({"received": True})
