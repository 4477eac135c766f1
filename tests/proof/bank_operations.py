"""The crash bank's customers and what they do: operations drawn by dice, each with the effect that its answer acknowledges."""

import json
import random
import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from tests.factories.people import CustomerFactory, someone
from tests.proof.calls import Answer, HttpApi
from tests.proof.money_calls import CARD, money

CUSTOMERS = 24
OPENING = 200_000
RULE = {"threshold": 5_000, "amount": 20_000}
TOP_UPS_OF = 4
"""So many of the customers have a rule that tops their wallet up, and spend from it."""
SHARES = {
    "transfer": 30,
    "pay": 20,
    "hold": 12,
    "fund": 10,
    "capture": 9,
    "batch": 7,
    "top-up": 5,
    "refund": 4,
    "void": 3,
}
BUSINESS = frozenset(
    {
        "insufficient_funds",
        "amount_exceeds_remaining",
        "target_unavailable",
        "limit_exceeded",
        "batch_refused",
    }
)
"""Refusals that a mixed load meets; anything else that isn't a success is a finding."""


@dataclass
class Account:
    """A customer's wallet as its owner knows it."""

    api: HttpApi
    wallet: str
    token: str
    holds: list[tuple[str, int]] = field(default_factory=list)
    paid: list[tuple[str, int]] = field(default_factory=list)
    """Lines that may be refunded, with what is left of each."""


@dataclass
class Operation:
    """One call under one key, and by how much it changes which wallets when it succeeds."""

    kind: str
    account: Account
    path: str
    body: dict[str, Any]
    key: str
    effects: dict[str, int] = field(default_factory=dict)
    amount: int = 0
    by: HttpApi | None = None
    """Whoever calls, where it isn't the account's owner."""

    @property
    def api(self) -> HttpApi:
        return self.by or self.account.api


@dataclass
class Acknowledged:
    """An operation and its final answer."""

    operation: Operation
    answer: Answer


class Bank:
    """All accounts, the dice, and what was acknowledged so far."""

    def __init__(self, port: int, rng: random.Random, *, customers: int = CUSTOMERS) -> None:
        self.rng, self.guard = rng, threading.Lock()
        self.accounts: list[Account] = []
        self.finance = HttpApi(port, someone("finance"))
        self.expected: Counter[str] = Counter()
        self.acknowledged: list[Acknowledged] = []
        self.answers: Counter[str] = Counter()
        self.found: list[str] = []
        self._numbers = iter(range(10_000_000))
        for number in range(customers):
            self.accounts.append(self._opened(port, has_rule=number < TOP_UPS_OF))

    def _opened(self, port: int, *, has_rule: bool) -> Account:
        api = HttpApi(port, CustomerFactory.create())
        wallet = api.post("/wallet", {"currency": "USD"}).json()["id"]
        account = Account(api, wallet, api.post("/tokens/card", CARD).json()["id"])
        body = {**money(OPENING), "token_id": account.token}
        answer = api.post(f"/wallet/{wallet}/fund", body)
        assert answer.status_code == 201, answer.content
        self.expected[wallet] = OPENING
        if has_rule:
            rule = api.put(f"/wallet/{wallet}/auto-top-up", {**RULE, "token_id": account.token})
            assert rule.status_code == 200, rule.content
        return account

    def draw(self) -> Operation:
        """Throw the dice for the next operation."""
        with self.guard:
            kind = self.rng.choices(list(SHARES), list(SHARES.values()))[0]
            account = self.rng.choice(self.accounts[TOP_UPS_OF:])
            key, amount = f"bank-{next(self._numbers)}", self.rng.randint(1, 900)
            if kind == "top-up":
                account = self.rng.choice(self.accounts[:TOP_UPS_OF])
                return self._pay(account, kind, key, self.rng.randint(10_000, 60_000))
            if kind == "fund":
                path = f"/wallet/{account.wallet}/fund"
                amount += 100
                return Operation(
                    kind, account, path, {**money(amount), "token_id": account.token}, key, amount=amount
                )
            if kind == "batch":
                return self._batch(account, key)
            if kind == "hold":
                path = f"/wallet/{account.wallet}/holds"
                return Operation(kind, account, path, money(amount), key, amount=amount)
            if kind in ("capture", "void") and account.holds:
                return self._end_hold(account, kind, key)
            if kind == "refund" and account.paid:
                line, most = account.paid.pop(self.rng.randrange(len(account.paid)))
                amount = self.rng.randint(1, most)
                body = {"transaction_id": line, "amount": amount, "reason": "other"}
                return Operation(kind, account, "/refunds", body, key, amount=amount)
            if kind == "pay":
                return self._pay(account, kind, key, amount)
            return self._transfer(account, key, amount)

    def _pay(self, account: Account, kind: str, key: str, amount: int) -> Operation:
        path = f"/wallet/{account.wallet}/pay"
        return Operation(kind, account, path, money(amount), key, {account.wallet: -amount}, amount)

    def _transfer(self, account: Account, key: str, amount: int) -> Operation:
        to = self.rng.choice([other for other in self.accounts if other is not account])
        body = {"from_wallet_id": account.wallet, "to_wallet_id": to.wallet, **money(amount)}
        effects = {account.wallet: -amount, to.wallet: amount}
        return Operation("transfer", account, "/wallet/transfer", body, key, effects, amount)

    def _batch(self, account: Account, key: str) -> Operation:
        effects: Counter[str] = Counter()
        rows = []
        for _ in range(5):
            to, amount = self.rng.choice(self.accounts), self.rng.randint(1, 90)
            if to is account:
                continue
            rows.append({"from_wallet_id": account.wallet, "to_wallet_id": to.wallet, **money(amount)})
            effects[account.wallet] -= amount
            effects[to.wallet] += amount
        if not rows:
            return self._transfer(account, key, 1)
        body = {"transfers": rows, "atomic": True}
        return Operation("batch", account, "/wallet/transfer/batch", body, key, dict(effects), len(rows))

    def _end_hold(self, account: Account, kind: str, key: str) -> Operation:
        hold, amount = account.holds.pop(self.rng.randrange(len(account.holds)))
        path = f"/wallet/{account.wallet}/holds/{hold}/{kind}"
        if kind == "void":
            return Operation(kind, account, path, {}, key)
        taken = self.rng.randint(1, amount)
        effects = {account.wallet: -taken}
        return Operation(kind, account, path, {"amount": taken}, key, effects, taken)

    def take(self, operation: Operation, answer: Answer) -> Operation | None:
        """Note a final answer: what it acknowledges has to be there from now on. Gives what follows from it."""
        with self.guard:
            self.acknowledged.append(Acknowledged(operation, answer))
            content = json.loads(answer.content)
            if answer.status_code >= 300:
                code = content["code"]
                self.answers[code] += 1
                if code not in BUSINESS:
                    self.found.append(f"{operation.kind} {operation.key}: {answer.status_code} {content}")
                return None
            self.answers[f"{operation.kind} acknowledged"] += 1
            self.expected.update(operation.effects)
            if operation.kind == "hold":
                operation.account.holds.append((content["id"], operation.amount))
            if operation.kind == "pay":
                operation.account.paid.append((content["id"], operation.amount))
            if operation.kind == "fund" and content["status"] == "succeeded":
                operation.account.paid.append((content["transaction_id"], operation.amount))
            if operation.kind == "refund":
                path = f"/admin/refunds/{content['id']}/approve"
                return Operation(
                    "approve", operation.account, path, {}, f"{operation.key}-yes", by=self.finance
                )
            return None
