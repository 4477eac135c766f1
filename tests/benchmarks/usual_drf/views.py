"""The two calls, with model serializers and generic views."""

from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from rest_framework import generics, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from tests.benchmarks.usual_drf.models import Transaction, Transfer, Wallet


class WalletSerializer(serializers.ModelSerializer):
    class Meta:
        model = Wallet
        fields = ["id", "user", "currency", "balance", "status", "label", "created_at", "updated_at"]


class TransferSerializer(serializers.ModelSerializer):
    class Meta:
        model = Transfer
        fields = [
            "id",
            "from_wallet",
            "to_wallet",
            "amount",
            "currency",
            "description",
            "status",
            "created_at",
        ]
        read_only_fields = ["status"]

    def validate_amount(self, value: int) -> int:
        if value <= 0:
            raise serializers.ValidationError("The amount must be positive.")
        return value

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        source, target = attrs["from_wallet"], attrs["to_wallet"]
        if source.user_id != self.context["request"].user.pk:
            raise serializers.ValidationError("This is not your wallet.")
        if source == target or not attrs["currency"] == source.currency == target.currency:
            raise serializers.ValidationError("These wallets can't transfer to each other.")
        return attrs


class WalletView(generics.RetrieveAPIView):
    serializer_class = WalletSerializer

    def get_queryset(self) -> QuerySet[Wallet]:
        return Wallet.objects.filter(user=self.request.user)


class TransferView(generics.GenericAPIView):
    serializer_class = TransferSerializer
    queryset = Transfer.objects.all()

    def post(self, request: Request) -> Response:
        key = request.headers["Idempotency-Key"]
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        try:
            transfer = move(serializer.validated_data, key=key)
        except RefusedMove:
            raise serializers.ValidationError("The money can't be moved.") from None
        return Response(self.get_serializer(transfer).data, status=status.HTTP_201_CREATED)


class RefusedMove(Exception):
    """A wallet is not active, or has too little."""


def move(attrs: dict[str, Any], *, key: str) -> Transfer:
    """Lock both wallets, move the money and write its lines; an earlier transfer of the same key stands."""
    ids = [
        attrs["from_wallet"].pk if "from_wallet" in attrs else attrs["from_wallet_id"],
        attrs["to_wallet"].pk if "to_wallet" in attrs else attrs["to_wallet_id"],
    ]
    with transaction.atomic():
        earlier = Transfer.objects.filter(idempotency_key=key).first()
        if earlier is not None:
            return earlier
        locked = {
            wallet.pk: wallet
            for wallet in Wallet.objects.select_for_update().filter(pk__in=ids).order_by("pk")
        }
        source, target = (locked[wallet_id] for wallet_id in ids)
        if source.status != "active" or target.status != "active" or source.balance < attrs["amount"]:
            raise RefusedMove
        source.balance -= attrs["amount"]
        target.balance += attrs["amount"]
        source.save()
        target.save()
        transfer = Transfer.objects.create(**attrs, idempotency_key=key)
        for wallet, kind, amount in (
            (source, "debit", -transfer.amount),
            (target, "credit", transfer.amount),
        ):
            Transaction.objects.create(
                wallet=wallet, transfer=transfer, type=kind, amount=amount, balance_after=wallet.balance
            )
    return transfer
