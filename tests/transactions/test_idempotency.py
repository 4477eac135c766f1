"""One key, one effect, for ever."""

import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.db import connection, transaction

from tests.factories.books import nothing_moves
from tests.factories.calls import ACTOR, id_in, keyed
from tests.factories.money import balance_of, fund, new_wallet
from tests.factories.schema import executed
from transactions import idempotency
from transactions.api.keys import read_key
from transactions.idempotency import Answer, KeyedCall, answer_key, drop_old_answers, free_key, once, open_key
from transactions.models import IdempotencyKey, Transfer
from transactions.money import Money
from transactions.refusals import (
    IdempotencyInProgress,
    IdempotencyKeyRequired,
    IdempotencyKeyReused,
    InsufficientFunds,
    Unavailable,
)
from wallets.transfers import pay

database = pytest.mark.django_db


def spend(wallet_id, amount: int, call: KeyedCall) -> Answer:
    return pay(wallet_id=wallet_id, amount=Money(amount, "USD"), owner_id=None, actor=ACTOR, call=call)


@database
def test_when_a_call_is_repeated_then_it_gets_the_first_answer_byte_for_byte_and_nothing_moves():
    wallet_id = new_wallet(1_000)
    first = spend(wallet_id, 300, keyed("one"))

    with nothing_moves():
        again = spend(wallet_id, 300, keyed("one"))

    assert (again.status, again.body, again.resource) == (first.status, first.body, first.resource)
    assert (first.replayed, again.replayed) == (False, True)
    assert balance_of(wallet_id) == 700


@database
def test_when_the_first_call_took_all_the_money_then_its_repetition_is_answered_and_not_refused():
    wallet_id = new_wallet(300)
    first = spend(wallet_id, 300, keyed("all"))

    with nothing_moves():
        again = spend(wallet_id, 300, keyed("all"))

    assert (again.replayed, again.body) == (True, first.body)


@database
@pytest.mark.parametrize("funds", [1_000, 300], ids=["would post", "would be refused"])
def test_when_a_key_comes_with_another_request_then_it_is_refused(funds):
    wallet_id = new_wallet(funds)
    spend(wallet_id, 300, keyed("one", body=b"pay 300"))

    with nothing_moves(), pytest.raises(IdempotencyKeyReused):
        spend(wallet_id, 300, keyed("one", body=b"pay 301"))


@database
def test_when_two_principals_use_one_key_then_each_has_an_effect():
    wallet_id = new_wallet(1_000)

    spend(wallet_id, 300, keyed("one", principal="user:a"))
    second = spend(wallet_id, 300, keyed("one", principal="user:b"))

    assert second.replayed is False
    assert balance_of(wallet_id) == 400


@database
def test_when_a_call_was_refused_then_its_key_may_be_tried_again():
    wallet_id = new_wallet(100)
    with nothing_moves(), pytest.raises(InsufficientFunds):
        spend(wallet_id, 300, keyed("again"))
    fund(wallet_id, 200)

    answer = spend(wallet_id, 300, keyed("again"))

    assert (answer.status, answer.replayed) == (201, False)
    assert balance_of(wallet_id) == 0


@database
def test_when_a_call_has_no_key_then_each_one_has_an_effect():
    wallet_id = new_wallet(1_000)

    answers = [spend(wallet_id, 300, keyed("")) for _ in range(2)]

    assert [answer.replayed for answer in answers] == [False, False]
    assert balance_of(wallet_id) == 400
    assert IdempotencyKey.objects.filter(principal=ACTOR, key="").count() == 0


def opening(call: KeyedCall, resource: str) -> Answer:
    def effect() -> Answer:
        open_key(call, resource=resource)
        return Answer(202, b"pending", resource)

    return once(call, effect)


@database
def test_when_the_first_call_has_no_answer_yet_then_its_repetition_waits_and_is_told_so(monkeypatch):
    monkeypatch.setattr(idempotency, "WAIT_FOR_FIRST_S", 0.2)
    opening(keyed("slow"), "payment:1")
    started = time.monotonic()

    with nothing_moves(), pytest.raises(IdempotencyInProgress):
        opening(keyed("slow"), "payment:2")

    assert 0.2 <= time.monotonic() - started < 2


@database
def test_when_the_answer_comes_while_the_repetition_waits_then_it_is_replayed(monkeypatch):
    opening(keyed("slow"), "payment:3")
    naps = []

    def answer_on_third(seconds: float) -> None:
        naps.append(seconds)
        if len(naps) == 3:
            assert answer_key(resource="payment:3", answer=Answer(402, b"declined", "payment:3")) is True

    monkeypatch.setattr(idempotency.time, "sleep", answer_on_third)

    answer = opening(keyed("slow"), "payment:4")

    assert (answer.status, answer.body, answer.replayed) == (402, b"declined", True)
    assert naps == [0.05, 0.05, 0.05]
    assert answer_key(resource="payment:3", answer=Answer(200, b"other")) is False


