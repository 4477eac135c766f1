"""A payment provider in a process of its own, which can be killed at any moment and has forgotten nothing afterwards.

It is the Stripe of the contract tests with a journal: each request is written down before it is acted upon, so that
a kill may come between the charge and its answer. A new process reads the journal and makes the same objects again.
What happened is told to the application as signed webhooks, again and again until they are taken.
"""

import json
import os
import random
import sys
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import django

from tests.contracts import fake_stripe, provider_server
from tests.contracts.fake_stripe_charges import FakeStripeCharges
from tests.contracts.provider_server import Received, Reply

PAUSE_S = 0.02


class JournaledStripe(FakeStripeCharges):
    """The same account in every life of the process."""

    def __init__(self, journal: Path) -> None:
        super().__init__()
        self.path = journal
        self.told = 0
        self._ids = random.Random(0)
        fake_stripe.uuid4 = lambda: UUID(int=self._ids.getrandbits(128))  # type: ignore[assignment]
        for line in journal.read_text().splitlines() if journal.exists() else []:
            entry = json.loads(line)
            if "told" in entry:
                self.told = entry["told"]
            else:
                self._act(entry)
        # What was told and not yet written down as told is told twice, as providers do.
        self._journal = journal.open("a")

    def answer(self, request: Received) -> Reply:
        with self.lock:
            if request.method == "GET":
                return super().answer(request)
            entry = {
                "at": time.time(),
                "path": request.path,
                "query": request.query,
                "method": request.method,
                "headers": request.headers,
                "body": request.body.decode(),
            }
            self._write(entry)
            return self._act(entry)

    def deliver(self, url: str) -> None:
        """Tell the next event; an application that is down is told later."""
        from tests.payments.webhook_senders import stripe_event, stripe_signed

        with self.lock:
            if self.told >= len(self.events):
                return
            kind, about = self.events[self.told]
        event = stripe_event(kind, about, id=f"evt_{self.told}")
        raw, headers = stripe_signed(event, secret=os.environ["STRIPE_WEBHOOK_SECRET"])
        request = urllib.request.Request(url, raw, {**headers, "Content-Type": "application/json"})  # noqa: S310
        urllib.request.urlopen(request, timeout=10).close()  # noqa: S310 - our own address
        with self.lock:
            self.told += 1
            self._write({"told": self.told})

    def _act(self, entry: dict[str, Any]) -> Reply:
        self.clock_s = lambda: entry["at"]
        return super().answer(
            Received(entry["method"], entry["path"], entry["query"], entry["headers"], entry["body"].encode())
        )

    def _write(self, entry: dict[str, Any]) -> None:
        # A kill takes what this process holds, not what the kernel has.
        self._journal.write(json.dumps(entry) + "\n")
        self._journal.flush()


def charges_in(journal: Path) -> dict[str, list[int]]:
    """Read what was charged under each of our keys, in minor units."""
    found: dict[str, list[int]] = {}
    for known in JournaledStripe(journal).objects.values():
        if known["object"] == "payment_intent" and known["amount_received"]:
            found.setdefault(known["metadata"].get("open_wallet_key", ""), []).append(
                known["amount_received"]
            )
    return found


def refunds_in(journal: Path) -> dict[str, list[int]]:
    """Read what was refunded under each of our keys, in minor units."""
    found: dict[str, list[int]] = {}
    for known in JournaledStripe(journal).objects.values():
        if known["object"] == "refund" and known["status"] == "succeeded":
            found.setdefault(known["metadata"].get("open_wallet_key", ""), []).append(known["amount"])
    return found


def main(journal: Path) -> None:
    """Serve at STRIPE_API_BASE and tell the application on PORT, until killed."""
    django.setup()
    api = JournaledStripe(journal)
    address = urlsplit(os.environ["STRIPE_API_BASE"])
    handler = type("Handler", (provider_server._Handler,), {"api": api})
    server = provider_server._Server((address.hostname or "", address.port or 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{os.environ['PORT']}/api/v1/payment/webhooks/stripe"
    while True:
        try:
            api.deliver(url)
        except OSError:
            time.sleep(0.5)
        time.sleep(PAUSE_S)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
