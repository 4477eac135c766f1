"""One trace from the client's call over the outbox and the worker to the provider and to the receiver of webhooks."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from config.trace_export import KEPT

ROOT = Path(__file__).resolve().parents[2]
TRACE_ID = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture(scope="module")
def journey(database_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the traced program wrote down, and its log."""
    told = tmp_path_factory.mktemp("traces") / "told.json"
    environment = {
        **database_environment,
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9",
        "PAYMENT_PROCESSOR": "stripe",
        "STRIPE_API_KEY": "sk_test_1",
    }
    done = subprocess.run(
        [sys.executable, "-m", "tests.gateway.traced_journey", str(told)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(told.read_text())
    found["log"] = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
    return found


def spans(journey: dict[str, Any], name: str) -> list[dict[str, Any]]:
    return [span for span in journey["spans"] if span["name"] == name]


def ours(journey: dict[str, Any]) -> list[dict[str, Any]]:
    return [span for span in journey["spans"] if span["context"]["trace_id"] == f"0x{TRACE_ID}"]


def test_when_a_client_sends_its_trace_then_web_outbox_worker_provider_and_webhook_go_on_in_it(
    journey: dict[str, Any],
) -> None:
    names = {span["name"] for span in ours(journey)}

    wanted = {
        "POST /api/v1/wallet/<uuid:wallet_id>/fund",
        "run/payments.execute_refund",
        "publish refund.completed",
        "send refund.completed",
    }
    assert wanted - names == set()
    assert all(sent[3:35] == TRACE_ID for sent in [*journey["answered"], *journey["provider"]])
    assert journey["shop"]["refund.completed"][3:35] == TRACE_ID
    assert len(journey["provider"]) >= 2


def test_when_the_worker_calls_the_provider_then_the_call_hangs_under_the_task_and_the_task_under_the_request(
    journey: dict[str, Any],
) -> None:
    by_id = {span["context"]["span_id"]: span for span in journey["spans"]}
    calls = [span for span in ours(journey) if span["name"] == "POST" and "http.method" in span["attributes"]]

    def ancestors(span: dict[str, Any]) -> list[str]:
        above = by_id.get(span["parent_id"])
        return [] if above is None else [above["name"], *ancestors(above)]

    chains = [ancestors(call) for call in calls]

    # Whichever of the two requests that rang was heard first.
    assert [
        "run/payments.execute_refund",
        "apply_async/payments.execute_refund",
        "POST /api/v1/refunds",
    ] in chains or [
        "run/payments.execute_refund",
        "apply_async/payments.execute_refund",
        "POST /api/v1/admin/refunds/<uuid:refund_id>/approve",
    ] in chains
    assert any(chain[-1] == "POST /api/v1/wallet/<uuid:wallet_id>/fund" for chain in chains)


def test_when_money_moves_then_the_statements_that_go_past_psycopg_have_their_spans_too(
    journey: dict[str, Any],
) -> None:
    [request] = spans(journey, "POST /api/v1/wallet/<uuid:wallet_id>/fund")
    below = [s for s in ours(journey) if s["parent_id"] == request["context"]["span_id"]]

    named = [span["name"] for span in below]

    assert {"BEGIN", "COMMIT", "EVALSHA"} <= set(named)
    statements = [span["attributes"].get("db.statement", "") for span in below]
    assert any("transactions_ledgeraccount" in statement for statement in statements)


def test_when_spans_leave_then_they_speak_of_nobody(journey: dict[str, Any]) -> None:
    told = json.dumps(journey["spans"])

    assert len(journey["spans"]) > 50
    assert [person for person in journey["people"] if person in told] == []
    assert {name for span in journey["spans"] for name in span["attributes"]} <= KEPT
    assert "127.0.0.1" not in {span["attributes"].get("client.address") for span in journey["spans"]}


def test_when_lines_are_logged_then_they_name_the_trace_in_web_worker_and_provider_call(
    journey: dict[str, Any],
) -> None:
    traced = {line["event"] for line in journey["log"] if line.get("trace_id") == TRACE_ID}

    assert {"request", "provider_called"} <= traced


def test_when_tracing_is_off_then_nothing_of_it_is_imported(database_environment: dict[str, str]) -> None:
    # redis-py looks for the package by itself; what records and sends spans stays out.
    ask = (
        "import sys, config.wsgi, config.celery; from config.settings import base;"
        " print([name for name in sys.modules if name.startswith(('opentelemetry.sdk.trace', 'opentelemetry.exporter', 'opentelemetry.instrumentation', 'sentry_sdk',"
        " 'config.tracing', 'config.gateway.request_spans'))], base.IS_TRACED, len(base.MIDDLEWARE))"
    )

    done = subprocess.run(
        [sys.executable, "-c", ask],
        cwd=ROOT,
        env=database_environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert done.stdout.startswith("[] False ")
