"""The paths of payments, below `/api/v1/`."""

from django.urls import path

from payments.api.auto_top_ups import AutoTopUpViewSet
from payments.api.inbound import WebhookViewSet
from payments.api.merchant_viewsets import MerchantSessionViewSet
from payments.api.method_viewsets import MethodViewSet
from payments.api.phone_viewsets import ApplePayViewSet, GooglePayViewSet, SessionViewSet
from payments.api.refunds import RefundQueueViewSet, RefundViewSet
from payments.api.reports import DashboardViewSet, ReconciliationViewSet
from payments.api.settlements import SettlementBreakViewSet, SettlementImportViewSet
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
    path("payment/apple-pay/init", ApplePayViewSet.as_view({"post": "init"}), name="apple-pay-init"),
    path("payment/apple-pay/process", ApplePayViewSet.as_view({"post": "process"}), name="apple-pay-process"),
    path("payment/google-pay/init", GooglePayViewSet.as_view({"post": "init"}), name="google-pay-init"),
    path(
        "payment/google-pay/process", GooglePayViewSet.as_view({"post": "process"}), name="google-pay-process"
    ),
    path(
        "payment/session/<uuid:session_id>",
        SessionViewSet.as_view({"get": "retrieve", "delete": "destroy"}),
        name="payment-session",
    ),
    path(
        "payment/session/<uuid:session_id>/merchant-session",
        MerchantSessionViewSet.as_view({"post": "merchant_session"}),
        name="merchant-session",
    ),
    path("payment", PaymentViewSet.as_view({"get": "list"}), name="payments"),
    path("payment/<uuid:payment_id>", PaymentViewSet.as_view({"get": "retrieve"}), name="payment"),
    path("tokens/apple-pay", ApplePayViewSet.as_view({"post": "tokenize"}), name="tokens-apple-pay"),
    path("tokens/google-pay", GooglePayViewSet.as_view({"post": "tokenize"}), name="tokens-google-pay"),
    path(
        "wallet/<uuid:wallet_id>/payment-methods",
        MethodViewSet.as_view({"get": "list", "post": "create"}),
        name="payment-methods",
    ),
    path(
        "wallet/<uuid:wallet_id>/payment-methods/<uuid:token_id>",
        MethodViewSet.as_view({"delete": "destroy"}),
        name="payment-method",
    ),
    path(
        "wallet/<uuid:wallet_id>/payment-methods/<uuid:token_id>/default",
        MethodViewSet.as_view({"post": "default"}),
        name="payment-method-default",
    ),
    path("refunds", RefundViewSet.as_view({"get": "list", "post": "create"}), name="refunds"),
    path("refunds/<uuid:refund_id>", RefundViewSet.as_view({"get": "retrieve"}), name="refund"),
    path("refunds/<uuid:refund_id>/cancel", RefundViewSet.as_view({"post": "cancel"}), name="refund-cancel"),
    path("admin/dashboard", DashboardViewSet.as_view({"get": "retrieve"}), name="admin-dashboard"),
    path(
        "admin/reconciliation",
        ReconciliationViewSet.as_view({"get": "retrieve"}),
        name="admin-reconciliation",
    ),
    path(
        "admin/reconciliation/imports",
        SettlementImportViewSet.as_view({"get": "list", "post": "create"}),
        name="admin-settlement-imports",
    ),
    path(
        "admin/reconciliation/imports/<uuid:import_id>",
        SettlementImportViewSet.as_view({"get": "retrieve"}),
        name="admin-settlement-import",
    ),
    path(
        "admin/reconciliation/proof",
        SettlementImportViewSet.as_view({"get": "proof"}),
        name="admin-settlement-proof",
    ),
    path(
        "admin/reconciliation/breaks",
        SettlementBreakViewSet.as_view({"get": "list"}),
        name="admin-settlement-breaks",
    ),
    path(
        "admin/reconciliation/breaks/<uuid:break_id>",
        SettlementBreakViewSet.as_view({"get": "retrieve"}),
        name="admin-settlement-break",
    ),
    path(
        "admin/reconciliation/breaks/<uuid:break_id>/propose",
        SettlementBreakViewSet.as_view({"post": "propose"}),
        name="admin-settlement-break-propose",
    ),
    path(
        "admin/reconciliation/breaks/<uuid:break_id>/resolve",
        SettlementBreakViewSet.as_view({"post": "resolve"}),
        name="admin-settlement-break-resolve",
    ),
    path(
        "admin/reconciliation/breaks/<uuid:break_id>/send-back",
        SettlementBreakViewSet.as_view({"post": "send_back"}),
        name="admin-settlement-break-send-back",
    ),
    path("admin/refunds", RefundQueueViewSet.as_view({"get": "list"}), name="admin-refunds"),
    path(
        "admin/refunds/<uuid:refund_id>/approve",
        RefundQueueViewSet.as_view({"post": "approve"}),
        name="admin-refund-approve",
    ),
    path(
        "admin/refunds/<uuid:refund_id>/reject",
        RefundQueueViewSet.as_view({"post": "reject"}),
        name="admin-refund-reject",
    ),
]
