"""A payment provider on this machine: HTTP, books of its own, and failures on demand.

It charges once for a key, as real ones do, and can be told what goes wrong with the next request, before or
after the charge is in its books: a body that never comes, a connection that is reset, an error, nonsense.
"""

import json
import socket
import struct
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

SLOWER_THAN_THE_CLIENT_S = 2.0

DECLINES = {
    "4000000000000002": "generic_decline",
    "4000000000009995": "insufficient_funds",
    "4000000000000341": "generic_decline",
}


class Books:
    """What the provider has charged and refunded, by the client's keys."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.charges: dict[str, dict[str, Any]] = {}
        self.refunds: dict[str, dict[str, Any]] = {}
        self.next_failure = ""

    def taken_failure(self) -> str:
        with self.lock:
            failure, self.next_failure = self.next_failure, ""
        return failure

    def charge(self, asked: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        with self.lock:
            kept = self.charges.get(asked["key"])
            if kept is None:
                code = DECLINES.get(asked["number"], "")
                kept = self.charges[asked["key"]] = {
                    "id": f"ch_{asked['key']}",
                    "amount": asked["amount"],
                    "currency": asked["currency"],
                    "status": "declined" if code else "succeeded",
                    "decline_code": code,
                    "refund_fails": asked["number"] == "4000000000005126",
                }
            elif (kept["amount"], kept["currency"]) != (asked["amount"], asked["currency"]):
                return 400, {"error": "key_reused"}
        return (402 if kept["status"] == "declined" else 200), kept

    def refund(self, asked: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        with self.lock:
            kept = self.refunds.get(asked["key"])
            if kept is not None:
                same = kept["amount"] == asked["amount"]
                return (200, kept) if same else (400, {"error": "key_reused"})
            charges = {charge["id"]: charge for charge in self.charges.values()}
            charge = charges.get(asked["charge"])
            if charge is None or charge["status"] != "succeeded":
                return 404, {"error": "no_such_charge"}
            given = sum(r["amount"] for r in self.refunds.values() if r["charge"] == charge["id"])
            if given + asked["amount"] > charge["amount"]:
                return 402, {"decline_code": "amount_too_large"}
            kept = self.refunds[asked["key"]] = {
                "id": f"re_{asked['key']}",
                "charge": charge["id"],
                "amount": asked["amount"],
                "currency": charge["currency"],
                "fails": charge["refund_fails"],
                "decline_code": "",
            }
            return 200, dict(kept)

    def found(self, kind: str, key: str) -> tuple[int, dict[str, Any]]:
        with self.lock:
            if kind == "charges":
                kept = self.charges.get(key)
                return (404, {}) if kept is None else (402 if kept["decline_code"] else 200, kept)
            kept = self.refunds.get(key)
            if kept is None:
                return 404, {}
            if kept["fails"]:
                return 402, {**kept, "decline_code": "expired_or_canceled_card"}
            return 200, kept


class _Handler(BaseHTTPRequestHandler):
    books: Books
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        failure = self.books.taken_failure()
        if not failure.endswith("_before"):
            act = self.books.charge if self.path == "/charges" else self.books.refund
            status, body = act(asked)
        if asked.get("number") == "4000000000000119" and not failure:
            failure = "timeout_after"
        kind = failure.rpartition("_")[0]
        if kind == "timeout":
            time.sleep(SLOWER_THAN_THE_CLIENT_S)
            self.close_connection = True
        elif kind == "reset":
            # With a linger of 0 s the close is a reset: the client learns nothing.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            self.close_connection = True
        elif kind == "error":
            self._answer(500, {"error": "internal"})
        elif kind == "busy":
            self._answer(429, {"error": "rate_limit"})
        elif kind == "garbage":
            self._answer(200, b"<html>")
        else:
            self._answer(status, body)

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if self.books.taken_failure():
            self._answer(500, {"error": "internal"})
        else:
            self._answer(*self.books.found(parts.path.strip("/"), parse_qs(parts.query)["key"][0]))

    def _answer(self, status: int, body: dict[str, Any] | bytes) -> None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, template: str, *arguments: Any) -> None:
        """Say nothing on the test's terminal."""


class _Server(ThreadingHTTPServer):
    request_queue_size = 64
    daemon_threads = True


class FakeProvider:
    """A running provider; `url` is where it listens."""

    def __init__(self) -> None:
        self.books = Books()
        handler = type("Handler", (_Handler,), {"books": self.books})
        self._server = _Server(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
