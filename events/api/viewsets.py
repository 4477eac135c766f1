"""Events and webhook endpoints over HTTP."""

from collections.abc import Callable, Sequence
from typing import ClassVar
from uuid import UUID

import orjson
from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from events import deliveries, endpoints, queries
from events.api.serializers import (
    DeliveriesQuery,
    DeliveryPage,
    DeliveryResource,
    EmptyBody,
    EndpointBody,
    EndpointChanges,
    EndpointPage,
    EndpointResource,
    EndpointWithSecret,
    EventPage,
    EventResource,
    EventsQuery,
    RotationBody,
)
from events.doorbells import ring
from events.event_types import ALL
from events.models import WebhookDelivery, WebhookEndpoint
from users.api.answers import answer, json_bytes, resource
from users.api.authentication import caller
from users.api.keyed_writes import Written, write_once
from users.api.pages import PageQuery, Seek, page, seek_rows
from users.api.views import StrictViewSet
from users.principals import Principal
from users.sealing import SealBroken

TAG = "Events"
SEND_DUE = "events.send_due_webhooks"


def _owner(principal: Principal) -> str | None:
    """Tell whose endpoints a principal may reach: staff everybody's, a program its own."""
    return None if principal.is_staff else principal.name


def _once(
    request: Request, status: int, *, with_secret: bool = False
) -> Callable[[Callable[[], WebhookEndpoint]], HttpResponse]:
    """Answer a write of an endpoint, once for the request's key; its secret is kept sealed with the answer."""

    def run(write: Callable[[], WebhookEndpoint]) -> HttpResponse:
        def written() -> Written:
            endpoint = write()
            data = endpoints.shown(endpoint)
            if with_secret:
                data |= {"secret": endpoint.sealed_secret}
            return Written(status, None if status == 204 else data, f"webhook_endpoint:{endpoint.id}")

        return write_once(request, written, reveal=_revealed if with_secret else bytes)

    return run


def _revealed(body: bytes) -> bytes:
    """Put the secret into an answer in the place of its sealed text; null once its key has left the ring."""
    data = orjson.loads(body)
    try:
        data["secret"] = endpoints.revealed_secret(data["secret"], endpoint_id=UUID(data["id"]))
    except SealBroken:
        data["secret"] = None
    return json_bytes(data)


@extend_schema(tags=[TAG])
class EventViewSet(StrictViewSet):
    """What happened, in the order in which it was published."""

    scopes: ClassVar = {"list": "event:read", "retrieve": "event:read"}

    @extend_schema(summary="List events", parameters=[EventsQuery], responses={200: EventPage})
    def list(self, request: Request) -> HttpResponse:
        """The events of the customer, or everybody's, newest first by `position`."""
        query = EventsQuery.read(request)
        found = queries.events_within(
            owner_id=caller(request).owner_id,
            wallet_id=query.get("wallet_id"),
            event_type=query.get("type"),
        )
        return answer(
            page(
                request,
                lambda seek: seek_rows(found, seek, by=["position"]),
                query=query,
                key=lambda event: (event.position,),
                shape=queries.shown,
            )
        )

    @extend_schema(summary="Read an event", responses={200: EventResource})
    def retrieve(self, request: Request, event_id: UUID) -> HttpResponse:
        """One event, as it was published."""
        event = queries.event_within(event_id=event_id, owner_id=caller(request).owner_id)
        return resource(request, queries.shown(event), version=str(event.id))


