"""Connections that change hands: whole, once, and only where the request can travel with them."""

import os
import socket
import ssl
import stat
import threading
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from config.gateway.handing_over import (
    LONGEST_HEAD_BYTES,
    HandsStreamsOver,
    forget,
    listen_for_connections,
    take_over,
)

ROOT = Path(__file__).resolve().parents[2]


def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """The API itself."""
    return [b"the API"]


@pytest.fixture
def connection() -> Iterator[tuple[socket.socket, socket.socket]]:
    """A client and the web server's end of its connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        accepted, _address = listener.accept()
    with client, accepted:
        yield client, accepted


def environ_of(accepted: socket.socket, **changed: Any) -> dict[str, Any]:
    """A request for the stream, as gunicorn tells it."""
    return {
        "PATH_INFO": "/api/v1/events/stream",
        "RAW_URI": "/api/v1/events/stream?a=%20b",
        "REQUEST_METHOD": "GET",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": "wallet.example.com",
        "HTTP_LAST_EVENT_ID": "42",
        "HTTP_CONNECTION": "keep-alive",
        "wsgi.input": BytesIO(),
        "gunicorn.socket": accepted,
        **changed,
    }


@pytest.fixture
def taker(tmp_path: Path) -> Iterator[tuple[str, list[Any]]]:
    """The other process' end: its address, and what it has taken over."""
    address = os.path.relpath(tmp_path / "s")
    taken: list[Any] = []
    listener = listen_for_connections(address)

    def take() -> None:
        link, _address = listener.accept()
        if not is_over.is_set():
            taken.append(take_over(link))
        link.close()

    is_over = threading.Event()
    thread = threading.Thread(target=take)
    thread.start()
    with listener:
        yield address, taken
        is_over.set()
        with socket.socket(socket.AF_UNIX) as last:
            last.connect(address)
        thread.join(timeout=10)
    for found in taken:
        if found is not None:
            found[0].close()


def test_when_a_stream_is_asked_for_then_the_client_talks_to_the_other_process(connection, taker):
    client, accepted = connection
    address, taken = taker
    started: list[str] = []

    answer = HandsStreamsOver(application, address=address)(
        environ_of(accepted), lambda status, headers: started.append(status)
    )
    with pytest.raises(BrokenPipeError):
        accepted.sendall(b"from the web server")
    accepted.close()
    until = time.monotonic() + 10
    while not taken and time.monotonic() < until:
        time.sleep(0.01)
    theirs, head = taken[0]
    theirs.sendall(b"from the stream")

    assert (answer, started) == ([], ["200 OK"])
    assert head == (
        b"GET /api/v1/events/stream?a=%20b HTTP/1.1\r\nHost: wallet.example.com\r\nLast-Event-Id: 42\r\n"
        b"Connection: close\r\n\r\n"
    )
    assert client.recv(100) == b"from the stream"
    assert theirs.getpeername() == client.getsockname()


@pytest.mark.parametrize(
    "changed",
    [
        {"PATH_INFO": "/api/v1/events"},
        {"REQUEST_METHOD": "HEAD"},
        {"CONTENT_LENGTH": "2"},
        {"HTTP_TRANSFER_ENCODING": "chunked"},
        {"HTTP_COOKIE": "x" * LONGEST_HEAD_BYTES},
        {"gunicorn.socket": None},
    ],
)
def test_when_a_request_can_t_travel_then_the_api_answers_it(connection, taker, changed):
    client, accepted = connection
    address, taken = taker

    answer = HandsStreamsOver(application, address=address)(environ_of(accepted, **changed), None)
    accepted.sendall(b"still here")

    assert (answer, taken) == ([b"the API"], [])
    assert client.recv(100) == b"still here"


def test_when_the_web_server_speaks_tls_then_the_api_answers(taker):
    address, taken = taker
    ours, theirs = socket.socketpair()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with theirs, context.wrap_socket(ours, server_side=True, do_handshake_on_connect=False) as wrapped:
        answer = HandsStreamsOver(application, address=address)(environ_of(wrapped), None)

    assert (answer, taken) == ([b"the API"], [])


@pytest.mark.parametrize("address", ["", "/nowhere/at/all"])
def test_when_there_is_no_other_process_then_the_api_answers(connection, address):
    client, accepted = connection

    answer = HandsStreamsOver(application, address=address)(environ_of(accepted), None)
    accepted.sendall(b"still here")

    assert answer == [b"the API"]
    assert client.recv(100) == b"still here"


@pytest.mark.parametrize("has_descriptor", [True, False])
def test_when_only_half_of_it_comes_then_nothing_is_taken_over(connection, has_descriptor):
    _client, accepted = connection
    ours, theirs = socket.socketpair()
    open_before = len(os.listdir("/proc/self/fd"))

    with ours:
        head = b"GET / HTTP/1.1\r\n" if has_descriptor else b"GET / HTTP/1.1\r\n\r\n"
        socket.send_fds(ours, [head], [accepted.fileno()] if has_descriptor else [])
        ours.shutdown(socket.SHUT_WR)
        taken = take_over(theirs)

        assert taken is None
        assert ours.recv(1) == b""
    assert len(os.listdir("/proc/self/fd")) == open_before - 2


def test_when_a_connection_is_forgotten_then_it_lives_on_elsewhere(connection):
    client, accepted = connection
    elsewhere = accepted.dup()

    forget(accepted)
    accepted.shutdown(socket.SHUT_WR)
    accepted.close()
    elsewhere.sendall(b"alive")

    assert client.recv(100) == b"alive"
    elsewhere.close()


def test_when_a_killed_process_left_its_socket_then_the_next_one_replaces_it(tmp_path):
    address = os.path.relpath(tmp_path / "s")
    listen_for_connections(address).close()

    with listen_for_connections(address) as listener, socket.socket(socket.AF_UNIX) as link:
        link.connect(address)

        assert stat.S_IMODE(os.stat(address).st_mode) == 0o600
        assert listener.accept()[0].close() is None


def test_when_something_else_is_in_the_place_of_the_socket_then_it_stays(tmp_path):
    place = tmp_path / "s"
    place.write_text("precious")

    with pytest.raises(OSError, match="in use"):
        listen_for_connections(os.path.relpath(place))

    assert place.read_text() == "precious"
