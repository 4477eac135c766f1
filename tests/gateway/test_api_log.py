"""The log of API calls: every write once, with who, what and how it ended, and never a card number."""

import threading

import pytest
from django.db import DatabaseError

from config.gateway import api_log
from events.models import ApiCall
from tests.factories.calls import ApiClient
from tests.factories.money import new_wallet
from tests.factories.people import CustomerFactory


@pytest.fixture(autouse=True)
def nothing_waits():
    """Forget what other tests have left."""
    api_log._waiting.clear()


def logged() -> list[ApiCall]:
    """Write down what waits, and read all of it."""
    api_log.write_waiting()
    return list(ApiCall.objects.order_by("id"))


@pytest.mark.django_db
def test_when_a_write_is_answered_then_it_is_logged_with_its_wallet_and_request():
    ada = CustomerFactory.create()
    wallet = new_wallet(500, owner=ada)

    answer = ApiClient(ada).post(
        f"/wallet/{wallet}/pay",
        {"amount": 200, "currency": "USD"},
        key="a-key-of-ada",
        **{"x-request-id": "r" * 20},
    )

    (call,) = logged()
    assert answer.status_code == 201
    assert (call.principal, call.method, call.path) == (
        f"user:{ada.id}",
        "POST",
        f"/api/v1/wallet/{wallet}/pay",
    )
    assert (call.status, call.code, call.wallet_id) == (201, "", wallet)
    assert (call.request_id, call.idempotency_key) == ("r" * 20, "a-key-of-ada")
    assert 0 < call.duration_us < 10_000_000


@pytest.mark.django_db
def test_when_a_write_is_refused_then_its_code_is_logged_and_its_wallet_taken_from_the_body():
    ada = CustomerFactory.create()
    wallet, other = new_wallet(5, owner=ada), new_wallet()

    ApiClient(ada).post(
        "/wallet/transfer",
        {"from_wallet_id": str(wallet), "to_wallet_id": str(other), "amount": 200, "currency": "USD"},
    )

    (call,) = logged()
    assert (call.status, call.code, call.wallet_id) == (422, "insufficient_funds", wallet)


@pytest.mark.django_db
def test_when_something_is_only_read_then_it_is_not_logged():
    ApiClient(CustomerFactory.create()).get("/wallet")

    assert logged() == []


@pytest.mark.django_db
def test_when_a_card_number_stands_where_none_belongs_then_it_is_masked():
    ApiClient().post("/wallet/4242424242424242/pay", {}, key="4242424242424242")

    (call,) = logged()
    assert "4242424242424242" not in call.path + call.idempotency_key
    assert (call.principal, call.wallet_id) == ("", None)


def test_when_more_waits_than_there_is_room_for_then_the_oldest_is_forgotten():
    for number in range(api_log.MOST_WAITING + 5):
        api_log._waiting.append((number,))

    assert len(api_log._waiting) == api_log.MOST_WAITING
    assert api_log._waiting[0] == (5,)


@pytest.mark.django_db
def test_when_the_database_is_away_then_calls_go_on(monkeypatch):
    tries = []

    def away() -> int:
        tries.append("one")
        raise DatabaseError

    monkeypatch.setattr(api_log, "write_waiting", away)
    monkeypatch.setattr(api_log.connection, "close", lambda: None)
    monkeypatch.setattr(api_log.connection, "close_if_unusable_or_obsolete", lambda: None)
    answer = ApiClient().post("/auth/logout", {})

    api_log._write_what_can_be()  # says so, and raises nothing

    assert (answer.status_code, tries) == (400, ["one"])


def test_when_a_process_notes_its_first_call_then_it_starts_one_writer(monkeypatch, settings):
    settings.API_LOG_EVERY_S = 0.01
    came = threading.Event()
    monkeypatch.setattr(api_log, "_write_what_can_be", came.set)
    monkeypatch.setattr(api_log, "_writer_of", [])
    monkeypatch.setattr(api_log.atexit, "register", lambda function: None)

    api_log._start_writer()

    assert came.wait(5)
    assert api_log._writer_of == [api_log.getpid()]
