"""Google's root keys over HTTP: kept as long as they may be, fetched anew in time, served while Google is away."""

import json
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from payments.refusals import PaymentTokenInvalid, SchemeKeysUnavailable
from payments.schemes.google_root_keys import (
    LARGEST_LIST,
    LONGEST_LIFE_S,
    RETRY_AFTER_S,
    SHORTEST_LIFE_S,
    FetchedKeys,
    life_s,
    read_root_keys,
    root_keys,
)
from tests.payments.schemes.apple_forge import NOW, b64, key
from tests.payments.schemes.google_forge import ROOT, ms, root_list, spki


class Google:
    """A server of root keys, and the clock of those who keep them."""

    def __init__(self) -> None:
        self.body = json.dumps(root_list()).encode()
        self.status, self.asked, self.seconds = 200, 0, 1000.0
        self.headers = {"Cache-Control": "public, max-age=1000", "Age": "0"}
        google = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                google.asked += 1
                self.send_response(google.status)
                for name, value in google.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(google.body)))
                self.end_headers()
                self.wfile.write(google.body)

            def log_message(self, *_arguments: Any) -> None:
                """Say nothing."""

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/keys.json"
        self.kept = FetchedKeys(self.url, monotonic=lambda: self.seconds)

    def wait_until_asked(self, times: int) -> None:
        until = time.monotonic() + 5
        while self.asked < times:
            assert time.monotonic() < until, f"asked {self.asked} times"
            time.sleep(0.005)


@pytest.fixture
def google() -> Iterator[Google]:
    made = Google()
    thread = threading.Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


def test_when_keys_are_asked_for_again_then_google_is_not_until_half_of_their_life_is_over(
    google: Google,
) -> None:
    first = google.kept.current()
    google.seconds += 499

    again = google.kept.current()

    assert [found.key for found in first] == [key(ROOT).public_key()]
    assert again == first
    assert google.asked == 1


def test_when_half_of_their_life_is_over_then_they_serve_on_and_are_fetched_in_the_background(
    google: Google,
) -> None:
    google.kept.current()
    google.body = json.dumps(root_list(renewed())).encode()
    google.seconds += 500

    served = google.kept.current()
    google.wait_until_asked(2)

    assert [found.key for found in served] == [key(ROOT).public_key()]
    until = time.monotonic() + 5
    while [found.key for found in google.kept.current()] != [key(17).public_key()]:
        assert time.monotonic() < until
        time.sleep(0.005)
    assert google.asked == 2


def renewed() -> dict[str, Any]:
    later = ms(NOW + timedelta(days=30))
    return {"keyValue": spki(key(17)), "protocolVersion": "ECv2", "keyExpiration": later}


def test_when_their_life_is_over_then_they_are_fetched_before_anything_is_verified(google: Google) -> None:
    google.kept.current()
    google.body = json.dumps(root_list(renewed())).encode()
    google.seconds += 1000

    found = google.kept.current()

    assert [each.key for each in found] == [key(17).public_key()]


@pytest.mark.parametrize("trouble", ["status", "garbage", "size"])
def test_when_google_is_in_trouble_then_what_was_kept_serves_on_and_google_is_left_alone(
    google: Google, trouble: str
) -> None:
    first = google.kept.current()
    if trouble == "status":
        google.status = 503
    else:
        google.body = b"no keys" if trouble == "garbage" else b"[" * (LARGEST_LIST + 1)
    google.seconds += 5000

    served = [google.kept.current() for _ in range(3)]

    assert served == [first] * 3
    assert google.asked == 2
    google.seconds += RETRY_AFTER_S
    assert google.kept.current() == first
    assert google.asked == 3


def test_when_there_never_were_any_then_no_token_can_be_verified_until_google_is_back(google: Google) -> None:
    google.status = 500

    with pytest.raises(SchemeKeysUnavailable):
        google.kept.current()

    google.status = 200
    with pytest.raises(SchemeKeysUnavailable):
        google.kept.current()
    google.seconds += RETRY_AFTER_S
    assert len(google.kept.current()) == 1
    assert google.asked == 2


def test_when_the_source_is_a_url_then_expired_keys_are_left_out(google: Google) -> None:
    usable = root_keys(google.url, now=NOW)

    assert usable == [key(ROOT).public_key()]
    with pytest.raises(SchemeKeysUnavailable):
        root_keys(google.url, now=NOW + timedelta(days=9))


def test_when_the_file_is_gone_then_no_token_can_be_verified(tmp_path: Any) -> None:
    with pytest.raises(SchemeKeysUnavailable):
        root_keys(str(tmp_path / "none.json"), now=NOW)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"cache-control": "public, max-age=3600", "age": "600"}, 3000),
        ({"cache-control": "max-age=3600"}, 3600),
        ({"cache-control": "s-maxage=9, max-age=3600,public"}, 3600),
        ({"cache-control": "x-max-age=3600"}, SHORTEST_LIFE_S),
        ({"cache-control": "max-age=3600", "age": "never"}, 3600),
        ({"cache-control": "max-age=100", "age": "600"}, SHORTEST_LIFE_S),
        ({"cache-control": "no-store"}, SHORTEST_LIFE_S),
        ({}, SHORTEST_LIFE_S),
        ({"cache-control": "max-age=99999999"}, LONGEST_LIFE_S),
    ],
)
def test_when_an_answer_says_how_long_it_may_be_kept_then_so_it_is_within_bounds(
    headers: dict[str, str], seconds: int
) -> None:
    assert life_s(headers) == seconds


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"keys": {}}',
        b'{"keys": [5]}',
        json.dumps(root_list({**renewed(), "keyValue": b64(bytes(91))})).encode(),
        json.dumps(root_list({**renewed(), "keyExpiration": "soon"})).encode(),
    ],
)
def test_when_a_list_can_not_be_read_whole_then_nothing_of_it_is_believed(body: bytes) -> None:
    with pytest.raises(PaymentTokenInvalid):
        read_root_keys(body)
