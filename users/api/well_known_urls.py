"""The paths below `/.well-known/`."""

from django.urls import path

from users.api.viewsets import KeysViewSet

urlpatterns = [path("jwks.json", KeysViewSet.as_view({"get": "list"}), name="jwks")]
