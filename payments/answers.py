"""What a call that charges is answered, in bytes: the same whether the call itself or reconciliation finds it out."""

from typing import Any
from uuid import UUID

import orjson
from django.conf import settings
from django.utils.module_loading import import_string

from payments.models import Payment, PaymentStatus
from payments.processors.declines import shown_code
from transactions.idempotency import Answer, resource_id
from transactions.prepared import run

DECLINED_DETAIL = "The card was declined. No money moved."


def resource_of(payment_id: UUID) -> str:
    """Name a payment as the keys of its calls do."""
    return f"payment:{payment_id}"


def answer_of(payment: Payment, *, balance: int) -> Answer:
    """Write the answer that a payment's state stands for; `balance` is the wallet's, in minor units.

    201 once the processor has said what it is to be, 202 while that is unknown, 402 when it declined.
    """
    if payment.status == PaymentStatus.FAILED:
        return _problem(payment)
    body: dict[str, Any] = {
        "payment_id": payment.id,
        "transaction_id": payment.transaction_id,
        "wallet_id": payment.wallet_id,
        "status": payment.status,
        "amount": payment.amount,
        "currency": payment.currency,
        "token_id": payment.token_id,
        "new_balance": balance,
        "next_action": payment.next_action,
    }
    status = 202 if payment.status == PaymentStatus.PENDING else 201
    return Answer(status=status, body=orjson.dumps(body), resource=resource_of(payment.id))


def body_as_it_is_now(resource: str) -> bytes:
    """Give the body for a key whose first answer is kept no longer."""
    payment = Payment.objects.get(id=resource_id(resource))
    return answer_of(payment, balance=balance_of(payment.wallet_id)).body


def balance_of(wallet_id: UUID) -> int:
    """Tell a wallet's balance for showing, in minor units."""
    return int(run("SELECT balance FROM transactions_ledgeraccount WHERE id = %s", (wallet_id,))[0][0])


def _problem(payment: Payment) -> Answer:
    """Write the problem of a decline; of a charge that never was, when nobody knows of a decline."""
    is_declined = bool(payment.decline_code)
    status, body = import_string(settings.PROBLEM_WRITER)(
        "payment_declined" if is_declined else "provider_error",
        instance=payment.request_path,
        request_id=payment.request_id,
        detail=DECLINED_DETAIL if is_declined else "",
        extra={"payment_id": str(payment.id), "decline_code": shown_code(payment.decline_code) or None},
    )
    return Answer(status=status, body=body, resource=resource_of(payment.id))