@extend_schema(tags=[TAG])
class EndpointViewSet(StrictViewSet):
    """Where programs want events sent, signed by the Standard Webhooks scheme."""

    scopes: ClassVar = dict.fromkeys(
        ("list", "create", "retrieve", "change", "destroy", "rotate_secret"), "webhook:manage"
    )
    keys: ClassVar = dict.fromkeys(("create", "change", "destroy", "rotate_secret"), "accepted")

    @extend_schema(summary="List webhook endpoints", parameters=[PageQuery], responses={200: EndpointPage})
    def list(self, request: Request) -> HttpResponse:
        """The endpoints that the caller has made, or everybody's for staff, newest first."""
        query = PageQuery.read(request)
        found = endpoints.endpoints_within(owner=_owner(caller(request)))
        return answer(
            page(
                request,
                lambda seek: seek_rows(found, seek, by=["id"]),
                query=query,
                key=lambda endpoint: (endpoint.id,),
                shape=endpoints.shown,
            )
        )

    @extend_schema(
        summary="Make a webhook endpoint", request=EndpointBody, responses={201: EndpointWithSecret}
    )
    def create(self, request: Request) -> HttpResponse:
        """Make an endpoint, which hears of everything unless types are named. The secret is shown this once."""
        body = EndpointBody.read(request)
        return endpoints.create_endpoint(
            url=body["url"],
            event_types=body.get("event_types", [ALL]),
            description=body["description"],
            user_id=body.get("user_id"),
            actor=caller(request).name,
            once=_once(request, 201, with_secret=True),
        )

    @extend_schema(summary="Read a webhook endpoint", responses={200: EndpointResource})
    def retrieve(self, request: Request, webhook_endpoint_id: UUID) -> HttpResponse:
        """One endpoint, without its secret."""
        endpoint = endpoints.endpoint_within(endpoint_id=webhook_endpoint_id, owner=_owner(caller(request)))
        return resource(request, endpoints.shown(endpoint))

    @extend_schema(
        summary="Change a webhook endpoint", request=EndpointChanges, responses={200: EndpointResource}
    )
    def change(self, request: Request, webhook_endpoint_id: UUID) -> HttpResponse:
        """Change where it is, what it hears of, or whether it is sent anything."""
        principal = caller(request)
        return endpoints.change_endpoint(
            endpoint_id=webhook_endpoint_id,
            owner=_owner(principal),
            changes=EndpointChanges.read(request),
            actor=principal.name,
            once=_once(request, 200),
        )

    @extend_schema(summary="Delete a webhook endpoint", responses={204: None})
    def destroy(self, request: Request, webhook_endpoint_id: UUID) -> HttpResponse:
        """Send it nothing more; what waited for it has failed."""
        principal = caller(request)
        return _once(request, 204)(
            lambda: endpoints.delete_endpoint(
                endpoint_id=webhook_endpoint_id, owner=_owner(principal), actor=principal.name
            )
        )

    @extend_schema(
        summary="Give a webhook endpoint a new secret",
        request=RotationBody,
        responses={200: EndpointWithSecret},
    )
    def rotate_secret(self, request: Request, webhook_endpoint_id: UUID) -> HttpResponse:
        """Make a new secret, shown this once; the one before signs beside it for `overlap_s`, a day unless told."""
        body, principal = RotationBody.read(request), caller(request)
        return _once(request, 200, with_secret=True)(
            lambda: endpoints.rotate_secret(
                endpoint_id=webhook_endpoint_id,
                owner=_owner(principal),
                overlap_s=body["overlap_s"],
                actor=principal.name,
            )
        )


@extend_schema(tags=[TAG])
class DeliveryViewSet(StrictViewSet):
    """What was sent to an endpoint, and what came of it."""

    scopes: ClassVar = {"list": "webhook:manage", "redeliver": "webhook:manage"}
    keys: ClassVar = {"redeliver": "accepted"}

    @extend_schema(
        summary="List an endpoint's deliveries", parameters=[DeliveriesQuery], responses={200: DeliveryPage}
    )
    def list(self, request: Request, webhook_endpoint_id: UUID) -> HttpResponse:
        """The deliveries of an endpoint with their attempts, newest first."""
        query = DeliveriesQuery.read(request)
        found = deliveries.deliveries_of(endpoint_id=webhook_endpoint_id, owner=_owner(caller(request)))
        if "status" in query:
            found = found.filter(status=query["status"])
        types: dict[UUID, str] = {}

        def fetch(seek: Seek) -> Sequence[WebhookDelivery]:
            rows = seek_rows(found, seek, by=["id"])
            types.update(deliveries.event_types_of(rows))
            return rows

        return answer(
            page(
                request,
                fetch,
                query=query,
                key=lambda delivery: (delivery.id,),
                shape=lambda delivery: deliveries.shown(delivery, event_type=types.get(delivery.event_id)),
            )
        )

    @extend_schema(summary="Deliver again", request=EmptyBody, responses={200: DeliveryResource})
    def redeliver(self, request: Request, webhook_delivery_id: UUID) -> HttpResponse:
        """Send a delivery again now, whatever became of it."""
        EmptyBody.check(request.data or {})
        principal = caller(request)

        def write() -> Written:
            delivery = deliveries.redeliver(
                delivery_id=webhook_delivery_id, owner=_owner(principal), actor=principal.name
            )
            event_type = deliveries.event_types_of([delivery]).get(delivery.event_id)
            ring(SEND_DUE)
            data = deliveries.shown(delivery, event_type=event_type)
            return Written(200, data, f"webhook_delivery:{delivery.id}")

        return write_once(request, write)
