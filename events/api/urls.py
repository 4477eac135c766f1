"""The paths of what happened, below `/api/v1/`."""

from django.urls import path

from events.api.audit_log import AuditLogViewSet

urlpatterns = [
    path("admin/audit-log", AuditLogViewSet.as_view({"get": "list"})),
]
