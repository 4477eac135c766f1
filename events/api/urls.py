"""The paths of events, webhooks and the audit trail, below `/api/v1/`."""

from django.urls import path

from events.api.audit_log import AuditLogViewSet
from events.api.failed_work import FailedWorkViewSet
from events.api.stream import EventStreamViewSet
from events.api.viewsets import DeliveryViewSet, EndpointViewSet, EventViewSet

urlpatterns = [
    path("admin/audit-log", AuditLogViewSet.as_view({"get": "list"}), name="audit-log"),
    path("admin/failed-work", FailedWorkViewSet.as_view({"get": "list"}), name="failed-work"),
    path(
        "admin/failed-work/<uuid:failed_work_id>/retry",
        FailedWorkViewSet.as_view({"post": "retry"}),
        name="failed-work-retry",
    ),
    path("events/stream", EventStreamViewSet.as_view({"get": "stream"}), name="event-stream"),
    path("events", EventViewSet.as_view({"get": "list"}), name="events"),
    path("events/<uuid:event_id>", EventViewSet.as_view({"get": "retrieve"}), name="event"),
    path(
        "webhook-endpoints",
        EndpointViewSet.as_view({"get": "list", "post": "create"}),
        name="webhook-endpoints",
    ),
    path(
        "webhook-endpoints/<uuid:webhook_endpoint_id>",
        EndpointViewSet.as_view({"get": "retrieve", "patch": "change", "delete": "destroy"}),
        name="webhook-endpoint",
    ),
    path(
        "webhook-endpoints/<uuid:webhook_endpoint_id>/rotate-secret",
        EndpointViewSet.as_view({"post": "rotate_secret"}),
        name="webhook-endpoint-rotate-secret",
    ),
    path(
        "webhook-endpoints/<uuid:webhook_endpoint_id>/deliveries",
        DeliveryViewSet.as_view({"get": "list"}),
        name="webhook-endpoint-deliveries",
    ),
    path(
        "webhook-deliveries/<uuid:webhook_delivery_id>/redeliver",
        DeliveryViewSet.as_view({"post": "redeliver"}),
        name="webhook-delivery-redeliver",
    ),
]
