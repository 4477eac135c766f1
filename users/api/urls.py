"""The paths of the authentication calls, below `/api/v1/`."""

from django.urls import path

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
]
