"""The paths of the authentication calls, below `/api/v1/`."""

from django.urls import path

from users.api.customers import CustomerViewSet
from users.api.viewsets import MeViewSet, SessionViewSet

urlpatterns = [
    path("auth/register", SessionViewSet.as_view({"post": "register"})),
    path("auth/token", SessionViewSet.as_view({"post": "log_in"})),
    path("auth/token/refresh", SessionViewSet.as_view({"post": "refresh"})),
    path("auth/logout", SessionViewSet.as_view({"post": "log_out"})),
    path("auth/me", MeViewSet.as_view({"get": "retrieve"})),
    path(
        "auth/me/notifications",
        MeViewSet.as_view({"get": "notifications", "put": "choose_notifications"}),
    ),
    path("admin/customers", CustomerViewSet.as_view({"get": "list"})),
    path(
        "admin/customers/<uuid:user_id>",
        CustomerViewSet.as_view({"get": "retrieve", "patch": "partial_update"}),
    ),
    path("admin/customers/<uuid:user_id>/deactivate", CustomerViewSet.as_view({"post": "deactivate"})),
    path("admin/customers/<uuid:user_id>/reactivate", CustomerViewSet.as_view({"post": "reactivate"})),
    path(
        "admin/customers/<uuid:user_id>/revoke-sessions",
        CustomerViewSet.as_view({"post": "revoke_sessions"}),
    ),
]
