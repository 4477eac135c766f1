"""The stream of events on the API's own port: in order, once, across restarts, for those whose events they are."""

import signal
import time
from typing import Any

import orjson
import pytest
from django.db import connection

from events.models import Event
from events.published import last_position
from tests.events.streams import Servers, publish, running_servers
from tests.factories.calls import ApiClient
from tests.factories.people import CustomerFactory, bearer, someone
from users.credentials import AccessToken, sign_access

# In short form: with 1,000 on two cores a call took as long as before (see the README).
LISTENERS = 100


@pytest.fixture(scope="module")
def servers(tmp_path_factory, database_environment) -> Any:
    """Both servers, started once."""
    with running_servers(tmp_path_factory.mktemp("s"), database_environment) as running:
        yield running


def positions(frames: list[dict[str, str]]) -> list[int]:
    """Read the ids of frames."""
    return [int(frame["id"]) for frame in frames]


def test_when_a_customer_listens_then_its_own_events_come_as_they_are_published(committed, servers: Servers):
    customer, other = CustomerFactory.create(), CustomerFactory.create()
    listener = servers.listen(bearer(customer), **{"X-Request-ID": "listening-1"})
    opening = listener.frame()

    publish(other.id)
    (position,) = publish(customer.id)
    (frame,) = listener.frames(1)

    assert listener.response.status == 200
    assert listener.response.headers["Content-Type"] == "text/event-stream"
    assert listener.response.headers["Cache-Control"] == "no-store"
    assert listener.response.headers["X-Request-ID"] == "listening-1"
    assert opening == {"retry": "3000", "id": str(position - 2)}
    assert (frame["id"], frame["event"]) == (str(position), "wallet.updated")
    shown = orjson.loads(frame["data"])
    event = Event.objects.get(position=position)
    assert shown == {
        "id": str(event.id),
        "type": "wallet.updated",
        "position": position,
        "wallet_id": None,
        "seq": None,
        "user_id": str(customer.id),
        "request_id": "",
        "data": {"number": position},
        "created_at": event.created_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
    }


def test_when_a_listener_comes_back_then_it_is_sent_what_it_missed_once_and_in_order(
    committed, servers: Servers
):
    customer = CustomerFactory.create()
    seen = publish(customer.id)[0]
    missed = publish(customer.id, count=250)

    listener = servers.listen(bearer(customer), after=seen)
    caught_up = listener.frames(250)
    new = publish(customer.id, count=2)

    assert positions(caught_up) == missed
    assert positions(listener.frames(2)) == new


def test_when_events_are_published_while_somebody_catches_up_then_none_is_lost_or_doubled(
    committed, servers: Servers
):
    customer = CustomerFactory.create()
    before = last_position()
    expected = publish(customer.id, count=50)
    listener = servers.listen(bearer(customer), after=before)
    for _ in range(40):
        expected += publish(customer.id, count=3)

    assert positions(listener.frames(len(expected))) == expected


@pytest.mark.parametrize("role", ["support", "service"])
def test_when_staff_or_a_program_listens_then_everybody_s_events_come(committed, servers: Servers, role):
    first, second = CustomerFactory.create(), CustomerFactory.create()
    listener = servers.listen(bearer(someone(role)))
    listener.frame()

    expected = publish(first.id) + publish(second.id) + publish(None)

    assert positions(listener.frames(3)) == expected


def test_when_the_process_is_killed_and_started_again_then_listeners_resume_without_a_gap(
    committed, servers: Servers
):
    customer = CustomerFactory.create()
    listener = servers.listen(bearer(customer))
    listener.frame()
    seen = publish(customer.id)
    assert positions(listener.frames(1)) == seen

    servers.stream.send_signal(signal.SIGKILL)
    servers.stream.wait()
    with pytest.raises((EOFError, OSError)):
        listener.frame()
    missed = publish(customer.id, count=3)
    without_it = servers.listen(bearer(customer), after=seen[0])
    served_meanwhile = without_it.frames(3)
    with pytest.raises(EOFError):
        without_it.frame()
    servers.start_stream()
    resumed = servers.listen(bearer(customer), after=seen[0])

    assert positions(served_meanwhile) == missed
    assert positions(resumed.frames(3)) == missed
    new = publish(customer.id)
    assert positions(resumed.frames(1)) == new


