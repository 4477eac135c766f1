"""What can go wrong between us and a provider, over real HTTP, and what is made of it."""

import logging
import time

import pytest
from structlog.testing import capture_logs

from tests.contracts.provider_server import HUGE_BYTES, ProviderApi, ProviderServer, Received, Reply
from tokens.providers import calls
from tokens.providers.calls import Call, Garbled, Limits, NoAnswer, NotSent, Provider, ProviderAnswer

QUICK = Limits(connect_s=0.5, read_s=0.3, total_s=5.0, attempts=3)
ONCE = Limits(connect_s=0.5, read_s=0.3, total_s=5.0, attempts=1)
SENT = Call(
    name="things.create",
    method="POST",
    path="/things/th_secret",
    headers={"Idempotency-Key": "k-1"},
    body=b'{"number":"4242424242424242"}',
)


class Counting(ProviderApi):
    """Acts once for each key, and counts."""

    def __init__(self) -> None:
        super().__init__()
        self.acted: set[str] = set()

    def answer(self, request: Received) -> Reply:
        self.acted.add(request.headers["idempotency-key"])
        return Reply(201, {"acted": len(self.acted)}, {"Request-Id": "req_7"})


@pytest.fixture
def api(monkeypatch):
    server = ProviderServer(Counting())
    monkeypatch.setattr(calls, "_back_off_s", lambda attempt: 0.0)
    yield server.api, server.url
    server.stop()


def retried(answer: ProviderAnswer) -> bool:
    return answer.status in (409, 429) or answer.status >= 500


def send(url: str, *, limits: Limits = QUICK, call: Call = SENT) -> ProviderAnswer:
    provider = Provider(name="counting", base=url, headers={"X-Key": "key_secret"}, is_retried=retried)
    return provider.send(call, limits=limits)


def test_when_all_goes_well_then_status_headers_and_body_come_back(api):
    books, url = api

    answer = send(url)

    assert (answer.status, answer.document(), answer.headers["request-id"]) == (201, {"acted": 1}, "req_7")
    assert answer.follows_silence is False
    assert books.received[0].headers["x-key"] == "key_secret"
    assert books.received[0].headers["accept-encoding"] == "identity"
    assert books.received[0].body == SENT.body


@pytest.mark.parametrize(
    "failure", ["timeout_before", "timeout_after", "reset_before", "reset_after", "error_after", "cut_after"]
)
def test_when_an_attempt_tells_nothing_then_the_same_key_goes_again_and_the_answer_says_so(api, failure):
    books, url = api
    books.fail_next(failure)

    answer = send(url)

    assert (answer.status, answer.document(), answer.follows_silence) == (201, {"acted": 1}, True)
    assert [request.headers["idempotency-key"] for request in books.received] == ["k-1", "k-1"]


@pytest.mark.parametrize("failure", ["busy", "conflict"])
def test_when_the_provider_asks_to_come_again_then_we_do(api, failure):
    books, url = api
    books.fail_next(failure, failure)

    answer = send(url)

    assert (answer.status, len(books.received)) == (201, 3)


def test_when_a_refusal_follows_silence_then_it_is_no_proof_that_nothing_happened(api):
    books, url = api
    books.fail_next("timeout_after", "busy", "busy")

    answer = send(url)

    assert (answer.status, answer.follows_silence) == (429, True)
    assert books.acted == {"k-1"}


def test_when_a_refusal_comes_first_then_nothing_happened(api):
    books, url = api
    books.fail_next("busy", "busy", "busy")

    answer = send(url)

    assert (answer.status, answer.follows_silence, books.acted) == (429, False, set())


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        ("timeout_after", "timeout"),
        ("reset_after", "connection_lost"),
        ("cut_after", "connection_lost"),
        ("huge_after", "answer_too_large"),
    ],
)
def test_when_no_whole_answer_comes_then_nobody_knows(api, failure, reason):
    books, url = api
    books.fail_next(failure)

    with pytest.raises(NoAnswer) as silent:
        send(url, limits=ONCE)

    assert silent.value.reason == reason
    assert len(books.received) == 1


