"""Customers who pay each other and look at their wallets, on connections that stay open, at a rate of ours."""

import http.client
import json
import ssl
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

CARD = {"number": "4242424242424242", "exp_month": 12, "exp_year": 2040, "cvc": "123"}
FUNDS = 10_000_000
PASSWORD = "correct horse battery"  # noqa: S105 - of customers that live for minutes


@dataclass
class Tally:
    """What came of the calls: how long each took in seconds, and what the failed ones were told."""

    took_s: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    @property
    def calls(self) -> int:
        """How many calls were made."""
        return len(self.took_s)

    def percentile_ms(self, share: float) -> float:
        """Tell within how many milliseconds that share of the calls was answered."""
        ordered = sorted(self.took_s)
        return round(ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000, 1)


class Customer:
    """A customer with a wallet full of money, and one connection."""

    def __init__(self, number: int, *, port: int, context: ssl.SSLContext) -> None:
        self._connection = http.client.HTTPSConnection("localhost", port, timeout=60, context=context)
        self._made = number
        self.headers = {"Content-Type": "application/json"}
        login = {"email": f"{uuid4()}@rolling.example", "password": PASSWORD}
        self.ask("POST", "/auth/register", login)
        self.headers["Authorization"] = f"Bearer {self.ask('POST', '/auth/token', login)['access']}"
        self.wallet_id = self.ask("POST", "/wallet", {"currency": "EUR"})["id"]
        token_id = self.ask("POST", "/tokens/card", CARD)["id"]
        funding = {"amount": FUNDS, "currency": "EUR", "token_id": token_id}
        self.ask("POST", f"/wallet/{self.wallet_id}/fund", funding, key=str(uuid4()))
        self.pays = self.wallet_id

    def ask(self, method: str, path: str, body: Any = None, *, key: str = "") -> dict[str, Any]:
        """Make a call that has to succeed. Raises AssertionError."""
        status, answer = self._call(method, path, body, key)
        assert 200 <= status < 300, (path, status, answer)  # noqa: S101 - a drill is a test
        found: dict[str, Any] = json.loads(answer)
        return found

    def go_on(self, tally: Tally) -> None:
        """Make the next call of the round: pay, look at the wallet, pay, look at the history."""
        self._made += 1
        method, path, body, key = "GET", f"/wallet/{self.wallet_id}", None, ""
        if self._made % 2:
            method, path, key = "POST", "/wallet/transfer", str(uuid4())
            body = {
                "from_wallet_id": self.wallet_id,
                "to_wallet_id": self.pays,
                "amount": 1,
                "currency": "EUR",
            }
        elif self._made % 4 == 0:
            path += "/transactions"
        began_s = time.monotonic()
        try:
            status, answer = self._call(method, path, body, key)
            if not 200 <= status < 300:
                tally.failures.append(f"{method} {path}: {status} {answer[:200].decode(errors='replace')}")
        except (OSError, http.client.HTTPException) as failure:
            tally.failures.append(f"{method} {path}: {type(failure).__name__}: {failure}")
            self._connection.close()
        tally.took_s.append(time.monotonic() - began_s)

    def _call(self, method: str, path: str, body: Any, key: str) -> tuple[int, bytes]:
        headers: Mapping[str, str] = {**self.headers, **({"Idempotency-Key": key} if key else {})}
        sent = None if body is None else json.dumps(body)
        self._connection.request(method, f"/api/v1{path}", sent, dict(headers))
        response = self._connection.getresponse()
        return response.status, response.read()


class Load:
    """All customers at work; a context manager that lets them finish their calls on the way out."""

    def __init__(self, customers: Sequence[Customer], *, calls_per_s: float | None) -> None:
        """Call as fast as answers come where no rate is given."""
        self.tally = Tally()
        self._over = threading.Event()
        pause_s = len(customers) / calls_per_s if calls_per_s else 0.0
        self._threads = [
            threading.Thread(target=self._work, args=(customer, pause_s, place * pause_s / len(customers)))
            for place, customer in enumerate(customers)
        ]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_how: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _work(self, customer: Customer, pause_s: float, first_after_s: float) -> None:
        due_s = time.monotonic() + first_after_s
        while not self._over.wait(max(0.0, due_s - time.monotonic())):
            customer.go_on(self.tally)
            # A call that is late isn't left out, so that the rate is kept.
            due_s = due_s + pause_s if pause_s else 0.0
