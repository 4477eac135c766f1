"""The paths of payments, below `/api/v1/`."""

from django.urls import path

from payments.api.auto_top_ups import AutoTopUpViewSet
from payments.api.inbound import WebhookViewSet
from payments.api.viewsets import FundingViewSet, PaymentViewSet

urlpatterns = [
    path(
        "payment/webhooks/<str:provider>",
        WebhookViewSet.as_view({"post": "receive"}),
        name="payment-webhooks",
    ),
    path("wallet/<uuid:wallet_id>/fund", FundingViewSet.as_view({"post": "fund"}), name="wallet-fund"),
    path(
        "wallet/<uuid:wallet_id>/auto-top-up",
        AutoTopUpViewSet.as_view({"get": "retrieve", "put": "update", "delete": "destroy"}),
        name="auto-top-up",
    ),
    path(
        "wallet/<uuid:wallet_id>/auto-top-up/preview",
        AutoTopUpViewSet.as_view({"get": "preview"}),
        name="auto-top-up-preview",
    ),
    path(
        "wallet/<uuid:wallet_id>/auto-top-up/pause",
        AutoTopUpViewSet.as_view({"post": "pause"}),
        name="auto-top-up-pause",
    ),
    path(
        "wallet/<uuid:wallet_id>/auto-top-up/resume",
        AutoTopUpViewSet.as_view({"post": "resume"}),
        name="auto-top-up-resume",
    ),
    path("payment", PaymentViewSet.as_view({"get": "list"}), name="payments"),
    path("payment/<uuid:payment_id>", PaymentViewSet.as_view({"get": "retrieve"}), name="payment"),
]