def test_when_the_body_drips_then_the_call_ends_when_its_time_is_over(api):
    books, url = api
    books.fail_next("drip_after")
    limits = Limits(connect_s=0.5, read_s=0.3, total_s=0.4, attempts=3)
    began = time.monotonic()

    with pytest.raises(NoAnswer) as silent:
        send(url, limits=limits)

    assert silent.value.reason == "timeout"
    assert 0.4 <= time.monotonic() - began < 0.8


def test_when_nobody_listens_then_nothing_was_sent(api, unused_tcp_url):
    with pytest.raises(NotSent) as silent:
        send(unused_tcp_url)

    assert silent.value.reason == "unreachable"


def test_when_the_other_side_cannot_prove_its_name_then_nothing_is_sent(api):
    books, url = api

    with pytest.raises((NotSent, NoAnswer)):
        send(url.replace("http:", "https:"), limits=ONCE)

    assert books.received == []


def test_when_we_were_silenced_and_then_nobody_listens_then_nobody_knows(api, monkeypatch):
    books, url = api
    books.fail_next("timeout_after")
    attempts = iter([url, "http://127.0.0.1:9"])
    attempted = calls._attempted

    def moving(provider, call, **named):
        moved = Provider(
            name="counting", base=next(attempts), headers=provider.headers, is_retried=provider.is_retried
        )
        return attempted(moved, call, **named)

    monkeypatch.setattr(calls, "_attempted", moving)

    with pytest.raises(NoAnswer):
        send(url, limits=Limits(connect_s=0.5, read_s=0.3, total_s=5, attempts=2))

    assert books.acted == {"k-1"}


def test_when_it_is_sent_elsewhere_then_we_do_not_follow(api):
    books, url = api
    books.fail_next("redirect")

    answer = send(url)

    assert (answer.status, len(books.received)) == (307, 1)


def test_when_the_provider_wants_us_back_later_than_we_can_wait_then_its_answer_stands(api):
    books, url = api
    books.fail_next("later")

    answer = send(url)

    assert (answer.status, len(books.received)) == (429, 1)


@pytest.mark.parametrize("failure", ["garbage", "list"])
def test_when_the_answer_is_nonsense_then_reading_it_is_refused(api, failure):
    books, url = api
    books.fail_next(failure)

    with pytest.raises(Garbled):
        send(url).document()


def test_when_retry_after_is_a_date_then_it_is_understood():
    answer = ProviderAnswer(status=503, headers={"retry-after": "Fri, 31 Dec 9999 23:59:59 GMT"}, body=b"")

    assert calls._asked_to_wait_s(answer) > 86_400
    assert calls._asked_to_wait_s(ProviderAnswer(status=503, headers={"retry-after": "soon"}, body=b"")) == 0


def test_when_we_wait_then_each_wait_is_longer_and_never_the_same_for_all():
    waits = [[calls._back_off_s(attempt) for _ in range(20)] for attempt in (1, 2, 3, 10)]

    assert [
        (min(found) >= low, max(found) <= high)
        for found, low, high in zip(waits, (0.25, 0.5, 1.0, 2.5), (0.5, 1.0, 2.0, 5.0), strict=True)
    ] == [(True, True)] * 4
    assert len(set(waits[0])) > 1


def test_when_calls_are_logged_and_printed_then_neither_path_nor_headers_nor_body_are(api, caplog):
    books, url = api
    books.fail_next("error_after")
    caplog.set_level(logging.DEBUG)

    with capture_logs() as lines:
        answer = send(url)

    said = repr(lines) + caplog.text + repr(SENT) + repr(answer)
    assert [(line["call"], line["attempt"], line["outcome"]) for line in lines] == [
        ("things.create", 1, 500),
        ("things.create", 2, 201),
    ]
    assert [word for word in ("th_secret", "key_secret", "k-1", "42424242") if word in said] == []


def test_when_the_answer_may_be_huge_then_we_stop_reading_far_earlier():
    assert Limits().answer_bytes < HUGE_BYTES


@pytest.fixture
def unused_tcp_url() -> str:
    server = ProviderServer(Counting())
    server.stop()
    return server.url
