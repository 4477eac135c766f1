"""The paths of the book, below `/api/v1/`."""

from django.urls import path

from transactions.api.viewsets import AllTransactionsViewSet, TransactionViewSet

urlpatterns = [
    path("transactions", TransactionViewSet.as_view({"get": "list"})),
    path("transactions/<uuid:transaction_id>", TransactionViewSet.as_view({"get": "retrieve"})),
    path("transactions/<uuid:transaction_id>/audit", TransactionViewSet.as_view({"get": "audit"})),
    path("admin/transactions", AllTransactionsViewSet.as_view({"get": "list"})),
]
