"""The paths of wallets, below `/api/v1/`."""

from django.urls import path

from wallets.api.adjustments import AdjustmentViewSet
from wallets.api.all_wallets import AllWalletsViewSet
from wallets.api.batches import BatchViewSet
from wallets.api.holds import HoldViewSet
from wallets.api.movements import MovementViewSet
from wallets.api.statements import StatementViewSet
from wallets.api.viewsets import WalletBookViewSet, WalletViewSet

urlpatterns = [
    path("wallet", WalletViewSet.as_view({"get": "list", "post": "create"})),
    path("wallet/transfer", MovementViewSet.as_view({"post": "transfer"})),
    path("wallet/transfer/batch", BatchViewSet.as_view({"post": "create"})),
    path("wallet/<uuid:wallet_id>", WalletViewSet.as_view({"get": "retrieve", "patch": "partial_update"})),
    path("wallet/<uuid:wallet_id>/suspend", WalletViewSet.as_view({"post": "suspend"})),
    path("wallet/<uuid:wallet_id>/reactivate", WalletViewSet.as_view({"post": "reactivate"})),
    path("wallet/<uuid:wallet_id>/close", WalletViewSet.as_view({"post": "close"})),
    path("wallet/<uuid:wallet_id>/limits", WalletViewSet.as_view({"get": "limits", "put": "set_limits"})),
    path("wallet/<uuid:wallet_id>/pay", MovementViewSet.as_view({"post": "pay"})),
    path("wallet/<uuid:wallet_id>/holds", HoldViewSet.as_view({"get": "list", "post": "create"})),
    path("wallet/<uuid:wallet_id>/holds/<uuid:hold_id>", HoldViewSet.as_view({"get": "retrieve"})),
    path("wallet/<uuid:wallet_id>/holds/<uuid:hold_id>/capture", HoldViewSet.as_view({"post": "capture"})),
    path("wallet/<uuid:wallet_id>/holds/<uuid:hold_id>/void", HoldViewSet.as_view({"post": "void"})),
    path("wallet/<uuid:wallet_id>/transactions", WalletBookViewSet.as_view({"get": "transactions"})),
    path("wallet/<uuid:wallet_id>/balance", WalletBookViewSet.as_view({"get": "balance"})),
    path("wallet/<uuid:wallet_id>/balance/explain", StatementViewSet.as_view({"get": "explain"})),
    path("wallet/<uuid:wallet_id>/statement", StatementViewSet.as_view({"get": "statement"})),
    path("wallet/<uuid:wallet_id>/stats", WalletBookViewSet.as_view({"get": "stats"})),
    path("transactions/<uuid:transaction_id>/reverse", MovementViewSet.as_view({"post": "reverse"})),
    path("admin/wallets", AllWalletsViewSet.as_view({"get": "list"})),
    path("admin/wallets/<uuid:wallet_id>/adjustments", AdjustmentViewSet.as_view({"post": "create"})),
    path("admin/adjustments", AdjustmentViewSet.as_view({"get": "list"})),
    path("admin/adjustments/<uuid:adjustment_id>/approve", AdjustmentViewSet.as_view({"post": "approve"})),
    path("admin/adjustments/<uuid:adjustment_id>/reject", AdjustmentViewSet.as_view({"post": "reject"})),
]
