"""A gateway of Apple's on this machine, which takes nobody without the merchant's certificate."""

import json
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from payments.schemes import merchant_sessions
from tests.payments.schemes.apple_forge import key, pem
from tokens.providers import calls

MERCHANT_ID = "merchant.example.open-wallet"
SESSION = {
    "epochTimestamp": 1793523600000,
    "expiresAt": 1793523900000,
    "merchantSessionIdentifier": "SSH-1",
    "nonce": "n",
    "signature": "308006092a",
    "retries": 0,
}


def certificate(name: str, number: int) -> bytes:
    """A certificate that has signed itself, valid around now, for this machine."""
    now = datetime.now(UTC)
    named = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    builder = x509.CertificateBuilder().subject_name(named).issuer_name(named)
    builder = builder.public_key(key(number).public_key()).serial_number(number)
    builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    return builder.sign(key(number), SHA256()).public_bytes(Encoding.PEM)


class Gateway:
    """A gateway of Apple's on this machine; it takes nobody without the merchant's certificate."""

    def __init__(self, folder: Path) -> None:
        self.received: list[tuple[str, Any, str]] = []
        self.status, self.body, self.wait_s = 200, json.dumps(SESSION).encode(), 0.0
        self.certificate = folder / "gateway.pem"
        self.certificate.write_bytes(certificate("gateway", 31) + pem(key(31)))
        self.identity = folder / "identity.pem"
        self.identity.write_bytes(certificate("our merchant", 32) + pem(key(32)))
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(self.certificate)
        tls.load_verify_locations(self.identity)
        tls.verify_mode = ssl.CERT_REQUIRED
        gateway = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                shown = dict(pair[0] for pair in self.connection.getpeercert()["subject"])
                gateway.received.append((self.path, json.loads(body), shown["commonName"]))
                time.sleep(gateway.wait_s)
                self.send_response(gateway.status)
                self.send_header("Location", "https://localhost/elsewhere")
                self.send_header("Content-Length", str(len(gateway.body)))
                self.end_headers()
                self.wfile.write(gateway.body)

            def log_message(self, *_arguments: Any) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *_: None  # type: ignore[method-assign]  # who hangs up, may
        self.server.socket = tls.wrap_socket(self.server.socket, server_side=True)
        self.host = f"localhost:{self.server.server_port}"

    def url(self, path: str = "/paymentservices/paymentSession") -> str:
        return f"https://{self.host}{path}"

    def fetch(self, path: str = "/paymentservices/paymentSession") -> dict[str, Any]:
        return merchant_sessions.fetch(validation_url=self.url(path))


@contextmanager
def running_gateway(folder: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gateway]:
    """Run one that we are registered at, and let only it be called."""
    made = Gateway(folder)
    settings.APPLE_PAY_MERCHANT_ID = MERCHANT_ID
    settings.APPLE_PAY_MERCHANT_IDENTITY = str(made.identity)
    settings.APPLE_PAY_DOMAIN = "wallet.example.com"
    settings.MERCHANT_NAME = "Café Wallet"
    monkeypatch.setattr(merchant_sessions, "HOSTS", frozenset({made.host}))
    session = requests.Session()
    session.trust_env = False
    session.verify = str(made.certificate)
    monkeypatch.setattr(calls, "_session", lambda base: session)
    thread = threading.Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()
