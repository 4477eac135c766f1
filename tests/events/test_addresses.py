"""Hostile URLs: whatever leads anywhere but to the public internet is refused, and no connection is ever opened."""

import socket
import ssl
import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from urllib.parse import urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from events import addresses, hook_calls
from tests.events.receivers import receiver
from tests.factories.books import nothing_moves
from tests.factories.calls import ApiClient
from tests.factories.people import someone

# URLs whose host says by itself where it leads; `getaddrinfo` reads the odd spellings as the C library does.
HOSTILE = [
    "https://127.0.0.1/",
    "https://127.1/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0177.0.0.1/",
    "https://0/",
    "https://0.0.0.0/",
    "https://10.0.0.1/",
    "https://10.255.255.255:8443/",
    "https://100.64.0.1/",
    "https://100.100.100.200/latest/meta-data/",
    "https://168.63.129.16/machine",
    "https://169.254.169.254/latest/meta-data/iam/",
    "https://169.254.170.2/v2/credentials",
    "https://172.16.0.1/",
    "https://172.31.255.255/",
    "https://192.0.0.192/opc/v2/",
    "https://192.168.1.1/",
    "https://198.18.0.1/",
    "https://203.0.113.7/",
    "https://224.0.0.1/",
    "https://255.255.255.255/",
    "https://[::]/",
    "https://[::1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:10.0.0.1]/",
    "https://[::ffff:a9fe:a9fe]/",
    "https://[::127.0.0.1]/",
    "https://[64:ff9b::7f00:1]/",
    "https://[64:ff9b:1::a00:1]/",
    "https://[2002:7f00:1::]/",
    "https://[2001:0:7f00:1::]/",
    "https://[2001:db8::1]/",
    "https://[fc00::1]/",
    "https://[fd00:ec2::254]/latest/meta-data/",
    "https://[fe80::1]/",
    "https://[ff02::1]/",
    "https://localhost/",
]

# Names, by what a resolver answers to them.
NAMES = {
    "https://inside.example/": ["10.1.2.3"],
    "https://metadata.google.internal/computeMetadata/v1/": ["169.254.169.254"],
    "https://half.example/": ["93.184.216.34", "127.0.0.1"],
    "https://mapped.example/": ["::ffff:169.254.169.254"],
}

MALFORMED = [
    "",
    "shop.example",
    "//shop.example/",
    "ftp://shop.example/",
    "file:///etc/passwd",
    "gopher://shop.example/",
    "http://shop.example/",
    "http://10.0.0.1/",
    "https://",
    "https:///hooks",
    "https://user@shop.example/",
    "https://user:password@shop.example/",
    "https://shop.example\\@127.0.0.1/",
    "https://shop.example/#part",
    "https://shop.example/#",
    "https://shop.example:0/",
    "https://shop.example:99999/",
    "https://shop.example:port/",
    "https://shop .example/",
    "https://shop.example/a b",
    "https://shop.example/\r\nX-Injected: 1",
    "https://[fe80::1%25eth0]/",
    "https://[::1/",
    "https://bücher.example/",
    "https://shop.example/" + "a" * 2000,
]


@pytest.fixture(autouse=True)
def opened(monkeypatch) -> list[object]:
    """Count the connections that are opened; there must be none."""
    found: list[object] = []

    def connect(address: object, *_more: object, **_options: object) -> None:
        found.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "create_connection", connect)
    return found


@pytest.fixture
def production(settings):
    settings.SANDBOX = False


def answering(monkeypatch, *answers: list[str]) -> None:
    """Let a resolver answer the first time this and the next time that."""
    left = list(answers)
    monkeypatch.setattr(addresses, "look_up", lambda _host, _port: left.pop(0))


@pytest.mark.parametrize("url", [*HOSTILE, *NAMES])
def test_when_a_url_leads_inside_then_it_is_neither_taken_nor_called(
    production, db, opened, monkeypatch, url
):
    if url in NAMES:
        answering(monkeypatch, NAMES[url], NAMES[url])
    client = ApiClient(someone("service"))

    with nothing_moves():
        answer = client.post("/webhook-endpoints", {"url": url})
    reply = hook_calls.call_endpoint(url, body=b"{}", headers={})

    assert (answer.status_code, answer.json()["code"]) == (400, "validation_error")
    assert [error["field"] for error in answer.json()["errors"]] == ["url"]
    assert (reply.status, reply.error) == (None, "address_refused")
    assert opened == []


@pytest.mark.parametrize("url", MALFORMED)
def test_when_a_url_is_none_that_webhooks_take_then_it_is_refused_by_name(db, opened, url):
    client = ApiClient(someone("service"))

    with nothing_moves():
        answer = client.post("/webhook-endpoints", {"url": url})
    reply = hook_calls.call_endpoint(url, body=b"{}", headers={})

    assert (answer.status_code, answer.json()["code"]) == (400, "validation_error")
    assert [error["field"] for error in answer.json()["errors"]] == ["url"]
    assert (reply.status, reply.error) == (None, "address_refused")
    assert opened == []


def test_when_a_name_answers_otherwise_the_second_time_then_the_call_is_refused(
    production, db, opened, monkeypatch
):
    answering(monkeypatch, ["93.184.216.34"], ["169.254.169.254"])
    client = ApiClient(someone("service"))

    made = client.post("/webhook-endpoints", {"url": "https://rebinding.example/"})
    reply = hook_calls.call_endpoint("https://rebinding.example/", body=b"{}", headers={})

    assert made.status_code == 201
    assert reply.error == "address_refused"
    assert opened == []


