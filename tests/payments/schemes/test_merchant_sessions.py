"""Merchant sessions: only Apple's gateways are called, by TLS on both sides, and their answer goes on unchanged."""

import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from payments.refusals import ProcessorFailed, ProcessorTimeout, ProcessorUnavailable, SchemeUnavailable
from payments.schemes import merchant_sessions
from tests.payments.schemes.apple_forge import key, pem
from tokens.providers import calls
from transactions.refusals import InvalidInput, Refusal

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
        self.server.socket = tls.wrap_socket(self.server.socket, server_side=True)
        self.host = f"localhost:{self.server.server_port}"

    def fetch(self, path: str = "/paymentservices/paymentSession") -> dict[str, Any]:
        return merchant_sessions.fetch(validation_url=f"https://{self.host}{path}")


@pytest.fixture
def gateway(tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gateway]:
    made = Gateway(tmp_path)
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


def test_when_a_page_asks_then_apple_is_told_who_we_are_and_its_answer_is_unchanged(gateway: Gateway) -> None:
    session = gateway.fetch()

    assert session == SESSION
    body = {
        "merchantIdentifier": MERCHANT_ID,
        "displayName": "Café Wallet",
        "initiative": "web",
        "initiativeContext": "wallet.example.com",
    }
    assert gateway.received == [("/paymentservices/paymentSession", body, "our merchant")]


def test_when_apple_names_the_older_address_then_it_gets_the_older_body(gateway: Gateway) -> None:
    gateway.fetch("/paymentservices/startSession")

    body = {
        "merchantIdentifier": MERCHANT_ID,
        "displayName": "Café Wallet",
        "domainName": "wallet.example.com",
    }
    assert gateway.received == [("/paymentservices/startSession", body, "our merchant")]


def test_when_a_page_asks_twice_then_so_is_apple(gateway: Gateway) -> None:
    gateway.fetch()
    gateway.fetch()

    assert len(gateway.received) == 2


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (417, b'{"statusMessage": "Payment Services Exception"}'),
        (302, b"{}"),
        (500, b""),
        (200, b""),
        (200, b"<html>"),
        (200, b"[]"),
    ],
)
def test_when_apple_gives_none_then_the_provider_failed(gateway: Gateway, status: int, body: bytes) -> None:
    gateway.status, gateway.body = status, body

    with pytest.raises(ProcessorFailed) as refused:
        gateway.fetch()

    assert refused.value.code == "provider_error"
    assert len(gateway.received) == 1


def test_when_apple_says_too_much_or_too_late_then_it_is_a_time_out(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway.body = b'{"a": "' + b"a" * 70_000 + b'"}'
    with pytest.raises(ProcessorTimeout):
        gateway.fetch()

    gateway.body, gateway.wait_s = json.dumps(SESSION).encode(), 0.5
    monkeypatch.setattr(merchant_sessions, "_LIMITS", calls.Limits(read_s=0.1, total_s=0.2, attempts=1))
    with pytest.raises(ProcessorTimeout):
        gateway.fetch()


def test_when_apple_can_not_be_reached_then_nothing_was_sent(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        closed = f"localhost:{free.getsockname()[1]}"
    monkeypatch.setattr(merchant_sessions, "HOSTS", frozenset({closed}))

    with pytest.raises(ProcessorUnavailable) as refused:
        merchant_sessions.fetch(validation_url=f"https://{closed}/paymentservices/paymentSession")

    assert refused.value.code == "unavailable"
    assert gateway.received == []


@pytest.mark.parametrize(
    "missing", ["APPLE_PAY_MERCHANT_ID", "APPLE_PAY_MERCHANT_IDENTITY", "APPLE_PAY_DOMAIN"]
)
def test_when_we_are_not_registered_for_pages_then_apple_is_not_asked(
    gateway: Gateway, settings: Any, missing: str
) -> None:
    setattr(settings, missing, "")

    with pytest.raises(SchemeUnavailable):
        gateway.fetch()

    assert gateway.received == []


@pytest.mark.parametrize("host", sorted(merchant_sessions.HOSTS))
def test_when_the_url_is_a_gateway_of_apples_then_it_is_taken(host: str) -> None:
    found = merchant_sessions.gateway_in(f"https://{host}/paymentservices/startSession")

    assert found == (f"https://{host}", "/paymentservices/startSession")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://apple-pay-gateway.apple.com/paymentservices/startSession",
        "https://apple-pay-gateway.apple.com.evil.example/x",
        "https://evil.example/?u=apple-pay-gateway.apple.com",
        "https://user@evil.example/apple-pay-gateway.apple.com",
        "https://apple-pay-gateway.apple.com:8443/x",
        "https://apple-pay-gateway.apple.com:443/x",
        "https://169.254.169.254/",
        "https://apple-pay-gateway.apple.com@evil.example/",
        "https://apple-pay-gateway.apple.com\\@evil.example/x",
        "https://evil.example\\.apple-pay-gateway.apple.com/x",
        "https://evil.example#apple-pay-gateway.apple.com/x",
        "https://APPLE-PAY-GATEWAY.APPLE.COM/x",
        "https://apple-pay-gateway.apple.com./x",
        "https://apple-pay-gateway.apple.com/x?to=evil.example",
        "https://apple-pay-gateway.apple.com/../x",
        "https://apple-pay-gateway.apple.com/x\n",
        "https://apple-pay-gateway.apple.com\t/x",
        " https://apple-pay-gateway.apple.com/x",
        "https://apple-pay-gateway.apple.com/" + "x" * 300,
        "https://xn--pple-pay-gateway-0fb.apple.com/x",
        "//apple-pay-gateway.apple.com/x",
        "file:///etc/passwd",
    ],
)
def test_when_the_url_is_anything_else_then_nobody_is_called(gateway: Gateway, url: str) -> None:
    with pytest.raises(Refusal) as refused:
        merchant_sessions.fetch(validation_url=url)

    assert isinstance(refused.value, InvalidInput)
    assert refused.value.field == "validation_url"
    assert gateway.received == []