def test_when_the_database_drops_the_listening_connection_then_events_still_come(committed, servers: Servers):
    customer = CustomerFactory.create()
    listener = servers.listen(bearer(customer))
    listener.frame()

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE datname = current_database() AND query = 'SELECT last FROM events_eventposition WHERE id = 1'"
            " AND pid <> pg_backend_pid()"
        )
        assert cursor.fetchone()[0] >= 1

    expected = publish(customer.id)

    assert positions(listener.frames(1)) == expected


def test_when_the_token_runs_out_then_the_stream_ends(committed, servers: Servers):
    customer = CustomerFactory.create()
    token = AccessToken(sign_access(bearer_id=customer.id, role="user", permissions=customer.permissions))
    token["exp"] = int(time.time()) + 2
    listener = servers.listen(f"Bearer {token}")
    listener.frame()
    started_s = time.monotonic()

    with pytest.raises(EOFError):
        listener.frames(1)

    assert time.monotonic() - started_s < 5


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"Authorization": "Bearer x.y.z"}, 401, "invalid_token"),
        ({"Last-Event-ID": "yesterday"}, 400, "validation_error"),
        ({"Last-Event-ID": "9223372036854775808"}, 400, "validation_error"),
    ],
)
def test_when_a_listener_can_t_be_served_then_it_is_told_as_everywhere(
    committed, servers: Servers, headers, status, code
):
    given = {"Authorization": bearer(CustomerFactory.create()), **headers}
    authorization = given.pop("Authorization")

    listener = servers.listen(authorization, **given)

    problem = orjson.loads(listener.response.read())
    assert (listener.response.status, problem["code"]) == (status, code)
    assert listener.response.headers["Content-Type"] == "application/problem+json"
    assert problem["instance"] == "/api/v1/events/stream"


def test_when_no_process_holds_streams_open_then_what_was_missed_is_sent_and_the_listener_comes_back(db):
    customer = CustomerFactory.create()
    before = publish(customer.id)[0]
    missed = publish(customer.id, count=2)
    publish(CustomerFactory.create().id)

    answer = ApiClient(customer).get("/events/stream", **{"last-event-id": str(before)})
    text = b"".join(answer.streaming_content).decode()

    frames = [line for line in text.splitlines() if line.startswith(("id: ", "retry: "))]
    assert answer["Content-Type"] == "text/event-stream"
    assert frames == ["retry: 20000", f"id: {before}", f"id: {missed[0]}", f"id: {missed[1]}"]


def test_when_nothing_was_missed_then_the_listener_learns_where_it_stands(db):
    (last,) = publish(None)

    answer = ApiClient(CustomerFactory.create()).get("/events/stream")

    assert b"".join(answer.streaming_content) == f"retry: 20000\nid: {last}\n\n".encode()


def test_when_many_listen_and_nothing_happens_then_the_api_is_as_quick_as_before(committed, servers: Servers):
    customer, other = CustomerFactory.create(), CustomerFactory.create()
    authorization = bearer(customer)

    def median_of(count: int) -> float:
        took = []
        for _ in range(count):
            started_s = time.perf_counter()
            assert servers.get("/api/v1/wallet", authorization)[0] == 200
            took.append(time.perf_counter() - started_s)
        return sorted(took)[count // 2]

    median_of(5)
    alone_s = median_of(30)
    opened_s = time.monotonic()
    quiet = [servers.listen(bearer(other)) for _ in range(LISTENERS)]
    opened_s = time.monotonic() - opened_s
    crowded_s = median_of(30)
    started_s = time.monotonic()
    expected = publish(other.id)
    told = [positions(listener.frames(1)) for listener in quiet]
    told_s = time.monotonic() - started_s

    print(
        f"{LISTENERS} opened in {opened_s:.2f} s, told in {told_s:.2f} s; calls {alone_s:.4f}, {crowded_s:.4f} s"
    )
    assert told == [expected] * LISTENERS
    assert crowded_s < alone_s * 3 + 0.01
