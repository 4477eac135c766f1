"""Moving money over HTTP: pay, transfer, reverse. The hot paths."""

from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from transactions.api.keys import keyed_answer, keyed_call, rendered
from transactions.api.serializers import TransactionView, shown_line
from transactions.idempotency import Answer, resource_id
from transactions.money import Money
from transactions.movements import Movement
from transactions.queries import line_by_id, line_of_movement, load_movement
from users.api.answers import json_bytes
from users.api.authentication import caller
from users.api.views import StrictViewSet
from wallets import reversals, transfers
from wallets.api.serializers import PayBody, ReasonBody, TransferBody, TransferView, shown_transfer


def _transferred(movement: Movement) -> Answer:
    source_id = movement.lines[0].account_id
    return rendered(201, shown_transfer(movement, source_id=source_id), f"transfer:{movement.id}")


def _show_transfer(stored_resource: str) -> bytes:
    movement = load_movement(resource_id(stored_resource))
    if movement is None:
        return b"{}"
    source_id = next(line.account_id for line in movement.lines if line.amount < 0)
    return json_bytes(shown_transfer(movement, source_id=source_id))


def _line_answer(movement: Movement, account_id: UUID) -> Answer:
    line = line_of_movement(movement, movement.line_of(account_id))
    return rendered(201, shown_line(line), f"transaction:{line.id}")


def _show_line(stored_resource: str) -> bytes:
    line = line_by_id(resource_id(stored_resource), owner_id=None)
    return json_bytes(shown_line(line)) if line is not None else b"{}"


class MovementViewSet(StrictViewSet):
    """Money on its way out of a wallet."""

    scopes = {"transfer": "wallet:write", "pay": "wallet:write", "reverse": "transaction:reverse"}
    keys = {"transfer": "required", "pay": "required", "reverse": "required"}

    @extend_schema(request=TransferBody, responses={201: TransferView})
    def transfer(self, request: Request) -> HttpResponse:
        """Move money to another wallet."""
        call = keyed_call(request, _transferred, _show_transfer)
        body = TransferBody.read(request)
        principal = caller(request)
        return keyed_answer(
            transfers.transfer(
                source_id=body["from_wallet_id"],
                target_id=body["to_wallet_id"],
                amount=Money(body["amount"], body["currency"]),
                owner_id=principal.owner_id,
                actor=principal.name,
                description=body["description"],
                metadata=body["metadata"],
                call=call,
            )
        )

    @extend_schema(request=PayBody, responses={201: TransactionView})
    def pay(self, request: Request, wallet_id: UUID) -> HttpResponse:
        """Spend from the wallet to the merchant's account."""
        call = keyed_call(
            request, lambda movement: _line_answer(movement, movement.lines[0].account_id), _show_line
        )
        body = PayBody.read(request)
        principal = caller(request)
        return keyed_answer(
            transfers.pay(
                wallet_id=wallet_id,
                amount=Money(body["amount"], body["currency"]),
                owner_id=principal.owner_id,
                actor=principal.name,
                description=body["description"],
                reference=body["reference"],
                metadata=body["metadata"],
                call=call,
            )
        )

    @extend_schema(request=ReasonBody, responses={201: TransactionView})
    def reverse(self, request: Request, transaction_id: UUID) -> HttpResponse:
        """Take a completed transaction back, once."""
        call = keyed_call(request, lambda posted: _line_answer(*posted), _show_line)
        body = ReasonBody.read(request)
        return keyed_answer(
            reversals.reverse_transaction(
                line_id=transaction_id,
                reason=body["reason"],
                actor=caller(request).name,
                call=call,
            )
        )
