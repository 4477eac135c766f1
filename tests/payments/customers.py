"""Customers of the payment tests, what they call, and what all books say about them."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from events.clock import now
from payments.models import Payment, PaymentKind, SandboxCharge
from payments.reconciliation import sweep_due_payments
from payments.topups import top_up
from tokens.models import PaymentToken
from tokens.tokenization import tokenize_card
from transactions.idempotency import Answer, KeyedCall
from transactions.models import IdempotencyKey, LedgerAccount, Transaction, Transfer
from transactions.money import Money
from users.models import User
from wallets.lifecycle import open_wallet

SUCCEEDS = "4242424242424242"
DECLINED = "4000000000000002"
NOT_COVERED = "4000000000009995"
FAILS_WHEN_CHARGED = "4000000000000341"
TIMES_OUT = "4000000000000119"
IS_DISPUTED = "4000000000000259"
REFUND_FAILS = "4000000000005126"


def unkeyed(principal: str = "system:test") -> KeyedCall:
    return KeyedCall(principal=principal, key="", fingerprint=b"", render=lambda _: Answer(200, b""))


@dataclass
class Customer:
    """A customer and one wallet."""

    user: User
    wallet_id: UUID
    currency: str

    @classmethod
    def with_wallet(cls, currency: str) -> "Customer":
        user = User.objects.create(email=f"{uuid7()}@payments.example", role="user")
        open_wallet(user_id=user.id, currency=currency, actor=f"user:{user.id}", call=unkeyed())
        wallet = user.wallets.get(currency=currency)
        return cls(user=user, wallet_id=wallet.pk, currency=currency)

    @property
    def actor(self) -> str:
        return f"user:{self.user.id}"

    def card(self, number: str = SUCCEEDS) -> PaymentToken:
        tokenize_card(
            owner_id=self.user.id,
            number=number,
            exp_month=12,
            exp_year=2040,
            cvc="123",
            holder="",
            actor=self.actor,
            call=unkeyed(),
        )
        return PaymentToken.objects.filter(user=self.user).latest("id")

    def call(self, key: str) -> KeyedCall:
        return KeyedCall(
            principal=self.actor, key=key, fingerprint=b"the same request", render=lambda _: Answer(201, b"")
        )

    def top_up(self, token_id: UUID, amount: int, *, key: str = "", kind: str = "funding") -> Answer:
        return top_up(
            wallet_id=self.wallet_id,
            owner_id=self.user.id,
            amount=Money(amount, self.currency),
            token_id=token_id,
            kind=PaymentKind(kind),
            actor=self.actor,
            call=self.call(key),
            request_path=f"/api/v1/wallet/{self.wallet_id}/fund",
        )

    @property
    def balance(self) -> int:
        return LedgerAccount.objects.get(id=self.wallet_id).balance

    @property
    def payments(self) -> list[Payment]:
        return list(Payment.objects.filter(wallet_id=self.wallet_id).order_by("id"))

    @property
    def charged(self) -> int:
        """What the processor says that it has charged for this wallet."""
        keys = [payment.processor_key for payment in self.payments]
        charges = SandboxCharge.objects.filter(key__in=keys, status="succeeded")
        return sum(charge.amount for charge in charges)

    def books(self) -> dict[str, Any]:
        """All that any book says about the customer; equal before and after where nothing moved."""
        accounts = LedgerAccount.objects.filter(id=self.wallet_id)
        return {
            "account": list(accounts.values()),
            "lines": list(Transaction.objects.filter(account_id=self.wallet_id).order_by("id").values()),
            "transfers": list(Transfer.objects.filter(actor=self.actor).order_by("id").values()),
            "payments": list(Payment.objects.filter(wallet_id=self.wallet_id).order_by("id").values()),
            "charged": self.charged,
            "keys": IdempotencyKey.objects.filter(principal=self.actor).count(),
        }


def sweep_later(seconds: int = 120) -> int:
    """Sweep as if it were some time later than any grace."""
    return sweep_due_payments(limit=10_000, at=now() + timedelta(seconds=seconds))
