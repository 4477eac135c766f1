"""The paths of saved cards, below `/api/v1/`."""

from django.urls import path

from tokens.api.viewsets import TokenViewSet

urlpatterns = [
    path("tokens", TokenViewSet.as_view({"get": "list"}), name="tokens"),
    path("tokens/card", TokenViewSet.as_view({"post": "card"}), name="tokens-card"),
    path(
        "tokens/<uuid:token_id>",
        TokenViewSet.as_view({"get": "retrieve", "delete": "destroy"}),
        name="token",
    ),
    path(
        "tokens/<uuid:token_id>/validate", TokenViewSet.as_view({"post": "validate"}), name="token-validate"
    ),
]
