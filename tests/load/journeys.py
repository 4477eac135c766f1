"""What customers and staff do all day, for locust; runs in a venv of its own, which knows nothing of Open Wallet.

Each customer, who has an account already, opens a wallet, saves a card and funds the wallet; then everybody reads, pays,
transfers, holds and refunds at a person's pace. One call in twenty is sent twice, as a phone does that lost its answer.
"""

import json
import os
import random
from pathlib import Path
from uuid import uuid4

from locust import HttpUser, between, events, task

CARD = {"number": "4242424242424242", "exp_month": 12, "exp_year": 2040, "cvc": "123"}
FUNDING = 500_000
SENT_TWICE = 0.05
API = "/api/v1"
PERCENTILES = {"p50_ms": 0.50, "p95_ms": 0.95, "p99_ms": 0.99}

accounts: list[dict[str, str]] = json.loads(Path(os.environ["LOAD_ACCOUNTS"]).read_text())
wallets: list[str] = []


class Caller(HttpUser):
    """Somebody with an access token, who waits a little between two calls."""

    abstract = True
    wait_time = between(0.2, 1.0)
    token = ""

    def log_in(self, email: str, password: str) -> None:
        self.token = self.post("/auth/token", {"email": email, "password": password})["access"]

    def get(self, path: str, name: str = "") -> dict:
        answer = self.client.get(f"{API}{path}", name=name or path, headers=self._headers())
        return answer.json() if answer.ok else {}

    def post(self, path: str, body: dict, name: str = "", *, moves_money: bool = False) -> dict:
        """POST under a fresh key; now and then twice, and then both answers have to be the same."""
        headers = {**self._headers(), "Idempotency-Key": str(uuid4())}
        answer = self.client.post(f"{API}{path}", json=body, name=name or path, headers=headers)
        if moves_money and answer.ok and random.random() < SENT_TWICE:
            shown = f"{name or path} (the same key again)"
            with self.client.post(
                f"{API}{path}", json=body, name=shown, headers=headers, catch_response=True
            ) as again:
                if again.content != answer.content:
                    again.failure("the second answer differs from the first")
        return answer.json() if answer.ok else {}

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}


class Customer(Caller):
    """Somebody with a wallet."""

    weight = 19

    def on_start(self) -> None:
        account = accounts.pop()
        self.token, self.renewal = account["access"], account["refresh"]
        self.wallet = self.post("/wallet", {"currency": "USD"})["id"]
        self.card = self.post("/tokens/card", CARD)["id"]
        self.paid: list[str] = []
        self._fund()
        wallets.append(self.wallet)

    @task(30)
    def look_at_the_balance(self) -> None:
        self.get(f"/wallet/{self.wallet}", "/wallet/{id}")

    @task(12)
    def read_the_history(self) -> None:
        page = self.get(f"/wallet/{self.wallet}/transactions", "/wallet/{id}/transactions")
        following = page.get("next")
        if following:
            self.get(following.partition(API)[2], "/wallet/{id}/transactions, the next page")

    @task(4)
    def list_everything(self) -> None:
        self.get("/wallet")
        self.get("/tokens")

    @task(18)
    def pay(self) -> None:
        body = {"amount": random.randint(1, 500), "currency": "USD", "description": "Lunch"}
        line = self.post(f"/wallet/{self.wallet}/pay", body, "/wallet/{id}/pay", moves_money=True)
        self.paid.append(line.get("id", ""))

    @task(14)
    def send_to_somebody(self) -> None:
        other = random.choice(wallets)
        if other != self.wallet:
            body = {"from_wallet_id": self.wallet, "to_wallet_id": other}
            body |= {"amount": random.randint(1, 500), "currency": "USD"}
            self.post("/wallet/transfer", body, moves_money=True)

    @task(2)
    def renew_the_session(self) -> None:
        pair = self.post("/auth/token/refresh", {"refresh": self.renewal})
        if pair:
            self.token, self.renewal = pair["access"], pair["refresh"]

    @task(4)
    def fund(self) -> None:
        self._fund()

    @task(4)
    def hold_and_capture(self) -> None:
        path = f"/wallet/{self.wallet}/holds"
        hold = self.post(path, {"amount": 300, "currency": "USD"}, "/wallet/{id}/holds", moves_money=True)
        if hold:
            self.post(
                f"{path}/{hold['id']}/capture",
                {"amount": 200},
                "/wallet/{id}/holds/{id}/capture",
                moves_money=True,
            )

    @task(2)
    def ask_for_a_refund(self) -> None:
        if self.paid and (line := self.paid.pop()):
            self.post("/refunds", {"transaction_id": line, "amount": 1, "reason": "other"}, moves_money=True)

    @task(2)
    def read_a_statement(self) -> None:
        self.get(f"/wallet/{self.wallet}/statement?from=2020-01-01&to=2999-01-01", "/wallet/{id}/statement")

    def _fund(self) -> None:
        body = {"amount": FUNDING, "currency": "USD", "token_id": self.card}
        self.post(f"/wallet/{self.wallet}/fund", body, "/wallet/{id}/fund", moves_money=True)


class Support(Caller):
    """A member of staff who looks things up."""

    weight = 1

    def on_start(self) -> None:
        self.log_in("support@example.com", os.environ["LOAD_STAFF_PASSWORD"])

    @task(3)
    def look_at_the_latest(self) -> None:
        self.get("/transactions?limit=50", "/transactions (staff)")

    @task(2)
    def look_at_the_queue(self) -> None:
        self.get("/admin/refunds", "/admin/refunds (staff)")


@events.quitting.add_listener
def report(environment, **_more) -> None:
    """Write what was measured as JSON: each call with its rate and times, and what failed."""
    stats = environment.stats

    def row(entry) -> dict:
        times = {
            name: round(entry.get_response_time_percentile(share) or 0, 1)
            for name, share in PERCENTILES.items()
        }
        return {
            "calls": entry.num_requests,
            "failed": entry.num_failures,
            "rate": round(entry.total_rps, 2),
            **times,
            "longest_ms": round(entry.max_response_time, 1),
        }

    calls = {f"{entry.method} {entry.name}": row(entry) for entry in stats.entries.values()}
    errors = [
        f"{error.method} {error.name}: {error.error} ({error.occurrences})" for error in stats.errors.values()
    ]
    lasted_s = (stats.total.last_request_timestamp or 0) - stats.total.start_time
    found = {"lasted_s": round(lasted_s, 1), "all": row(stats.total), "calls": calls, "errors": errors}
    Path(os.environ["LOAD_REPORT"]).write_text(json.dumps(found))
