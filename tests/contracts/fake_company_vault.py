"""The service behind the example of `docs/custom-vaults.md`."""

import json
from typing import Any
from uuid import uuid4

from tests.contracts.provider_server import ProviderApi, Received, Reply

KEY = "company-secret"


class FakeCompanyVault(ProviderApi):
    """Keeps items once for each key."""

    def __init__(self) -> None:
        super().__init__()
        self.items: dict[str, dict[str, Any]] = {}
        self.kept: dict[str, Reply] = {}

    def answer(self, request: Received) -> Reply:
        with self.lock:
            if request.headers.get("authorization") != f"Bearer {KEY}":
                return Reply(401)
            if request.method == "POST":
                key = request.headers["idempotency-key"]
                if key not in self.kept:
                    self.kept[key] = self._stored(request.path, json.loads(request.body))
                return self.kept[key]
            item_id = request.path.rpartition("/")[2]
            if item_id not in self.items:
                return Reply(404)
            if request.method == "DELETE":
                del self.items[item_id]
                return Reply(204)
            return Reply(200, self.items[item_id])

    def _stored(self, path: str, asked: dict[str, Any]) -> Reply:
        if path == "/phones":
            is_readable = "version" in asked["payment_data"].get("paymentData", {}) or (
                asked["payment_data"].get("apiVersion") == 2
            )
            card = {"number": "4242424242424242", "exp_month": 12, "exp_year": 2030}
        else:
            is_readable, card = not asked["number"].endswith("4241"), asked
        if not is_readable:
            return Reply(422)
        item = {
            "id": str(uuid4()),
            "status": "active",
            "brand": "amex" if card["number"].startswith("3") else "visa",
            "last4": card["number"][-4:],
            "exp_month": card["exp_month"],
            "exp_year": card["exp_year"],
            "fingerprint": f"company-{sum(map(ord, card['number']))}",
        }
        self.items[item["id"]] = item
        return Reply(201, item)
