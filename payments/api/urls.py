"""The paths of payments, below `/api/v1/`."""

from django.urls import path

from payments.api.inbound import WebhookViewSet
from payments.api.viewsets import FundingViewSet, PaymentViewSet

urlpatterns = [
    path(
        "payment/webhooks/<str:provider>",
        WebhookViewSet.as_view({"post": "receive"}),
        name="payment-webhooks",
    ),
    path("wallet/<uuid:wallet_id>/fund", FundingViewSet.as_view({"post": "fund"}), name="wallet-fund"),
    path("payment", PaymentViewSet.as_view({"get": "list"}), name="payments"),
    path("payment/<uuid:payment_id>", PaymentViewSet.as_view({"get": "retrieve"}), name="payment"),
]
