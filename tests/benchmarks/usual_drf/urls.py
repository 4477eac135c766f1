from django.urls import path

from tests.benchmarks.usual_drf.views import TransferView, WalletView

urlpatterns = [
    path("wallet/transfer", TransferView.as_view()),
    path("wallet/<uuid:pk>", WalletView.as_view()),
]
