"""Every call that moves money or makes a charge, ready to be made: what it needs beforehand, and what it leaves behind."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from django.db import connection

from tests.factories.people import CustomerFactory, someone
from users.models import ServiceClient, User

CARD = {"number": "4242424242424242", "exp_month": 12, "exp_year": 2040, "cvc": "123"}
PLENTY = 50_000_000
AMOUNT = 7
REASON = {"reason": "asked for"}

# What one call leaves behind, row by row; what a killed process may leave beside it (an attempt that charged
# nothing, its failure) isn't an effect.
_LEFT_BEHIND = {
    "keys": "SELECT count(*) FROM transactions_idempotencykey",
    "transfers": "SELECT count(*) FROM transactions_transfer WHERE status <> 'failed'",
    "lines": "SELECT count(*) FROM transactions_transaction WHERE status <> 'failed'",
    "holds": "SELECT count(*) FROM transactions_hold",
    "adjustments": "SELECT count(*) FROM wallets_adjustment",
    "refunds": "SELECT count(*) FROM payments_refund",
    "charged": "SELECT count(*) FROM payments_payment WHERE status = 'succeeded'",
    "charges": "SELECT coalesce(sum(amount), 0) FROM payments_sandboxcharge WHERE status = 'succeeded'",
    "balances": "SELECT coalesce(sum(balance), 0) FROM transactions_ledgeraccount WHERE owner_id IS NOT NULL",
    "held": "SELECT coalesce(sum(held), 0) FROM transactions_ledgeraccount WHERE owner_id IS NOT NULL",
}


class Api(Protocol):
    """Somebody who calls, over HTTP or in the process."""

    def call(self, method: str, path: str, body: Any = None, *, key: str | None = "") -> Any: ...
    def persist(self, method: str, path: str, body: Any = None, *, prefix: str) -> Any: ...
    def get(self, path: str) -> Any: ...
    def post(self, path: str, body: Any = None) -> Any: ...


Connect = Callable[[User | ServiceClient | None], Api]


def left_behind() -> dict[str, int]:
    """Count all that money calls leave behind, in one snapshot of the database."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT " + ", ".join(f"({query})" for query in _LEFT_BEHIND.values()))
        return dict(zip(_LEFT_BEHIND, map(int, cursor.fetchone()), strict=True))


class Payer:
    """A customer with a wallet full of money, one that receives, a card, and staff beside them."""

    def __init__(self, connect: Connect) -> None:
        self.user = CustomerFactory.create()
        self.api, self.phone = connect(self.user), connect(None)
        self.finance = connect(someone("finance"))
        self.wallet = self.api.post("/wallet", {"currency": "USD"}).json()["id"]
        self.receiver = connect(CustomerFactory.create()).post("/wallet", {"currency": "USD"}).json()["id"]
        self.token = self.api.post("/tokens/card", CARD).json()["id"]
        self.fund(PLENTY)
        self.paid = self.spend(PLENTY // 2)
        self.deposit = self.fund(PLENTY // 2)

    def fund(self, amount: int) -> str:
        body = {**money(amount), "token_id": self.token}
        answer = self.api.post(f"/wallet/{self.wallet}/fund", body)
        assert answer.status_code == 201, answer.content
        transaction_id: str = answer.json()["transaction_id"]
        return transaction_id

    def spend(self, amount: int) -> str:
        transaction_id: str = self.api.post(f"/wallet/{self.wallet}/pay", money(amount)).json()["id"]
        return transaction_id


@dataclass(frozen=True)
class Sent:
    """One request, and another one that may not follow it under the same key."""

    by: Api
    path: str
    body: dict[str, Any]
    other: dict[str, Any]


def money(amount: int = AMOUNT) -> dict[str, Any]:
    """An amount in minor units, with its currency."""
    return {"amount": amount, "currency": "USD"}


def fund(payer: Payer) -> Sent:
    body = {**money(), "token_id": payer.token}
    return Sent(payer.api, f"/wallet/{payer.wallet}/fund", body, {**body, "amount": AMOUNT + 1})


def pay(payer: Payer) -> Sent:
    return Sent(payer.api, f"/wallet/{payer.wallet}/pay", money(), money(AMOUNT + 1))


def transfer(payer: Payer) -> Sent:
    body = {"from_wallet_id": payer.wallet, "to_wallet_id": payer.receiver, **money()}
    return Sent(payer.api, "/wallet/transfer", body, {**body, "description": "another"})


def batch(payer: Payer) -> Sent:
    row = {"from_wallet_id": payer.wallet, "to_wallet_id": payer.receiver, **money()}
    return Sent(
        payer.api,
        "/wallet/transfer/batch",
        {"transfers": [row, row, row], "atomic": True},
        {"transfers": [row, row], "atomic": True},
    )


def hold(payer: Payer) -> Sent:
    return Sent(payer.api, f"/wallet/{payer.wallet}/holds", money(), money(AMOUNT + 1))


def capture(payer: Payer) -> Sent:
    held = payer.api.post(f"/wallet/{payer.wallet}/holds", money()).json()["id"]
    return Sent(
        payer.api, f"/wallet/{payer.wallet}/holds/{held}/capture", {"amount": AMOUNT}, {"amount": AMOUNT - 1}
    )


def refund(payer: Payer) -> Sent:
    body = {"transaction_id": payer.paid, "amount": 1, "reason": "other"}
    return Sent(payer.api, "/refunds", body, {**body, "amount": 2})


def refund_of_deposit(payer: Payer) -> Sent:
    body = {"transaction_id": payer.deposit, "amount": 1, "reason": "other"}
    return Sent(payer.api, "/refunds", body, {**body, "amount": 2})


def adjustment(payer: Payer) -> Sent:
    body = {**money(), **REASON}
    path = f"/admin/wallets/{payer.wallet}/adjustments"
    return Sent(payer.finance, path, body, {**body, "amount": -AMOUNT})


def reversal(payer: Payer) -> Sent:
    path = f"/transactions/{payer.spend(AMOUNT)}/reverse"
    return Sent(payer.finance, path, REASON, {"reason": "another one"})


def _process(payer: Payer, scheme: str) -> Sent:
    session = payer.api.post(f"/payment/{scheme}/init", {"wallet_id": payer.wallet, **money()}).json()
    body = {"session_id": session["session_id"]}
    given = payer.phone.persist("POST", f"/sandbox/devices/{scheme}", body, prefix="")
    body["payment_data"] = given.json()["payment_data"]
    return Sent(payer.api, f"/payment/{scheme}/process", body, {**body, "save": True})


def apple_pay(payer: Payer) -> Sent:
    return _process(payer, "apple-pay")


def google_pay(payer: Payer) -> Sent:
    return _process(payer, "google-pay")


MONEY_CALLS: dict[str, Callable[[Payer], Sent]] = {
    "fund": fund,
    "pay": pay,
    "transfer": transfer,
    "batch": batch,
    "hold": hold,
    "capture": capture,
    "refund": refund,
    "refund of a deposit": refund_of_deposit,
    "adjustment": adjustment,
    "reversal": reversal,
    "apple pay": apple_pay,
    "google pay": google_pay,
}
