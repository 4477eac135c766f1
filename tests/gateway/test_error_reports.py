"""An unhandled error arrives at Sentry with what finds it, and without what nobody there may see."""

import gzip
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import sentry_sdk
import structlog
from celery.signals import task_failure
from django.core.signals import got_request_exception
from django.test import Client

from config import error_reports

CARD = "4242424242424242"
SECRET = "correct horse battery"
TELLS_TOO_MUCH = (
    f"no card {CARD} of ann@example.com, password={SECRET!r}, Bearer abc.def.ghi\nDETAIL:  row (Ann Smith)"
)


@pytest.fixture
def reports() -> Iterator[list[dict[str, Any]]]:
    """What a pretended Sentry on this machine is sent."""
    kept: list[dict[str, Any]] = []

    class Sentry(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            sent = self.rfile.read(int(self.headers["Content-Length"]))
            lines = (
                gzip.decompress(sent) if self.headers["Content-Encoding"] == "gzip" else sent
            ).splitlines()
            kept.append({"head": json.loads(lines[0]), "event": json.loads(lines[2]), "raw": b"".join(lines)})
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_arguments: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Sentry)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    error_reports.start(
        dsn=f"http://key@127.0.0.1:{server.server_port}/1", release="9.8.7", environment="staging"
    )
    yield kept
    sentry_sdk.get_client().close()
    sentry_sdk.init()
    got_request_exception.disconnect(dispatch_uid="report_request")
    task_failure.disconnect(dispatch_uid="report_task")
    structlog.get_config()["processors"].remove(error_reports.report_logged)
    server.shutdown()
    server.server_close()


def told(reports: list[dict[str, Any]]) -> dict[str, Any]:
    sentry_sdk.flush(timeout=5)
    [report] = reports
    return report


def test_when_a_call_fails_then_its_error_arrives_with_its_ids_and_without_its_body(
    api: Client, reports: list[dict[str, Any]]
) -> None:
    api.raise_request_exception = False
    response = api.post(
        f"/failing-page?card={CARD}",
        json.dumps({"number": CARD, "password": SECRET}),
        content_type="application/json",
        headers={
            "X-Request-ID": "order-4711",
            "Authorization": "Bearer abcdefghijkl",
            "Cookie": "session=abcdef",
        },
    )

    report = told(reports)

    assert response.status_code == 500
    event = report["event"]
    assert (event["release"], event["environment"]) == ("9.8.7", "staging")
    assert event["tags"]["request_id"] == "order-4711"
    assert len(event["tags"]["trace_id"]) == 32
    [failure] = event["exception"]["values"]
    assert failure["stacktrace"]["frames"]
    assert not {"request", "user", "breadcrumbs", "extra"} & set(event)
    assert all("vars" not in frame for frame in failure["stacktrace"]["frames"])
    for secret in (CARD, SECRET, "abcdefghijkl", "session=abcdef"):
        assert secret.encode() not in report["raw"]


def test_when_the_message_itself_tells_too_much_then_it_is_masked(reports: list[dict[str, Any]]) -> None:
    try:
        raise ValueError(TELLS_TOO_MUCH)
    except ValueError:
        error_reports.report_request()

    report = told(reports)

    [failure] = report["event"]["exception"]["values"]
    assert failure["value"] == (
        "no card [card] of [address], password=[redacted], Bearer [redacted]\nDETAIL: [redacted]"
    )
    for secret in (CARD, "ann@example.com", "horse", "Smith"):
        assert secret.encode() not in report["raw"]


def test_when_a_sweep_logs_what_it_survived_then_that_is_reported_too(reports: list[dict[str, Any]]) -> None:
    try:
        raise KeyError("gone")
    except KeyError:
        structlog.get_logger().exception("sweep_failed", sweep="seal what was completed")

    report = told(reports)

    assert report["event"]["tags"]["logged"] == "sweep_failed"
    assert report["event"]["exception"]["values"][0]["type"] == "KeyError"


def test_when_a_task_fails_then_its_name_is_told(reports: list[dict[str, Any]]) -> None:
    error_reports.report_task(
        exception=RuntimeError("no"), sender=type("Task", (), {"name": "payments.execute"})
    )

    assert told(reports)["event"]["tags"]["task"] == "payments.execute"


def test_when_something_is_logged_without_a_failure_then_nothing_is_reported(
    reports: list[dict[str, Any]],
) -> None:
    structlog.get_logger().warning("redis_unavailable")
    structlog.get_logger().error("odd")
    sentry_sdk.flush(timeout=1)

    assert reports == []