def test_when_a_name_is_public_then_the_connection_goes_to_the_very_address_that_was_judged(
    opened, monkeypatch
):
    answering(monkeypatch, ["2606:2800:21f::1", "93.184.216.34"])

    reply = hook_calls.call_endpoint("https://shop.example:8443/", body=b"{}", headers={})

    assert reply.error == "connection_failed"
    assert opened == [("2606:2800:21f::1", 8443), ("93.184.216.34", 8443)]


def test_when_nobody_knows_the_name_then_it_may_be_registered_and_each_attempt_fails(db, opened, monkeypatch):
    def unknown(_host: str, _port: int) -> list[str]:
        raise addresses.HostUnknown

    monkeypatch.setattr(addresses, "look_up", unknown)

    made = ApiClient(someone("service")).post("/webhook-endpoints", {"url": "https://soon.example/"})
    reply = hook_calls.call_endpoint("https://soon.example/", body=b"{}", headers={})

    assert (made.status_code, reply.error) == (201, "host_unknown")


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9/", "http://localhost:9/", "http://[::1]:9/", "https://localhost:9/"]
)
def test_given_a_sandbox_then_this_machine_is_taken_by_its_usual_names_alone(settings, db, url):
    settings.SANDBOX = True

    assert addresses.target_of(url).is_loopback
    settings.SANDBOX = False
    with pytest.raises(addresses.InvalidInput):
        addresses.require_reachable(url)


def test_given_a_sandbox_then_a_name_that_leads_to_this_machine_is_still_refused(settings, monkeypatch):
    settings.SANDBOX = True
    answering(monkeypatch, ["127.0.0.1"])

    with pytest.raises(addresses.InvalidInput):
        addresses.require_reachable("https://shop.example/")


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "93.184.216.34", "1.1.1.1", "172.32.0.1", "2606:4700::1111", "2a00:1450:4001::1"]
)
def test_the_public_internet_is_open(address):
    assert addresses.is_public(ip_address(address))


def test_when_a_redirect_leads_inside_then_it_is_not_followed(monkeypatch):
    monkeypatch.undo()  # this one does connect, to a receiver of its own
    with (
        receiver() as inside,
        receiver(lambda *_: (302, {"Location": inside.url}, b"")) as shop,
    ):
        reply = hook_calls.call_endpoint(shop.url, body=b"{}", headers={})

    assert (reply.status, reply.error, reply.is_success) == (302, "redirect_not_followed", False)
    assert (len(shop.hooks), inside.connections) == (1, 0)


@pytest.fixture
def authority(tmp_path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A certificate for hooks.example alone: the server's side, and a client that trusts its issuer."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "hooks.example")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("hooks.example")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = tmp_path / "hooks.pem"
    pem.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        + certificate.public_bytes(Encoding.PEM)
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pem)
    return server, ssl.create_default_context(cafile=str(pem))


@pytest.mark.parametrize(
    ("host", "status", "error"), [("hooks.example", 200, ""), ("other.example", None, "tls_failed")]
)
def test_when_the_connection_is_encrypted_then_the_certificate_is_the_named_host_s(
    monkeypatch, authority, host, status, error
):
    monkeypatch.undo()
    serving, trusting = authority
    named: list[str] = []
    serving.sni_callback = lambda _socket, name, _context: named.append(name)
    with receiver(tls=serving) as shop:
        port = urlsplit(shop.url).port
        monkeypatch.setattr(addresses, "look_up", lambda _host, _port: ["127.0.0.1"])
        monkeypatch.setattr(addresses, "is_public", lambda _address: True)
        monkeypatch.setattr(hook_calls, "tls_context", lambda: trusting)
        reply = hook_calls.call_endpoint(f"https://{host}:{port}/x", body=b"{}", headers={})

    assert (reply.status, reply.error) == (status, error)
    assert named == [host]
    assert [hook.headers["host"] for hook in shop.hooks] == ([f"{host}:{port}"] if status else [])


@pytest.mark.parametrize(
    ("answer", "status", "error"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbroken off", 200, ""),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzzz\r\n", 200, ""),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 1_000_000, 200, ""),
        (b"HTTP/1.1 2", None, "invalid_answer"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", None, "invalid_answer"),
        (b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 200 + b"\r\n", None, "invalid_answer"),
        (b"HTTP/1.1 200 OK\r\na: " + b"b" * 100_000, None, "invalid_answer"),
        (b"", None, "connection_failed"),
    ],
    ids=[
        "cut off",
        "bad chunk",
        "endless",
        "half a line",
        "no http",
        "many headers",
        "long header",
        "nothing",
    ],
)
def test_when_an_answer_is_odd_then_the_status_counts_and_little_is_kept(monkeypatch, answer, status, error):
    monkeypatch.undo()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65_536)
                with suppress(OSError):
                    connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        reply = hook_calls.call_endpoint(
            f"http://127.0.0.1:{server.getsockname()[1]}/", body=b"{}", headers={}
        )
        thread.join()

    assert (reply.status, reply.error) == (status, error)
    assert len(reply.body) <= hook_calls.KEPT_CHARACTERS


def test_when_an_answer_drips_then_the_attempt_is_over_in_time(monkeypatch):
    monkeypatch.undo()
    monkeypatch.setattr(hook_calls, "TIMEOUT_S", 0.4)
    is_over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection, suppress(OSError):
                while not is_over.wait(0.05):
                    connection.sendall(b"H")

        thread = threading.Thread(target=serve)
        thread.start()
        reply = hook_calls.call_endpoint(
            f"http://127.0.0.1:{server.getsockname()[1]}/", body=b"{}", headers={}
        )
        is_over.set()
        thread.join()

    assert reply.error == "timeout"
    assert 400 <= reply.duration_ms < 1_000
