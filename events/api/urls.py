"""The paths of what happened, below `/api/v1/`."""

from django.urls import path

from events.api.audit_log import AuditLogViewSet
from events.api.stream import EventStreamViewSet

urlpatterns = [
    path("events/stream", EventStreamViewSet.as_view({"get": "stream"})),
    path("admin/audit-log", AuditLogViewSet.as_view({"get": "list"})),
]
