"""A program of its own for the tests of tracing: one customer's calls, a worker, a provider and a receiver of webhooks.

It stands in a process of its own, since what is instrumented stays so. It prints the spans that would have been sent
to the collector, and which trace came where.
"""

import json
import sys
import threading
from pathlib import Path
from typing import Any

import opentelemetry.exporter.otlp.proto.http.trace_exporter as otlp
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

KEPT = InMemorySpanExporter()
otlp.OTLPSpanExporter = lambda: KEPT  # type: ignore[misc, assignment]

import django  # noqa: E402 - the exporter has to be there first

django.setup()

from celery.contrib.testing.worker import start_worker  # noqa: E402
from django.test import Client, override_settings  # noqa: E402
from opentelemetry import trace  # noqa: E402

from config.celery import app  # noqa: E402
from tests.contracts import fake_stripe  # noqa: E402
from tests.contracts.fake_stripe_charges import FakeStripeCharges  # noqa: E402
from tests.contracts.provider_server import ProviderServer  # noqa: E402
from tests.events.receivers import endpoint_for, receiver  # noqa: E402
from tests.factories.people import bearer, someone  # noqa: E402
from tests.payments.customers import Customer  # noqa: E402

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
TRACEPARENT = f"00-{TRACE_ID}-b7ad6b7169203331-01"


class Caller:
    """A client that sends its own trace along."""

    def __init__(self) -> None:
        self.client = Client(SERVER_NAME="localhost")
        self.answered: list[str] = []

    def post(self, path: str, body: dict[str, Any], *, who: Any, key: str) -> dict[str, Any]:
        response = self.client.post(
            f"/api/v1{path}",
            json.dumps(body),
            content_type="application/json",
            headers={"Authorization": bearer(who), "Idempotency-Key": key, "traceparent": TRACEPARENT},
        )
        assert response.status_code < 300, response.content
        self.answered.append(response.headers["traceparent"])
        found: dict[str, Any] = response.json()
        return found


def main() -> None:
    """Fund a wallet, have the refund asked for, approved and executed, and let a shop hear of all of it."""
    app.conf.broker_url = "memory://"
    app.conf.broker_transport_options = {}
    bank = FakeStripeCharges()
    server = ProviderServer(bank)
    caller = Caller()
    ann, finance = Customer.with_wallet("USD"), someone("finance")
    with override_settings(STRIPE_API_KEY=fake_stripe.KEY, STRIPE_API_BASE=server.url), receiver() as shop:
        endpoint = endpoint_for(shop.url)
        token = ann.card()
        # Refused, but asked: what stands in an address may be anything.
        caller.client.get("/api/v1/wallet?of=ann@example.com", headers={"traceparent": TRACEPARENT})
        body = {"amount": 5_000, "currency": "USD", "token_id": str(token.id)}
        caller.post(f"/wallet/{ann.wallet_id}/fund", body, who=ann.user, key="fund-0001")
        line = ann.payments[-1].transaction_id
        refund = caller.post(
            "/refunds",
            {"transaction_id": str(line), "amount": 700, "reason": "other"},
            who=ann.user,
            key="ask-00001",
        )
        caller.post(f"/admin/refunds/{refund['id']}/approve", {}, who=finance, key="yes-00001")
        heard = threading.Event()
        shop.answer = lambda _number, hook: (
            (heard.set() or 200, {}, b"") if is_last(hook.message) else (200, {}, b"")
        )
        with start_worker(app, perform_ping_check=False, pool="solo", queues="money,webhooks,reports"):
            for name in ("events.publish", "events.send_due_webhooks"):
                app.send_task(name)
            for _ in range(60):
                if heard.wait(0.5):
                    break
                for name in ("events.publish", "events.send_due_webhooks"):
                    app.send_task(name)
        type(endpoint).objects.filter(id=endpoint.id).update(status="deleted")
    server.stop()
    trace.get_tracer_provider().force_flush()  # type: ignore[attr-defined]
    Path(sys.argv[1]).write_text(
        json.dumps(
            {
                "spans": [json.loads(span.to_json()) for span in KEPT.get_finished_spans()],
                "answered": caller.answered,
                "provider": [request.headers.get("traceparent", "") for request in bank.received],
                "shop": {hook.message["type"]: hook.headers.get("traceparent", "") for hook in shop.hooks},
                "people": [
                    ann.user.email,
                    finance.email,
                    str(ann.user.id),
                    "ann@example.com",
                    "4242424242424242",
                ],
            }
        )
    )


def is_last(message: dict[str, Any]) -> bool:
    """Whether this tells of the end of the refund."""
    return bool(message["type"] == "refund.completed")


if __name__ == "__main__":
    main()