@database
def test_when_an_unanswered_key_comes_with_another_request_then_it_is_refused_at_once():
    opening(keyed("slow"), "payment:5")

    with nothing_moves(), pytest.raises(IdempotencyKeyReused):
        opening(keyed("slow", body=b"other"), "payment:6")


@database
def test_when_the_first_attempt_moved_nothing_then_the_same_request_and_no_other_may_take_its_key():
    opening(keyed("freed"), "payment:7")
    free_key(resource="payment:7")
    with nothing_moves(), pytest.raises(IdempotencyKeyReused):
        opening(keyed("freed", body=b"other"), "payment:8")

    answer = opening(keyed("freed"), "payment:9")

    assert (answer.body, answer.replayed) == (b"pending", False)
    assert IdempotencyKey.objects.get(principal=ACTOR, key="freed").resource == "payment:9"


@database
def test_when_an_answer_is_30_days_old_then_its_bytes_go_and_the_resource_is_shown_instead():
    wallet_id = new_wallet(1_000)
    shown = []

    def call(key: str) -> KeyedCall:
        made = keyed(key)
        return KeyedCall(
            principal=made.principal,
            key=key,
            fingerprint=made.fingerprint,
            render=made.render,
            show=lambda resource: shown.append(resource) or b"as it is now",
        )

    now = datetime.now(UTC)
    with time_machine.travel(now - timedelta(days=30, minutes=1)):
        old = spend(wallet_id, 100, call("old"))
    with time_machine.travel(now - timedelta(days=30) + timedelta(minutes=1)):
        young = spend(wallet_id, 100, call("young"))

    dropped = drop_old_answers()

    assert dropped == 1
    with nothing_moves():
        old_again, young_again = spend(wallet_id, 100, call("old")), spend(wallet_id, 100, call("young"))
    assert (old_again.status, old_again.body, old_again.replayed) == (201, b"as it is now", True)
    assert shown == [old.resource]
    assert young_again.body == young.body
    with nothing_moves(), pytest.raises(IdempotencyKeyReused):
        spend(wallet_id, 100, keyed("old", body=b"other"))
    assert drop_old_answers() == 0


class Elsewhere:
    """A first call in a connection of its own that has had its effect, and commits when it is told to."""

    def __init__(self, effect) -> None:
        self._effect, self.answer = effect, None
        self._done, self._commit = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        try:
            with transaction.atomic():
                self.answer = self._effect()
                self._done.set()
                assert self._commit.wait(10)
        finally:
            self._done.set()
            connection.close()

    def __enter__(self) -> "Elsewhere":
        self._thread.start()
        assert self._done.wait(10)
        return self

    def __exit__(self, *_trace: object) -> None:
        self._commit.set()
        self._thread.join(10)


def test_when_the_first_call_still_holds_the_key_then_its_repetition_is_in_progress(committed):
    first_wallet, second_wallet = new_wallet(1_000), new_wallet(1_000)
    call = keyed(f"held-{first_wallet}")
    spend(second_wallet, 100, keyed(""))  # the merchant's account is there from now on

    with Elsewhere(lambda: spend(first_wallet, 300, call)) as first:
        executed("SET lock_timeout = '100ms'")
        with pytest.raises(IdempotencyInProgress):
            spend(second_wallet, 300, call)
    again = spend(second_wallet, 300, call)

    assert (again.body, again.replayed) == (first.answer.body, True)
    assert (balance_of(first_wallet), balance_of(second_wallet)) == (700, 900)
    assert Transfer.objects.filter(id=id_in(again)).count() == 1


def test_when_somebody_holds_the_wallet_too_long_then_the_call_is_unavailable_and_may_be_repeated(committed):
    wallet_id = new_wallet(1_000)

    with Elsewhere(lambda: spend(wallet_id, 300, keyed(""))):
        executed("SET lock_timeout = '100ms'")
        with pytest.raises(Unavailable):
            spend(wallet_id, 200, keyed(f"busy-{wallet_id}"))
    answer = spend(wallet_id, 200, keyed(f"busy-{wallet_id}"))

    assert answer.replayed is False
    assert balance_of(wallet_id) == 500


@pytest.mark.parametrize(
    ("header", "key"),
    [
        (None, ""),
        ("a", "a"),
        ("!" * 255, "!" * 255),
        ('"quoted"', "quoted"),
        (r'"a\"b\\c"', r'a"b\c'),
        ('"open', '"open'),
    ],
)
def test_when_a_key_is_sent_bare_or_quoted_then_it_is_the_same_key(header, key):
    assert read_key(header) == key


@pytest.mark.parametrize(
    "header", ["", " ", "a b", "a" * 256, '"a b"', "ä", "a\x7f", "a\n", '"' + "a" * 256 + '"']
)
def test_when_a_header_is_no_key_then_it_is_refused(header):
    with pytest.raises(IdempotencyKeyRequired):
        read_key(header)
